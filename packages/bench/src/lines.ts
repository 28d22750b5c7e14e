// How many cache lines does a lookup use, and how many of them are not in a cache of 512 KiB? Counts from the recorded accesses of the core
// that ships and a model of the cache, over the tree of the lookup bench: no neighbour on the machine changes them (docs/coherence.md).

import { PARTS, shippingLookupLines, sumOf } from "../../verify/dist/coherence/lookup-lines.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { Result } from "./lib/result.js";

const SEED = 1;

async function run({ quick }: BenchOptions): Promise<Result> {
  const result = new Result(
    "lines",
    "How many cache lines does a lookup use, and how many of them are not in 512 KiB?",
  );
  const rows = shippingLookupLines({ seed: SEED, files: quick ? [10_000] : [10_000, 100_000] });
  result.curves.push({
    title: "Lines a lookup uses (of them not in the cache)",
    head: ["what lies on them", ...rows.map(({ call, files }) => `${call}, ${files.toLocaleString("en")} files`)],
    rows: [
      ...PARTS.map((part) => [
        part,
        ...rows.map(({ used, missed }) => `${used[part].toFixed(1)} (${missed[part].toFixed(1)})`),
      ]),
      ["all", ...rows.map(({ used, missed }) => `${sumOf(used).toFixed(1)} (${sumOf(missed).toFixed(1)})`)],
    ],
  });
  return result;
}

export default { name: "lines", run } satisfies Question;
