/**
 * Grace periods (rows 23 to 26): the objects that a walk in rcu mode uses without a reference, the calls that wait for it, and
 * readers that never leave. `now` is the clock of one attachment, by which it judges how long others have stood still.
 */

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { D_TYPE } from "../../../../verify/dist/arena/layout.js";
import { AT_FDCWD, MAX_THREADS, POINT } from "../../../dist/abi/abi.js";
import { grown } from "../../support/counters.js";
import { type DebugTree, type DebugTreeOptions, debugTree, type ParkedResult } from "../../support/debug-tree.js";
import { codeOf } from "../../support/errors.js";
import { type HookedVfs, type TestScope, when } from "../../support/hooked-vfs.js";
import { dentryOf, memoryOf, type TreeMemory } from "../../support/memory.js";
import { rawCore } from "../../support/raw-core.js";

/** The result of a parked worker that the test has not released. */
const NOT_RELEASED = Promise.resolve<ParkedResult>({ code: "not released" });

const LONG = "l".repeat(100);
/** More than the time after which a section that stands still is taken for dead. */
const STALL_MS = 2500;

interface Scene {
  tree: DebugTree;
  walker: HookedVfs;
  mem: TreeMemory;
}

async function scene(t: TestScope, options?: DebugTreeOptions): Promise<Scene> {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  return { tree, walker: tree.vfs, mem: memoryOf(tree.vfs) };
}

/** Replaces the clock by which the threads of this process measure passing time; a tree's own `now` does not matter there. */
function clock(t: TestContext, look: () => number): void {
  t.mock.method(performance, "now", look);
}

/** A clock that moves on at every reading: every waiting thread times out at once. */
function hurry(t: TestContext): void {
  let time = 0;
  clock(t, () => (time += STALL_MS));
}

/** Addresses of a file's parts. */
interface Made {
  dentry: number;
  inode: number;
  name: number;
}

/** The dentries, inodes and long names that a run makes. */
function madeBy(vfs: HookedVfs, mem: TreeMemory, run: () => unknown): Made[] {
  return vfs
    .points(run)
    .filter(([id]) => id === POINT.INSTANTIATE)
    .map(([, dentry, inode]) => ({ dentry, inode, name: mem.word(dentry + 32) }));
}

describe("read-side sections", () => {
  // Fails when pathInit() enters the section after it has read where the walk starts, or any step leaves it.
  test("row 23: a walk is one read-side section, from before it reads its start until it has checked its result", async (t) => {
    const { walker, mem } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync("/d/f", "");
    const inside = walker.context({ cwd: "/d" });
    const slot = walker.threadSlot;
    const places = [
      "START_READ",
      "WALK_START",
      "COMPONENT",
      "COMPARED",
      "PARENT_CHECK",
      "ATTR_COPIED",
      "COMPLETE",
    ] as const;
    for (const walk of [
      () => walker.fs.statSync("/d/f"),
      () => inside.fs.statSync("f"),
      () => inside.fs.statSync("../d/f"),
    ]) {
      const epochs = new Map<string, number>();
      for (const place of places) walker.at(POINT[place], () => epochs.set(place, mem.epoch(slot)));
      walk();
      assert.deepEqual([...epochs.keys()].sort(), [...places].sort());
      assert.equal(new Set(epochs.values()).size, 1);
      assert.notEqual(epochs.get("START_READ"), 0);
      assert.equal(mem.epoch(slot), 0);
    }
  });

  // Fails when scan() skips the slots of other threads, or retire() frees at once: the memory of the file is reused.
  test("row 24, row 117: dentry, inode and long name of a removed file are not reused while a walk that found them goes on", async (t) => {
    const { tree, walker, mem } = await scene(t);
    const writer = await tree.attach();
    const fill = (round: number) => {
      for (let i = 0; i < 200; i++) {
        const fd = writer.fs.openSync(`/other-${round}-${i}-${LONG}`, "w");
        writer.fs.writeSync(fd, "foreign");
        writer.fs.closeSync(fd);
        // Frees a context, and so moves the epoch on.
        writer.context().close();
      }
      for (let i = 0; i < 200; i++) writer.fs.unlinkSync(`/other-${round}-${i}-${LONG}`);
    };
    walker.fs.mkdirSync("/d");
    const [created] = madeBy(walker, mem, () => walker.fs.writeFileSync(`/d/${LONG}`, ""));
    const file = defined(created, "dentry of the file");
    let made: Made[] = [];
    walker.at(POINT.COMPLETE, () => {
      writer.fs.unlinkSync(`/d/${LONG}`);
      made = madeBy(writer, mem, () => [1, 2, 3].forEach(fill));
      assert.equal(mem.flags(file.dentry) & D_TYPE, 0, "it is a dead dentry and nothing else");
    });
    assert.equal(walker.fs.statSync(`/d/${LONG}`, { throwIfNoEntry: false }), undefined);
    assert.equal(made.length, 600);
    for (const part of ["dentry", "inode", "name"] as const) {
      assert.ok(!made.some((other) => other[part] === file[part]), `the ${part} was used again`);
    }
    const later = madeBy(writer, mem, () => [4, 5].forEach(fill));
    assert.ok(
      later.some((other) => other.dentry === file.dentry),
      "after the walk it is",
    );
  });

  // Fails when the section begins after the start was read: the working directory's dentry is reused in between.
  test("row 24: the dentry of the directory that a walk starts in is not reused while the walk goes on", async (t) => {
    const { tree, walker, mem } = await scene(t);
    const writer = await tree.attach();
    walker.fs.mkdirSync("/d");
    const dentry = dentryOf(walker, "/d");
    const context = walker.context({ cwd: "/d" });
    const same = rawCore(t, context.handle);
    let made: Made[] = [];
    walker.at(POINT.START_READ, () => {
      assert.equal(same.core.sysChdir(same.ctx, AT_FDCWD, same.path("/")), 0);
      writer.fs.rmdirSync("/d");
      made = madeBy(writer, mem, () => {
        for (let i = 0; i < 200; i++) writer.fs.mkdirSync(`/new-${i}`);
        for (let i = 0; i < 200; i++) writer.fs.rmdirSync(`/new-${i}`);
        for (let i = 0; i < 200; i++) writer.fs.mkdirSync(`/new-${i}`);
      });
    });
    assert.equal(context.fs.existsSync("new-1"), true, "and the walk began once more, where the context is now");
    assert.ok(!made.some((other) => other.dentry === dentry));
    context.close();
  });
});

