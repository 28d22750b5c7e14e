/** cp of trees over what is there, on threadfs and on the kernel. */
import cases from "./cases/copy-trees.js";
import { conform } from "./support/harness.js";

conform("copies of trees", cases, new URL("./cases/copy-trees.js", import.meta.url));
