/**
 * Counters that come to their end (docs/memory.md, "Counters"): the epoch, generations of inodes, numbers of file systems and drivers.
 * packages/verify runs whole checks in this state (`--counters near-end`).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DENTRY } from "../../../../verify/dist/arena/layout.js";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { setCountersNearEnd } from "../../../../verify/dist/fsck/near-end.js";
import { DRIVERS, ERRNO, POINT, SLOTS } from "../../../dist/abi/abi.js";
import {
  CLASSES,
  D_TYPE,
  DRIVER_GENERATION,
  G_EPOCH,
  G_INODE_GENERATION,
  G_NEXT_DEV,
  SLOT_RCU_COUNT,
} from "../../../dist/generated/core-layout.js";
import type { Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { when } from "../../support/hooked-vfs.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { rawCore } from "../../support/raw-core.js";

const viewOf = (vfs: Vfs): DataView => new DataView(vfs.handle.memory.buffer);
const LAST_WORD = 2 ** 32 - 1;

// Fails if oldestReader() compares epochs as numbers, and not by their difference.
test("what a walk has found is not reused while the walk goes on and the epoch comes round", async (t) => {
  const { vfs: walker, attach } = await treeFor(t);
  const mem = memoryOf(walker);
  const writer = await attach();
  walker.fs.writeFileSync("/f", "");
  const dentry = dentryOf(walker, "/f");
  setCountersNearEnd(walker.handle.memory);
  const made: number[] = [];
  walker.at(POINT.COMPLETE, () => {
    writer.fs.unlinkSync("/f");
    for (let round = 0; round < 4; round++) {
      const names = Array.from({ length: 100 }, (_, n) => `/x${n}`);
      const passed = writer.points(() => {
        for (const name of names) writer.fs.writeFileSync(name, "");
      });
      for (const [id, a] of passed) if (id === POINT.INSTANTIATE) made.push(a);
      for (const name of names) writer.fs.unlinkSync(name);
    }
    assert.equal(mem.flags(dentry) & D_TYPE, 0, "it is a dead dentry and nothing else");
  });
  assert.equal(walker.fs.existsSync("/f"), false);
  assert.ok(viewOf(walker).getUint32(G_EPOCH, true) < 1000, "the epoch has come round");
  assert.ok(!made.includes(dentry), "not during the walk");
  const later = writer.points(() => {
    for (let n = 0; n < 400; n++) {
      writer.fs.writeFileSync(`/y${n}`, "");
      // Frees a context, and so moves the epoch on.
      writer.context().close();
    }
  });
  assert.ok(
    later.some(([id, a]) => id === POINT.INSTANTIATE && a === dentry),
    "but afterwards",
  );
});

// Fails when the epoch becomes 0, which in a slot means that the thread is in no section: no grace period would wait for the walk.
test("a walk that begins when the epoch has just come round is seen in its section", async (t) => {
  const { vfs: walker } = await treeFor(t);
  const mem = memoryOf(walker);
  const { threadSlot } = walker;
  for (const before of [LAST_WORD - 3, LAST_WORD - 1]) {
    viewOf(walker).setUint32(G_EPOCH, before, true);
    walker.synchronizeRcu();
    let during = 0;
    walker.at(POINT.COMPLETE, () => {
      during = mem.epoch(threadSlot);
    });
    walker.fs.existsSync("/");
    assert.equal(during, mem.word(G_EPOCH));
    assert.ok(during > 1, `epoch ${during} after ${before}`);
  }
});

// Fails if a sequence that is below the one read counts as unchanged.
test("a walk does not find in a directory what was made there after it was moved and its sequence came round", async (t) => {
  const { vfs: walker, attach } = await treeFor(t);
  const writer = await attach();
  walker.fs.mkdirSync("/a");
  // The hot path leaves a name this long to linkPathWalk().
  const name = "f".repeat(40);
  const dentry = dentryOf(walker, "/a");
  viewOf(walker).setUint32(dentry + DENTRY.seq, LAST_WORD - 1, true);
  when(walker, POINT.COMPONENT, dentry, () => {
    writer.fs.renameSync("/a", "/b");
    writer.fs.writeFileSync(`/b/${name}`, "");
  });
  assert.equal(walker.fs.existsSync(`/a/${name}`), false);
  assert.equal(memoryOf(walker).seq(dentry), 0, "it has been moved");
});

// Fails if rcuTake() takes the sign of a difference for the order of two epochs: the object, and all behind it, would wait for
// 2^30 epochs more. Grace periods alone advance the epoch, without any object being retired.
for (const epochs of [2 ** 31 - 2, 2 ** 31 + 2, 2 ** 32 - 1024]) {
  test(`an object that waits for its grace period while the epoch advances by ${epochs} is reclaimed then`, async (t) => {
    const { vfs } = await treeFor(t);
    const view = viewOf(vfs);
    vfs.fs.writeFileSync("/f", "");
    vfs.shrink(0);
    vfs.fs.unlinkSync("/f");
    assert.ok(view.getUint32(SLOTS + SLOT_RCU_COUNT, true) > 0, "retired");
    view.setUint32(G_EPOCH, (view.getUint32(G_EPOCH, true) + epochs) >>> 0, true);
    vfs.shrink(0);
    assert.equal(view.getUint32(SLOTS + SLOT_RCU_COUNT, true), 0);
  });
}

// Fails if the generation does not pass over 0, which stands for memory that never held an inode: then each file begins with it.
test("inode numbers go on when the generation of an inode comes round", async (t) => {
  const { vfs } = await treeFor(t);
  const view = viewOf(vfs);
  const { generation } = CLASSES.Inode;
  const next = (): { ino: number; inode: number } => {
    vfs.fs.writeFileSync("/f", "");
    const { ino } = vfs.fs.statSync("/f");
    const inode = memoryOf(vfs).inode(dentryOf(vfs, "/f"));
    vfs.fs.unlinkSync("/f");
    vfs.shrink(0);
    return { ino, inode };
  };
  const { inode } = next();
  view.setUint32(inode + generation, LAST_WORD - 2, true);
  view.setUint32(G_INODE_GENERATION, LAST_WORD, true);
  const seen = Array.from({ length: 8 }, next);
  assert.deepEqual([...new Set(seen.map((one) => one.inode))], [inode], "in one place of the memory");
  assert.equal(new Set(seen.map((one) => one.ino)).size, seen.length, `${seen.map((one) => one.ino)}`);
});

// Fails if the number of file systems is a word of 32 bits: two that exist at the same time would get the same one.
test("two file systems never have one device number, also after 2^32 of them", async (t) => {
  const { vfs } = await treeFor(t);
  const root = vfs.fs.statSync("/").dev;
  const places = ["/a", "/b", "/c"];
  for (const place of places) vfs.fs.mkdirSync(place);
  viewOf(vfs).setBigUint64(G_NEXT_DEV, 2n ** 32n - 2n, true);
  for (const place of places) vfs.mount(null, place, "tmpfs");
  assert.deepEqual(
    places.map((place) => vfs.fs.statSync(place).dev),
    [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1],
  );
  assert.equal(vfs.fs.statSync("/c", { bigint: true }).dev, 2n ** 32n + 1n);
  assert.equal(vfs.fs.statSync("/").dev, root);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

// Fails if doLink() does not look at the count of links.
test("a file has 2^31 - 1 names at most: the next link fails with EMLINK", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.writeFileSync("/f", "");
  const links = memoryOf(vfs).inode(dentryOf(vfs, "/f")) + CLASSES.Inode.nlink;
  viewOf(vfs).setUint32(links, 2 ** 31 - 2, true);
  vfs.fs.linkSync("/f", "/last");
  assert.equal(vfs.fs.statSync("/f").nlink, 2 ** 31 - 1);
  assert.throws(() => vfs.fs.linkSync("/f", "/more"), { code: "EMLINK" });
  assert.equal(vfs.fs.existsSync("/more"), false);
  viewOf(vfs).setUint32(links, 2, true);
  assert.deepEqual(check(vfs.handle.memory).problems, []);
});

// Fails if the number of a driver has fewer bits of its slot's generation than a program can use up.
test("the number of an unregistered driver is never another driver's", async (t) => {
  const { vfs } = await treeFor(t);
  const { core, ctx, path } = rawCore(t, vfs.handle);
  const view = viewOf(vfs);
  const register = (name: string) => core.driverRegister(ctx, path(name), 0, 0);
  const first = register("first");
  assert.equal(core.driverUnregister(ctx, first), 0);
  for (const drivers of [2n ** 22n, 2n ** 24n, 2n ** 32n, 2n ** 44n]) {
    view.setBigUint64(DRIVERS + DRIVER_GENERATION, drivers, true);
    const other = register("other");
    assert.notEqual(other, first);
    assert.equal(core.driverUnregister(ctx, first), -ERRNO.ENODEV, `after ${drivers} drivers`);
    assert.equal(core.sysMountNew(ctx, path("/"), first, 0, 0, 0, 0), -ERRNO.ENODEV);
    assert.equal(core.driverUnregister(ctx, other), 0);
  }
});

// Fails if registerFilesystem() does not look at the generation of a free slot.
test("a slot of drivers that has had all its numbers is used no more; ENOSPC when no slot has one left", async (t) => {
  const { vfs } = await treeFor(t);
  const { core, ctx, path } = rawCore(t, vfs.handle);
  const view = viewOf(vfs);
  const used = 2n ** 45n - 1n;
  view.setBigUint64(DRIVERS + DRIVER_GENERATION, used - 1n, true);
  const last = core.driverRegister(ctx, path("last"), 0, 0);
  assert.equal(last, Number(used) * 256 + 1);
  assert.ok(Number.isSafeInteger(last));
  assert.equal(core.driverUnregister(ctx, last), 0);
  const next = core.driverRegister(ctx, path("next"), 0, 0);
  assert.equal(next % 256, 2, "the second slot");
  assert.equal(core.driverUnregister(ctx, next), 0);
  for (let slot = 0; slot < 32; slot++) view.setBigUint64(DRIVERS + slot * 128 + DRIVER_GENERATION, used, true);
  assert.equal(core.driverRegister(ctx, path("none"), 0, 0), -ERRNO.ENOSPC);
});
