/**
 * The dcache (rows 1 to 12): the effect of a change to a dentry on the walks that are on it. A walk of `walker` stops at a
 * point and `writer`, another attachment, makes the change; or a worker stops inside the change and `walker` walks meanwhile.
 * The quick walk goes through directories of mode 0755, the general one through those of mode 0700.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { D_CANT_MOUNT, D_ON_LRU, D_TYPE, D_UNHASHED } from "../../../../verify/dist/arena/layout.js";
import { HANG_MS } from "../../../../verify/dist/support/hang.js";
import { POINT } from "../../../dist/abi/abi.js";
import type { Counters, Driver, FsSync, Vfs } from "../../../dist/src/index.js";
import { grown } from "../../support/counters.js";
import { type ParkedResult, treeFor } from "../../support/debug-tree.js";
import { type Content, type ObjectDriver, objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf, refused } from "../../support/errors.js";
import { passes, type TestScope, when } from "../../support/hooked-vfs.js";
import { mountDriverAt, type Scene, scene } from "../../support/interleavings.js";
import { dentryOf } from "../../support/memory.js";
import { startLoop } from "../../support/threads.js";

const MODES = [0o755, 0o700] as const;

/** A tree with a driver's file system at /m, known to both attachments. */
async function driverScene(
  t: TestScope,
  content: Content,
  hooks?: Partial<Driver>,
): Promise<Scene & { driver: ObjectDriver }> {
  const s = await scene(t);
  const driver = objectDriver("object", content, hooks);
  mountDriverAt(driver, "/m", s.walker, s.writer);
  return { ...s, driver };
}

/** A driver that makes directories. A worker makes it from its text too, so that the function uses nothing from outside. */
function makerDriver(): Driver {
  return {
    name: "maker",
    root: () => ({ ino: 1, mode: 0o40755 }),
    lookup: () => null,
    create: () => ({ ino: 2, mode: 0o40755 }),
  };
}

/** The changes that make a walk to /d/x start again. */
const CHANGES: readonly { title: string; change: (fs: FsSync) => void; now?: string }[] = [
  { title: "another name", change: (fs) => fs.renameSync("/d/x", "/d/y"), now: "/d/y" },
  { title: "another parent", change: (fs) => fs.renameSync("/d/x", "/e/x"), now: "/e/x" },
  { title: "no inode", change: (fs) => fs.unlinkSync("/d/x") },
  { title: "another entry in its place", change: (fs) => fs.renameSync("/e/other", "/d/x") },
];

