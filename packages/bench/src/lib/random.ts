// Random orders of a bench: the same seed gives the same order and the same samples on every machine.

import { randomBelow, shuffledOrder } from "../../../cli/dist/support/random.js";

/** Seed of every bench that is not given another. */
export const SEED = 20100;

/** The numbers 0 .. count-1 in a seeded random order. */
export function benchOrder(count: number, seed = SEED): Uint32Array {
  return shuffledOrder(count, seed);
}

/** One random cycle through all of 0 .. count-1 (Sattolo): following it visits every place once, unpredictably. */
export function randomCycle(count: number, seed = SEED): Uint32Array {
  const random = randomBelow(seed);
  const cycle = new Uint32Array(count);
  for (let i = 0; i < count; i++) cycle[i] = i;
  for (let i = count - 1; i > 0; i--) {
    const j = random(i);
    const kept = cycle[i] as number; // i and j are below the count
    cycle[i] = cycle[j] as number;
    cycle[j] = kept;
  }
  return cycle;
}
