import cases from "./cases/link.js";
import { conform } from "./support/harness.js";

conform("hard and symbolic links", cases);
