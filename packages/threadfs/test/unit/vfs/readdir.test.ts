/** Listings of directories: where they go on, and how much one call returns. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { INODE } from "../../../../verify/dist/arena/layout.js";
import { DIRENT_ALIGN, DIRENT_NAME, DIRENT_NAME_LENGTH, DIRENT_OFF, O_DIRECTORY } from "../../../dist/abi/abi.js";
import type { Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import type { HookedVfs } from "../../support/hooked-vfs.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { type RawCore, rawCore } from "../../support/raw-core.js";

/** Sets how many entries have ever been made in a directory. */
function setCreations(vfs: HookedVfs, path: string, count: bigint): void {
  const inode = memoryOf(vfs).inode(dentryOf(vfs, path));
  new BigUint64Array(vfs.handle.memory.buffer)[(inode + INODE.ino64) / 8] = count;
}

/** The names of one call of getdents. */
function getdents({ core, ctx, arena }: RawCore, fd: number, entries: number, from = -1): string[] {
  const end = core.sysGetdents(ctx, fd, entries, from);
  assert.ok(end >= 0, `getdents: ${end}`);
  const names: string[] = [];
  for (let at = 0; at < end; ) {
    const length = arena.io[at + DIRENT_NAME_LENGTH] ?? 0;
    names.push(Buffer.from(arena.io.slice(at + DIRENT_NAME, at + DIRENT_NAME + length)).toString());
    at = (at + DIRENT_NAME + length + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
  }
  return names;
}

/** The rest of a listing, `entries` at a time. */
function rest(raw: RawCore, fd: number, entries: number): string[] {
  const names: string[] = [];
  for (let got = getdents(raw, fd, entries); got.length > 0; got = getdents(raw, fd, entries)) names.push(...got);
  return names;
}

function make(vfs: Vfs, prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => {
    vfs.fs.writeFileSync(`/d/${prefix}${n}`, "");
    return `${prefix}${n}`;
  });
}

/** Numbers of creations at which a counter of 32 bits, a float64 and a signed number would come to their ends. */
const ENDS = [2n ** 32n, 2n ** 31n, 2n ** 53n, 2n ** 63n];

describe("cookies of entries", () => {
  for (const end of ENDS) {
    // Fails with cookies of 32 bits.
    test(`go on beyond ${end} creations in one directory, while listings are under way`, async (t) => {
      const { vfs } = await treeFor(t);
      const raw = rawCore(t, vfs.handle);
      vfs.fs.mkdirSync("/d");
      const old = make(vfs, "old", 5);
      const open = () => raw.openat(-100, "/d", O_DIRECTORY);
      const [early, position] = [open(), open()];
      assert.deepEqual(getdents(raw, early, 2), ["old0", "old1"]);
      setCreations(vfs, "/d", end - 4n);
      const before = make(vfs, "new", 3);
      const late = open();
      assert.deepEqual(getdents(raw, late, 7), [...old, "new0", "new1"]);
      const after = make(vfs, "more", 6);
      assert.deepEqual(rest(raw, early, 1), ["old2", "old3", "old4"], "what was there when the listing began");
      assert.deepEqual(rest(raw, late, 2), ["new2"]);
      assert.deepEqual(rest(raw, position, 3), [...old, ...before, ...after], "a listing that begins now");
      assert.equal(raw.core.sysLseek(raw.ctx, late, 0, 0), 0);
      vfs.fs.unlinkSync("/d/new0");
      vfs.fs.renameSync("/d/new1", "/d/again");
      const now = [...old, "again", "new2", ...after];
      assert.deepEqual(rest(raw, late, 4), now, "a listing that begins anew");
      assert.deepEqual(vfs.fs.readdirSync("/d"), now.toSorted());
      vfs.fs.rmSync("/d", { recursive: true });
      assert.ok(!vfs.fs.existsSync("/d"));
    });
  }

  test("a directory of many entries made beyond 2^32 creations is listed whole, and removed", async (t) => {
    const { vfs } = await treeFor(t);
    vfs.fs.mkdirSync("/d");
    make(vfs, "a", 3);
    setCreations(vfs, "/d", 2n ** 32n - 17n);
    const names = make(vfs, "x".repeat(200), 1500);
    assert.deepEqual(vfs.fs.readdirSync("/d"), ["a0", "a1", "a2", ...names].toSorted());
    vfs.fs.rmSync("/d", { recursive: true });
  });

  test("a position of a listing can be taken up again", async (t) => {
    const { vfs } = await treeFor(t);
    const raw = rawCore(t, vfs.handle);
    vfs.fs.mkdirSync("/d");
    make(vfs, "f", 9);
    setCreations(vfs, "/d", 2n ** 43n);
    make(vfs, "g", 9);
    const fd = raw.openat(-100, "/d", O_DIRECTORY);
    for (const skip of [4, 11]) {
      raw.core.sysLseek(raw.ctx, fd, 0, 0);
      getdents(raw, fd, skip);
      const place = raw.core.sysLseek(raw.ctx, fd, 0, 1);
      const following = rest(raw, fd, 5);
      assert.equal(following.length, 18 - skip);
      assert.equal(raw.core.sysLseek(raw.ctx, fd, place, 0), place);
      assert.deepEqual(rest(raw, fd, 5), following);
    }
  });
});

