/** What an entry of the memo of directories (core/vfs/walk/prefix-cache.ts) stands for, which paths have one, and whose it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRNO } from "../../../dist/abi/abi.js";
import { createVfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { dentryOf } from "../../support/memory.js";
import {
  cachedWalker,
  DIRECTORY,
  ENTRY_DIRECTORY,
  ENTRY_LEN,
  ENTRY_WORDS,
  FILE,
  G_SEQ_WRAPS,
  LEVELS,
  setUp,
} from "../../support/prefix-cache.js";

test("prefixes of every length, up to as deep as there is room; none longer", async (t) => {
  const { vfs } = await treeFor(t);
  const walker = cachedWalker(t, vfs.handle);
  for (let length = 20; length <= 110; length++) {
    const directory = `/${"x".repeat(9)}/${String(length).padStart(3, "0")}`
      .padEnd(34, "y")
      .slice(0, Math.min(length, 34));
    let path = directory;
    while (path.length < length) path += `/${"z".repeat(Math.max(1, Math.min(29, length - path.length - 1)))}`;
    if (path.length !== length) continue;
    vfs.fs.mkdirSync(path, { recursive: true });
    vfs.fs.writeFileSync(`${path}/f-of-some-length`, "");
    for (let i = 0; i < 5; i++) assert.ok(walker.ino(`${path}/f-of-some-length`) > 0, `${length}`);
    assert.equal(walker.knows(`${path}/f-of-some-length`), length >= 24 && length <= 96, `${length} bytes`);
  }
  for (let depth = 7; depth <= 12; depth++) {
    const path = "/abcdef".repeat(depth);
    vfs.fs.mkdirSync(path, { recursive: true });
    for (let i = 0; i < 200; i++) walker.ino(`${path}/none`);
    assert.equal(walker.knows(`${path}/none`), depth <= 9, `${depth} directories`);
  }
});

test("every byte of the path is compared, and all else that an entry stands for", async (t) => {
  const { vfs } = await treeFor(t);
  const bytes = new Uint8Array(vfs.handle.memory.buffer);
  for (const length of [24, 31, 32, 33, 40, 63, 64, 65, 71, 72, 80, 95, 96]) {
    const path = `/${String(length)}-directory${"/below-it-and-further".repeat(5)}`
      .slice(0, length)
      .replace(/\/$/, "x");
    vfs.fs.mkdirSync(path, { recursive: true });
    const walker = cachedWalker(t, vfs.handle).learn(`${path}/not-there`);
    const [entry, ...others] = walker.entries(length);
    assert.deepEqual(others, []);
    const words = length <= 32 ? 4 : length <= 64 ? 8 : 8 + Math.ceil((length - 64) / 8);
    const offsets = [...Array(16).keys()].concat(Array.from({ length: words * 8 }, (_, i) => ENTRY_WORDS + i));
    for (const offset of offsets) {
      bytes[entry + offset] ^= 1;
      assert.equal(walker.knows(`${path}/not-there`), false, `${length} bytes: byte ${offset} of the entry`);
      bytes[entry + offset] ^= 1;
      walker.learn(`${path}/not-there`);
    }
    walker.arena.close();
  }
});

test("a sequence that comes round to the same number does not bring an entry back", async (t) => {
  const all = await setUp(t);
  const { walker, fs } = all;
  const words = new Int32Array(all.vfs.handle.memory.buffer);
  const turns = () => Atomics.load(words, G_SEQ_WRAPS >> 2);
  const dentry = dentryOf(all.vfs, LEVELS[1]);
  const theirs = all.plain.ino(`/other${FILE}`);
  walker.learn(FILE);
  const seq = Atomics.load(words, dentry >> 2);
  // As after many changes: one more passes a multiple of 2^24.
  for (const [from, change] of [
    [0x00fffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0x01fffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0x7ffffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0xfffffffe | 0, () => fs.chmodSync(LEVELS[1], 0o755)],
    // A rename's unhash moves it on inside the write section.
    [0x02fffffe, () => fs.renameSync(LEVELS[1], "/moved")],
  ]) {
    const before = turns();
    Atomics.store(words, dentry >> 2, from);
    change();
    assert.ok(turns() > before, `${from}`);
  }
  fs.renameSync(`/other${LEVELS[1]}`, LEVELS[1]);
  Atomics.store(words, dentry >> 2, seq);
  assert.equal(walker.ino(FILE), theirs);
  // Without that mark it would: this is what the mark is for.
  assert.equal(walker.learn(FILE).ino(FILE), theirs);
});

test("a thread that takes over a slot begins with an empty memo", async (t) => {
  const all = await setUp(t);
  const dying = cachedWalker(t, all.vfs.handle).learn(FILE);
  const slot = dying.core.threadSlot();
  const [entry] = dying.entries(DIRECTORY.length);
  // As one that was killed in the middle of an entry leaves it: this directory's path with another's dentry.
  const words = new Int32Array(all.vfs.handle.memory.buffer);
  const other = dentryOf(all.vfs, `/other${DIRECTORY}`);
  words[(entry + ENTRY_DIRECTORY) >> 2] = other;
  words[(entry + ENTRY_DIRECTORY + 4) >> 2] = words[other >> 2];
  dying.arena.close();
  const heir = cachedWalker(t, all.vfs.handle);
  assert.equal(heir.core.threadSlot(), slot);
  assert.equal(heir.ino(FILE), all.plain.ino(FILE));
  assert.equal(heir.steps, 4);
});

test("memos take a sixteenth of the arena at most; who comes later walks without", async (t) => {
  const vfs = await createVfs({ maxBytes: 2 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync(DIRECTORY, { recursive: true });
  const walker = cachedWalker(t, vfs.handle);
  assert.equal(walker.entries(0), undefined);
  for (let i = 0; i < 5; i++) assert.equal(walker.ino(FILE), -ERRNO.ENOENT);
  vfs.fs.writeFileSync(FILE, "");
  assert.ok(walker.ino(FILE) > 0);
  const view = new DataView(vfs.handle.memory.buffer);
  assert.equal(view.getUint32(5448, true), 1, "memos given out");
  assert.equal(view.getUint32(65536 + ENTRY_LEN, true), 0, "the first slot shows no epoch after its calls");
});
