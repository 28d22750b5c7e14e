/** Seeded random numbers: the same seed makes the same choices. */

/** A generator of integers below a bound: `next(n)` is 0 .. n - 1. splitmix32, which any seed may start. */
export function randomBelow(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return Math.floor((((z ^ (z >>> 15)) >>> 0) / 4294967296) * n);
  };
}

/** A seed for one part of a run that has a seed. */
export function seedOf(seed, part) {
  return (Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) + Math.imul(part + 1, 0x85ebca6b)) >>> 0;
}

/** The members of a list in a random order; the list stays as it is. @template T @param {T[]} list @param {(n: number) => number} next @returns {T[]} */
export function shuffled(list, next) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = next(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}