describe("the sequence of a dentry (rows 1 to 4)", () => {
  // Fails when dAllocCommon() sets the sequence to 0, or leaves it as it finds it.
  test("row 1: a dentry in reused memory continues the sequence of the dentry before", async (t) => {
    const { walker, memory } = await scene(t);
    const { fs } = walker;
    fs.writeFileSync("/old", "");
    const old = dentryOf(walker, "/old");
    const first = memory.seq(old);
    assert.equal(first % 2, 0);
    fs.unlinkSync("/old");
    walker.shrink(0);
    const gone = memory.seq(old);
    assert.ok(gone > first);
    let [made, seq] = [0, 0];
    walker.at(POINT.ALLOCATED, (dentry) => {
      [made, seq] = [dentry, memory.seq(dentry)];
    });
    fs.writeFileSync("/new", "");
    assert.equal(made, old, "the new dentry uses the memory of the old one");
    assert.ok(seq > gone && seq % 2 === 0, `${gone} -> ${seq}`);
  });

  // Fails when dMove() has no write sections and dDropLocked() no barrier; when dentryUnlinkInode() and dentryKill() have no write
  // section and dDropLocked() no barrier. (The rows below catch each alone.)
  test("row 2: a change of the name, of the parent or of the inode moves the sequence on, and the walk starts again", async (t) => {
    for (const mode of MODES) {
      for (const { title, change, now } of CHANGES) {
        const { tree, walker, writer, memory } = await scene(t);
        for (const dir of ["/d", "/e"]) walker.fs.mkdirSync(dir, { mode });
        walker.fs.writeFileSync("/d/x", "12345");
        walker.fs.writeFileSync("/e/other", "");
        const before = walker.fs.statSync("/d/x").ino;
        const dentry = dentryOf(walker, "/d/x");
        const seq = memory.seq(dentry);
        walker.at(POINT.ATTR_COPIED, () => change(writer.fs));
        let found: number | undefined;
        const counts = grown(tree, () => {
          found = walker.fs.statSync("/d/x", { throwIfNoEntry: false })?.ino;
        });
        assert.equal(counts.echildRestarts, 1, `${title}, mode ${mode.toString(8)}`);
        assert.ok(memory.seq(dentry) > seq, title);
        assert.notEqual(found, before, title);
        if (now !== undefined) assert.equal(walker.fs.statSync(now).ino, before);
      }
    }
  });

  // Fails when dDropLocked() unhashes before the barrier, calls it outside the lock or not at all.
  test("row 3: the barrier moves the sequence by one even step, under d_lock", async (t) => {
    const { walker, writer, memory } = await scene(t);
    walker.fs.writeFileSync("/x", "");
    const dentry = dentryOf(walker, "/x");
    const fd = walker.fs.openSync("/x", "r");
    let [dropped, seq, lock] = [0, 0, 0];
    writer.at(POINT.DROPPED_HASH, (d) => {
      [dropped, seq, lock] = [d, memory.seq(d), memory.lock(d)];
    });
    writer.fs.unlinkSync("/x");
    assert.equal(dropped, dentry);
    assert.equal(lock, writer.threadSlot + 1, "the thread that unhashes owns d_lock");
    assert.equal(seq & 1, 1, "odd until the change is committed");
    assert.equal(memory.seq(dentry), (seq + 1) >>> 0);
    assert.equal(memory.lock(dentry), 0);
    walker.fs.closeSync(fd);
  });

  // Fails without the barrier in dDropLocked(): the call returns the attributes of a name that was gone.
  test("row 4: a walk that was on a dentry when it was unhashed starts again", async (t) => {
    for (const mode of MODES) {
      const { tree, walker, writer, memory } = await scene(t);
      walker.fs.mkdirSync("/d", { mode });
      walker.fs.writeFileSync("/d/x", "");
      const dentry = dentryOf(walker, "/d/x");
      // The file is open: unlink keeps the inode and only takes the dentry out of the table.
      const fd = walker.fs.openSync("/d/x", "r");
      walker.at(POINT.ATTR_COPIED, () => writer.fs.unlinkSync("/d/x"));
      const counts = grown(tree, () => refused("ENOENT", () => walker.fs.statSync("/d/x")));
      assert.equal(counts.echildRestarts, 1);
      assert.ok(memory.flags(dentry) & D_UNHASHED);
      assert.notEqual(memory.inode(dentry), 0);
      assert.equal(walker.fs.fstatSync(fd).nlink, 0);
      walker.fs.closeSync(fd);
    }
  });
});

describe("negative dentries that turn positive (row 5)", () => {
  // Fails without the write section in bindInode(): no restart.
  test("row 5: a walk starts again when a negative dentry in the table turns positive under it", async (t) => {
    const { tree, walker, writer } = await driverScene(t, {});
    assert.equal(walker.fs.existsSync("/m/new"), false);
    const root = dentryOf(walker, "/m");
    const counts = grown(tree, () => {
      when(walker, POINT.PARENT_CHECK, root, () => writer.fs.writeFileSync("/m/new", ""));
      assert.equal(walker.fs.existsSync("/m/new"), true);
    });
    assert.equal(counts.echildRestarts, 1);
  });

  // Fails without the write section in bindInode(): the walk sees an inode on a dentry still marked negative, ENOTDIR.
  test("row 5: while a negative dentry turns positive no walk in rcu mode uses it", async (t) => {
    const { tree, walker } = await scene(t);
    mountDriverAt(makerDriver(), "/m", walker);
    assert.equal(walker.fs.existsSync("/m/new"), false);
    const work = `vfs.registerDriver((${makerDriver})()); vfs.fs.mkdirSync("/m/new");`;
    const creator = await tree.parked(work, POINT.INSTANTIATE);
    let released: Promise<ParkedResult> | undefined;
    walker.at(POINT.DROP, () => {
      released = creator.release();
    });
    const counts = grown(tree, () => assert.equal(walker.fs.statSync("/m/new/").isDirectory(), true));
    assert.equal(defined(await released, "result of the creator").code, undefined);
    assert.equal(counts.dropUncached, 1);
    assert.ok((counts.seqRetries ?? 0) > 0, "the sequence was odd");
  });
});

