/** Faults that a torture run is to find, each by its name as edits of the core: those of the list that are marked so. */
import { MUTANTS } from "../planted/faults.js";

/** @type {Record<string, import("../binary/mutant.js").Edit[]>} */
export const PLANTED = Object.fromEntries(
  MUTANTS.filter(({ torture }) => torture).map(({ name, edits }) => [name, edits]),
);
