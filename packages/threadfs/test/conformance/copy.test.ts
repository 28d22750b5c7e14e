import cases from "./cases/copy.js";
import { conform } from "./harness.js";

conform("copies", cases);
