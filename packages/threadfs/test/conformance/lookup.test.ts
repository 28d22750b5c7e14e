import cases from "./cases/lookup.js";
import { conform } from "./harness.js";

conform("paths of every shape", cases);
