import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBelow, seedOf, shuffled, shuffledOrder } from "../../dist/support/random.js";

function draws(seed: number, n: number, count = 50): number[] {
  const random = randomBelow(seed);
  return Array.from({ length: count }, () => random(n));
}

test("the same seed gives the same numbers, another seed gives others", () => {
  assert.deepEqual(draws(5, 1000), draws(5, 1000));
  assert.notDeepEqual(draws(5, 1000), draws(6, 1000));
  assert.notEqual(seedOf(5, 0), seedOf(5, 1));
  assert.notEqual(seedOf(5, 0), seedOf(6, 0));
});

test("a seed gives the numbers that it gave when the documented runs were made", () => {
  assert.deepEqual(draws(61, 1000, 8), [383, 668, 380, 861, 688, 727, 358, 223]);
  assert.equal(seedOf(61, 3), 2925141716);
});

test("numbers are below their bound, and each is drawn about as often, whatever the seed", () => {
  for (const seed of [0, 1, 2, -1, 2 ** 31, 0x9e3779b9]) {
    const drawn = new Array<number>(10).fill(0);
    for (const n of draws(seed, 10, 10_000)) drawn[n] = (drawn[n] ?? 0) + 1;
    // Of 10,000 draws each number is expected 1,000 times with a deviation of 30.
    for (const times of drawn) assert.ok(times > 850 && times < 1150, `seed ${seed}: ${drawn}`);
  }
});

test("the same seed gives the same order, another seed gives another order, and no member is lost", () => {
  const all = Array.from({ length: 100 }, (_, i) => i);
  const orders = [5, 5, 6].map((seed) => shuffled(all, randomBelow(seed)));
  const [first = [], second, third] = orders;
  assert.deepEqual(first, second);
  assert.notDeepEqual(first, third);
  assert.deepEqual(
    first.toSorted((a, b) => a - b),
    all,
  );
  assert.deepEqual(
    all,
    Array.from({ length: 100 }, (_, i) => i),
  );
  assert.deepEqual([...shuffledOrder(100, 5)], first);
});
