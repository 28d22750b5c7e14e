/**
 * The checks that the planted faults are put to, as data: a program to run in a copy of the project whose core has the fault
 * (project-copy.ts), with its arguments. Each is restricted to where the fault is, so that it takes seconds, and ends with its work: what it
 * catches does not depend on the machine's speed.
 */

/** One check with its arguments. */
export interface Step {
  /** How the table names it. */
  check: string;
  /** Arguments of node: the program and its arguments, as from the project's directory. */
  args: string[];
  /** The debug build is needed too. */
  debug?: boolean;
  /** The longest processor time of one of its processes, default {@link LIMIT_SECONDS}; a run that is killed then counts as one that hangs. */
  limitSeconds?: number;
}

export const LIMIT_SECONDS = 900;

/** The command of the proof, from the project's directory. */
const COMMAND = "packages/verify/dist/main.js";
const SEED = ["--seed", "1"];
const TO_THE_END = ["--seconds", "Infinity"];
const SHORT = ["--short"];
const NEAR_END = ["--counters", "near-end"];

/** A thread dies at any access of the operations whose "TREE NAME" contains the text. */
export const death = (only: string, { more = [] }: { more?: string[] } = {}): Step => ({
  check: "death",
  args: [COMMAND, "death", ...SEED, ...TO_THE_END, "--only", only, ...more],
});

/** A thread of a program of WASI dies at any access of the calls that contain the text. */
export const deathInWasi = (only: string): Step => ({
  check: "wasi",
  args: [COMMAND, "wasi", ...SEED, ...TO_THE_END, "--only", only],
});

/** A thread with a component dies at any access of the methods that contain the text. */
export const deathOfComponent = (only: string): Step => ({
  check: "components",
  args: [COMMAND, "components", ...SEED, ...TO_THE_END, "--only", only],
});

/** The same as death(), and a bystander does another operation of the tree before the recovery. */
export const meanwhile = (only: string, other: string): Step => ({
  ...death(only, { more: ["--meanwhile", other] }),
  check: "death, with an operation before it is known",
});

/** All schedules of the pairs named, with this many preemptions: "TREE@ONE || OTHER". */
export const pair = (only: string, { bound = 1, nearEnd = false } = {}): Step => ({
  check: nearEnd ? "interleave, counters near their end" : "interleave",
  args: [
    COMMAND,
    "interleave",
    ...SEED,
    ...[...TO_THE_END, "--bound", `${bound}`, "--only", only],
    ...(nearEnd ? NEAR_END : []),
  ],
});

/** Waits of a thread that may not sleep, in the schedules of the pairs named, with at most so many suspensions. */
export const timeouts = (only: string, bound = 1): Step => ({
  check: "timeouts",
  args: [COMMAND, "timeouts", ...SEED, ...TO_THE_END, "--bound", `${bound}`, "--only", only],
});

/** Races in the schedules of the pairs named. */
export const races = (only: string): Step => ({
  check: "races",
  args: [COMMAND, "races", ...SEED, ...SHORT, "--only", only],
});

/** Each allocation of the operations whose name contains the text is refused. */
export const alloc = (only: string): Step => ({
  check: "alloc",
  args: [COMMAND, "alloc", ...SEED, ...TO_THE_END, "--only", only],
});

/** Stores in rcu mode, over two tables of the conformance suite. */
export const storefree = (): Step => ({
  check: "storefree",
  args: [COMMAND, "storefree", ...SEED, ...SHORT],
});

/** Random work, and the checker of the whole arena. */
export const fsck = ({ nearEnd = false } = {}): Step => ({
  check: nearEnd ? "fsck, counters near their end" : "fsck",
  args: [COMMAND, "fsck", ...SEED, ...SHORT, ...(nearEnd ? NEAR_END : [])],
});

/** Real threads, until each of them has made so many turns. */
export const torture = ({ turns = 10_000 } = {}): Step => ({
  check: "torture",
  args: [COMMAND, "torture", ...SEED, "--turns", `${turns}`],
});

/** Walks that may not leave a directory, beside exchanges. */
export const escapes = (): Step => ({
  check: "escape",
  args: [COMMAND, "escape", ...SEED, ...SHORT],
});

/** Workers that die under load. */
export const terminate = ({ deaths = 100 } = {}): Step => ({
  check: "terminate",
  args: [COMMAND, "terminate", ...SEED, ...TO_THE_END, "--deaths", `${deaths}`],
});

/** Tests of the suite: files by a part of their path, and of them those whose name matches. */
export const tests = (files: string, pattern?: string): Step => ({
  check: "tests",
  args: [
    "packages/tools/dist/run-tests.js",
    files,
    ...(pattern === undefined ? [] : [`--test-name-pattern=${pattern}`]),
  ],
  debug: true,
});

/** The command line that runs a check. */
export function commandOf({ args }: Step): string {
  return ["node", ...args.map((arg) => (/^[\w./=:@-]+$/.test(arg) ? arg : JSON.stringify(arg)))].join(" ");
}