describe("dentries without their inode (rows 6 to 8)", () => {
  // Fails without the write section in dentryUnlinkInode(): no restart.
  test("row 6: a dentry in use turns negative in place, and its inode is released when no lock is held", async (t) => {
    let onIput: Driver["iput"];
    const s = await driverScene(t, { f: "text" }, { iput: (...args) => onIput?.(...args) });
    const { tree, walker, writer, memory } = s;
    const third = await tree.attach();
    third.registerDriver(s.driver);
    const node = walker.fs.statSync("/m/f").ino;
    const dentry = dentryOf(walker, "/m/f");
    const released: { node: number; state: number[]; counts: Partial<Counters> }[] = [];
    onIput = (gone) => {
      const state = [memory.inode(dentry), memory.lock(dentry), memory.seq(dentry) % 2];
      const counts = grown(tree, () => assert.equal(third.fs.existsSync("/m/f"), false), third);
      released.push({ node: gone, state, counts });
    };
    walker.at(POINT.ATTR_COPIED, () => writer.fs.unlinkSync("/m/f"));
    const counts = grown(tree, () => refused("ENOENT", () => walker.fs.statSync("/m/f")));
    assert.equal(counts.echildRestarts, 1);
    // Once: negative, unlocked, even; and another attachment walks over it in rcu mode.
    assert.deepEqual(released, [{ node, state: [0, 0, 0], counts: { walks: 1, endedRcu: 1 } }]);
    // The negative dentry stays: the next walk does not call the driver.
    assert.equal(memory.flags(dentry) & (D_TYPE | D_UNHASHED), 0);
    assert.deepEqual(
      grown(tree, () => assert.equal(walker.fs.existsSync("/m/f"), false)),
      { walks: 1, endedRcu: 1 },
    );
  });

  // Fails when dentryUnlinkInode() does not call removeAlias(): the directory's list still names the dentry.
  test("row 6: a dentry without its inode is no longer the alias of that directory", async (t) => {
    const { walker, writer, memory } = await scene(t);
    walker.fs.mkdirSync("/d");
    const dentry = dentryOf(walker, "/d");
    assert.equal(memory.alias(memory.inode(dentry)), dentry);
    let seen: number[] = [];
    writer.at(POINT.UNLINK_INODE, (d, inode) => {
      seen = [d, memory.inode(d), memory.alias(inode)];
    });
    writer.fs.rmdirSync("/d");
    assert.deepEqual(seen, [dentry, 0, 0]);
  });

  // Fails when dDelete() does not clear D_CANT_MOUNT, or unhashes a dentry that has no other user.
  test("row 7: a dentry without other users turns negative, and may be mounted on when it is a directory again", async (t) => {
    const { walker, memory } = await driverScene(t, {});
    walker.fs.mkdirSync("/m/d");
    const dentry = dentryOf(walker, "/m/d");
    walker.fs.rmdirSync("/m/d");
    assert.equal(memory.flags(dentry) & (D_CANT_MOUNT | D_UNHASHED | D_TYPE), 0);
    assert.equal(memory.inode(dentry), 0);
    walker.fs.mkdirSync("/m/d");
    assert.equal(dentryOf(walker, "/m/d"), dentry);
    walker.mount(null, "/m/d", "tmpfs");
    walker.umount("/m/d");
  });

  // Fails when dDelete() takes the inode from a dentry that has another user: its descriptor loses the file.
  test("row 7: a dentry with another user keeps its inode and leaves the table", async (t) => {
    const { walker, memory } = await driverScene(t, { f: "text" });
    const fd = walker.fs.openSync("/m/f", "r");
    const dentry = dentryOf(walker, "/m/f");
    const inode = memory.inode(dentry);
    walker.fs.unlinkSync("/m/f");
    assert.ok(memory.flags(dentry) & D_UNHASHED);
    assert.equal(memory.inode(dentry), inode);
    assert.equal(walker.fs.existsSync("/m/f"), false);
    assert.equal(walker.fs.fstatSync(fd).size, 4);
    walker.fs.closeSync(fd);
  });

  // Fails when dentryKill() leaves the dentry in the table, or releases the inode before the dentry is dead.
  test("row 8: the inode of a freed dentry is released when the dentry is dead and out of the table", async (t) => {
    let seen: (() => void) | undefined;
    const { walker, memory } = await driverScene(t, { f: "text" }, { iput: () => seen?.() });
    walker.fs.statSync("/m/f");
    const dentry = dentryOf(walker, "/m/f");
    const seq = memory.seq(dentry);
    let state = { unhashed: false, dead: false };
    seen = () => {
      state = { unhashed: (memory.flags(dentry) & D_UNHASHED) !== 0, dead: memory.count(dentry) < 0 };
    };
    walker.shrink(100);
    assert.deepEqual(state, { unhashed: true, dead: true });
    assert.ok(memory.seq(dentry) > seq, "other than in the patch, the sequence moves here too");
  });
});

