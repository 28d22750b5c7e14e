// The figures of the bundles: milliseconds, files a second, and how many times our time the others take.

import type { Result } from "../../lib/result.js";

/** A side and the milliseconds of its bundles. */
export interface Side {
  who: string;
  rounds: number[];
}

/** The sides take turns, after rounds that start threads and compile. */
export const WARM_ROUNDS = 2;

export function reportBundles(result: Result, modules: number, ours: Side, others: readonly Side[]): void {
  const what = `a bundle of ${modules} modules`;
  const tree = result.measure(what, ours.who, "ms", ours.rounds);
  for (const { who, rounds } of others) result.ratio(what, result.measure(what, who, "ms", rounds), tree);
  for (const { who, rounds } of [ours, ...others]) {
    const rates = rounds.map((ms) => (1000 * modules) / ms);
    result.measure("modules bundled", who, "files/s", rates);
  }
}

export function noteCalls(result: Result, calls: number): void {
  if (calls > 0) result.note(`the proxy sends up to ${calls} calls of the file system to the main thread for a bundle`);
}
