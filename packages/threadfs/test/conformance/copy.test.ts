import cases from "./cases/copy.js";
import { conform } from "./support/harness.js";

conform("copies", cases);
