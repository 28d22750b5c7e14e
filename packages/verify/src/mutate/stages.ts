/** The checks that a mutation is put to, the fastest first: parts of `npm test`, and the short forms of the proof. */
import { type Step, tests } from "../planted/detectors.js";

const COMMAND = "packages/verify/dist/main.js";

/** The short form of a check, which ends with its work; `seconds` for those whose work is by chance. */
const short = (check: string, seconds = 60): Step => ({
  check: `${check}, short`,
  args: [COMMAND, check, "--seed", "1", "--seconds", `${seconds}`, "--short"],
  limitSeconds: 1200,
});

const patient = (step: Step): Step => ({ ...step, limitSeconds: 1800 });

export const STAGES: Step[] = [
  patient(tests("unit/vfs/")),
  short("fsck", 5),
  patient(tests("unit/walk/")),
  patient(tests("unit/fs/")),
  short("alloc", 10),
  short("races", 600),
  short("storefree", 600),
  patient(tests("unit/api/")),
  patient(tests("unit/mem/")),
  short("terminate", 8),
  short("torture", 5),
  short("hostile", 10),
  patient(tests("verify/model")),
  patient(tests("threadfs/regressions")),
  patient(tests("threadfs/properties")),
  short("interleave", 600),
  patient(tests("threadfs/conformance")),
  short("death", 600),
];