// Fails when dUpdateNameCase() has no write section, or when lookupLocked() does not call it: the old spelling stays.
test("row 9: a negative entry gets the spelling of the file that is made, in a write section", async (t) => {
  const plain = (name: string) => name.toLowerCase().replaceAll("-", "");
  const { tree, walker, writer, memory } = await driverScene(
    t,
    {},
    {
      hash: (_, name) => plain(name).length,
      compare: (_dir, _node, cached, wanted) => plain(cached) === plain(wanted),
    },
  );
  assert.equal(walker.fs.existsSync("/m/README"), false);
  const negative = memory.lastChild(dentryOf(walker, "/m"));
  const seq = memory.seq(negative);
  let inside: number[] = [];
  writer.at(POINT.INSTANTIATE, (d) => {
    inside = [d, memory.seq(d)];
  });
  writer.fs.writeFileSync("/m/ReadMe", "");
  assert.deepEqual(inside, [negative, seq + 3], "a section for the name, and one under way for the inode");
  assert.equal(walker.fs.realpathSync.native("/m/readme"), "/m/ReadMe");
  // A spelling of another length has no room in the old entry: the core makes a new one.
  assert.equal(walker.fs.existsSync("/m/to-do"), false);
  writer.fs.writeFileSync("/m/TODO", "");
  assert.equal(walker.fs.realpathSync.native("/m/to-do"), "/m/TODO");
  assert.equal(grown(tree, () => walker.fs.statSync("/m/todo")).dropUncached, undefined);
});

