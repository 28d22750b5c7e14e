// Interleaved rounds inside one thread.

import { median } from "./stats.js";

/**
 * Parts that a measured loop is cut into. Other work on the machine, and a collection of garbage, spoils some of them;
 * what is reported is the median part.
 */
export const SLICES = 300;

/**
 * Nanoseconds a turn takes in the median part of a loop.
 * @param {(times: number) => void} run does something `times` times
 * @param {number} times turns in all
 * @param {{ multiple?: number }} [options] multiple: parts have a multiple of so many turns
 */
export function timed(run, times, { multiple = 1 } = {}) {
  const parts = [];
  let done = 0;
  for (let i = 1; i <= SLICES; i++) {
    const until = Math.floor((times * i) / SLICES / multiple) * multiple;
    if (until === done) continue;
    const before = process.hrtime.bigint();
    run(until - done);
    parts.push(Number(process.hrtime.bigint() - before) / (until - done));
    done = until;
  }
  if (parts.length === 0) throw new RangeError(`${times} turns cannot be measured in parts of ${multiple}`);
  return median(parts);
}

/** How often to repeat so that one measurement takes about `ms`; runs warm on the way. Bounded: 40 doublings. */
export function repetitions(run, ms, first = 1000) {
  let times = first;
  for (let turn = 0; turn < 40; turn++) {
    const before = process.hrtime.bigint();
    run(times);
    const ns = Number(process.hrtime.bigint() - before);
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
