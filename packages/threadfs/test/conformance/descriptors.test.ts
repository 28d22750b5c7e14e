import cases from "./cases/descriptors.js";
import { conform } from "./support/harness.js";

conform("descriptors", cases, new URL("./cases/descriptors.js", import.meta.url));
