import cases from "./cases/attributes.js";
import { conform } from "./support/harness.js";

conform("attributes", cases, new URL("./cases/attributes.js", import.meta.url));
