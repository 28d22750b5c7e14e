/** The layout of the checks (packages/verify/src/arena/layout.ts) is the one of the core: its tables are those that the core makes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../dist/arena/layout.js";
import { attach, createMemory, shippingCore } from "../../dist/binary/core.js";

test("a fresh arena has the header, the caches and the slots where the layout has them", () => {
  const memory = createMemory();
  const { words, slot, scratch } = attach(memory, shippingCore(), {}, { init: { seed: 1 } });
  const word = (address: number) => words[address >>> 2];
  assert.deepEqual([word(L.H_MAGIC), word(L.H_VERSION)], [L.MAGIC, L.VERSION]);
  assert.equal(word(L.G_HASH_N), L.MIN_BUCKETS);
  assert.equal(word(L.SLOTS + slot * L.SLOT_SIZE + L.SLOT_SCRATCH), scratch);
  assert.equal(L.CACHE_SLOTS, L.CACHE_SIZED + L.NR_SIZED_CACHES);
  for (const [id, { name, size, typed, link }] of L.CACHES.entries()) {
    const at = L.G_CACHES + id * L.KMEM_CACHE_SIZE;
    const described = [L.KMEM_SIZE, L.KMEM_TYPED, L.KMEM_LINK].map((offset) => word(at + offset));
    assert.deepEqual(described, [size, Number(typed), link], name);
  }
});

test("the fields of every class lie in the objects of its cache, each behind the one before it", () => {
  const typed = L.CACHES.filter((cache) => cache.typed);
  assert.equal(typed.length, 6);
  for (const { name, size, fields = {} } of typed) {
    const offsets = Object.values(fields);
    assert.ok(offsets.length > 10, name);
    assert.deepEqual(
      offsets,
      [...new Set(offsets)].sort((x, y) => x - y),
      name,
    );
    assert.ok(
      offsets.every((offset) => offset % 4 === 0 && offset < size),
      name,
    );
  }
});
