/** Faults that a torture run must find: those of the list that are marked for it, each with its name and its edits of the core. */
import type { Edit } from "../binary/mutant.js";
import { MUTANTS } from "../planted/faults.js";

export const PLANTED: Readonly<Record<string, Edit[]>> = Object.fromEntries(
  MUTANTS.filter(({ torture }) => torture).map(({ name, edits }) => [name, edits]),
);
