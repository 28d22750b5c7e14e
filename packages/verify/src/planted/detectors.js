/**
 * The checks that the planted faults are put to, as data: a program to run in a copy of the project whose core has the fault
 * (workplace.js), with its arguments. Each is restricted to where the fault is, so that it takes seconds.
 */

/**
 * @typedef {object} Step
 * @property {string} check how the table names it
 * @property {string[]} args of node: the program and its arguments, as from the project's directory
 * @property {boolean} [debug] the debug build is needed too
 */

/** The command of the proof, from the project's directory. */
const COMMAND = "packages/verify/dist/main.js";
const SEED = ["--seed", "1"];

/** A thread dies at any access of the operations whose "TREE NAME" contains the text. @returns {Step} */
export const death = (only, { seconds = 40, more = [] } = {}) => ({
  check: "death",
  args: [COMMAND, "death", ...SEED, "--seconds", `${seconds}`, "--only", only, ...more],
});

/** The same, and another operation of the tree is done before anybody takes over. @returns {Step} */
export const meanwhile = (only, other, { seconds = 60 } = {}) => ({
  ...death(only, { seconds, more: ["--meanwhile", other] }),
  check: "death, with an operation before it is known",
});

/** All schedules of the pairs named, with so many preemptions: "TREE@ONE || OTHER". @returns {Step} */
export const pair = (only, { bound = 1, seconds = 40 } = {}) => ({
  check: "interleave",
  args: [COMMAND, "interleave", ...SEED, "--seconds", `${seconds}`, "--bound", `${bound}`, "--only", only],
});

/** Races in the schedules of the pairs named. @returns {Step} */
export const races = (only, { seconds = 40 } = {}) => ({
  check: "races",
  args: [COMMAND, "races", ...SEED, "--seconds", `${seconds}`, "--only", only],
});

/** Every allocation of the operations refused whose name contains the text. @returns {Step} */
export const alloc = (only) => ({
  check: "alloc",
  args: [COMMAND, "alloc", ...SEED, "--seconds", "20", "--only", only],
});

/** Stores in rcu mode, over two tables of the conformance suite. @returns {Step} */
export const storefree = () => ({
  check: "storefree",
  args: [COMMAND, "storefree", ...SEED, "--seconds", "40", "--short"],
});

/** Random work, and the checker of the whole arena. @returns {Step} */
export const fsck = ({ seconds = 4 } = {}) => ({
  check: "fsck",
  args: [COMMAND, "fsck", ...SEED, "--seconds", `${seconds}`],
});

/** Real threads. @returns {Step} */
export const torture = ({ seconds = 15 } = {}) => ({
  check: "torture",
  args: [COMMAND, "torture", ...SEED, "--seconds", `${seconds}`],
});

/** Workers that die under load. @returns {Step} */
export const terminate = ({ seconds = 20 } = {}) => ({
  check: "terminate",
  args: [COMMAND, "terminate", ...SEED, "--seconds", `${seconds}`],
});

/** Tests of the suite: files by a part of their path, and of them those whose name matches. @returns {Step} */
export const tests = (files, pattern) => ({
  check: "tests",
  args: [
    "packages/tools/dist/run-tests.js",
    files,
    ...(pattern === undefined ? [] : [`--test-name-pattern=${pattern}`]),
  ],
  debug: true,
});

/** As a person would type it. @param {Step} step */
export function commandOf({ args }) {
  return ["node", ...args.map((arg) => (/^[\w./=:@-]+$/.test(arg) ? arg : JSON.stringify(arg)))].join(" ");
}