// Fails when unregisterFilesystem(), synchronizeRcu() or deactivateSuper() does not wait: it returns before the walk has ended.
test("row 25: unregistering, unmounting and synchronizeRcu() wait for the walks that have begun", async (t) => {
  let looks = 0;
  let onLook = () => {};
  const { tree, walker } = await scene(t, { now: () => 1e12 });
  clock(t, () => {
    looks++;
    onLook();
    return 1e6;
  });
  walker.fs.mkdirSync("/m");
  walker.fs.mkdirSync("/d");
  walker.fs.writeFileSync("/d/f", "");
  const driver = { name: "idle", root: () => ({ ino: 1, mode: 0o40755 }), lookup: () => null };
  const waits = {
    synchronizeRcu: () => walker.synchronizeRcu(),
    unregister: () => walker.unregisterDriver("idle"),
    umount: () => walker.umount("/m"),
  };
  for (const [what, wait] of Object.entries(waits)) {
    if (what === "unregister") walker.registerDriver(driver);
    if (what === "umount") walker.mount(null, "/m", "tmpfs");
    const reader = await tree.parked(`return vfs.fs.statSync("/d/f").size;`, POINT.COMPARED, 2);
    let released = NOT_RELEASED;
    looks = 0;
    onLook = () => {
      if (looks === 20) released = reader.release();
    };
    const counts = grown(tree, wait);
    onLook = () => {};
    assert.ok(looks >= 20, `${what} returned after ${looks} looks, with a walk under way`);
    assert.equal(counts.gracePeriods, 1, what);
    assert.equal(counts.expelledReaders, undefined, what);
    assert.deepEqual(await released, { value: 0 });
  }
  assert.equal(
    codeOf(() => walker.mount(null, "/m", "idle")),
    "ENODEV",
  );
});

