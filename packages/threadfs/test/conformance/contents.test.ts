import cases from "./cases/contents.js";
import { conform } from "./support/harness.js";

conform("contents of files", cases, new URL("./cases/contents.js", import.meta.url));
