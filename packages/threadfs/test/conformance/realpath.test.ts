/** realpath, Node's own and the kernel's, on threadfs and on the kernel. */
import cases from "./cases/realpath.js";
import { conform } from "./support/harness.js";

conform("realpath", cases, new URL("./cases/realpath.js", import.meta.url));
