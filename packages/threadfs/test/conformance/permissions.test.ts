import cases from "./cases/permissions.js";
import { conform } from "./support/harness.js";

conform("permissions", cases, new URL("./cases/permissions.js", import.meta.url));
