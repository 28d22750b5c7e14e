/**
 * Seeded random numbers, so that a run can be repeated: the same seed asks the same questions in the same order.
 */

/** A generator of uniform numbers in [0, 1): mulberry32, 32 bits of state, enough for choosing and shuffling. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/** Fisher and Yates' shuffle, in place. Answers the same array. */
export function shuffle<T extends { length: number; [index: number]: unknown }>(items: T, next: () => number): T {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    const kept = items[i];
    items[i] = items[j];
    items[j] = kept;
  }
  return items;
}

/** The numbers 0 .. count - 1 in a scattered order. */
export function scattered(count: number, seed: number): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return shuffle(order, random(seed));
}
