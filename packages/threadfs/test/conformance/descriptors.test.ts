import cases from "./cases/descriptors.js";
import { conform } from "./harness.js";

conform("descriptors", cases);
