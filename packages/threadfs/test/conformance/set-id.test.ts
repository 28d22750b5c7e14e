import cases from "./cases/set-id.js";
import { conform } from "./support/harness.js";

conform("set-id", cases, new URL("./cases/set-id.js", import.meta.url));
