import cases from "./cases/link.js";
import { conform } from "./harness.js";

conform("hard and symbolic links", cases);