describe("moves of dentries (rows 10 to 12)", () => {
  // Fails when dMove() opens a write section on one of the two only: the walk from it decides in the middle of the move.
  test("row 10: in the middle of a move both dentries' sequences are odd and no walk in rcu mode uses either", async (t) => {
    for (const which of ["/a/x", "/b/y"] as const) {
      const { tree, walker, memory } = await scene(t);
      for (const dir of ["/a", "/b", "/a/x", "/b/y"]) walker.fs.mkdirSync(dir);
      const [moved, target] = [dentryOf(walker, "/a/x"), dentryOf(walker, "/b/y")];
      const context = walker.context({ cwd: which });
      const mover = await tree.parked(`vfs.fs.renameSync("/a/x", "/b/y");`, POINT.MOVE_NAMES);
      assert.deepEqual([memory.seq(moved) % 2, memory.seq(target) % 2], [1, 1]);
      let released: Promise<ParkedResult> | undefined;
      walker.at(POINT.RESTART, () => {
        released = mover.release();
      });
      let parent = 0;
      const counts = grown(tree, () => {
        parent = context.fs.statSync("..").ino;
      });
      assert.equal((await released)?.code, undefined);
      assert.equal(counts.echildRestarts, 1, which);
      assert.equal(parent, walker.fs.statSync("/b").ino, "the replaced directory stays below its parent");
      assert.deepEqual([memory.seq(moved) % 2, memory.seq(target) % 2], [0, 0]);
      context.close();
    }
  });

  // Fails when writeSeqBarrier() makes the sequence even, as it would by ending one section and beginning another, or when
  // a sequence becomes even before the section that it lies in has ended.
  test("row 11: the barrier of an unhash inside a move leaves the write section open", async (t) => {
    const { walker, writer, memory } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync("/d/x", "");
    walker.fs.writeFileSync("/d/y", "");
    const [x, y] = [dentryOf(walker, "/d/x"), dentryOf(walker, "/d/y")];
    const seen: { x: number; y: number }[] = [];
    const record = () => seen.push({ x: memory.seq(x), y: memory.seq(y) });
    for (const id of [POINT.MOVE_BEGIN, POINT.MOVE_NAMES, POINT.MOVE_END]) writer.at(id, record);
    writer.fs.renameSync("/d/x", "/d/y");
    const begin = defined(seen[0], "begin of the move");
    assert.deepEqual([begin.x % 2, begin.y % 2], [1, 1]);
    assert.deepEqual(seen, [begin, begin, begin], "two barriers inside the sections: odd before, odd after");
    assert.equal(memory.seq(x), begin.x + 1);
  });

  // Fails without the write sections in dMove() (no restart), and when spliceAlias() binds a second dentry to the directory.
  test("row 12: a directory with a dentry under another name moves to its new place, both dentries in write sections", async (t) => {
    const { tree, walker, writer, driver, memory } = await driverScene(t, { old: { f: "text" } });
    const children = defined(driver.root().children, "root directory");
    const file = walker.fs.statSync("/m/old/f").ino;
    const dentry = dentryOf(walker, "/m/old");
    let odd: number[] = [];
    when(walker, POINT.COMPONENT, dentry, () => {
      children.set("new", defined(children.get("old"), "directory /m/old"));
      children.delete("old");
      writer.at(POINT.MOVE_BEGIN, (a, b) => {
        odd = [a, memory.seq(a) % 2, memory.seq(b) % 2];
      });
      writer.fs.statSync("/m/new");
    });
    let code: string | undefined;
    const counts = grown(tree, () => {
      code = codeOf(() => walker.fs.statSync("/m/old/f"));
    });
    assert.equal(code, "ENOENT");
    assert.equal(counts.echildRestarts, 1);
    assert.deepEqual(odd, [dentry, 1, 1]);
    assert.equal(dentryOf(walker, "/m/new"), dentry, "there is one dentry for the directory");
    // The entries cached below it are still there: the walk does not call the driver.
    assert.equal(
      passes(walker, POINT.DROP, () => assert.equal(walker.fs.statSync("/m/new/f").ino, file)),
      0,
    );
    assert.equal(walker.fs.existsSync("/m/old"), false);
  });
});