test("one call returns as many entries as it is asked for", async (t) => {
  const { vfs } = await treeFor(t);
  const raw = rawCore(t, vfs.handle);
  vfs.fs.mkdirSync("/d");
  const names = make(vfs, "f", 10);
  const fd = raw.openat(-100, "/d", O_DIRECTORY);
  assert.deepEqual(getdents(raw, fd, 1), ["f0"]);
  assert.deepEqual(getdents(raw, fd, 3), ["f1", "f2", "f3"]);
  assert.deepEqual(getdents(raw, fd, 0), names.slice(4), "0: as many as fit");
  assert.deepEqual(getdents(raw, fd, 0), []);
});

describe("a position that a call gives", () => {
  /** The positions behind the entries of a whole listing. */
  function positions({ core, ctx, arena }: RawCore, fd: number): number[] {
    const end = core.sysGetdents(ctx, fd, 0, 0);
    const found: number[] = [];
    for (let at = 0; at < end; ) {
      found.push(new DataView(arena.io.buffer, arena.io.byteOffset).getFloat64(at + DIRENT_OFF, true));
      at = (at + DIRENT_NAME + (arena.io[at + DIRENT_NAME_LENGTH] ?? 0) + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
    }
    return found;
  }

  // Fails when doGetdents() does not move to it, and for the other way round of its check.
  test("is where the listing goes on, in any order, also after entries before it are gone, and in another descriptor", async (t) => {
    const { vfs } = await treeFor(t);
    const raw = rawCore(t, vfs.handle);
    vfs.fs.mkdirSync("/d");
    const names = make(vfs, "f", 5);
    const [fd, other] = [raw.openat(-100, "/d", O_DIRECTORY), raw.openat(-100, "/d", O_DIRECTORY)];
    const behind = positions(raw, fd);
    assert.equal(behind.length, 5);
    for (const n of [3, 0, 4, 1]) {
      assert.deepEqual(getdents(raw, fd, 0, behind[n]), names.slice(n + 1));
      assert.deepEqual(getdents(raw, other, 0, behind[n]), names.slice(n + 1), "a descriptor that has read nothing");
    }
    assert.deepEqual(getdents(raw, fd, 1, 0), ["f0"]);
    assert.deepEqual(getdents(raw, fd, 1), ["f1"], "the descriptor's own position follows");
    vfs.fs.unlinkSync("/d/f1");
    vfs.fs.unlinkSync("/d/f2");
    assert.deepEqual(getdents(raw, fd, 0, behind[1]), ["f3", "f4"]);
    assert.deepEqual(getdents(raw, fd, 0, Number.MAX_VALUE), []);
  });

  test("of a driver's directory is the number of an entry", async (t) => {
    const { vfs } = await treeFor(t);
    const raw = rawCore(t, vfs.handle);
    const directory = { ino: 1, mode: 0o040755 };
    const entries = ["a", "b", "c"].map((name, n) => ({ name, ino: n + 2, mode: 0o100644 }));
    const driver = { name: "listed", root: () => directory, readdir: () => entries };
    vfs.registerDriver(driver);
    raw.arena.drivers.register(driver, raw.ctx);
    vfs.fs.mkdirSync("/m");
    vfs.mount(null, "/m", "listed");
    const fd = raw.openat(-100, "/m", O_DIRECTORY);
    assert.deepEqual(positions(raw, fd), [1, 2, 3]);
    assert.deepEqual(getdents(raw, fd, 0, 1), ["b", "c"]);
    assert.deepEqual(getdents(raw, fd, 0), []);
  });
});
