import cases from "./cases/copy.js";
import { conform } from "./support/harness.js";

conform("copies", cases, new URL("./cases/copy.js", import.meta.url));
