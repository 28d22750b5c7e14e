/**
 * Row 115: the lock of a directory in memory, which those who list it, or miss in it, hold shared. Another thread that has it shared is the
 * address of the mutex in its slot, with SHARED in the mutex's word; one that has it for itself is a number in that word.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { G_SLOTS_USED, INODE } from "../../../../verify/dist/arena/layout.js";
import { check as checkArena } from "../../../../verify/dist/fsck/check-arena.js";
import { HANG_MS } from "../../../../verify/dist/support/hang.js";
import { LOCK_OWNER, S_IFDIR, SLOT_SHARED, SLOT_SIZE, SLOTS } from "../../../dist/abi/abi.js";
import { LOG_ACQUIRING, SHARED, SLOT_UNDO_LOG, WAITERS } from "../../../dist/generated/core-layout.js";
import { Attachment } from "../../../dist/src/bridge/attachment.js";
import type { Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { codeOf } from "../../support/errors.js";
import { OWNER, type Scene, scene } from "../../support/held-locks.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { rawCore } from "../../support/raw-core.js";
import { threads } from "../../support/threads.js";

/** How long a call waits here, in milliseconds. */
const LIMIT_MS = 15;

/** The index of the word in which a slot says what its thread has shared. */
const sharedIn = (slot: number): number => (SLOTS + slot * SLOT_SIZE + SLOT_SHARED) >>> 2;
const mutexOf = ({ locks }: Scene): number => locks["i_mutex of a directory"] ?? 0;

/** Another thread has the mutex of /d shared, until the function that this returns is called. */
function holdShared({ words, ...here }: Scene): () => void {
  const mutex = mutexOf({ words, ...here });
  const used = Atomics.load(words, G_SLOTS_USED >>> 2);
  Atomics.store(words, G_SLOTS_USED >>> 2, OWNER + 1);
  Atomics.store(words, sharedIn(OWNER), mutex);
  Atomics.or(words, mutex >>> 2, SHARED);
  return () => {
    Atomics.store(words, sharedIn(OWNER), 0);
    Atomics.notify(words, sharedIn(OWNER));
    Atomics.store(words, G_SLOTS_USED >>> 2, used);
  };
}

/** Calls that need the directory /d as it is, and what they return. */
const READ: Record<string, (vfs: Vfs) => unknown> = {
  "a listing": ({ fs }) => fs.readdirSync("/d"),
  "a listing with types": ({ fs }) => fs.readdirSync("/d", { withFileTypes: true }).map(({ name }) => name),
  "a listing by parts": ({ fs }) => {
    const dir = fs.opendirSync("/d", { bufferSize: 1 });
    const names = [dir.readSync()?.name, dir.readSync()?.name, dir.readSync()];
    dir.closeSync();
    return names.filter((name) => name !== null);
  },
  "a miss in ref mode": (vfs) => {
    vfs.walkMode({ ref: true });
    try {
      return vfs.fs.existsSync("/d/none") ? [] : ["e", "f"];
    } finally {
      vfs.walkMode({ ref: false });
    }
  },
};
/** Calls that change it, and leave it as it was. */
const CHANGE: Record<string, (vfs: Vfs) => unknown> = {
  mkdir: ({ fs }) => fs.mkdirSync("/d/x") ?? fs.rmdirSync("/d/x"),
  create: ({ fs }) => fs.writeFileSync("/d/x", "") ?? fs.unlinkSync("/d/x"),
  rename: ({ fs }) => fs.renameSync("/d/f", "/d/x") ?? fs.renameSync("/d/x", "/d/f"),
};

/** The references of calls that were left are counted anew by the next call that takes some. */
function assertWhole({ vfs }: Scene): void {
  vfs.fs.readdirSync("/n");
  assert.deepEqual(checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems.map(String), []);
}

