/** The table of descriptors of a context (core/vfs/file/fdtable.ts): the lowest free descriptor, and any free one for callers that have numbers of their own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CTX_TABLE, FD_BLOCK, FD_FIRST, FD_ORDERED_BLOCKS, NR_OPEN } from "../../../../../verify/dist/arena/layout.js";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { AT_FDCWD, ERRNO, F_RDLCK, F_SETLK, MAX_THREADS, O_RDWR } from "../../../../dist/abi/abi.js";
import { createVfs, type Vfs } from "../../../../dist/src/index.js";
import { gauges } from "../../../support/counters.js";
import type { TestScope } from "../../../support/hooked-vfs.js";
import { type RawCore, rawCore } from "../../../support/raw-core.js";

/** The first descriptor of the blocks that threads have. */
const ANY_FIRST = FD_ORDERED_BLOCKS * FD_BLOCK;
const BLOCKS = NR_OPEN / FD_BLOCK - FD_ORDERED_BLOCKS;

/** A tree with the file /f. */
async function oneFile(t: TestScope): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  vfs.fs.writeFileSync("/f", "text");
  return vfs;
}

const openAny = ({ core, path }: RawCore, ctx: number) => core.sysOpenAny(ctx, AT_FDCWD, path("/f"), O_RDWR, 0);
const openLowest = ({ core, path }: RawCore, ctx: number) => core.sysOpen(ctx, AT_FDCWD, path("/f"), O_RDWR, 0);

/** The first descriptor of the block of a thread's slot. */
const blockOf = ({ core }: RawCore) => ANY_FIRST + ((core.threadNumber() % MAX_THREADS) % BLOCKS) * FD_BLOCK;

describe("any descriptor", () => {
  test("each thread takes and gives back those of the block of its slot", async (t) => {
    const vfs = await oneFile(t);
    const [a, b] = [rawCore(t, vfs.handle), rawCore(t, vfs.handle)];
    assert.notEqual(blockOf(a), blockOf(b));
    for (const raw of [a, b, a, b]) {
      const first = blockOf(raw);
      const fds = [openAny(raw, 0), openAny(raw, 0), openAny(raw, 0)];
      assert.deepEqual(fds, [first, first + 1, first + 2]);
      assert.equal(raw.core.sysClose(0, first + 1), 0);
      assert.equal(openAny(raw, 0), first + 1);
      for (const fd of fds) assert.equal(raw.core.sysClose(0, fd), 0);
    }
    assert.equal(openLowest(a, 0), FD_FIRST, "the others stay the lowest ones");
  });

  test("it is the context's: every thread reads and closes it", async (t) => {
    const vfs = await oneFile(t);
    const [a, b] = [rawCore(t, vfs.handle), rawCore(t, vfs.handle)];
    const fd = openAny(a, 0);
    const buffer = new Uint8Array(4);
    assert.equal(vfs.fs.readSync(fd, buffer), 4);
    assert.equal(b.core.sysClose(0, fd), 0);
    assert.equal(a.core.sysClose(0, fd), -ERRNO.EBADF);
    assert.equal(openAny(a, 0), fd);
  });

  test("a context has as many as ever, whichever way they are taken: then it is EMFILE", async (t) => {
    const vfs = await oneFile(t);
    const raw = rawCore(t, vfs.handle);
    const before = gauges(vfs).openFiles;
    for (const [first, then] of [
      [openAny, openAny],
      [openLowest, openLowest],
      [openAny, openLowest],
    ] as const) {
      const context = vfs.context();
      const { ctx } = context.handle;
      const fds = new Set<number>();
      for (let n = FD_FIRST; n < NR_OPEN; n++) fds.add((n % 3 === 0 ? first : then)(raw, ctx));
      assert.deepEqual([fds.size, Math.min(...fds), Math.max(...fds)], [NR_OPEN - FD_FIRST, FD_FIRST, NR_OPEN - 1]);
      for (const open of [openAny, openLowest]) assert.equal(open(raw, ctx), -ERRNO.EMFILE);
      for (const fd of [777, ANY_FIRST + 777]) {
        for (const open of [openAny, openLowest]) {
          assert.equal(raw.core.sysClose(ctx, fd), 0);
          assert.equal(open(raw, ctx), fd);
        }
      }
      context.close();
      assert.equal(gauges(vfs).openFiles, before);
    }
    assert.deepEqual(check(vfs.handle.memory).problems, []);
  });

  test("those of a full block are followed by those of the next one, and the last block by the first", async (t) => {
    const vfs = await oneFile(t);
    const raw = rawCore(t, vfs.handle);
    const context = vfs.context();
    const first = blockOf(raw);
    const count = BLOCKS * FD_BLOCK;
    for (let n = 0; n < count; n++)
      assert.equal(openAny(raw, context.handle.ctx), ANY_FIRST + ((first - ANY_FIRST + n) % count));
    assert.equal(openAny(raw, context.handle.ctx), FD_FIRST, "then the lowest");
  });
});

