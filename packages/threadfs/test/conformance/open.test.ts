import cases from "./cases/open.js";
import { conform } from "./support/harness.js";

conform("open, flags and modes", cases, new URL("./cases/open.js", import.meta.url));
