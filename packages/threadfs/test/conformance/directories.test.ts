import cases from "./cases/directories.js";
import { conform } from "./support/harness.js";

conform("directories", cases, new URL("./cases/directories.js", import.meta.url));
