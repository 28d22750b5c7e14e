import cases from "./cases/rename.js";
import { conform } from "./support/harness.js";

conform("rename", cases, new URL("./cases/rename.js", import.meta.url));
