/** Memory that a thread keeps for itself, on its sheaves and its list of retired objects, is there for every thread that needs it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  SHEAF_BYTES,
  SHEAF_CACHES,
  SHEAF_MAX,
  SHEAF_SIZE,
  SLOT_SHEAVES,
} from "../../../../verify/dist/arena/layout.js";
import { check as checkArena } from "../../../../verify/dist/fsck/check-arena.js";
import { MAX_THREADS, SLOT_SIZE, SLOTS } from "../../../dist/abi/abi.js";
import { CACHE_FILE, CHUNK_ENTRY, ENTRY_CACHE, H_CHUNK_TABLE } from "../../../dist/generated/core-layout.js";
import { attachVfs, createVfs, type Vfs } from "../../../dist/src/index.js";
import { copyNow, roomFor } from "../../../dist/src/load-save/arena-copy.js";
import { codeOf } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";

const SMALL = 3 << 20;
/** Less than a sheaf holds: no other list gets any of them. */
const FREED = 40;
const MANY = 100_000;

/** A full arena, and two threads that have attached to it. @returns how many directories there are */
async function fullTree(t: TestScope): Promise<{ one: Vfs; other: Vfs; made: number }> {
  const one = await createVfs({ maxBytes: SMALL });
  t.after(() => one.close());
  const other = await attachVfs(one.handle, { share: false });
  t.after(() => other.close());
  let made = 0;
  for (; made < MANY; made++) {
    const code = codeOf(() => one.fs.mkdirSync(`/${made}`));
    if (code === undefined) continue;
    assert.equal(code, "ENOSPC");
    break;
  }
  return { one, other, made };
}

function assertClean(vfs: Vfs): void {
  assert.deepEqual(checkArena(vfs.handle.memory).problems, []);
}

describe("a thread that finds the arena full", () => {
  // Fails when flushSheaves() or makeSpace() looks at the slot of its own thread alone.
  test("gets all that another thread has removed, of which that thread keeps each object", async (t) => {
    const { one, other, made } = await fullTree(t);
    for (let i = made - FREED; i < made; i++) one.fs.rmdirSync(`/${i}`);
    for (let i = made - FREED; i < made; i++) other.fs.mkdirSync(`/${i}`);
    for (let i = 0; i < made; i++) assert.ok(one.fs.existsSync(`/${i}`));
    assertClean(one);
  });

  test("gets what a thread has removed that has ended since", async (t) => {
    const { one, other, made } = await fullTree(t);
    for (let i = made - FREED; i < made; i++) other.fs.rmdirSync(`/${i}`);
    other.close();
    for (let i = made - FREED; i < made; i++) one.fs.mkdirSync(`/${i}`);
    assertClean(one);
  });
});

// Fails when returnEmptyChunks() leaves the spare files of the slots.
test("a thread that finds the arena full gets the memory of the files that slots keep for the next open", async (t) => {
  const vfs = await createVfs({ maxBytes: SMALL });
  t.after(() => vfs.close());
  const { fs } = vfs;
  const other = await attachVfs(vfs.handle, { share: false });
  t.after(() => other.close());
  const words = new Uint32Array(vfs.handle.memory.buffer);
  const chunksOfFiles = () => {
    const table = (words[H_CHUNK_TABLE >>> 2] ?? 0) >>> 2;
    const entries = Array.from({ length: SMALL >> 16 }, (_, n) => words[table + (n * CHUNK_ENTRY + ENTRY_CACHE) / 4]);
    return entries.filter((cache) => cache === CACHE_FILE).length;
  };
  fs.mkdirSync("/d");
  for (const one of [fs, other.fs]) one.closeSync(one.openSync("/d", "r"));
  assert.equal(chunksOfFiles(), 1);
  assert.equal(vfs.counters().openFiles, 0);
  let made = 0;
  while (made < MANY && codeOf(() => fs.mkdirSync(`/${made}`)) === undefined) made++;
  assert.equal(chunksOfFiles(), 0);
  for (const one of [fs, other.fs]) one.closeSync(one.openSync("/d", "r"));
  assertClean(vfs);
});

// Fails when freeToSheaf() flushes nothing.
test("a thread that removes many files keeps no more than a sheaf of each kind, and the chunks have the others", async (t) => {
  const { one, made } = await fullTree(t);
  for (let i = 0; i < made; i++) one.fs.rmdirSync(`/${i}`);
  const words = new Uint32Array(one.handle.memory.buffer);
  const slot = SLOTS + (one.threadSlot % MAX_THREADS) * SLOT_SIZE;
  for (const n of SHEAF_CACHES.keys()) {
    const kept = words[(slot + SLOT_SHEAVES + n * SHEAF_BYTES + SHEAF_SIZE) >>> 2] ?? 0;
    assert.ok(kept <= SHEAF_MAX, `${kept} on sheaf ${n}`);
  }
  one.shrink(0);
  for (const n of SHEAF_CACHES.keys()) {
    assert.equal(words[(slot + SLOT_SHEAVES + n * SHEAF_BYTES + SHEAF_SIZE) >>> 2], 0, `sheaf ${n}`);
  }
  assertClean(one);
});

// Fails when arenaCopy() leaves the lines of lists of other slots out.
test("a copy of the arena has all that other threads keep", async (t) => {
  const { one, other, made } = await fullTree(t);
  for (let i = made - FREED; i < made; i++) other.fs.rmdirSync(`/${i}`);
  const copy = copyNow(one.context().calls, () => 0, roomFor(SMALL >> 16), 0);
  assert.ok(copy);
  t.after(() => copy.close());
  // The scratch areas of the other slots are chunks without an owner there.
  const problems = checkArena(copy.memory).problems.filter((problem) => !problem.startsWith("chunk-lost"));
  assert.deepEqual(problems, []);
});