for (const mayWait of [true, false]) {
  describe(mayWait ? "a thread that may block" : "a thread that may not block", () => {
    // Fails when a listing, or a lookup that misses, takes the mutex for itself: it waits for the other thread, in vain.
    test("row 115: lists a directory, and misses in it, beside a thread that does so", async (t) => {
      const here = await scene(t, mayWait, LIMIT_MS);
      const { vfs } = here;
      const letGo = holdShared(here);
      for (const [what, call] of Object.entries(READ)) {
        const { lockWaits } = vfs.counters();
        assert.deepEqual(call(vfs), ["e", "f"], what);
        assert.equal(vfs.counters().lockWaits, lockWaits, what);
      }
      letGo();
      assertWhole(here);
      vfs.close();
    });

    // Fails when mutexLock() does not look through the slots, or the error does not know the word of a slot.
    test("row 115: waits for the threads that list a directory before it changes it, and says for which", async (t) => {
      const here = await scene(t, mayWait, LIMIT_MS);
      const { vfs, words } = here;
      const mutex = mutexOf(here);
      const letGo = holdShared(here);
      for (const [what, call] of Object.entries(CHANGE)) {
        const before = performance.now();
        assert.throws(
          () => call(vfs),
          (error: NodeJS.ErrnoException & { slot?: number }) =>
            error.code === "ERR_THREADFS_TIMEOUT" && error.slot === OWNER,
          what,
        );
        assert.ok(performance.now() - before >= LIMIT_MS - 1);
        // The call is taken back, and has left the mutex to those that have it shared.
        assert.equal(Atomics.load(words, mutex >>> 2), SHARED, what);
      }
      letGo();
      for (const call of Object.values(CHANGE))
        assert.equal(
          codeOf(() => call(vfs)),
          undefined,
        );
      assert.equal(Atomics.load(words, mutex >>> 2), 0, "the next owner takes SHARED away");
      assertWhole(here);
      vfs.close();
    });

    // Fails when threads that list get a mutex that has an owner: one that waits for others to end would wait for ever.
    test("row 115: waits for a thread that changes the directory, also while that one waits for others", async (t) => {
      const here = await scene(t, mayWait, LIMIT_MS);
      const { vfs, words } = here;
      const mutex = mutexOf(here);
      for (const held of [OWNER + 1, (OWNER + 1) | SHARED]) {
        Atomics.store(words, mutex >>> 2, held);
        for (const [what, call] of Object.entries(READ)) {
          assert.equal(
            codeOf(() => call(vfs)),
            "ERR_THREADFS_TIMEOUT",
            what,
          );
          vfs.walkMode({ ref: false });
          assert.equal(Atomics.load(words, mutex >>> 2), held | WAITERS | 0, "it wants to be woken");
          Atomics.store(words, mutex >>> 2, held);
        }
        Atomics.store(words, mutex >>> 2, held & ~LOCK_OWNER);
        for (const [what, call] of Object.entries(READ)) assert.deepEqual(call(vfs), ["e", "f"], what);
      }
      assertWhole(here);
      vfs.close();
    });
  });
}

/** One more thread of the tree, which will be said to have ended: it is not closed. */
function victimOf({ vfs }: Scene): { slot: number; end: () => void } {
  const { core } = Attachment.attach(vfs.handle, {});
  return { slot: core.threadSlot(), end: () => vfs.threadDied(core.threadNumber()) };
}

// Fails when dropShared() is left out of the recovery, or wakes nobody.
test("row 115: a thread that has ended has no mutex shared any more, and whoever waits for it goes on", async (t) => {
  const here = await scene(t, true, LIMIT_MS);
  const { vfs, words } = here;
  const mutex = mutexOf(here);
  const { slot, end } = victimOf(here);
  Atomics.store(words, sharedIn(slot), mutex);
  Atomics.store(words, mutex >>> 2, SHARED);
  assert.equal(
    codeOf(() => vfs.fs.mkdirSync("/d/x")),
    "ERR_THREADFS_TIMEOUT",
  );
  const sleeper = Atomics.waitAsync(words, sharedIn(slot), mutex, HANG_MS);
  end();
  assert.equal(Atomics.load(words, sharedIn(slot)), 0);
  assert.equal(await sleeper.value, "ok");
  vfs.fs.mkdirSync("/d/x");
  assertWhole(here);
  vfs.close();
});

// Fails when the recovery stores 0 in the word: the next owner does not look through the slots then.
test("row 115: a thread that ends while it waits for those that list leaves the mutex to them", async (t) => {
  const here = await scene(t, true, LIMIT_MS);
  const { vfs, words } = here;
  const mutex = mutexOf(here);
  const letGo = holdShared(here);
  const { slot, end } = victimOf(here);
  words[(SLOTS + slot * SLOT_SIZE + SLOT_UNDO_LOG + LOG_ACQUIRING) >>> 2] = mutex;
  Atomics.store(words, mutex >>> 2, (slot + 1) | SHARED | WAITERS);
  end();
  assert.equal(Atomics.load(words, mutex >>> 2), SHARED);
  assert.equal(
    codeOf(() => vfs.fs.mkdirSync("/d/x")),
    "ERR_THREADFS_TIMEOUT",
  );
  letGo();
  vfs.fs.mkdirSync("/d/x");
  assertWhole(here);
  vfs.close();
});

