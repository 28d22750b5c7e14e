/** Faults that a torture run is to find, each by its name as edits of the core: those of the list for which it is a check. */
import { MUTANTS } from "../planted/list.js";

/** @type {Record<string, import("../mutant.js").Edit[]>} */
export const PLANTED = Object.fromEntries(
  MUTANTS.filter(({ caughtBy }) => caughtBy.some(({ check }) => check === "torture")).map(({ name, edits }) => [
    name,
    edits,
  ]),
);
