import cases from "./cases/contents.js";
import { conform } from "./support/harness.js";

conform("contents of files", cases);
