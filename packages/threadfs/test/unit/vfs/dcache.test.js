/**
 * The dcache (rows 1 to 12): what a change to a dentry does to the walks that are on it. A walk of `walker` is stopped at a
 * point and `writer`, another attachment, makes the change; or a worker stands inside the change and `walker` comes by.
 * Directories of mode 0755 are walked by the quick walk, those of mode 0700 by the general one.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT } from "../../../dist/abi/abi.js";
import { grown } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf } from "../../support/errors.js";
import { passes, when } from "../../support/hooked-vfs.js";
import { D_CANT_MOUNT, D_ON_LRU, D_TYPE, D_UNHASHED, dentryOf, memoryOf } from "../../support/memory.js";
import { startLoop } from "../../support/threads.js";

const MODES = [0o755, 0o700];

async function scene(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  const writer = await tree.attach();
  return { tree, walker: tree.vfs, writer, mem: memoryOf(tree.vfs) };
}

/** The same with a driver's file system at /m, known to both attachments. */
async function driverScene(t, content, hooks) {
  const s = await scene(t);
  const driver = objectDriver("object", content, hooks);
  for (const vfs of [s.walker, s.writer]) vfs.registerDriver(driver);
  s.walker.fs.mkdirSync("/m");
  s.walker.mount(null, "/m", "object");
  return { ...s, driver };
}

