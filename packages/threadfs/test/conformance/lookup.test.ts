import cases from "./cases/lookup.js";
import { conform } from "./support/harness.js";

conform("paths of every shape", cases);
