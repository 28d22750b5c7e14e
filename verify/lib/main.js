/** Runs one check from the command line: `node verify/<check>.js [--seconds N] [--seed N] [--short]`. */
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/**
 * @typedef {object} Outcome
 * @property {boolean} ok
 * @property {Record<string, number | string>} explored what was looked at, by name
 * @property {{ message: string, replay?: string, trace?: string }[]} failures
 */

/**
 * Runs the check if its file is the program that was started; sets the exit code.
 * @param {string} url the file's import.meta.url
 * @param {{ title: string, run: (options: { seconds: number, seed: number, short: boolean, log: (line: string) => void }) => Promise<Outcome> }} check
 */
export async function main(url, { title, run }) {
  if (url !== pathToFileURL(process.argv[1] ?? "").href) return;
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: "1" },
      short: { type: "boolean", default: false },
    },
    strict: false,
  });
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  const { ok, explored, failures } = await run({ seconds, seed, short: values.short === true, log: console.log });
  console.log(`${title}: ${ok ? "holds" : "FAILS"} (seed ${seed})`);
  for (const [name, value] of Object.entries(explored)) console.log(`  ${name}: ${value}`);
  for (const { message, replay, trace } of failures) {
    console.log(`\n${message}${replay ? `\n  again: ${replay}` : ""}${trace ? `\n${trace}` : ""}`);
  }
  process.exitCode = ok ? 0 : 1;
}