describe("dcache", () => {
  // Fails when dAllocCommon() sets the sequence to 0, or leaves it as it finds it.
  test("row 1: a dentry made of used memory goes on from the sequence of the one before", async (t) => {
    const { walker, mem } = await scene(t);
    const { fs } = walker;
    fs.writeFileSync("/old", "");
    const old = dentryOf(walker, "/old");
    const first = mem.seq(old);
    assert.equal(first % 2, 0);
    fs.unlinkSync("/old");
    walker.shrink(0);
    const gone = mem.seq(old);
    assert.ok(gone > first);
    let made;
    walker.at(POINT.ALLOCATED, (dentry) => {
      made = { dentry, seq: mem.seq(dentry) };
    });
    fs.writeFileSync("/new", "");
    assert.equal(made.dentry, old, "the memory was to be used again");
    assert.ok(made.seq > gone && made.seq % 2 === 0, `${gone} -> ${made.seq}`);
  });

  // Fails when dMove() has no write sections and dDropLocked() no barrier; when dentryUnlinkInode() and dentryKill() have no write
  // section and dDropLocked() no barrier. (Each alone is caught by the rows below.)
  test("row 2: a change of the name, of the parent or of the inode moves the sequence on: the walk starts again", async (t) => {
    const changes = {
      "another name": [(fs) => fs.renameSync("/d/x", "/d/y"), "/d/y"],
      "another parent": [(fs) => fs.renameSync("/d/x", "/e/x"), "/e/x"],
      "no inode": [(fs) => fs.unlinkSync("/d/x"), undefined],
      "another entry in its place": [(fs) => fs.renameSync("/e/other", "/d/x"), undefined, 0],
    };
    for (const mode of MODES) {
      for (const [what, [change, now]] of Object.entries(changes)) {
        const { tree, walker, writer, mem } = await scene(t);
        for (const dir of ["/d", "/e"]) walker.fs.mkdirSync(dir, { mode });
        walker.fs.writeFileSync("/d/x", "12345");
        walker.fs.writeFileSync("/e/other", "");
        const before = walker.fs.statSync("/d/x").ino;
        const dentry = dentryOf(walker, "/d/x");
        const seq = mem.seq(dentry);
        walker.at(POINT.ATTR_COPIED, () => change(writer.fs));
        let answer;
        const counts = grown(tree, () => {
          answer = walker.fs.statSync("/d/x", { throwIfNoEntry: false })?.ino;
        });
        assert.equal(counts.echildRestarts, 1, `${what}, mode ${mode.toString(8)}`);
        assert.ok(mem.seq(dentry) > seq, what);
        assert.notEqual(answer, before, what);
        if (now !== undefined) assert.equal(walker.fs.statSync(now).ino, before);
      }
    }
  });

  // Fails when writeSeqBarrier() adds nothing, and when dDropLocked() calls it outside the lock or not at all.
  test("row 3: the barrier moves the sequence by one even step, under d_lock", async (t) => {
    const { walker, writer, mem } = await scene(t);
    walker.fs.writeFileSync("/x", "");
    const dentry = dentryOf(walker, "/x");
    const fd = walker.fs.openSync("/x", "r");
    let inside;
    writer.at(POINT.DROPPED_HASH, (d) => {
      inside = { d, seq: mem.seq(d), lock: mem.lock(d) };
    });
    writer.fs.unlinkSync("/x");
    assert.equal(inside.d, dentry);
    assert.equal(inside.lock, writer.threadSlot + 1, "d_lock belongs to the thread that drops");
    assert.equal(mem.seq(dentry), inside.seq + 2);
    assert.equal(mem.lock(dentry), 0);
    walker.fs.closeSync(fd);
  });

  // Fails without the barrier in dDropLocked(): the walk answers the attributes of a name that was gone.
  test("row 4: a walk that was on a dentry when it was unhashed starts again", async (t) => {
    for (const mode of MODES) {
      const { tree, walker, writer, mem } = await scene(t);
      walker.fs.mkdirSync("/d", { mode });
      walker.fs.writeFileSync("/d/x", "");
      const dentry = dentryOf(walker, "/d/x");
      // Somebody has it open: unlinking leaves the inode where it is and only takes the dentry out of the table.
      const fd = walker.fs.openSync("/d/x", "r");
      walker.at(POINT.ATTR_COPIED, () => writer.fs.unlinkSync("/d/x"));
      const counts = grown(tree, () =>
        assert.equal(
          codeOf(() => walker.fs.statSync("/d/x")),
          "ENOENT",
        ),
      );
      assert.equal(counts.echildRestarts, 1);
      assert.ok(mem.flags(dentry) & D_UNHASHED);
      assert.notEqual(mem.inode(dentry), 0);
      assert.equal(walker.fs.fstatSync(fd).nlink, 0);
      walker.fs.closeSync(fd);
    }
  });

  // Fails without the write section in bindInode(): no restart.
  test("row 5: a negative dentry in the table turns positive under a walk: the walk starts again", async (t) => {
    const { tree, walker, writer } = await driverScene(t, {});
    assert.equal(walker.fs.existsSync("/m/new"), false);
    const root = dentryOf(walker, "/m");
    const counts = grown(tree, () => {
      when(
        walker,
        POINT.PARENT_CHECK,
        (parent) => parent === root,
        () => writer.fs.writeFileSync("/m/new", ""),
      );
      assert.equal(walker.fs.existsSync("/m/new"), true);
    });
    assert.equal(counts.echildRestarts, 1);
  });

  // Fails without the write section in bindInode(): the walk sees an inode on a dentry still marked negative, ENOTDIR.
  test("row 5: while a negative dentry turns positive no walk decides on it", async (t) => {
    const { tree, walker } = await scene(t);
    // The same text in both threads, so that both register the same hooks.
    const driver = `{ name: "maker", root: () => ({ ino: 1, mode: 0o40755 }), lookup: () => null,
      create: () => ({ ino: 2, mode: 0o40755 }) }`;
    walker.registerDriver(new Function(`return ${driver};`)());
    walker.fs.mkdirSync("/m");
    walker.mount(null, "/m", "maker");
    assert.equal(walker.fs.existsSync("/m/new"), false);
    const creator = await tree.parked(`vfs.registerDriver(${driver}); vfs.fs.mkdirSync("/m/new");`, POINT.INSTANTIATE);
    let released;
    walker.at(POINT.DROP, () => {
      released = creator.release();
    });
    const counts = grown(tree, () => assert.equal(walker.fs.statSync("/m/new/").isDirectory(), true));
    assert.equal((await released).code, undefined);
    assert.equal(counts.dropUncached, 1);
    assert.ok(counts.seqRetries > 0, "the sequence was odd");
  });

  // Fails without the write section in dentryUnlinkInode(): no restart.
  test("row 6: a dentry in use turns negative in place; its inode goes when no lock is held", async (t) => {
    let onIput;
    const s = await driverScene(t, { f: "text" }, { iput: (node) => onIput?.(node) });
    const { tree, walker, writer, mem } = s;
    const third = await tree.attach();
    third.registerDriver(s.driver);
    const node = walker.fs.statSync("/m/f").ino;
    const dentry = dentryOf(walker, "/m/f");
    const calls = [];
    onIput = (gone) => {
      calls.push([gone, mem.inode(dentry), mem.lock(dentry), mem.seq(dentry) % 2]);
      calls.push(grown(tree, () => assert.equal(third.fs.existsSync("/m/f"), false), third));
    };
    walker.at(POINT.ATTR_COPIED, () => writer.fs.unlinkSync("/m/f"));
    const counts = grown(tree, () =>
      assert.equal(
        codeOf(() => walker.fs.statSync("/m/f")),
        "ENOENT",
      ),
    );
    assert.equal(counts.echildRestarts, 1);
    assert.deepEqual(calls[0], [node, 0, 0, 0], "negative, unlocked, even");
    assert.deepEqual(calls[1], { walks: 1, endedRcu: 1 }, "another thread walked by in rcu mode");
    assert.equal(calls.length, 2);
    // The negative dentry stays, and answers without a question to the driver.
    assert.equal(mem.flags(dentry) & (D_TYPE | D_UNHASHED), 0);
    assert.deepEqual(
      grown(tree, () => assert.equal(walker.fs.existsSync("/m/f"), false)),
      { walks: 1, endedRcu: 1 },
    );
  });

  // Fails when dentryUnlinkInode() does not call removeAlias(): the directory's list still names the dentry.
  test("row 6: a dentry without its inode is no longer the alias of that directory", async (t) => {
    const { walker, writer, mem } = await scene(t);
    walker.fs.mkdirSync("/d");
    const dentry = dentryOf(walker, "/d");
    assert.equal(mem.alias(mem.inode(dentry)), dentry);
    let seen;
    writer.at(POINT.UNLINK_INODE, (d, inode) => {
      seen = [d, mem.inode(d), mem.alias(inode)];
    });
    writer.fs.rmdirSync("/d");
    assert.deepEqual(seen, [dentry, 0, 0]);
  });

  // Fails when dDelete() does not clear D_CANT_MOUNT, or unhashes a dentry that nobody else uses.
  test("row 7: the last user's dentry turns negative and may be mounted on when it is a directory again", async (t) => {
    const { walker, mem } = await driverScene(t, {});
    walker.fs.mkdirSync("/m/d");
    const dentry = dentryOf(walker, "/m/d");
    walker.fs.rmdirSync("/m/d");
    assert.equal(mem.flags(dentry) & (D_CANT_MOUNT | D_UNHASHED | D_TYPE), 0);
    assert.equal(mem.inode(dentry), 0);
    walker.fs.mkdirSync("/m/d");
    assert.equal(dentryOf(walker, "/m/d"), dentry);
    walker.mount(null, "/m/d", "tmpfs");
    walker.umount("/m/d");
  });

  // Fails when dDelete() takes the inode from a dentry that somebody else uses: its descriptor loses the file.
  test("row 7: a dentry with another user keeps its inode and leaves the table", async (t) => {
    const { walker, mem } = await driverScene(t, { f: "text" });
    const fd = walker.fs.openSync("/m/f", "r");
    const dentry = dentryOf(walker, "/m/f");
    const inode = mem.inode(dentry);
    walker.fs.unlinkSync("/m/f");
    assert.ok(mem.flags(dentry) & D_UNHASHED);
    assert.equal(mem.inode(dentry), inode);
    assert.equal(walker.fs.existsSync("/m/f"), false);
    assert.equal(walker.fs.fstatSync(fd).size, 4);
    walker.fs.closeSync(fd);
  });

  // Fails when dentryKill() leaves the dentry in the table, or gives the inode back before the dentry is dead.
  test("row 8: the inode of a dentry that ends is given back when the dentry is dead and out of the table", async (t) => {
    let seen;
    const { walker, mem } = await driverScene(t, { f: "text" }, { iput: () => seen?.() });
    walker.fs.statSync("/m/f");
    const dentry = dentryOf(walker, "/m/f");
    const seq = mem.seq(dentry);
    let state;
    seen = () => {
      state = { unhashed: (mem.flags(dentry) & D_UNHASHED) !== 0, dead: mem.count(dentry) < 0 };
    };
    walker.shrink(100);
    assert.deepEqual(state, { unhashed: true, dead: true });
    assert.ok(mem.seq(dentry) > seq, "and unlike in the seed the sequence moves here too");
  });

  // Fails when dUpdateNameCase() has no write section, or when lookupLocked() does not call it: the old spelling stays.
  test("row 9: a negative entry takes on the spelling that a file is made with, in a write section", async (t) => {
    const plain = (name) => name.toLowerCase().replaceAll("-", "");
    const { tree, walker, writer, mem } = await driverScene(
      t,
      {},
      {
        hash: (_, name) => plain(name).length,
        compare: (_dir, _node, cached, wanted) => plain(cached) === plain(wanted),
      },
    );
    assert.equal(walker.fs.existsSync("/m/README"), false);
    const negative = mem.lastChild(dentryOf(walker, "/m"));
    const seq = mem.seq(negative);
    let inside;
    writer.at(POINT.INSTANTIATE, (d) => {
      inside = [d, mem.seq(d)];
    });
    writer.fs.writeFileSync("/m/ReadMe", "");
    assert.deepEqual(inside, [negative, seq + 3], "a section for the name, and one under way for the inode");
    assert.equal(walker.fs.realpathSync("/m/readme"), "/m/ReadMe");
    // A spelling of another length has no room in the old entry: that one goes.
    assert.equal(walker.fs.existsSync("/m/to-do"), false);
    writer.fs.writeFileSync("/m/TODO", "");
    assert.equal(walker.fs.realpathSync("/m/to-do"), "/m/TODO");
    assert.equal(grown(tree, () => walker.fs.statSync("/m/todo")).dropUncached, undefined);
  });

  // Fails when dMove() opens a write section on one of the two only: the walk from it decides in the middle of the move.
  test("row 10: in the middle of a move both dentries' sequences are odd and no walk decides on either", async (t) => {
    for (const which of ["/a/x", "/b/y"]) {
      const { tree, walker, mem } = await scene(t);
      for (const dir of ["/a", "/b", "/a/x", "/b/y"]) walker.fs.mkdirSync(dir);
      const [moved, target] = [dentryOf(walker, "/a/x"), dentryOf(walker, "/b/y")];
      const context = walker.context({ cwd: which });
      const mover = await tree.parked(`vfs.fs.renameSync("/a/x", "/b/y");`, POINT.MOVE_NAMES);
      assert.deepEqual([mem.seq(moved) % 2, mem.seq(target) % 2], [1, 1]);
      let released;
      walker.at(POINT.RESTART, () => {
        released = mover.release();
      });
      let parent;
      const counts = grown(tree, () => {
        parent = context.fs.statSync("..").ino;
      });
      assert.equal((await released)?.code, undefined);
      assert.equal(counts.echildRestarts, 1, which);
      assert.equal(parent, walker.fs.statSync("/b").ino, "what is replaced stays below its parent");
      assert.deepEqual([mem.seq(moved) % 2, mem.seq(target) % 2], [0, 0]);
      context.close();
    }
  });

  // Fails when writeSeqBarrier() makes the sequence even, as it would by ending one section and beginning another, or when
  // a sequence becomes even before the section that it lies in has ended.
  test("row 11: the barrier of an unhash inside a move leaves the write section open", async (t) => {
    const { walker, writer, mem } = await scene(t);
    walker.fs.mkdirSync("/d");
    walker.fs.writeFileSync("/d/x", "");
    walker.fs.writeFileSync("/d/y", "");
    const [x, y] = [dentryOf(walker, "/d/x"), dentryOf(walker, "/d/y")];
    const seen = [];
    const look = () => seen.push([mem.seq(x), mem.seq(y)]);
    for (const id of [POINT.MOVE_BEGIN, POINT.MOVE_NAMES, POINT.MOVE_END]) writer.at(id, look);
    writer.fs.renameSync("/d/x", "/d/y");
    const [begin, names, end] = seen;
    assert.deepEqual([begin[0] % 2, begin[1] % 2], [1, 1]);
    assert.deepEqual(names, begin, "two barriers inside the sections: odd before, odd after");
    assert.deepEqual(end, names);
    assert.equal(mem.seq(x), end[0] + 1);
  });

  // Fails without the write sections in dMove() (no restart), and when spliceAlias() binds a second dentry to the directory.
  test("row 12: a directory known under another name moves to its new place, both dentries in write sections", async (t) => {
    const { tree, walker, writer, driver, mem } = await driverScene(t, { old: { f: "text" } });
    const { children } = driver.root();
    const file = walker.fs.statSync("/m/old/f").ino;
    const dentry = dentryOf(walker, "/m/old");
    let odd;
    when(
      walker,
      POINT.COMPONENT,
      (directory) => directory === dentry,
      () => {
        children.set("new", children.get("old"));
        children.delete("old");
        writer.at(POINT.MOVE_BEGIN, (a, b) => {
          odd = [a, mem.seq(a) % 2, mem.seq(b) % 2];
        });
        writer.fs.statSync("/m/new");
      },
    );
    let code;
    const counts = grown(tree, () => {
      code = codeOf(() => walker.fs.statSync("/m/old/f"));
    });
    assert.equal(code, "ENOENT");
    assert.equal(counts.echildRestarts, 1);
    assert.deepEqual(odd, [dentry, 1, 1]);
    assert.equal(dentryOf(walker, "/m/new"), dentry, "there is one dentry for the directory");
    // What was cached below it is still there: nothing is asked of the driver.
    assert.equal(
      passes(walker, POINT.DROP, () => assert.equal(walker.fs.statSync("/m/new/f").ino, file)),
      0,
    );
    assert.equal(walker.fs.existsSync("/m/old"), false);
  });
});

