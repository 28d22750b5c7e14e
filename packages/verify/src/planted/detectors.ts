/**
 * The checks that the planted faults are put to, as data: a program to run in a copy of the project whose core has the fault
 * (project-copy.ts), with its arguments. Each is restricted to where the fault is, so that it takes seconds.
 */

/** One check with its arguments. */
export interface Step {
  /** How the table names it. */
  check: string;
  /** Arguments of node: the program and its arguments, as from the project's directory. */
  args: string[];
  /** The debug build is needed too. */
  debug?: boolean;
  /** Longest time in place of the program's own budget and two minutes; a run that is killed then counts as one that hangs. */
  limitSeconds?: number;
}

/** The command of the proof, from the project's directory. */
const COMMAND = "packages/verify/dist/main.js";
const SEED = ["--seed", "1"];
const NEAR_END = ["--counters", "near-end"];

/** A thread dies at any access of the operations whose "TREE NAME" contains the text. */
export const death = (only: string, { seconds = 40, more = [] }: { seconds?: number; more?: string[] } = {}): Step => ({
  check: "death",
  args: [COMMAND, "death", ...SEED, "--seconds", `${seconds}`, "--only", only, ...more],
});

/** The same, and a bystander does another operation of the tree before the recovery. */
export const meanwhile = (only: string, other: string, { seconds = 60 } = {}): Step => ({
  ...death(only, { seconds, more: ["--meanwhile", other] }),
  check: "death, with an operation before it is known",
});

/** All schedules of the pairs named, with this many preemptions: "TREE@ONE || OTHER". */
export const pair = (only: string, { bound = 1, seconds = 40, nearEnd = false } = {}): Step => ({
  check: nearEnd ? "interleave, counters near their end" : "interleave",
  args: [
    COMMAND,
    "interleave",
    ...SEED,
    ...["--seconds", `${seconds}`, "--bound", `${bound}`, "--only", only],
    ...(nearEnd ? NEAR_END : []),
  ],
});

/** Waits of a thread that may not sleep, in the schedules of the pairs named. */
export const timeouts = (only: string, { seconds = 60 } = {}): Step => ({
  check: "timeouts",
  args: [COMMAND, "timeouts", ...SEED, "--seconds", `${seconds}`, "--bound", "1", "--only", only],
});

/** Races in the schedules of the pairs named. */
export const races = (only: string, { seconds = 40 } = {}): Step => ({
  check: "races",
  args: [COMMAND, "races", ...SEED, "--seconds", `${seconds}`, "--only", only],
});

/** Each allocation of the operations whose name contains the text is refused. */
export const alloc = (only: string): Step => ({
  check: "alloc",
  args: [COMMAND, "alloc", ...SEED, "--seconds", "20", "--only", only],
});

/** Stores in rcu mode, over two tables of the conformance suite. */
export const storefree = (): Step => ({
  check: "storefree",
  args: [COMMAND, "storefree", ...SEED, "--seconds", "40", "--short"],
});

/** Random work, and the checker of the whole arena. */
export const fsck = ({ seconds = 4, nearEnd = false } = {}): Step => ({
  check: nearEnd ? "fsck, counters near their end" : "fsck",
  args: [COMMAND, "fsck", ...SEED, "--seconds", `${seconds}`, ...(nearEnd ? NEAR_END : [])],
});

/** Real threads. */
export const torture = ({ seconds = 15 } = {}): Step => ({
  check: "torture",
  args: [COMMAND, "torture", ...SEED, "--seconds", `${seconds}`],
});

/** Workers that die under load. */
export const terminate = ({ seconds = 20 } = {}): Step => ({
  check: "terminate",
  args: [COMMAND, "terminate", ...SEED, "--seconds", `${seconds}`],
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
