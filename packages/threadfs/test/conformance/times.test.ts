import cases from "./cases/times.js";
import { conform } from "./harness.js";

conform("times", cases);
