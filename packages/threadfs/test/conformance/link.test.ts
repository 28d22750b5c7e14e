import cases from "./cases/link.js";
import { conform } from "./support/harness.js";

conform("hard and symbolic links", cases, new URL("./cases/link.js", import.meta.url));
