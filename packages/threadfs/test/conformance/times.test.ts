import cases from "./cases/times.js";
import { conform } from "./support/harness.js";

conform("times", cases, new URL("./cases/times.js", import.meta.url));
