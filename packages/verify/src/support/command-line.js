/** Runs one check from the command line: `node verify/<check>.js [--seconds N] [--seed N] [--short] [--help]`. */
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/**
 * @typedef {object} Outcome
 * @property {boolean} ok
 * @property {Record<string, number | string>} explored what was looked at, by name
 * @property {{ message: string, replay?: string, trace?: string }[]} failures
 */

/** @typedef {(options: { seconds: number, seed: number, short: boolean, log: (line: string) => void, values?: Record<string, string | number | boolean> }) => Promise<Outcome>} Run */
/** @typedef {import("node:util").ParseArgsConfig["options"]} Options */

/** Options that checks have in common. */
export const COMMON = {
  seconds: { type: "string", default: "60" },
  seed: { type: "string", default: "1" },
  short: { type: "boolean", default: false },
};
/** Options that are numbers, and the least that each may be. */
export const LEAST = { seconds: 0.001, seed: 0 };

/** Whether the file with this import.meta.url is the program that was started. */
export function isProgram(url) {
  return url === pathToFileURL(process.argv[1] ?? "").href;
}

/**
 * The options of the command line. With --help, and where one is wrong, the process ends (exit code 0 or 2) behind a line that says
 * which there are.
 * @param {Options} options those there are
 * @param {Record<string, number>} numbers those that take a number, and the least each may be; they come back as numbers
 */
export function commandLine(options, numbers) {
  let wrong;
  try {
    const { help, ...values } = parseArgs({ options: { ...options, help: { type: "boolean" } } }).values;
    for (const [name, least] of Object.entries(numbers)) {
      if (values[name] === undefined) continue;
      const number = values[name].trim() === "" ? Number.NaN : Number(values[name]);
      // Time may be in parts, everything else is counted.
      const fits = number >= least && (name === "seconds" || Number.isInteger(number));
      if (!fits) throw new RangeError(`--${name} takes a number of ${least} or more, not ${values[name]}`);
      values[name] = number;
    }
    if (!help) return values;
  } catch (error) {
    wrong = error.message;
  }
  if (wrong !== undefined) console.error(wrong);
  const all = Object.entries(options).map(([name, { type }]) => `--${name}${type === "string" ? " ..." : ""}`);
  console.log(`options: ${all.join(" ")}`);
  process.exit(wrong === undefined ? 0 : 2);
}

/** Prints what a check came to. @param {Outcome} outcome */
export function printOutcome({ explored, failures }) {
  for (const [name, value] of Object.entries(explored)) console.log(`  ${name}: ${value}`);
  for (const { message, replay, trace } of failures) {
    console.log(`\n${message}${replay ? `\n  again: ${replay}` : ""}${trace ? `\n${trace}` : ""}`);
  }
}

/**
 * Runs the check if its file is the program that was started; sets the exit code.
 * @param {string} url the file's import.meta.url
 * @param {{ title: string, run: Run, options?: Options, numbers?: Record<string, number>, replay?: (spec: string) => boolean }} check `options`: more
 *   options of the command line, handed on as `values`; `replay`: does one schedule again, --replay's, and tells whether it holds
 */
export async function main(url, { title, run, options = {}, numbers = {}, replay }) {
  if (!isProgram(url)) return;
  const known = { ...COMMON, ...options, ...(replay ? { replay: { type: "string" } } : {}) };
  const values = commandLine(known, { ...LEAST, ...numbers });
  if (values.replay !== undefined) {
    process.exitCode = replay(values.replay) ? 0 : 1;
    return;
  }
  const { seconds, seed, short } = values;
  const outcome = await run({ seconds, seed, short, log: console.log, values });
  console.log(`${title}: ${outcome.ok ? "holds" : "FAILS"} (seed ${seed})`);
  printOutcome(outcome);
  process.exitCode = outcome.ok ? 0 : 1;
}
