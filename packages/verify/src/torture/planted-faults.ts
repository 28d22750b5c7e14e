/** Faults that a torture run must find, each by its name as edits of the core: those of the list that are marked so. */
import type { Edit } from "../binary/mutant.js";
import { MUTANTS } from "../planted/faults.js";

export const PLANTED: Readonly<Record<string, Edit[]>> = Object.fromEntries(
  MUTANTS.filter(({ torture }) => torture).map(({ name, edits }) => [name, edits]),
);
