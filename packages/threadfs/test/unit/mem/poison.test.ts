/** Poison in freed memory (core/mem/alloc/poison.ts), which one word of the header switches on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { H_POISON } from "../../../dist/generated/core-layout.js";
import { createVfs, type Vfs } from "../../../dist/src/index.js";
import { codeOf } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";

const POISON = 0xdeadbee8 | 0;

interface Poisoned {
  vfs: Vfs;
  /** A view of the memory as it is now. */
  words(): Int32Array;
}

async function poisoned(t: TestScope, on = true): Promise<Poisoned> {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  t.after(() => vfs.close());
  const words = () => new Int32Array(vfs.handle.memory.buffer);
  if (on) words()[H_POISON >>> 2] = 1;
  return { vfs, words };
}

/** The last place of these words, which is the file's contents; the first is the scratch area that they were written through. */
function find(words: Int32Array, wanted: readonly number[]): number {
  return words.findLastIndex((_, i) => wanted.every((w, k) => words[i + k] === w));
}

/** Writes words into a file and empties it; returns where they were in memory. */
async function leftOf(t: TestScope, on: boolean): Promise<Poisoned & { at: number }> {
  const { vfs, words } = await poisoned(t, on);
  const contents = new Int32Array(64).map((_, i) => 0x5eed0000 + i);
  vfs.fs.writeFileSync("/f", new Uint8Array(contents.buffer));
  const at = find(words(), [...contents]);
  assert.notEqual(at, -1);
  vfs.fs.truncateSync("/f", 0);
  return { vfs, words, at };
}

test("freed contents are filled with poison except for the link of the free list", async (t) => {
  const { words, at } = await leftOf(t, true);
  assert.deepEqual([...words().subarray(at + 1, at + 64)], new Array(63).fill(POISON));
});

test("freed memory is not filled while the switch is off", async (t) => {
  const { words, at } = await leftOf(t, false);
  assert.equal(words()[at + 1], 0x5eed0001);
});

test("a store into freed memory is found when the memory is allocated again", async (t) => {
  const { vfs, words, at } = await leftOf(t, true);
  words()[at + 7] = 1;
  assert.equal(
    codeOf(() => vfs.fs.writeFileSync("/f", new Uint8Array(256))),
    "ERR_THREADFS_PANIC",
  );
});

test("a freed dentry keeps its sequence and nothing else", async (t) => {
  const { vfs, words } = await poisoned(t);
  vfs.fs.writeFileSync("/a-name-of-its-own", "");
  const name = new Int32Array(new TextEncoder().encode("/a-name-of-its-own".slice(1, 17)).slice().buffer);
  const at = words().findIndex((_, i) => i > 1 << 16 && i % 32 === 8 && name.every((w, k) => words()[i + k] === w));
  const dentry = at - 8;
  const [seq = 0] = words().subarray(dentry);
  vfs.fs.unlinkSync("/a-name-of-its-own");
  vfs.synchronizeRcu();
  vfs.shrink(100);
  const word = (n: number) => Atomics.load(words(), dentry + n);
  assert.equal(word(1), POISON, "flags");
  assert.equal(word(4), POISON, "parent");
  assert.equal(word(8), POISON, "name");
  assert.ok(word(0) > seq && word(0) % 2 === 0, "the sequence has moved on");
  assert.ok(word(17) < 0, "the count is dead");
});
