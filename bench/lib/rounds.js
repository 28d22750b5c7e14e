// Interleaved rounds inside one thread.

/** Nanoseconds a call of `run(times)` takes per time. */
export function timed(run, times) {
  const before = process.hrtime.bigint();
  run(times);
  return Number(process.hrtime.bigint() - before) / times;
}

/** How often to repeat so that one measurement takes about `ms`; runs warm on the way. Bounded: 40 doublings. */
export function repetitions(run, ms, first = 1000) {
  let times = first;
  for (let turn = 0; turn < 40; turn++) {
    const ns = timed(run, times) * times;
    if (ns > ms * 5e5) return Math.max(1, Math.round((times * ms * 1e6) / ns));
    times *= 2;
  }
  return times;
}

/**
 * Measures several loops in turn, round after round: A B C A B C.
 * @param {Map<string, (times: number) => void>} loops
 * @param {{ rounds: number, ms: number, first?: number }} options ms: length of one measurement
 * @returns {Map<string, number[]>} nanoseconds per time in each round
 */
export function interleave(loops, { rounds, ms, first }) {
  const times = new Map();
  const series = new Map();
  for (const [name, run] of loops) {
    times.set(name, repetitions(run, ms, first));
    series.set(name, []);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of loops) series.get(name).push(timed(run, times.get(name)));
  }
  return series;
}
