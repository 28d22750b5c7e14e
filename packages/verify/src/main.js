/**
 * All checks of the proof, one after the other, with a budget: `npm run verify -- [--only a,b] [--seconds N] [--seed N] [--short] [--json FILE]`.
 * `--seconds` is for all of them together and is shared out by weight; `--short` takes the forms that `npm test` holds.
 */
import { writeFile } from "node:fs/promises";
import { COMMON, commandLine, LEAST, printOutcome } from "./support/command-line.js";

/** The checks in their order, the share of the time that each gets, and the folder of each. */
export const CHECKS = [
  ["storefree", 1, "coherence"],
  ["coherence", 1, "coherence"],
  ["interleave", 6, "explore"],
  ["races", 3, "races"],
  ["death", 6, "deaths"],
  ["terminate", 3, "deaths"],
  ["alloc", 2, "alloc"],
  ["fsck", 2, "fsck"],
  ["torture", 3, "torture"],
  ["hostile", 2, "hostile"],
  ["planted", 6, "planted"],
];
const SECONDS = 1200;

function chosen(only) {
  if (only === undefined) return CHECKS;
  const names = only.split(",");
  const unknown = names.filter((name) => !CHECKS.some(([known]) => known === name));
  if (unknown.length > 0) throw new RangeError(`no check ${unknown}; there are ${CHECKS.map(([name]) => name)}`);
  return CHECKS.filter(([name]) => names.includes(name));
}

async function runAll({ only, seconds, seed, short }) {
  const checks = chosen(only);
  const shares = checks.reduce((sum, [, share]) => sum + share, 0);
  const outcomes = [];
  for (const [name, share, folder] of checks) {
    const { title, run } = await import(`./${folder}/${name}.js`);
    console.log(`\n${name}: ${title}`);
    const began = performance.now();
    const { ok, explored, failures } = await run({
      seconds: (seconds * share) / shares,
      seed,
      short,
      log: (line) => console.log(`  ${line}`),
    });
    const took = Math.round((performance.now() - began) / 1000);
    console.log(`${name}: ${ok ? "holds" : "FAILS"}, ${took} s, seed ${seed}`);
    printOutcome({ explored, failures });
    outcomes.push({ name, title, ok, seconds: took, seed, explored, failures });
  }
  return outcomes;
}

const { only, seconds, seed, short, json } = commandLine(
  {
    ...COMMON,
    seconds: { type: "string", default: String(SECONDS) },
    only: { type: "string" },
    json: { type: "string" },
  },
  LEAST,
);
const outcomes = await runAll({ only, seconds, seed, short });
console.log("");
for (const { name, title, ok, seconds: took } of outcomes)
  console.log(`${ok ? "holds" : "FAILS"}  ${name} (${took} s): ${title}`);
if (json !== undefined) await writeFile(json, `${JSON.stringify(outcomes, null, 2)}\n`);
process.exitCode = outcomes.every(({ ok }) => ok) ? 0 : 1;
