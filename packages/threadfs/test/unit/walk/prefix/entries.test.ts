/** The entries of the prefix cache (core/vfs/walk/prefix-cache.ts): which paths have one, how it is compared, and its thread. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../../../../cli/dist/support/defined.js";
import { ERRNO, RENAME_EXCHANGE, SLOTS } from "../../../../dist/abi/abi.js";
import {
  CHUNK,
  G_DIR_CHANGES,
  G_PREFIX_CACHES,
  G_PREFIX_CHUNKS,
  G_SEQ_WRAPS,
  PREFIX_CACHE_ENTRY,
} from "../../../../dist/generated/core-layout.js";
import { ACL_TAG, type AclEntry, createVfs } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import type { HookedVfs } from "../../../support/hooked-vfs.js";
import { freshLink } from "../../../support/interleavings.js";
import { dentryOf, memoryOf } from "../../../support/memory.js";
import {
  type CachedWalker,
  cachedWalker,
  DIRECTORY,
  ENTRY_CHAIN,
  ENTRY_CHAIN_END,
  ENTRY_CHANGES,
  ENTRY_DIRECTORY,
  ENTRY_LEN,
  ENTRY_WORDS,
  entriesOf,
  FILE,
  LEVELS,
  setUp,
} from "../../../support/prefix-cache.js";
import { rawCore } from "../../../support/raw-core.js";

const MINIMAL_ACL: readonly AclEntry[] = [
  { tag: ACL_TAG.USER_OBJ, perm: 7 },
  { tag: ACL_TAG.GROUP_OBJ, perm: 5 },
  { tag: ACL_TAG.OTHER, perm: 5 },
];

/** Address of the one entry of a walker's cache whose path has this length. */
function onlyEntry(walker: CachedWalker, length: number): number {
  const entries = defined(walker.entries(length), "prefix cache");
  assert.equal(entries.length, 1, `entries of ${length} bytes`);
  return defined(entries[0], "entry");
}