describe("any descriptor, where it is not the plain case", () => {
  test("where there is no memory for the thread's block it is the lowest one", async (t) => {
    const vfs = await createVfs({ maxBytes: 4 << 20 });
    t.after(() => vfs.close());
    const { fs } = vfs;
    fs.writeFileSync("/f", "text");
    const raw = rawCore(t, vfs.handle);
    const contexts = Array.from({ length: 600 }, () => vfs.context().handle.ctx);
    const fd = fs.openSync("/full", "w");
    const bytes = new Uint8Array(4096);
    assert.throws(() => {
      for (;;) fs.writeSync(fd, bytes);
    }, /^Error: ENOSPC/);
    // The chunks that are reserved for descriptors end first, then what there is for blocks of the half with an order.
    const taken = contexts.map((ctx) => openAny(raw, ctx));
    assert.deepEqual([...new Set(taken)], [blockOf(raw), FD_FIRST, -ERRNO.ENOSPC]);
    assert.equal(openAny(raw, 0), fd + 1, "the first block of context 0 is there");
    fs.truncateSync("/full");
    assert.equal(openAny(raw, 0), blockOf(raw));
    assert.deepEqual(check(vfs.handle.memory).problems, []);
  });

  test("a context that is closed gives none, and its memory begins anew", async (t) => {
    const vfs = await oneFile(t);
    const raw = rawCore(t, vfs.handle);
    const places = new Set<number>();
    const words = new Uint32Array(vfs.handle.memory.buffer);
    for (let n = 0; n < 200; n++) {
      const context = vfs.context();
      const { ctx } = context.handle;
      places.add(words[(CTX_TABLE >>> 2) + (ctx % 1024)] ?? 0);
      for (const k of [0, 1, 2]) assert.equal(openAny(raw, ctx), blockOf(raw) + k);
      assert.equal(raw.core.sysClose(ctx, blockOf(raw) + 1), 0);
      context.close();
      for (const open of [openAny, openLowest]) assert.equal(open(raw, ctx), -ERRNO.EBADF);
    }
    assert.ok(places.size < 200, "memory was used again");
    assert.deepEqual(check(vfs.handle.memory).problems, []);
  });

  test("locks of the context end with whichever descriptor of the file is closed", async (t) => {
    const vfs = await oneFile(t);
    const raw = rawCore(t, vfs.handle);
    const other = vfs.context();
    const theirs = other.fs.openSync("/f", "r+");
    const { core } = raw;
    const lock = { type: "wr", start: 0, length: 10 } as const;
    for (const closesAny of [true, false]) {
      const [any, lowest] = [openAny(raw, 0), openLowest(raw, 0)];
      const by = closesAny ? lowest : any;
      assert.equal(core.sysFcntlLock(0, by, F_SETLK, F_RDLCK, 0, 0, 10), 0);
      assert.throws(() => other.fcntlLockSync(theirs, lock, { nonblocking: true }), /^Error: EAGAIN/);
      assert.equal(core.sysClose(0, closesAny ? any : lowest), 0);
      other.fcntlLockSync(theirs, lock, { nonblocking: true });
      other.fcntlLockSync(theirs, { type: "un", start: 0, length: 10 });
      assert.equal(core.sysClose(0, by), 0);
    }
  });
});
