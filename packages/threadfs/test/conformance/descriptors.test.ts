import cases from "./cases/descriptors.js";
import { conform } from "./support/harness.js";

conform("descriptors", cases);
