/**
 * Faults to be planted in the core, as edits of its source, and the checks that are to catch each, the fastest first. One list for
 * packages/verify/src/planted/planted.js and for the torture run's own tests.
 */
import { CACHE } from "./dcache-faults.js";
import { FILES } from "./file-faults.js";
import { LOCKS } from "./lock-faults.js";
import { WALK } from "./walk-faults.js";

/**
 * @typedef {object} Mutant
 * @property {string} name
 * @property {number} [known] its number in the list of bugs that this algorithm has had (docs/planted.md)
 * @property {boolean} [torture] one of those that show what the torture run is worth: it finds them in seconds
 * @property {import("../binary/mutant.js").Edit[]} edits
 * @property {import("./detectors.js").Step[]} caughtBy in this order, until one catches it
 */

/** @type {Mutant[]} */
export const MUTANTS = [...LOCKS, ...CACHE, ...WALK, ...FILES];

/** Of the numbered bugs those that cannot be planted, and why. @type {Record<number, string>} */
export const NOT_PLANTED = {
  17: "there is no RESOLVE_BENEATH yet",
  23: "there are no watchers yet",
};
