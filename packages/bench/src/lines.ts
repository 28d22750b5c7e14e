// How many cache lines does a lookup use, and how many of them are not in a cache of 512 KiB? Counts from the recorded accesses of the core
// that ships and a model of the cache, over the tree of the lookup bench: no neighbour on the machine changes them (docs/coherence.md).

import { lookupLinesTable, shippingLookupLines } from "../../verify/dist/coherence/lookup-lines.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { Result } from "./lib/result.js";

const SEED = 1;

async function run({ quick }: BenchOptions): Promise<Result> {
  const result = new Result(
    "lines",
    "How many cache lines does a lookup use, and how many of them are not in 512 KiB?",
  );
  const figures = shippingLookupLines({ seed: SEED, files: quick ? [10_000] : [10_000, 100_000] });
  result.curves.push({ title: "Cache lines", ...lookupLinesTable(figures) });
  return result;
}

export default { name: "lines", run } satisfies Question;
