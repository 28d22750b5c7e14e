// Seeded randomness: the same seed gives the same tree, the same order and the same samples on every machine.

/** Seed of every bench that is not told another. */
export const SEED = 20100;

/**
 * A generator of uint32 numbers (a Weyl sequence through an avalanche mix).
 * @param {number} seed any integer
 * @returns {() => number} each call answers the next number in [0, 2^32)
 */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
}

/** An index in [0, limit). The bias of the multiplication is below limit / 2^32, which no figure here can see. */
export function below(next, limit) {
  return Math.floor((next() / 4294967296) * limit);
}

/** The numbers 0 .. count-1 in a seeded random order. */
export function shuffledOrder(count, seed = SEED) {
  const next = generator(seed);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  for (let i = count - 1; i > 0; i--) {
    const j = below(next, i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}

/** One random cycle through all of 0 .. count-1 (Sattolo): following it visits every place once, unpredictably. */
export function randomCycle(count, seed = SEED) {
  const next = generator(seed);
  const cycle = new Uint32Array(count);
  for (let i = 0; i < count; i++) cycle[i] = i;
  for (let i = count - 1; i > 0; i--) {
    const j = below(next, i);
    const kept = cycle[i];
    cycle[i] = cycle[j];
    cycle[j] = kept;
  }
  return cycle;
}
