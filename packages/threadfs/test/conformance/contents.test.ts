import cases from "./cases/contents.js";
import { conform } from "./harness.js";

conform("contents of files", cases);