test("row 115: a promise waits in the event loop for a thread that lists", async (t) => {
  const here = await scene(t, true, 2 ** 31 - 1);
  const letGo = holdShared(here);
  const made = here.vfs.fs.promises.mkdir("/d/x");
  await sleep(10);
  assert.equal(here.vfs.fs.existsSync("/d/x"), false);
  letGo();
  await made;
  assert.equal(here.vfs.fs.existsSync("/d/x"), true);
  assertWhole(here);
  here.vfs.close();
});

// Fails when mutexTryLock() takes SHARED for an owner: the lookup that has to move the directory waits until its limit.
test("row 115: a mutex whose memory was that of a listed directory is free", async (t) => {
  const { vfs } = await treeFor(t, { lockTimeoutMs: LIMIT_MS });
  vfs.registerDriver({
    name: "twice",
    root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }),
    lookup: (dir, name) => {
      if (dir === 1 && name === "a") return { ino: 2, mode: S_IFDIR | 0o755 };
      return name === "twin" || (dir === 1 && name === "b") ? { ino: 3, mode: S_IFDIR | 0o755 } : null;
    },
  });
  vfs.fs.mkdirSync("/n");
  vfs.mount(null, "/n", "twice");
  assert.equal(vfs.fs.statSync("/n/b").ino, 3);
  assert.equal(vfs.fs.statSync("/n/a").ino, 2);
  const memory = memoryOf(vfs);
  const root = memory.inode(dentryOf(vfs, "/n"));
  Atomics.store(new Int32Array(vfs.handle.memory.buffer), (root + INODE.mutex) >>> 2, SHARED);
  assert.equal(vfs.fs.statSync("/n/a/twin").ino, 3);
  assert.equal(memory.mutex(root), 0);
});

// Fails when a listing lets writers wait for others that begin later, or is woken by nobody: by real threads, in the middle of one.
test("row 115: a thread that waits to change a directory goes before those that list it later", async (t) => {
  const { vfs, attach } = await treeFor(t, { lockTimeoutMs: HANG_MS });
  const other = await attach({ lockTimeoutMs: LIMIT_MS });
  vfs.fs.mkdirSync("/d");
  for (let n = 0; n < 3000; n++) vfs.fs.closeSync(vfs.fs.openSync(`/d/a name of some length ${n}`, "w"));
  const { arena, core, ctx, path } = rawCore(t, vfs.handle);
  const words = new Int32Array(vfs.handle.memory.buffer);
  const mutex = memoryOf(vfs).inode(dentryOf(vfs, "/d")) + INODE.mutex;
  /** Words: 0 the other thread may begin, 1 it is there. */
  const go = new Int32Array(new SharedArrayBuffer(8));
  const copy = arena.transfer.copyToUser.bind(arena.transfer);
  let listed = 0;
  let owned = false;
  arena.transfer.copyToUser = (from, bytes) => {
    if (listed++ === 0) {
      assert.equal(other.fs.readdirSync("/d").length, 3000);
      // The other thread says itself that it begins.
      Atomics.store(go, 0, 1);
      Atomics.notify(go, 0);
      const end = performance.now() + HANG_MS;
      while (!owned && performance.now() < end) owned = (Atomics.load(words, mutex >>> 2) & LOCK_OWNER) !== 0;
      assert.equal(
        codeOf(() => other.fs.readdirSync("/d")),
        "ERR_THREADFS_TIMEOUT",
      );
    }
    return copy(from, bytes);
  };
  const writer = threads(
    vfs.handle,
    0,
    [
      `Atomics.store(data.go, 1, 1);
       Atomics.wait(data.go, 0, 0, data.hangMs);
       vfs.fs.mkdirSync("/d/x");
       while (running());
       return vfs.fs.existsSync("/d/x");`,
    ],
    { go, hangMs: HANG_MS },
  );
  while (Atomics.load(go, 1) === 0) await sleep(1);
  arena.transfer.beginFile({ take: () => true, make: () => new Uint8Array(0) });
  assert.ok(core.sysScandir(ctx, -100, path("/d")) > 0);
  arena.transfer.endFile();
  assert.ok(owned && listed > 0);
  assert.deepEqual(await writer, [true]);
  assert.equal(other.fs.readdirSync("/d").length, 3001);
});
