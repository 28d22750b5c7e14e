/**
 * Arithmetic with the core's counters (COUNTERS in abi.ts).
 */

export type CounterValues = Record<string, number>;

/** These say how much there is, not how often something happened. */
const LEVELS = new Set(["dentries", "inodes", "mounts", "chunksUsed", "chunksMax", "openFiles"]);

/** What happened between two readings of the counters. */
export function counterDelta(before: CounterValues, after: CounterValues): CounterValues {
  const events = Object.keys(after).filter((name) => !LEVELS.has(name));
  return Object.fromEntries(events.map((name) => [name, after[name] - (before[name] ?? 0)]));
}

/** What several threads counted together. */
export function counterSum(threads: CounterValues[]): CounterValues {
  const sum: CounterValues = {};
  for (const counters of threads) {
    for (const [name, value] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum;
}

/** Share of walks that ended in rcu mode; 0 when there were none. */
export function rcuShare({ endedRcu = 0, endedRef = 0 }: CounterValues): number {
  return endedRcu / Math.max(1, endedRcu + endedRef);
}
