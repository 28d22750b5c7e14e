// The rounds of the bundles and their figures: milliseconds, files a second, and how many times our time the others take.

import type { BenchOptions } from "../../lib/question.js";
import type { Result } from "../../lib/result.js";
import type { BundleRun } from "./bundle.js";

/** A side and the milliseconds of its bundles. */
interface Side {
  who: string;
  rounds: number[];
}

/** The sides take turns, after rounds that start threads and compile. */
export const WARM_ROUNDS = 2;

function reportBundles(result: Result, modules: number, ours: Side, others: readonly Side[]): void {
  const what = `a bundle of ${modules} modules`;
  const tree = result.measure(what, ours.who, "ms", ours.rounds);
  for (const { who, rounds } of others) result.ratio(what, result.measure(what, who, "ms", rounds), tree);
  for (const { who, rounds } of [ours, ...others]) {
    const rates = rounds.map((ms) => (1000 * modules) / ms);
    result.measure("modules bundled", who, "files/s", rates);
  }
}

/** Makes the bundles of each side, by its name, round by round, and enters the figures. The first side is ours. */
export async function measureBundles(
  result: Result,
  modules: number,
  sides: ReadonlyMap<string, () => Promise<BundleRun>>,
  options: BenchOptions,
): Promise<void> {
  const times = new Map<string, number[]>([...sides.keys()].map((who) => [who, []]));
  const rounds = options.quick ? 2 : options.rounds;
  let sent = 0;
  for (let round = -WARM_ROUNDS; round < rounds; round++) {
    const found: string[] = [];
    for (const [who, bundleOnce] of sides) {
      const { ms, calls } = await bundleOnce();
      sent = Math.max(sent, calls);
      found.push(`${who} ${Math.round(ms)} ms`);
      if (round >= 0) times.get(who)?.push(ms);
    }
    options.log(found.join(", "));
  }
  if (sent > 0) result.note(`the proxy sends up to ${sent} calls of the file system to the main thread for a bundle`);
  const [ours, ...others] = [...times].map(([who, each]): Side => ({ who, rounds: each }));
  if (ours !== undefined) reportBundles(result, modules, ours, others);
}