test("the prefix cache holds prefixes of 24 to 96 bytes and of at most 9 directories", async (t) => {
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

test("a walk compares every byte of the path and of the entry's other fields", async (t) => {
  const { vfs } = await treeFor(t);
  const bytes = new Uint8Array(vfs.handle.memory.buffer);
  const flipBit = (address: number) => Atomics.xor(bytes, address, 1);
  for (const length of [24, 31, 32, 33, 40, 63, 64, 65, 71, 72, 80, 95, 96]) {
    const path = `/${String(length)}-directory${"/below-it-and-further".repeat(5)}`
      .slice(0, length)
      .replace(/\/$/, "x");
    vfs.fs.mkdirSync(path, { recursive: true });
    const walker = cachedWalker(t, vfs.handle).learn(`${path}/not-there`);
    const entry = onlyEntry(walker, length);
    const words = length <= 32 ? 4 : length <= 64 ? 8 : 8 + Math.ceil((length - 64) / 8);
    const offsets = [...Array(ENTRY_CHAIN_END).keys()].concat(
      Array.from({ length: words * 8 }, (_, i) => ENTRY_WORDS + i),
    );
    for (const offset of offsets) {
      flipBit(entry + offset);
      assert.equal(walker.knows(`${path}/not-there`), false, `${length} bytes: byte ${offset} of the entry`);
      flipBit(entry + offset);
      walker.learn(`${path}/not-there`);
    }
    walker.attachment.close();
  }
});

/** The count of changes of directories. */
function dirChanges(vfs: HookedVfs): number {
  return memoryOf(vfs).word(G_DIR_CHANGES);
}

// Fails when the walk loads the chain although nothing was counted, and when it does not after a count.
test("the directories of an entry are looked at again only when some directory has changed", async (t) => {
  const { vfs, fs, walker } = await setUp(t);
  walker.learn(FILE);
  const entry = onlyEntry(walker, DIRECTORY.length);
  const memory = memoryOf(vfs);
  const words = new Int32Array(vfs.handle.memory.buffer);
  assert.equal(memory.word(entry + ENTRY_CHANGES), dirChanges(vfs));
  // The sequence of a directory above: a walk that compares it rejects the entry.
  Atomics.add(words, (entry + ENTRY_CHAIN + 4) >> 2, 2);
  assert.equal(walker.knows(FILE), true, "nothing has changed");
  fs.writeFileSync("/a-file", "");
  fs.renameSync("/a-file", "/another");
  fs.unlinkSync("/another");
  fs.mkdirSync("/a-directory");
  assert.equal(walker.knows(FILE), true, "no directory was moved, removed, mounted over, or given another mode");
  fs.rmdirSync("/a-directory");
  assert.equal(walker.knows(FILE), false, "a directory has changed");
  walker.learn(FILE);
  assert.equal(memory.word(entry + ENTRY_CHANGES), dirChanges(vfs));
});

// Fails when one of the changes makes the dentry's sequence odd by writeSeqBegin() and not by dWriteBegin().
test("whatever leads a walk over a directory or a link elsewhere is counted, and nothing else", async (t) => {
  const { vfs, fs, walker } = await setUp(t);
  const { rename } = rawCore(t, vfs.handle);
  fs.mkdirSync("/mode");
  fs.symlinkSync("/other", "/link");
  const counted: [string, () => unknown][] = [
    ["rename", () => fs.renameSync("/mode", "/moved")],
    ["exchange with a file", () => rename("/moved", `/other${FILE}`, RENAME_EXCHANGE)],
    ["exchange back", () => rename("/moved", `/other${FILE}`, RENAME_EXCHANGE)],
    ["chmod", () => fs.chmodSync("/moved", 0o700)],
    ["an ACL", () => vfs.setfacl("/moved", [...MINIMAL_ACL])],
    ["mount", () => vfs.mount(null, "/moved", "tmpfs")],
    ["umount", () => vfs.umount("/moved")],
    ["a directory in its place", () => fs.renameSync("/other/first-level", "/moved")],
    ["rmdir", () => fs.rmSync("/moved", { recursive: true })],
    ["rename of a link", () => fs.renameSync("/link", "/link-moved")],
    ["times of a link", () => fs.lutimesSync("/link-moved", 0, 0)],
    ["the first walk over a link, which updates its time of access", () => fs.existsSync("/link-moved")],
    ["owner of a link", () => fs.lchownSync("/link-moved", 1, 1)],
    ["unlink of a link", () => fs.unlinkSync("/link-moved")],
    [
      "rmdir of an open one",
      () => {
        fs.mkdirSync("/open");
        const fd = fs.openSync("/open", "r");
        fs.rmdirSync("/open");
        fs.closeSync(fd);
      },
    ],
  ];
  for (const [change, make] of counted) {
    const before = dirChanges(vfs);
    make();
    assert.ok(dirChanges(vfs) > before, change);
    assert.equal(dirChanges(vfs) & 1, 0, "an entry with links never has this count");
  }
  const before = dirChanges(vfs);
  fs.mkdirSync("/new");
  fs.writeFileSync("/new/f", "x");
  fs.linkSync("/new/f", "/new/g");
  fs.renameSync("/new/f", "/new/h");
  fs.chmodSync("/new/h", 0o600);
  fs.symlinkSync("/new", "/link");
  fs.unlinkSync("/new/h");
  walker.ino(FILE);
  assert.equal(dirChanges(vfs), before);
});

// Fails when the count is not part of what is forgotten: the entry is used.
test("an entry is forgotten when the count of changes passes a multiple of 2^24", async (t) => {
  const { vfs, fs, walker } = await setUp(t);
  const words = new Int32Array(vfs.handle.memory.buffer);
  walker.learn(FILE);
  const entry = onlyEntry(walker, DIRECTORY.length);
  const before = memoryOf(vfs).word(G_SEQ_WRAPS);
  Atomics.store(words, G_DIR_CHANGES >> 2, -2);
  fs.chmodSync(LEVELS[0], 0o711);
  assert.ok(memoryOf(vfs).word(G_SEQ_WRAPS) > before);
  words[(entry + ENTRY_CHANGES) >> 2] = dirChanges(vfs);
  assert.equal(walker.knows(FILE), false);
});

// Fails when a path may be in one set only: then a tenth of 400 directories finds no room in theirs.
test("a thread remembers nearly every directory of a tree that has fewer than there are entries", async (t) => {
  const { vfs, fs, walker } = await setUp(t);
  const files = Array.from({ length: 400 }, (_, n) => `/directory-number-${n}/and-one-below-it/file`);
  for (const file of files) {
    fs.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    fs.writeFileSync(file, "");
  }
  for (let round = 0; round < 2; round++) for (const file of files) for (let i = 0; i < 3; i++) walker.ino(file);
  const known = files.filter((file) => walker.knows(file)).length;
  assert.ok(known >= 396, `${known} of ${files.length}`);
  assert.equal(dirChanges(vfs) & 1, 0);
});

// Taken out, one at a time: takeWay() in recordMiss(): of 400 directories that are walked in turn hardly any misses twice in a row in its
// set; the length 0 that recordMiss() gives to a stale entry: none of them comes back.
test("a thread remembers directories that it walks in turn, also again when all of their entries are stale", async (t) => {
  const { vfs, fs, walker } = await setUp(t);
  const files = Array.from({ length: 400 }, (_, n) => `/directory-for-all/directory-number-${n}/file`);
  for (const file of files) {
    fs.mkdirSync(file.slice(0, -"/file".length), { recursive: true });
    fs.writeFileSync(file, "");
  }
  for (let change = 0; change < 2; change++) {
    for (let round = 0; round < 3; round++) for (const file of files) walker.ino(file);
    const known = files.filter((file) => walker.knows(file)).length;
    assert.ok(known >= 390, `${known} of ${files.length}`);
    fs.renameSync("/directory-for-all", "/elsewhere");
    fs.renameSync("/elsewhere", "/directory-for-all");
  }
  assert.equal(dirChanges(vfs) & 1, 0);
});

// Taken out: nextVictim() in takeWay(): the directories that were walked first keep all ways.
test("directories that are walked in turn take the place of others that are not walked any more", async (t) => {
  const { fs, walker, vfs } = await setUp(t);
  const [before, now] = ["before", "now-and-later"].map((top) =>
    Array.from({ length: entriesOf(vfs) * 2 }, (_, n) => `/${top}/directory-number-${n}/file`),
  ) as [string[], string[]];
  for (const file of [...before, ...now.slice(0, 100)]) {
    fs.mkdirSync(file.slice(0, -"/file".length), { recursive: true });
    fs.writeFileSync(file, "");
  }
  for (let round = 0; round < 3; round++) for (const file of before) walker.ino(file);
  const used = now.slice(0, 100);
  // Each has missed so often that it had its turn, by chance of where the others are, several times.
  for (let round = 0; round < 1000; round++) for (const file of used) walker.ino(file);
  const known = used.filter((file) => walker.knows(file)).length;
  assert.ok(known >= 90, `${known} of ${used.length}`);
});

// Taken out: ND_PREFIX in recordMiss(): the bodies of links take most of the ways.
test("of a path whose directory has an entry no part takes another one", async (t) => {
  const { fs, walker } = await setUp(t);
  fs.mkdirSync("/directory-of-the-store/first/package/lib", { recursive: true });
  fs.writeFileSync("/directory-of-the-store/first/package/lib/file", "");
  freshLink(fs, "directory-of-the-store/first/package/lib/..", "/link-to-the-package-itself");
  const path = "/link-to-the-package-itself/lib/file";
  walker.learn(path);
  const all = Array.from({ length: 97 }, (_, length) => length).filter((length) => length > 0);
  assert.deepEqual(
    all.filter((length) => walker.entries(length)?.length),
    [path.length - "/file".length],
  );
});

// Fails without countDirChange() in rollBack(): the thread may have died between making a directory's sequence odd and counting.
test("the recovery of a dead thread counts as a change of a directory", async (t) => {
  const { vfs } = await setUp(t);
  const dying = cachedWalker(t, vfs.handle);
  const slot = dying.core.threadSlot();
  const before = dirChanges(vfs);
  vfs.threadDied(slot);
  assert.ok(dirChanges(vfs) > before);
});

test("an entry stays stale when a sequence wraps around to the same number", async (t) => {
  const all = await setUp(t);
  const { walker, fs } = all;
  const words = new Int32Array(all.vfs.handle.memory.buffer);
  const wraps = () => Atomics.load(words, G_SEQ_WRAPS >> 2);
  const dentry = dentryOf(all.vfs, LEVELS[1]);
  const theirs = all.plain.ino(`/other${FILE}`);
  walker.learn(FILE);
  const seq = Atomics.load(words, dentry >> 2);
  // As after many changes: the next one passes a multiple of 2^24.
  for (const [from, change] of [
    [0x00fffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0x01fffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0x7ffffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0xfffffffe | 0, () => fs.chmodSync(LEVELS[1], 0o755)],
    // A rename's unhash moves the sequence on inside the write section.
    [0x02fffffe, () => fs.renameSync(LEVELS[1], "/moved")],
  ] as const) {
    const before = wraps();
    Atomics.store(words, dentry >> 2, from);
    change();
    assert.ok(wraps() > before, `${from}`);
  }
  fs.renameSync(`/other${LEVELS[1]}`, LEVELS[1]);
  Atomics.store(words, dentry >> 2, seq);
  assert.equal(walker.ino(FILE), theirs);
  // With the count of wraps as before the entry would be found: the next entry has the new count.
  assert.equal(walker.learn(FILE).ino(FILE), theirs);
});

test("a thread in the slot of a terminated thread begins with an empty prefix cache", async (t) => {
  const all = await setUp(t);
  const dying = cachedWalker(t, all.vfs.handle).learn(FILE);
  const slot = dying.core.threadSlot();
  const entry = onlyEntry(dying, DIRECTORY.length);
  // The state that a thread leaves when it is terminated while it writes an entry: this directory's path with another's dentry.
  const words = new Int32Array(all.vfs.handle.memory.buffer);
  const other = dentryOf(all.vfs, `/other${DIRECTORY}`);
  words[(entry + ENTRY_DIRECTORY) >> 2] = other;
  words[(entry + ENTRY_DIRECTORY + 4) >> 2] = memoryOf(all.vfs).seq(other);
  dying.attachment.close();
  const next = cachedWalker(t, all.vfs.handle);
  assert.equal(next.core.threadSlot(), slot);
  assert.equal(next.ino(FILE), all.plain.ino(FILE));
  assert.equal(next.steps, 4);
});

// Taken out: the loop of prefixCacheChunks(). All have 4 chunks.
test("a prefix cache takes a 256th of the arena, within limits", async (t) => {
  for (const [megabytes, chunks] of [
    [64, 4],
    [127, 4],
    [128, 8],
    [300, 16],
    [512, 32],
    [2048, 32],
  ] as const) {
    const vfs = await createVfs({ maxBytes: megabytes * 2 ** 20 });
    const { word } = memoryOf(vfs);
    assert.equal(word(G_PREFIX_CHUNKS), chunks, `${megabytes} MiB`);
    const half = chunks * (CHUNK / 2);
    assert.ok(entriesOf(vfs) * PREFIX_CACHE_ENTRY < half && entriesOf(vfs) * PREFIX_CACHE_ENTRY > half * 0.96);
    vfs.close();
  }
  // In the largest of these most of 4,000 directories have an entry at once.
  const { walker, fs } = await setUp(t, { maxBytes: 512 << 20 });
  const files = Array.from({ length: 4000 }, (_, n) => `/one-of-many-directories/number-${n}/file`);
  for (const file of files) {
    fs.mkdirSync(file.slice(0, -"/file".length), { recursive: true });
    fs.writeFileSync(file, "");
  }
  for (let round = 0; round < 3; round++) for (const file of files) walker.ino(file);
  const known = files.filter((file) => walker.knows(file)).length;
  assert.ok(known >= 3500, `${known} of ${files.length}`);
});

test("prefix caches take at most an eighth of the arena, and later threads walk without one", async (t) => {
  const vfs = await createVfs({ maxBytes: 3 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync(DIRECTORY, { recursive: true });
  const walker = cachedWalker(t, vfs.handle);
  assert.equal(walker.entries(0), undefined);
  for (let i = 0; i < 5; i++) assert.equal(walker.ino(FILE), -ERRNO.ENOENT);
  vfs.fs.writeFileSync(FILE, "");
  assert.ok(walker.ino(FILE) > 0);
  const memory = memoryOf(vfs);
  assert.equal(memory.word(G_PREFIX_CACHES), 1, "prefix caches given out");
  assert.equal(memory.word(SLOTS + ENTRY_LEN), 0, "no entry was written over the first slot");
});

// Fails when a name is taken for "." or ".." by its first byte, its first two or its length alone.
test("names that begin with dots are in a prefix like others, and '.' and '..' are no names", async (t) => {
  const { vfs } = await treeFor(t);
  const directory = "/.a/..a/.../a/.b-long-enough";
  vfs.fs.mkdirSync(directory, { recursive: true });
  vfs.fs.writeFileSync(`${directory}/f-of-some-length`, "");
  const walker = cachedWalker(t, vfs.handle).learn(`${directory}/f-of-some-length`);
  assert.ok(onlyEntry(walker, directory.length) > 0);
  const ino = walker.ino(`${directory}/f-of-some-length`);
  for (const dots of [
    "/.a/./..a/.../a/.b-long-enough/f-of-some-length",
    "/.a/..a/.../../.../a/.b-long-enough/f-of-some-length",
  ]) {
    for (let i = 0; i < 6; i++) assert.equal(walker.ino(dots), ino, dots);
    assert.equal(walker.entries(dots.length - 17)?.length, 1, dots);
  }
});
