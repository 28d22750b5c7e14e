/** The checks that a mutation is put to, those first that tell the most in the least time: parts of `npm test`, and the short forms of the proof. */
import { type Step, tests } from "../planted/detectors.js";
import type { Mutation } from "./operators.js";

const COMMAND = "packages/verify/dist/main.js";

/** The short form of a check, which ends with its work. */
const short = (check: string): Step => ({ check: `${check}, short`, args: [COMMAND, check, "--seed", "1", "--short"] });

const unit = (folder: string): Step => tests(`unit/${folder}/`);

const [WALK, FS, API, MEM] = [unit("walk"), unit("fs"), unit("api"), unit("mem")];
const DEATH = short("death");

export const STAGES: Step[] = [
  // Seconds, and it needs no debug build, which the tests after it do.
  short("fsck"),
  unit("vfs"),
  WALK,
  FS,
  API,
  MEM,
  short("alloc"),
  DEATH,
  short("races"),
  short("storefree"),
  short("terminate"),
  short("torture"),
  short("hostile"),
  tests("verify/model"),
  tests("threadfs/regressions"),
  tests("threadfs/properties"),
  short("interleave"),
  tests("threadfs/conformance"),
];

/** The check that tells most mutations of some files, or of an operator. */
const FIRST: [of: (mutation: Mutation) => boolean, step: Step][] = [
  [({ operator, file }) => operator === "skip an undo-log entry" || /^(?:mem\/undo|vfs\/recovery)\//.test(file), DEATH],
  [({ file }) => file.startsWith("mem/"), MEM],
  [({ file }) => file.startsWith("vfs/walk/"), WALK],
  [({ file }) => file.startsWith("fs/"), FS],
  [({ file }) => file.startsWith("sys/"), API],
];

/** All stages, in the order in which this mutation meets them. */
export function stagesFor(mutation: Mutation): Step[] {
  const [, first] = FIRST.find(([of]) => of(mutation)) ?? [];
  return first === undefined ? STAGES : [first, ...STAGES.filter((step) => step !== first)];
}
