/** Runs one check from the command line: `node verify/<check>.js [--seconds N] [--seed N] [--short]`. */
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/**
 * @typedef {object} Outcome
 * @property {boolean} ok
 * @property {Record<string, number | string>} explored what was looked at, by name
 * @property {{ message: string, replay?: string, trace?: string }[]} failures
 */

/** @typedef {(options: { seconds: number, seed: number, short: boolean, log: (line: string) => void, values?: Record<string, string> }) => Promise<Outcome>} Run */

/**
 * Runs the check if its file is the program that was started; sets the exit code.
 * @param {string} url the file's import.meta.url
 * @param {{ title: string, run: Run, options?: import("node:util").ParseArgsConfig["options"] }} check `options`: more options of the
 *   command line, handed on as `values`
 */
export async function main(url, { title, run, options = {} }) {
  if (url !== pathToFileURL(process.argv[1] ?? "").href) return;
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      short: { type: "boolean", default: false },
      ...options,
    },
  });
  const { short } = values;
  const [seconds, seed] = [values.seconds, values.seed].map(Number);
  if (!(seconds > 0) || !Number.isInteger(seed))
    throw new RangeError("--seconds takes a number above 0, --seed an integer");
  const { ok, explored, failures } = await run({ seconds, seed, short, log: console.log, values });
  console.log(`${title}: ${ok ? "holds" : "FAILS"} (seed ${seed})`);
  for (const [name, value] of Object.entries(explored)) console.log(`  ${name}: ${value}`);
  for (const { message, replay, trace } of failures) {
    console.log(`\n${message}${replay ? `\n  again: ${replay}` : ""}${trace ? `\n${trace}` : ""}`);
  }
  process.exitCode = ok ? 0 : 1;
}
