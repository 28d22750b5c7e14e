/**
 * The command that runs the checks.
 *
 *   npm run verify                                             all checks, one after the other, in 20 minutes
 *   npm run verify -- [CHECK ...] [--seconds N] [--seed N] [--short] [--only A,B] [--json FILE] [--doc FILE]
 *   npm run verify -- races --seed 62 --only "mkdir || stat"   one check, with its own options: `npm run verify -- races --help`
 *
 * `--json` writes the results of several checks, `--doc` writes them into a document, docs/results.md as a rule.
 * For several checks `--seconds` is the time of all of them together, shared out by weight. `--short` takes the forms that
 * `npm test` runs, which end with their work and not by time.
 */
import { writeFile } from "node:fs/promises";
import { type Check, printOutcome } from "./support/check.js";
import { COMMON, commandLine, runCommand } from "./support/command-line.js";
import { type Result, writeResults } from "./support/results.js";
import { UsageError } from "./support/usage-error.js";

interface Entry {
  name: string;
  /** The share of the time that the check gets. */
  share: number;
  load(): Promise<{ check: Check }>;
}

/** The checks in their order. */
const CHECKS: Entry[] = [
  { name: "storefree", share: 1, load: () => import("./coherence/storefree.js") },
  { name: "coherence", share: 1, load: () => import("./coherence/coherence.js") },
  { name: "interleave", share: 6, load: () => import("./explore/interleave.js") },
  { name: "timeouts", share: 4, load: () => import("./explore/timeouts.js") },
  { name: "races", share: 3, load: () => import("./races/races.js") },
  { name: "death", share: 6, load: () => import("./deaths/death.js") },
  { name: "wasi", share: 2, load: () => import("./deaths/programs/wasi.js") },
  { name: "components", share: 1, load: () => import("./deaths/programs/components.js") },
  { name: "terminate", share: 3, load: () => import("./deaths/terminate.js") },
  { name: "alloc", share: 2, load: () => import("./alloc/alloc.js") },
  { name: "fsck", share: 2, load: () => import("./fsck/fsck.js") },
  { name: "torture", share: 3, load: () => import("./torture/torture.js") },
  { name: "escape", share: 1, load: () => import("./torture/escape.js") },
  { name: "hostile", share: 2, load: () => import("./hostile/hostile.js") },
  { name: "planted", share: 6, load: () => import("./planted/planted.js") },
];
const SECONDS = 1200;

/** The checks of these names, in their order; all of them where no name is given. @throws UsageError for an unknown name */
function chosen(names: string[]): Entry[] {
  if (names.length === 0) return CHECKS;
  const unknown = names.filter((name) => !CHECKS.some((check) => check.name === name));
  if (unknown.length > 0) {
    const all = CHECKS.map(({ name }) => name);
    throw new UsageError("ERR_VERIFY_NO_MATCH", `no check ${unknown}; there are ${all}`);
  }
  return CHECKS.filter(({ name }) => names.includes(name));
}

/** One check by itself, with its own options. */
async function runOne(entry: Entry, args: string[]): Promise<boolean> {
  const { check } = await entry.load();
  const values: Record<string, unknown> = commandLine(check.options, args);
  if (typeof values.replay === "string" && check.replay) return check.replay(values.replay);
  const given = values as Parameters<Check["run"]>[0];
  const outcome = await check.run({ ...given, log: console.log });
  console.log(`${check.title}: ${outcome.ok ? "holds" : "FAILS"} (seed ${given.seed})`);
  printOutcome(outcome);
  return outcome.ok;
}

interface Options {
  seconds: number;
  seed: number;
  short: boolean;
}

/** Runs a check with its share of the time, and prints its outcome. */
async function runShare({ name, load }: Entry, { seconds, seed, short }: Options): Promise<Result> {
  const { check } = await load();
  console.log(`\n${name}: ${check.title}`);
  const began = performance.now();
  const defaults = Object.entries(check.options).map(([option, spec]) => [
    option,
    "default" in spec ? spec.default : undefined,
  ]);
  const log = (line: string) => console.log(`  ${line}`);
  const { ok, explored, failures } = await check.run({ ...Object.fromEntries(defaults), seconds, seed, short, log });
  const took = Math.round((performance.now() - began) / 1000);
  console.log(`${name}: ${ok ? "holds" : "FAILS"}, ${took} s, seed ${seed}`);
  printOutcome({ ok, explored, failures });
  return { name, title: check.title, ok, seconds: took, seed, explored, failures };
}

/** Several checks, one after the other. */
async function runSeveral(names: string[], args: string[]): Promise<boolean> {
  const { only, json, doc, ...options } = commandLine(
    {
      ...COMMON,
      seconds: { ...COMMON.seconds, default: SECONDS },
      only: { type: "string" },
      json: { type: "string" },
      doc: { type: "string" },
    },
    args,
  );
  const checks = chosen([...names, ...(only?.split(",") ?? [])]);
  const shares = checks.reduce((sum, { share }) => sum + share, 0);
  const results: Result[] = [];
  for (const entry of checks) {
    results.push(await runShare(entry, { ...options, seconds: (options.seconds * entry.share) / shares }));
  }
  console.log("");
  for (const { name, title, ok, seconds } of results)
    console.log(`${ok ? "holds" : "FAILS"}  ${name} (${seconds} s): ${title}`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 2)}\n`);
  if (doc !== undefined) writeResults(doc, results);
  return results.every(({ ok }) => ok);
}

async function main(args: string[]): Promise<boolean> {
  const end = args.findIndex((arg) => arg.startsWith("-"));
  const names = end < 0 ? args : args.slice(0, end);
  const options = args.slice(names.length);
  const [only] = names.length === 1 ? chosen(names) : [];
  if (only === undefined && options.includes("--help")) {
    console.log(
      "usage: npm run verify -- [CHECK ...] [options]; with one CHECK, --help lists the options of that check",
    );
    console.log(`checks: ${CHECKS.map(({ name }) => name).join(" ")}`);
  }
  return only === undefined ? await runSeveral(names, options) : await runOne(only, options);
}

await runCommand(main);
