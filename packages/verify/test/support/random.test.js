import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBelow, seedOf, shuffled } from "../../dist/support/random.js";

const some = (seed, n, count = 50) => {
  const next = randomBelow(seed);
  return Array.from({ length: count }, () => next(n));
};

test("the same seed gives the same numbers, another others", () => {
  assert.deepEqual(some(5, 1000), some(5, 1000));
  assert.notDeepEqual(some(5, 1000), some(6, 1000));
  assert.notEqual(seedOf(5, 0), seedOf(5, 1));
  assert.notEqual(seedOf(5, 0), seedOf(6, 0));
});

test("numbers lie below their bound, and each is met about as often, whatever the seed", () => {
  for (const seed of [0, 1, 2, -1, 2 ** 31, 0x9e3779b9]) {
    const met = new Array(10).fill(0);
    for (const n of some(seed, 10, 10_000)) met[n]++;
    // Of 10,000 draws each number is expected 1,000 times with a deviation of 30.
    for (const times of met) assert.ok(times > 850 && times < 1150, `seed ${seed}: ${met}`);
  }
});

test("the same seed gives the same order, another another, and nothing is lost", () => {
  const all = Array.from({ length: 100 }, (_, i) => i);
  const orders = [5, 5, 6].map((seed) => shuffled(all, randomBelow(seed)));
  assert.deepEqual(orders[0], orders[1]);
  assert.notDeepEqual(orders[0], orders[2]);
  assert.deepEqual(
    orders[0].toSorted((a, b) => a - b),
    all,
  );
  assert.deepEqual(
    all,
    Array.from({ length: 100 }, (_, i) => i),
  );
});
