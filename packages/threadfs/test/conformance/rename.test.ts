import cases from "./cases/rename.js";
import { conform } from "./harness.js";

conform("rename", cases);