describe("unused dentries", () => {
  // Fails when shrinkDcache() takes from the head, or does not check D_REFERENCED.
  test("the shrinker frees the longest unused dentry first, and gives one used since then a second turn", async (t) => {
    const asked: string[] = [];
    const files = new Map([
      ["a", 101],
      ["bb", 102],
      ["ccc", 103],
    ]);
    const lookup: Driver["lookup"] = (_dir, name) => {
      asked.push(name);
      const ino = files.get(name);
      return ino === undefined ? null : { ino, mode: 0o100644 };
    };
    const { walker } = await driverScene(t, {}, { lookup });
    for (const name of ["a", "bb", "none", "ccc"]) walker.fs.existsSync(`/m/${name}`);
    // An open and a close take and release a reference.
    walker.fs.closeSync(walker.fs.openSync("/m/a", "r"));
    asked.length = 0;
    assert.equal(walker.shrink(2), 2);
    for (const name of ["a", "ccc"]) walker.fs.existsSync(`/m/${name}`);
    assert.deepEqual(asked, [], "the used one and the newest are still cached");
    for (const name of ["bb", "none"]) walker.fs.existsSync(`/m/${name}`);
    assert.deepEqual(asked, ["bb", "none"], "a positive and a negative one were freed");
  });

  // Fails when shrinkDcache() does not check the count.
  test("the shrinker keeps dentries in use, and their parents", async (t) => {
    const { walker, memory } = await driverScene(t, { dir: { f: "text", g: "" } });
    // After stat the file is on the list of unused dentries; open does not take it off, the shrinker does.
    for (const path of ["/m/dir/f", "/m/dir/g"]) walker.fs.statSync(path);
    const fd = walker.fs.openSync("/m/dir/f", "r");
    const [dir, f] = [dentryOf(walker, "/m/dir"), dentryOf(walker, "/m/dir/f")];
    assert.ok(memory.flags(f) & D_ON_LRU);
    assert.equal(walker.shrink(1000), 1);
    assert.equal(memory.count(f), 1);
    assert.ok(memory.count(dir) >= 1 && !(memory.flags(dir) & D_ON_LRU));
    assert.equal(walker.fs.fstatSync(fd).size, 4);
    walker.fs.closeSync(fd);
    assert.equal(walker.shrink(1000), 2, "now the file, and with it the directory");
  });

  // Fails when dentryKill() does not move the sequence: the walk finds an inode that is gone.
  test("a walk whose dentry is freed under it starts again and succeeds", async (t) => {
    const { tree, walker, writer, memory } = await driverScene(t, { dir: { f: "text" } });
    const nap = new Int32Array(new SharedArrayBuffer(4));
    // shrink() also waits for the walks that are under way, this one too, so that another thread must call it.
    const shrinker = await startLoop(t, walker, (vfs: Vfs) => {
      if (vfs.fs.existsSync("/go")) vfs.shrink(1000);
    });
    for (const path of ["/m/dir/f", "/m/dir"]) {
      const { ino } = walker.fs.statSync(path);
      const dentry = dentryOf(walker, path);
      let dead = false;
      walker.at(POINT.ATTR_COPIED, () => {
        writer.fs.writeFileSync("/go", "");
        const end = performance.now() + HANG_MS;
        while (memory.count(dentry) >= 0 && performance.now() < end) Atomics.wait(nap, 0, 0, 1);
        writer.fs.unlinkSync("/go");
        dead = memory.count(dentry) < 0;
      });
      const counts = grown(tree, () => assert.equal(walker.fs.statSync(path).ino, ino));
      assert.ok(dead, "the dentry was freed");
      assert.equal(counts.expelledReaders, undefined);
      assert.equal(counts.echildRestarts, 1, path);
    }
    await shrinker.stop();
  });

  // Fails when dAllocCommon() does not call shrinkDcache(): ENOSPC.
  test("lookups of names that do not exist never fill the arena", async (t) => {
    const { vfs } = await treeFor(t, { maxBytes: 4 << 20 });
    vfs.registerDriver({ name: "empty", root: () => ({ ino: 1, mode: 0o40755 }) });
    vfs.fs.mkdirSync("/m");
    vfs.mount(null, "/m", "empty");
    for (let i = 0; i < 40_000; i++) refused("ENOENT", () => vfs.fs.statSync(`/m/none-${i}`));
    const { shrunkDentries, dentries } = vfs.counters();
    assert.ok(shrunkDentries > 0 && dentries < 40_000, `${shrunkDentries} shrunk, ${dentries} left`);
    vfs.fs.writeFileSync("/file", "there is still room");
  });
});
