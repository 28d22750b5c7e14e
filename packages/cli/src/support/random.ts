/**
 * The seeded random numbers of the command line, the benchmarks and the proof: the same seed repeats a run. The sequence
 * of a seed never changes, because the documents name runs by their seeds; so it is not left to a dependency.
 */

/** Draws integers: `random(n)` returns one of 0 .. n - 1. */
export type Random = (n: number) => number;

/** A generator (splitmix32: a Weyl sequence through an avalanche mix); every seed is as good as another. */
export function randomBelow(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    // The bias of the multiplication is below n / 2^32.
    return Math.floor((((z ^ (z >>> 15)) >>> 0) / 4294967296) * n);
  };
}

/** Derives the seed of one part of a run from the seed of the run. */
export function seedOf(seed: number, part: number): number {
  return (Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) + Math.imul(part + 1, 0x85ebca6b)) >>> 0;
}

/** Shuffles in place (Fisher and Yates); returns the same array. */
export function shuffle<T>(items: { length: number; [index: number]: T }, random: Random): typeof items {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random(i + 1);
    const kept = items[i] as T; // i and j are below the length
    items[i] = items[j] as T;
    items[j] = kept;
  }
  return items;
}

/** Returns the members of a list in a random order; the list stays as it is. */
export function shuffled<T>(list: readonly T[], random: Random): T[] {
  const copy = [...list];
  shuffle(copy, random);
  return copy;
}

/** Returns the numbers 0 .. count - 1 in a random order. */
export function shuffledOrder(count: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  shuffle(order, randomBelow(seed));
  return order;
}
