// Interleaved rounds inside one thread.

import { median } from "./stats.js";

/** Does something `times` times. */
export type Loop = (times: number) => void;

/**
 * Parts that a measured loop is cut into. Other work on the machine, and a collection of garbage, spoils some of them;
 * what is reported is the median part.
 */
export const SLICES = 300;

/**
 * Nanoseconds a turn takes in the median part of a loop.
 * @param times turns in all
 * @param multiple parts have a multiple of so many turns
 */
export function timed(run: Loop, times: number, { multiple = 1 } = {}): number {
  const parts: number[] = [];
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
export function repetitions(run: Loop, ms: number, first = 1000): number {
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

/** Does something `times` times, a multiple of the calls that it has on their way at once. */
export type AsyncLoop = (times: number) => Promise<void>;

/** The same as timed() of such a loop, whose parts are multiples of `multiple` turns. */
export async function asyncTimed(run: AsyncLoop, times: number, multiple: number): Promise<number> {
  const parts: number[] = [];
  const slice = Math.max(1, Math.round(times / SLICES / multiple)) * multiple;
  for (let done = 0; done < times; done += slice) {
    const before = process.hrtime.bigint();
    await run(slice);
    parts.push(Number(process.hrtime.bigint() - before) / slice);
  }
  return median(parts);
}

/** The same as repetitions() of such a loop: a multiple of `multiple`. */
export async function asyncRepetitions(run: AsyncLoop, ms: number, multiple: number): Promise<number> {
  let times = multiple;
  for (let turn = 0; turn < 40; turn++) {
    const before = process.hrtime.bigint();
    await run(times);
    const ns = Number(process.hrtime.bigint() - before);
    if (ns > ms * 5e5) return Math.ceil((times * ms * 1e6) / ns / multiple) * multiple;
    times *= 2;
  }
  return times;
}

/** Rounds of a bench: how many, and how long one measurement takes in ms. */
export interface Rounds {
  rounds: number;
  ms: number;
}

/**
 * Measures several loops in turn, round after round: A B C A B C.
 * @returns nanoseconds a turn in each round, by the loop's name
 */
export function interleave(loops: Map<string, Loop>, { rounds, ms }: Rounds): Map<string, number[]> {
  const entries = [...loops].map(([name, run]) => ({ name, run, times: repetitions(run, ms), series: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { run, times, series } of entries) series.push(timed(run, times));
  }
  return new Map(entries.map(({ name, series }) => [name, series]));
}
