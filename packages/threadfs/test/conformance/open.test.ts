import cases from "./cases/open.js";
import { conform } from "./harness.js";

conform("open, flags and modes", cases);
