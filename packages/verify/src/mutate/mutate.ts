/**
 * Mutations by chance: small changes of the core by operators (operators.ts), in the order of a seed, put to the suite's tests and the
 * short checks in turn until one tells. A mutation that none tells is a hole in the checks, or changes nothing: equivalent.ts says
 * which ones do, and why.
 *
 *   npm run mutate -- --seed 1 --count 100                        a hundred that compile
 *   npm run mutate -- --only vfs/dcache --count 20                in the files whose path contains it
 *   npm run mutate -- --results FILE --seconds 600 ...            continues the run whose results FILE has, for ten minutes
 *   npm run mutate -- --results FILE --jobs 0 --doc docs/mutations.md    only the table
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { applyEdits, buildName, coreSources, keptMutant } from "../binary/mutant.js";
import { MUTANTS, type Mutant } from "../planted/faults.js";
import { run } from "../planted/planted.js";
import type { Result } from "../planted/report.js";
import { COMMON, commandLine, runCommand } from "../support/command-line.js";
import { messageOf } from "../support/defined.js";
import { notEmpty } from "../support/usage-error.js";
import { editOf, inTurn, type Mutation, mutationsOf } from "./operators.js";
import { mutationTable } from "./report.js";
import { STAGES } from "./stages.js";

/** Files without a behaviour that a check could tell: imports of the host, and what only the debug build has. */
const LEFT_OUT = /^(?:host|globals\.d|tracepoints|sys\/check-layout|mem\/alloc\/poison)\.?/;

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

const line = (text: string) => text.replaceAll(/\s+/g, " ").trim();

/** A mutation as a planted fault. */
export function mutantOf(mutation: Mutation, sources: Map<string, string>): Mutant {
  const text = sources.get(mutation.file) ?? "";
  const before = line(text.slice(mutation.start, mutation.end));
  const name = `${mutation.operator}, core/${mutation.file}:${mutation.line}:${mutation.column}: ${before} -> ${line(mutation.to)}`;
  return { name, edits: [editOf(mutation, text)], caughtBy: STAGES };
}

/** The first `count` mutations of the seed that compile and make a core that is neither the sound one nor planted. */
export async function mutants(
  { seed, count, only }: { seed: number; count: number; only?: string | undefined },
  log: (line: string) => void,
): Promise<Mutant[]> {
  const sources = coreSources();
  const random = randomBelow(seed);
  const known = new Set([sources, ...MUTANTS.map(({ edits }) => applyEdits(sources, edits))].map(buildName));
  const out: Mutant[] = [];
  for (const mutation of inTurn(allMutations(sources, only), (list) => shuffled(list, random))) {
    if (out.length === count) break;
    const mutant = mutantOf(mutation, sources);
    const name = buildName(applyEdits(sources, mutant.edits));
    if (known.has(name)) continue;
    known.add(name);
    try {
      await keptMutant(mutant.edits);
      out.push(mutant);
    } catch (error) {
      log(`does not compile: ${mutant.name}: ${line(messageOf(error)).slice(0, 120)}`);
    }
  }
  return out;
}

async function main(args: string[]): Promise<boolean> {
  const options = commandLine(
    {
      seed: COMMON.seed,
      seconds: { type: "number", least: 0.001, parts: true, default: Number.POSITIVE_INFINITY },
      count: { type: "number", least: 1, default: 100 },
      jobs: { type: "number", least: 0, default: 1 },
      only: { type: "string" },
      results: { type: "string" },
      doc: { type: "string" },
    },
    args,
  );
  const { results: file, doc, only, ...rest } = options;
  const before: Result[] = file !== undefined && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  const onResult = (result: Result) => {
    before.push(result);
    if (file !== undefined) writeFileSync(file, JSON.stringify(before, null, 1));
  };
  const chosen = await mutants({ ...rest, only }, console.log);
  console.log(`${chosen.length} mutations that compile, of seed ${rest.seed}`);
  const outcome = await run({ ...rest, mutants: chosen, before: [...before], onResult, log: console.log });
  const table = mutationTable(outcome.results, { seed: rest.seed, asked: chosen.length });
  console.log(table.text);
  if (doc !== undefined) writeFileSync(doc, table.document);
  return table.survivors === 0;
}

if (
  process.argv[1] !== undefined &&
  import.meta.url.endsWith("/mutate/mutate.js") &&
  process.argv[1].endsWith("mutate.js")
) {
  await runCommand(main);
}
