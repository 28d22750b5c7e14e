/** Listings on threadfs and on the kernel. */
import cases from "./cases/listings.js";
import { conform } from "./support/harness.js";

conform("listings", cases, new URL("./cases/listings.js", import.meta.url));
