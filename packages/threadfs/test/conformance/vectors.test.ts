/** Calls with several buffers, and temporary directories, on threadfs and on the kernel. */
import cases from "./cases/vectors.js";
import { conform } from "./support/harness.js";

conform("vectors", cases, new URL("./cases/vectors.js", import.meta.url));
