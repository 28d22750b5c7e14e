import cases from "./cases/times.js";
import { conform } from "./support/harness.js";

conform("times", cases);
