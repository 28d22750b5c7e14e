/**
 * Mutations by chance: small changes of the core by operators (operators.ts), in the order of a seed, put to the suite's tests and the
 * short checks in turn until one tells. A mutation that none tells is a hole in the checks, or changes nothing: equivalent.ts says
 * which ones do, and why. Those were judged by reading, and are put to the checks only with --all.
 *
 *   npm run mutate -- --seed 1 --count 100                        a hundred that compile
 *   npm run mutate -- --seed 1 --count 100 --all                  the equivalent ones too: a check that tells one fails the run
 *   npm run mutate -- --only vfs/dcache --count 20                in the files whose path contains it
 *   npm run mutate -- --results FILE --seconds 600 ...            continues the run whose results FILE has, for ten minutes
 *   npm run mutate -- --results FILE --jobs 0 --doc docs/mutations.md    only the table
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { applyEdits, buildName, coreSources, isCoreEdit, keptMutant } from "../binary/mutant.js";
import { MUTANTS, type Mutant } from "../planted/faults.js";
import { run } from "../planted/planted.js";
import type { Result } from "../planted/report.js";
import { COMMON, commandLine, runCommand } from "../support/command-line.js";
import { messageOf } from "../support/defined.js";
import { notEmpty } from "../support/usage-error.js";
import { isEquivalent, nameWithoutLine } from "./equivalent.js";
import { editOf, inTurn, type Mutation, mutationsOf, oneLine } from "./operators.js";
import { mutationTable } from "./report.js";
import { stagesFor } from "./stages.js";

/** So many are compiled before their checks begin. */
const BATCH = 8;

/** Files without a behaviour that a check could tell: imports of the host, and what only the debug build has. */
const LEFT_OUT = /^(?:host|globals\.d|tracepoints|sys\/arena\/check-layout|mem\/alloc\/poison)\.?/;

/** All mutations of the core in files whose path contains `only`. @throws UsageError when there is none */
export function allMutations(sources: Map<string, string>, only = ""): Mutation[] {
  const files = [...sources].filter(([file]) => file.endsWith(".ts") && !LEFT_OUT.test(file));
  const chosen = notEmpty(
    files.filter(([file]) => file.includes(only)),
    `--only ${only}`,
    files.map(([file]) => file),
  );
  return chosen.flatMap(([file, text]) => mutationsOf(file, text));
}

/** A mutation as a planted fault. Its name without the line and the column is that of no other mutation of the core. */
export function mutantOf(mutation: Mutation, sources: Map<string, string>): Mutant {
  const { operator, file, within, line, column, change } = mutation;
  const place = `core/${file}:${line}:${column}${within === "" ? "" : ` ${within}()`}`;
  const edit = editOf(mutation, sources.get(file) ?? "");
  return { name: `${operator}, ${place}: ${change}`, edits: [edit], caughtBy: stagesFor(mutation) };
}

/** The core's mutations in the order of a seed; none makes the core that a planted fault makes, or another mutation. */
export function mutants({ seed, only }: { seed: number; only?: string | undefined }): Mutant[] {
  const sources = coreSources();
  const planted = MUTANTS.map(({ edits }) => applyEdits(sources, edits.filter(isCoreEdit)));
  const known = new Set([sources, ...planted].map(buildName));
  return inTurn(allMutations(sources, only), seed).flatMap((mutation) => {
    const mutant = mutantOf(mutation, sources);
    const name = buildName(applyEdits(sources, mutant.edits));
    if (known.has(name)) return [];
    known.add(name);
    return [mutant];
  });
}

/** Whether a mutation compiles; its core is kept. */
async function compiles({ name, edits }: Mutant): Promise<boolean> {
  try {
    await keptMutant(edits);
    return true;
  } catch (error) {
    console.log(`does not compile: ${name}: ${oneLine(messageOf(error)).slice(0, 120)}`);
    return false;
  }
}

/** The results of an earlier run, under the names that their mutations have now: lines move. */
function earlierResults(file: string | undefined, all: Mutant[]): Result[] {
  if (file === undefined || !existsSync(file)) return [];
  const names = new Map(all.map(({ name }) => [nameWithoutLine(name), name]));
  const results: Result[] = JSON.parse(readFileSync(file, "utf8"));
  return results.map((result) => ({ ...result, name: names.get(nameWithoutLine(result.name)) ?? result.name }));
}

async function main(args: string[]): Promise<boolean> {
  const options = commandLine(
    {
      seed: COMMON.seed,
      seconds: { type: "number", least: 0.001, parts: true, default: Number.POSITIVE_INFINITY },
      count: { type: "number", least: 1, default: 100 },
      jobs: { type: "number", least: 0, default: 1 },
      all: { type: "boolean" },
      only: { type: "string" },
      results: { type: "string" },
      doc: { type: "string" },
    },
    args,
  );
  const { results: file, doc, seed, jobs, count } = options;
  const until = performance.now() + options.seconds * 1000;
  const inOrder = mutants(options);
  const results = earlierResults(file, inOrder);
  const onResult = (result: Result) => {
    results.push(result);
    if (file !== undefined) writeFileSync(file, JSON.stringify(results, null, 1));
  };
  const chosen: string[] = [];
  let waiting: Mutant[] = [];
  const runWaiting = async () => {
    const seconds = (until - performance.now()) / 1000;
    if (waiting.length > 0 && seconds > 0)
      await run({ seed, jobs, seconds, mutants: waiting, onResult, log: console.log });
    waiting = [];
  };
  for (const mutant of inOrder) {
    if (chosen.length === count) break;
    const done = results.some(({ name }) => name === mutant.name) || (!options.all && isEquivalent(mutant.name));
    if (!done && jobs > 0 && performance.now() < until) {
      if (!(await compiles(mutant))) continue;
      waiting.push(mutant);
    }
    chosen.push(mutant.name);
    if (waiting.length === BATCH) await runWaiting();
  }
  await runWaiting();
  const table = mutationTable(chosen, results, { seed, count });
  console.log(table.text);
  if (doc !== undefined) writeFileSync(doc, table.document);
  return table.ok;
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith("/mutate/mutate.js") &&
  process.argv[1].endsWith("mutate.js")
) {
  await runCommand(main);
}
