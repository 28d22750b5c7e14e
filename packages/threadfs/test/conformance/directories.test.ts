import cases from "./cases/directories.js";
import { conform } from "./harness.js";

conform("directories", cases);
