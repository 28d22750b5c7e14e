/**
 * Arithmetic with the core's counters (COUNTERS in abi.ts).
 */

export type CounterValues = Record<string, number>;

/** Counters of what there is now; the others count events. */
const LEVELS = new Set(["dentries", "inodes", "mounts", "chunksUsed", "chunksMax", "openFiles"]);

/** The events between two readings of the counters. */
export function counterDelta(before: CounterValues, after: CounterValues): CounterValues {
  const events = Object.entries(after).filter(([name]) => !LEVELS.has(name));
  return Object.fromEntries(events.map(([name, value]) => [name, value - (before[name] ?? 0)]));
}

/** The sum of several threads' counters. */
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