// Fails when inodePermission() returns -ECHILD in rcu mode: a drop for every directory that not every user may search.
test("row 26: mode, owner and group are read in rcu mode, also of an inode that was removed", async (t) => {
  const { tree, walker, mem } = await scene(t);
  const writer = await tree.attach();
  const user = walker.context({ uid: 1000, gid: 1000, groups: [50] });
  const kinds: [name: string, mode: number, uid: number, gid: number, allowed: boolean][] = [
    ["own", 0o700, 1000, 1000, true],
    ["group", 0o750, 0, 50, true],
    ["others", 0o705, 0, 0, true],
    ["closed", 0o750, 0, 0, false],
  ];
  for (const [name, mode, uid, gid, allowed] of kinds) {
    walker.fs.mkdirSync(`/${name}`);
    walker.fs.writeFileSync(`/${name}/f`, "");
    walker.fs.chmodSync(`/${name}`, mode);
    walker.fs.chownSync(`/${name}`, uid, gid);
    const counts = grown(tree, () => assert.equal(user.fs.existsSync(`/${name}/f`), allowed, name));
    assert.deepEqual(counts, { walks: 1, endedRcu: 1 });
  }
  walker.fs.unlinkSync("/group/f");
  const dentry = dentryOf(walker, "/group");
  const inode = mem.inode(dentry);
  let made: Made[] = [];
  when(walker, POINT.FOUND, dentry, () => {
    writer.fs.rmdirSync("/group");
    made = madeBy(writer, mem, () => {
      for (let i = 0; i < 300; i++) writer.fs.writeFileSync(`/file-${i}`, "", { mode: 0 });
    });
  });
  const counts = grown(tree, () =>
    assert.equal(
      codeOf(() => user.fs.accessSync("/group/f")),
      "ENOENT",
    ),
  );
  assert.ok(!made.some((other) => other.inode === inode), "the mode of no other file was read");
  assert.equal(counts.dropPermission, undefined);
  assert.equal(counts.echildRestarts, 1);
});

describe("readers that stand still for too long", () => {
  // Does not return when stands() expels no reader. Two checks reject the walk's result, the section's end and the dentry's
  // sequence, and either is enough: the next test fails without the one, row 1 without the other.
  test("a walk that stands still for too long is expelled, notices it and walks again", async (t) => {
    const { tree, walker, mem } = await scene(t, { now: () => 1e12 });
    const writer = await tree.attach({ now: () => 1e12 });
    hurry(t);
    walker.fs.mkdirSync("/d");
    const walks = [() => walker.fs.statSync("/d/f").size, () => walker.fs.readFileSync("/d/f").length];
    for (const walk of walks) {
      walker.fs.writeFileSync("/d/f", "old");
      const old = dentryOf(walker, "/d/f");
      let foreign: Made | undefined;
      walker.at(POINT.COMPLETE, () => {
        writer.fs.unlinkSync("/d/f");
        writer.shrink(0);
        [foreign] = madeBy(writer, mem, () => writer.fs.writeFileSync("/d/f", "newer"));
        writer.fs.renameSync("/d/f", "/d/g");
        writer.fs.writeFileSync("/d/f", "the newest");
      });
      let answer: unknown;
      const counts = grown(tree, () => {
        answer = walk();
      });
      const reused = defined<Made>(foreign, "other file").dentry;
      assert.equal(reused, old, "its dentry is another file's now");
      assert.equal(counts.expelledReaders, 1);
      assert.ok((counts.echildRestarts ?? 0) >= 1);
      assert.equal(answer, "the newest".length);
      assert.equal(mem.count(reused), 1, "no reference was left on the other file");
      walker.fs.unlinkSync("/d/f");
      walker.fs.unlinkSync("/d/g");
    }
  });

  // Fails when rcuReadUnlock() and rcuValid() always return true: a walk that was expelled without a change goes on.
  test("an expelled walk starts again even when nothing has changed", async (t) => {
    const { tree, walker } = await scene(t);
    const writer = await tree.attach();
    hurry(t);
    walker.fs.writeFileSync("/f", "text");
    for (const { walk, expected } of [
      { walk: () => walker.fs.statSync("/f").size, expected: 4 },
      { walk: () => walker.fs.existsSync("/none"), expected: false },
    ]) {
      walker.at(POINT.COMPONENT, () => writer.synchronizeRcu());
      let answer: unknown;
      const counts = grown(tree, () => {
        answer = walk();
      });
      assert.equal(answer, expected);
      assert.deepEqual([counts.expelledReaders, counts.echildRestarts], [1, 1]);
    }
  });
});

