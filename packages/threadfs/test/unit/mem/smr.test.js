/**
 * Grace periods (rows 23 to 26): what a walk in rcu mode holds on to without a reference, who waits for it, and what becomes
 * of readers that never leave. `now` is the clock of one attachment, by which it judges how long others have stood still.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AT_FDCWD, POINT } from "../../../dist/abi/abi.js";
import { grown } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { codeOf } from "../../support/errors.js";
import { when } from "../../support/hooked-vfs.js";
import { D_TYPE, dentryOf, memoryOf } from "../../support/memory.js";
import { rawCore } from "../../support/raw-core.js";

const LONG = "l".repeat(100);
/** More than the time after which a section that stands still is taken for dead. */
const STALL_MS = 2500;

async function scene(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  return { tree, walker: tree.vfs, mem: memoryOf(tree.vfs) };
}

/** Lets threads of this process tell the time that passes by `look`; what a tree's own `now` says is no matter there. */
function clock(t, look) {
  t.mock.method(performance, "now", look);
}

/** A clock that moves on by itself at every look: who waits loses patience at once. */
function hurry(t) {
  let time = 0;
  clock(t, () => (time += STALL_MS));
}

/** The dentries and inodes that a run makes. */
function madeBy(vfs, mem, run) {
  return vfs
    .points(run)
    .filter(([id]) => id === POINT.INSTANTIATE)
    .map(([, dentry, inode]) => ({ dentry, inode, name: mem.word(dentry + 32) }));
}

