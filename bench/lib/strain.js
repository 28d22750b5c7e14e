// Who shares a physical core with a neighbour has half of its throughput and of its small caches, and cannot see him. What can be
// seen is how long a loop of independent additions takes: a chain in which each step waits for the one before would not
// show it. A round that lies between two such loops that were as fast as any is an undisturbed one.

import { median } from "./stats.js";

const TURNS = 20000;
const TRIES = 3;
/** So much slower than the fastest loop of all is disturbed. */
const TOLERANCE = 1.1;
/** With fewer rounds nothing is said. */
const LEAST_ROUNDS = 3;

function additions(times) {
  let a = 1;
  let b = 2;
  let c = 3;
  let d = 4;
  let e = 5;
  let f = 6;
  for (let i = 0; i < times; i++) {
    a = (a + i) | 0;
    b = (b ^ i) | 0;
    c = (c - i) | 0;
    d = (d + 7) | 0;
    e = (e ^ 13) | 0;
    f = (f - 11) | 0;
  }
  return a ^ b ^ c ^ d ^ e ^ f;
}

/** Nanoseconds a turn of the loop takes now, the best of three tries. The same loop is in rivals/syscall.c. */
export function strain() {
  let best = Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let i = 0; i < TRIES; i++) {
    const before = process.hrtime.bigint();
    sum += additions(TURNS);
    best = Math.min(best, Number(process.hrtime.bigint() - before) / TURNS);
  }
  // What nobody asks for need not be computed.
  if (!Number.isInteger(sum)) throw new RangeError(`additions came to ${sum}`);
  return best;
}

/**
 * Of rounds and the strain beside each, the rounds that were undisturbed.
 * @param {{ rounds: number[], strains: number[] }} series
 * @param {number} least the least strain that was seen of this loop
 * @returns {number[] | undefined} undefined: too few to say anything
 */
export function undisturbed({ rounds, strains }, least) {
  const quiet = rounds.filter((_, round) => strains[round] <= least * TOLERANCE);
  return quiet.length < LEAST_ROUNDS ? undefined : quiet;
}

/** Enters the ratio of the medians of both sides' undisturbed rounds. */
export function enterUndisturbed(result, what, above, below, target) {
  if (!above.quiet || !below.quiet) return;
  const ratio = median(above.quiet) / median(below.quiet);
  const rounds = `${above.quiet.length} and ${below.quiet.length} rounds`;
  result.figure(`${what}, undisturbed`, `${above.who} / ${below.who}, ${rounds}`, "x", ratio, { target });
}