describe("threads that are dead, idle or waiting", () => {
  // Fails when threadRecover() does not clear the slot's epoch: no memory is reclaimed any more.
  test("a thread killed in a section delays no grace period once threadDied() is called, and its slot is reused", async (t) => {
    const { tree, walker, mem } = await scene(t, { now: () => 1e12 });
    walker.fs.writeFileSync("/f", "");
    const churn = () => {
      for (let i = 0; i < 200; i++) walker.fs.writeFileSync(`/x${i}`, "");
      for (let i = 0; i < 200; i++) walker.fs.unlinkSync(`/x${i}`);
      return walker.counters().dentries;
    };
    const quiet = churn();
    const reader = await tree.parked(`vfs.fs.statSync("/f");`, POINT.COMPARED);
    await reader.kill();
    assert.notEqual(mem.epoch(reader.slot), 0);
    const held = churn();
    assert.ok(held >= quiet + 150, `${quiet} -> ${held}: what the dead thread may have seen stays`);
    const { walks } = walker.counters();
    walker.threadDied(reader.slot);
    assert.equal(mem.epoch(reader.slot), 0);
    churn();
    assert.ok(churn() < held - 150, "and goes");
    assert.ok(walker.counters().walks >= walks, "what it has counted is not lost");
    const next = await tree.attach();
    assert.equal(next.threadSlot % MAX_THREADS, reader.slot);
    assert.equal(next.fs.existsSync("/f"), true);
  });

  // Fails when scan() does not expel: a grace period never ends.
  test("a dead thread is expelled without a call of threadDied()", async (t) => {
    const { tree, walker, mem } = await scene(t);
    hurry(t);
    walker.fs.writeFileSync("/f", "");
    const reader = await tree.parked(`vfs.fs.statSync("/f");`, POINT.COMPARED);
    await reader.kill();
    const counts = grown(tree, () => walker.synchronizeRcu());
    assert.deepEqual([counts.expelledReaders, counts.gracePeriods], [1, 1]);
    assert.deepEqual(
      grown(tree, () => walker.synchronizeRcu()),
      { gracePeriods: 1 },
      "once",
    );
    walker.threadDied(reader.slot);
    assert.equal(mem.epoch(reader.slot), 0);
  });

  // Fails when the slots of threads outside a section, or the caller's own, count.
  test("idle threads and waiting threads delay no grace period", async (t) => {
    let looks = 0;
    const { tree, walker } = await scene(t, { now: () => 1e12 });
    clock(t, () => 1e6 + looks++);
    await tree.attach();
    walker.fs.mkdirSync("/d");
    // A thread that waits for a lock, or for its turn in a driver, is in no section: here a thread inside a rename.
    const mover = await tree.parked(`vfs.fs.mkdirSync("/d/new");`, POINT.INSTANTIATE);
    looks = 0;
    walker.synchronizeRcu();
    assert.equal(looks, 0, "no section to look at");
    assert.equal((await mover.release()).code, undefined);
  });
});

describe("bounded waiting", () => {
  // Fails when readSeqSlow() spins until the sequence is even: the walk waits for the writer in rcu mode.
  test("a sequence that stays odd sends the walk to ref mode, where it waits for a lock", async (t) => {
    const { tree, walker } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync("/d/x", "");
    for (const path of ["y", "./y"]) {
      const mover = await tree.parked(`vfs.fs.renameSync("/d/x", "/d/y");`, POINT.MOVE_END);
      let released = NOT_RELEASED;
      walker.at(POINT.DROP, () => {
        released = mover.release();
      });
      const context = walker.context({ cwd: "/d" });
      const counts = grown(tree, () => assert.equal(context.fs.existsSync(path), true));
      assert.equal(counts.dropUncached, 1);
      assert.equal((await released).code, undefined);
      context.close();
      walker.fs.renameSync("/d/y", "/d/x");
    }
  });

  // Fails when a walk that crosses no mount point waits for the mount sequence.
  test("while a mount is being made, only walks over mount points wait for it", async (t) => {
    const { tree, walker } = await scene(t);
    for (const path of ["/plain", "/plain/d", "/m", "/other"]) walker.fs.mkdirSync(path);
    walker.fs.chmodSync("/plain", 0o700);
    walker.mount(null, "/m", "tmpfs");
    walker.fs.writeFileSync("/m/f", "");
    const mounter = await tree.parked(`vfs.mount(null, "/other", "tmpfs");`, POINT.MOUNT_ATTACH);
    const plain = grown(tree, () => {
      assert.equal(walker.fs.existsSync("/plain/d"), true);
      assert.equal(walker.fs.existsSync("/plain/none"), false);
      assert.equal(walker.fs.existsSync("/none"), false);
    });
    assert.equal(plain.endedRcu, 3);
    assert.equal(plain.echildRestarts, undefined);
    let released = NOT_RELEASED;
    walker.at(POINT.RESTART, () => {
      released = mounter.release();
    });
    const over = grown(tree, () => assert.equal(walker.fs.existsSync("/m/f"), true));
    assert.equal(over.echildRestarts, 1);
    assert.equal((await released).code, undefined);
  });
});