describe("read-side sections", () => {
  // Fails when pathInit() enters the section after it has read where the walk starts, or any step leaves it.
  test("row 23: a walk is one section, from before its start is read until its answer is checked", async (t) => {
    const { walker, mem } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync("/d/f", "");
    const inside = walker.context({ cwd: "/d" });
    const slot = walker.threadSlot;
    const places = ["START_READ", "WALK_START", "COMPONENT", "COMPARED", "PARENT_CHECK", "ATTR_COPIED", "COMPLETE"];
    for (const walk of [
      () => walker.fs.statSync("/d/f"),
      () => inside.fs.statSync("f"),
      () => inside.fs.statSync("../d/f"),
    ]) {
      const epochs = new Map();
      for (const place of places) walker.at(POINT[place], () => epochs.set(place, mem.epoch(slot)));
      walk();
      assert.deepEqual([...epochs.keys()].sort(), [...places].sort());
      assert.equal(new Set(epochs.values()).size, 1);
      assert.notEqual(epochs.get("START_READ"), 0);
      assert.equal(mem.epoch(slot), 0);
    }
  });

  // Fails when scan() passes over the slots of others, or retire() frees at once: the memory of the file comes up again.
  test("row 24: dentry, inode and long name of a removed file are not used again under a walk that found them", async (t) => {
    const { tree, walker, mem } = await scene(t);
    const writer = await tree.attach();
    const fill = (round) => {
      for (let i = 0; i < 200; i++) writer.fs.writeFileSync(`/other-${round}-${i}-${LONG}`, "foreign");
      for (let i = 0; i < 200; i++) writer.fs.unlinkSync(`/other-${round}-${i}-${LONG}`);
    };
    walker.fs.mkdirSync("/d");
    const [file] = madeBy(walker, mem, () => walker.fs.writeFileSync(`/d/${LONG}`, ""));
    let made;
    walker.at(POINT.COMPLETE, () => {
      writer.fs.unlinkSync(`/d/${LONG}`);
      made = madeBy(writer, mem, () => [1, 2, 3].forEach(fill));
      assert.equal(mem.flags(file.dentry) & D_TYPE, 0, "it is a dead dentry and nothing else");
    });
    assert.equal(walker.fs.statSync(`/d/${LONG}`, { throwIfNoEntry: false }), undefined);
    assert.equal(made.length, 600);
    for (const part of ["dentry", "inode", "name"]) {
      assert.ok(!made.some((other) => other[part] === file[part]), `the ${part} was used again`);
    }
    const later = madeBy(writer, mem, () => [4, 5].forEach(fill));
    assert.ok(
      later.some((other) => other.dentry === file.dentry),
      "after the walk it is",
    );
  });

  // Fails when the section begins after the start was read: the working directory's dentry is used again in between.
  test("row 24: nor is the directory that a walk starts in", async (t) => {
    const { tree, walker, mem } = await scene(t);
    const writer = await tree.attach();
    walker.fs.mkdirSync("/d");
    const dentry = dentryOf(walker, "/d");
    const context = walker.context({ cwd: "/d" });
    const same = rawCore(t, context.handle);
    let made;
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

  // Fails when unregisterFilesystem(), synchronizeRcu() or deactivateSuper() does not wait: it is over before the walk is.
  test("row 25: unregistering, unmounting and synchronizeRcu() wait for the walks that are under way", async (t) => {
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
      let released;
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

  // Fails when inodePermission() answers -ECHILD in rcu mode: a drop for every directory that not all may search.
  test("row 26: mode, owner and group are read in rcu mode, of an inode that is gone too", async (t) => {
    const { tree, walker, mem } = await scene(t);
    const writer = await tree.attach();
    const user = walker.context({ uid: 1000, gid: 1000, groups: [50] });
    const kinds = [
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
    let made;
    when(
      walker,
      POINT.FOUND,
      (d) => d === dentry,
      () => {
        writer.fs.rmdirSync("/group");
        made = madeBy(writer, mem, () => {
          for (let i = 0; i < 300; i++) writer.fs.writeFileSync(`/file-${i}`, "", { mode: 0 });
        });
      },
    );
    const counts = grown(tree, () =>
      assert.equal(
        codeOf(() => user.fs.accessSync("/group/f")),
        "ENOENT",
      ),
    );
    assert.ok(!made.some((other) => other.inode === inode), "nobody else's mode was read");
    assert.equal(counts.dropPermission, undefined);
    assert.equal(counts.echildRestarts, 1);
  });
});

describe("readers that stay", () => {
  // Does not come back when stands() expels nobody. Two marks hold the answer, the section's end and the dentry's sequence, and
  // either is enough: the next test fails without the one, row 1 without the other.
  test("a walk that stood still for too long is expelled; it learns that and walks again", async (t) => {
    const { tree, walker, mem } = await scene(t, { now: () => 1e12 });
    const writer = await tree.attach({ now: () => 1e12 });
    hurry(t);
    walker.fs.mkdirSync("/d");
    const walks = [() => walker.fs.statSync("/d/f").size, () => walker.fs.readFileSync("/d/f").length];
    for (const walk of walks) {
      walker.fs.writeFileSync("/d/f", "old");
      const old = dentryOf(walker, "/d/f");
      let foreign;
      walker.at(POINT.COMPLETE, () => {
        writer.fs.unlinkSync("/d/f");
        writer.shrink(0);
        [foreign] = madeBy(writer, mem, () => writer.fs.writeFileSync("/d/f", "newer"));
        writer.fs.renameSync("/d/f", "/d/g");
        writer.fs.writeFileSync("/d/f", "the newest");
      });
      let answer;
      const counts = grown(tree, () => {
        answer = walk();
      });
      assert.equal(foreign.dentry, old, "its dentry is another file's now");
      assert.equal(counts.expelledReaders, 1);
      assert.ok(counts.echildRestarts >= 1);
      assert.equal(answer, "the newest".length);
      assert.equal(mem.count(foreign.dentry), 1, "no reference was left on the other file");
      walker.fs.unlinkSync("/d/f");
      walker.fs.unlinkSync("/d/g");
    }
  });

  // Fails when rcuReadUnlock() and rcuValid() answer true whatever happened: a walk that was expelled without a change goes on.
  test("an expelled walk starts again even when nothing has changed", async (t) => {
    const { tree, walker } = await scene(t);
    const writer = await tree.attach();
    hurry(t);
    walker.fs.writeFileSync("/f", "text");
    for (const [walk, expected] of [
      [() => walker.fs.statSync("/f").size, 4],
      [() => walker.fs.existsSync("/none"), false],
    ]) {
      walker.at(POINT.COMPONENT, () => writer.synchronizeRcu());
      let answer;
      const counts = grown(tree, () => {
        answer = walk();
      });
      assert.equal(answer, expected);
      assert.deepEqual([counts.expelledReaders, counts.echildRestarts], [1, 1]);
    }
  });

  // Fails when threadRecover() does not clear the slot's epoch: nothing is reclaimed any more.
  test("a thread killed in a section holds nothing up once its death is told, and its slot is used again", async (t) => {
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
    assert.equal(next.threadSlot, reader.slot);
    assert.equal(next.fs.existsSync("/f"), true);
  });

  // Fails when scan() does not expel: a grace period never ends.
  test("a dead thread that nobody tells of is expelled", async (t) => {
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
  test("idle threads and waiting threads hold nothing up", async (t) => {
    let looks = 0;
    const { tree, walker } = await scene(t, { now: () => 1e12 });
    clock(t, () => 1e6 + looks++);
    await tree.attach();
    walker.fs.mkdirSync("/d");
    // A thread that waits for a lock, or for its turn in a driver, is not in a section: here one inside a rename.
    const mover = await tree.parked(`vfs.fs.mkdirSync("/d/new");`, POINT.INSTANTIATE);
    looks = 0;
    walker.synchronizeRcu();
    assert.equal(looks, 0, "no section to look at");
    assert.equal((await mover.release()).code, undefined);
  });
});

describe("bounded waiting", () => {
  // Fails when readSeqSlow() spins until the sequence is even: the walk waits for the writer in rcu mode.
  test("a sequence that stays odd sends the walk to ref mode, where it waits by a lock", async (t) => {
    const { tree, walker } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync("/d/x", "");
    for (const path of ["y", "./y"]) {
      const mover = await tree.parked(`vfs.fs.renameSync("/d/x", "/d/y");`, POINT.MOVE_END);
      let released;
      walker.at(POINT.DROP, () => {
        released = mover.release();
      });
      const context = walker.context({ cwd: "/d" });
      const counts = grown(tree, () => assert.equal(context.fs.existsSync(path), true));
      assert.equal(counts.dropUncached, 1);
      assert.equal((await released)?.code, undefined);
      context.close();
      walker.fs.renameSync("/d/y", "/d/x");
    }
  });

  // Fails when a walk that crosses no mount point waits for the mount sequence.
  test("while a mount is being made only walks over mount points wait for it", async (t) => {
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
    let released;
    walker.at(POINT.RESTART, () => {
      released = mounter.release();
    });
    const over = grown(tree, () => assert.equal(walker.fs.existsSync("/m/f"), true));
    assert.equal(over.echildRestarts, 1);
    assert.equal((await released)?.code, undefined);
  });
});
