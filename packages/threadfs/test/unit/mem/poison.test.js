/** Poison in freed memory (core/mem/alloc/poison.ts): what a tester switches on by one word of the header. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVfs } from "../../../dist/src/index.js";
import { codeOf } from "../../support/errors.js";

const H_POISON = 1064;
const POISON = 0xdeadbee8 | 0;

async function poisoned(t, on = true) {
  const vfs = await createVfs({ maxBytes: 8 << 20 });
  t.after(() => vfs.close());
  const words = () => new Int32Array(vfs.handle.memory.buffer);
  if (on) words()[H_POISON >>> 2] = 1;
  return { vfs, words };
}

/** Where the contents of a file with these words are: the last place, as the first is the scratch area they came through. */
function find(words, wanted) {
  return words.findLastIndex((_, i) => wanted.every((w, k) => words[i + k] === w));
}

/** Writes words into a file, empties it, and answers what is left of them in memory. */
async function leftOf(t, on) {
  const { vfs, words } = await poisoned(t, on);
  const contents = new Int32Array(64).map((_, i) => 0x5eed0000 + i);
  vfs.fs.writeFileSync("/f", new Uint8Array(contents.buffer));
  const at = find(words(), [...contents]);
  assert.notEqual(at, -1);
  vfs.fs.truncateSync("/f", 0);
  return { vfs, words, at };
}

test("freed contents are filled with poison, but for the link of the free list", async (t) => {
  const { words, at } = await leftOf(t, true);
  assert.deepEqual([...words().subarray(at + 1, at + 64)], new Array(63).fill(POISON));
});

test("nothing is filled while the switch is off", async (t) => {
  const { words, at } = await leftOf(t, false);
  assert.equal(words()[at + 1], 0x5eed0001);
});

test("a store into freed memory is found when it is given out again", async (t) => {
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
  const seq = words()[dentry];
  vfs.fs.unlinkSync("/a-name-of-its-own");
  vfs.synchronizeRcu();
  vfs.shrink(100);
  const now = words().slice(dentry, dentry + 32);
  assert.equal(now[1], POISON, "flags");
  assert.equal(now[4], POISON, "parent");
  assert.equal(now[8], POISON, "name");
  assert.ok(now[0] > seq && now[0] % 2 === 0, "the sequence has moved on");
  assert.ok(now[17] < 0, "the count is dead");
});
