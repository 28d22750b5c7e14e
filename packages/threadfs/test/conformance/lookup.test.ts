import cases from "./cases/lookup.js";
import { conform } from "./support/harness.js";

conform("paths of every shape", cases, new URL("./cases/lookup.js", import.meta.url));
