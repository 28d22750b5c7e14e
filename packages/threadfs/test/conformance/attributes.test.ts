import cases from "./cases/attributes.js";
import { conform } from "./harness.js";

conform("attributes", cases);