describe("unused dentries", () => {
  function counting(content) {
    const asked = [];
    return {
      asked,
      hooks: {
        lookup(dir, name) {
          asked.push(name);
          return dir === 1 && name in content ? { ino: 100 + name.length, mode: 0o100644 } : null;
        },
      },
    };
  }

  // Fails when shrinkDcache() takes from the head, or does not look at D_REFERENCED.
  test("the shrinker takes the longest unused first; one used since gets a second turn", async (t) => {
    const { asked, hooks } = counting({ a: "", bb: "", ccc: "" });
    const { walker } = await driverScene(t, {}, hooks);
    for (const name of ["a", "bb", "none", "ccc"]) walker.fs.existsSync(`/m/${name}`);
    // Opened and closed: a reference taken and put.
    walker.fs.closeSync(walker.fs.openSync("/m/a", "r"));
    asked.length = 0;
    assert.equal(walker.shrink(2), 2);
    for (const name of ["a", "ccc"]) walker.fs.existsSync(`/m/${name}`);
    assert.deepEqual(asked, [], "the used one and the newest are there");
    for (const name of ["bb", "none"]) walker.fs.existsSync(`/m/${name}`);
    assert.deepEqual(asked, ["bb", "none"], "a positive and a negative one went");
  });

  // Fails when shrinkDcache() does not look at the count.
  test("the shrinker leaves what is in use, and its parents", async (t) => {
    const { walker, mem } = await driverScene(t, { dir: { f: "text", g: "" } });
    // Looked at, and so on the list of unused ones, before it is opened; it stays there until the shrinker comes by.
    for (const path of ["/m/dir/f", "/m/dir/g"]) walker.fs.statSync(path);
    const fd = walker.fs.openSync("/m/dir/f", "r");
    const [dir, f] = [dentryOf(walker, "/m/dir"), dentryOf(walker, "/m/dir/f")];
    assert.ok(mem.flags(f) & D_ON_LRU);
    assert.equal(walker.shrink(1000), 1);
    assert.equal(mem.count(f), 1);
    assert.ok(mem.count(dir) >= 1 && !(mem.flags(dir) & D_ON_LRU));
    assert.equal(walker.fs.fstatSync(fd).size, 4);
    walker.fs.closeSync(fd);
    assert.equal(walker.shrink(1000), 2, "now the file, and with it the directory");
  });

  // Fails when dentryKill() leaves the sequence alone: the walk answers with an inode that is gone.
  test("a dentry shrunk under a walk makes it start again, with the right answer", async (t) => {
    const { tree, walker, writer, mem } = await driverScene(t, { dir: { f: "text" } });
    const nap = new Int32Array(new SharedArrayBuffer(4));
    // Shrinking also waits for the walks that are under way, this one too, so another thread does it.
    const shrinker = await startLoop(t, walker, "if (vfs.fs.existsSync('/go')) vfs.shrink(1000);");
    for (const path of ["/m/dir/f", "/m/dir"]) {
      const { ino } = walker.fs.statSync(path);
      const dentry = dentryOf(walker, path);
      let dead = false;
      walker.at(POINT.ATTR_COPIED, () => {
        writer.fs.writeFileSync("/go", "");
        for (let i = 0; i < 1000 && mem.count(dentry) >= 0; i++) Atomics.wait(nap, 0, 0, 1);
        writer.fs.unlinkSync("/go");
        dead = mem.count(dentry) < 0;
      });
      const counts = grown(tree, () => assert.equal(walker.fs.statSync(path).ino, ino));
      assert.ok(dead, "it was shrunk");
      assert.equal(counts.expelledReaders, undefined);
      assert.equal(counts.echildRestarts, 1, path);
    }
    await shrinker.stop();
  });

  // Fails when dAllocCommon() does not call shrinkDcache(): ENOSPC.
  test("names that do not exist fill the cache, not the arena", async (t) => {
    const tree = await debugTree({ maxBytes: 4 << 20 });
    t.after(() => tree.close());
    const { vfs } = tree;
    vfs.registerDriver({ name: "empty", root: () => ({ ino: 1, mode: 0o40755 }) });
    vfs.fs.mkdirSync("/m");
    vfs.mount(null, "/m", "empty");
    for (let i = 0; i < 40_000; i++)
      assert.equal(
        codeOf(() => vfs.fs.statSync(`/m/none-${i}`)),
        "ENOENT",
      );
    const { shrunkDentries, dentries } = vfs.counters();
    assert.ok(shrunkDentries > 0 && dentries < 40_000, `${shrunkDentries} shrunk, ${dentries} left`);
    vfs.fs.writeFileSync("/file", "there is still room");
  });
});
