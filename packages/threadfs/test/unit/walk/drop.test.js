/**
 * Leaving rcu mode (core/vfs/walk/drop.ts): rows 63 to 71. References are counted in memory where they lie, so that one too many or
 * one too few shows at once and not only when something cannot be removed.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DROP, POINT } from "../../../dist/abi/abi.js";
import { gauges } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf } from "../../support/errors.js";
import { walkerOf } from "../../support/hooked-vfs.js";
import { memoryOf } from "../../support/memory.js";
import { rawCore } from "../../support/raw-core.js";

const CAP_SYS_CHROOT = 1 << 18;
/** An ACL that gives user 1000 what the mode gives it anyway: reading it takes the walk out of rcu mode. */
const ACL = [
  { tag: 1, perm: 7 },
  { tag: 2, id: 1000, perm: 5 },
  { tag: 4, perm: 5 },
  { tag: 16, perm: 7 },
  { tag: 32, perm: 5 },
];

/** The count of a dentry that is gone. */
const DEAD = -128;

/** A tree, a second attachment for what others do, and the memory. */
async function setUp(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  const peer = await walkerOf(t, tree.vfs.handle);
  return { tree, vfs: tree.vfs, peer, memory: memoryOf(tree.vfs) };
}

/** A context of user 1000 and an attachment to it whose points can be hooked. */
async function userWalker(t, vfs, options = {}) {
  const context = vfs.context({ uid: 1000, gid: 1000, caps: CAP_SYS_CHROOT, ...options });
  t.after(() => context.close());
  return { context, walker: await walkerOf(t, context.handle) };
}

describe("one reference, good if the sequence is still the same", () => {
  // Taken out: the check of the sequence behind the reference in legitimizeDentry(). The old file is opened.
  test("row 63: a reference is taken and counts when nothing moved, and not when something did", async (t) => {
    const { tree, vfs, peer, memory } = await setUp(t);
    vfs.fs.writeFileSync("/f", "old");
    const walker = await walkerOf(t, vfs.handle);
    let dentry = 0;
    walker.at(POINT.COMPLETE, (d) => {
      dentry = d;
    });
    const quiet = tree.counted(() => walker.fs.closeSync(walker.fs.openSync("/f")));
    assert.deepEqual([quiet.echildRestarts, quiet.dropFailed], [0, 0]);
    const before = memory.count(dentry);

    walker.at(POINT.UNLAZY_HALF, () => {
      peer.fs.renameSync("/f", "/g");
      peer.fs.writeFileSync("/f", "new");
    });
    let fd;
    const moved = tree.counted(() => {
      fd = walker.fs.openSync("/f");
    });
    assert.deepEqual([moved.echildRestarts, moved.dropFailed], [1, 1]);
    assert.equal(walker.fs.readFileSync(fd, "utf8"), "new");
    assert.equal(memory.count(dentry), before, "what was taken for the old file is given back");
    walker.fs.closeSync(fd);
  });

  // Taken out: lockrefGetNotDead() answers true for a dead object. The walk holds on to freed memory.
  test("row 63: a dead dentry gives no reference", async (t) => {
    const { tree, vfs, peer, memory } = await setUp(t);
    vfs.fs.writeFileSync("/f", "x");
    const walker = await walkerOf(t, vfs.handle);
    let dentry = 0;
    walker.at(POINT.COMPLETE, (d) => {
      dentry = d;
      peer.fs.unlinkSync("/f");
    });
    const killed = [];
    walker.each(POINT.KILL, (d) => killed.push(d));
    const counts = [];
    walker.at(POINT.DROPPED, (ok) => counts.push(ok, memory.count(dentry)));
    const run = tree.counted(() =>
      assert.equal(
        codeOf(() => walker.fs.openSync("/f")),
        "ENOENT",
      ),
    );
    assert.deepEqual([run.echildRestarts, run.dropFailed], [1, 1]);
    assert.deepEqual(counts, [0, DEAD], "as dead as before");
    assert.deepEqual(killed, [], "and not killed once more");
  });

  // Taken out: dget(nd.dentry) in openFile(). The dentry dies with its name.
  test("row 63: a file that was opened outlives its name", async (t) => {
    const { vfs } = await setUp(t);
    const before = gauges(vfs);
    vfs.fs.writeFileSync("/f", "still here");
    const fd = vfs.fs.openSync("/f");
    vfs.fs.unlinkSync("/f");
    assert.equal(gauges(vfs).inodes, before.inodes + 1);
    assert.equal(vfs.fs.readFileSync(fd, "utf8"), "still here");
    vfs.fs.closeSync(fd);
    assert.deepEqual(gauges(vfs), before);
  });
});

describe("out of rcu mode at a directory (nameidata_drop_rcu)", () => {
  /** /jail is a mount with a directory whose ACL must be read, and in it an absolute link. /away is another root. */
  async function jailed(t) {
    const all = await setUp(t);
    const { vfs } = all;
    const { fs } = vfs;
    fs.mkdirSync("/jail");
    vfs.mount("none", "/jail", "tmpfs");
    fs.chmodSync("/jail", 0o755);
    for (const root of ["/jail", "/away"]) {
      fs.mkdirSync(`${root}/acl`, { recursive: true });
      fs.writeFileSync(`${root}/target`, root);
      fs.symlinkSync("/target", `${root}/acl/link`);
    }
    vfs.setfacl("/jail/acl", ACL);
    fs.mkdirSync("/out");
    const { context, walker } = await userWalker(t, vfs, { cwd: "/out" });
    context.chroot("/jail");
    return { ...all, context, walker };
  }
  /** Another root for the context while its walk is under way: by a descriptor-free way out, its directory of work. */
  function toAway(context) {
    context.chroot("../away");
  }

  // Taken out: mntget(nd.rootMnt) or the dget of the root in legitimizeRoot() (together with ND_ROOT_GRABBED).
  test("row 64: dentry, mount and root are referenced, and the root stays the walk's own", async (t) => {
    const { tree, vfs, walker, context, memory } = await jailed(t);
    let start = 0;
    let free;
    let held;
    walker.at(POINT.WALK_START, (_mode, d) => {
      start = d;
    });
    walker.at(POINT.DROP, (_why, d) => {
      free = [memory.count(start), memory.count(d)];
    });
    walker.at(POINT.DROPPED, (ok, d) => {
      assert.equal(ok, 1);
      held = [memory.count(start), memory.count(d)];
      toAway(context);
      held.push(codeOf(() => vfs.umount("/jail")));
    });
    const run = tree.counted(() => assert.equal(walker.fs.readFileSync("/acl/link", "utf8"), "/jail"));
    assert.deepEqual(held, [free[0] + 1, free[1] + 1, "EBUSY"]);
    assert.deepEqual([run.dropPermission, run.dropFailed, run.echildRestarts], [1, 0, 0]);
    vfs.umount("/jail");
  });

  // Taken out: the comparison with the context's root in legitimizeRoot(). The answer is /jail's, without a restart.
  test("row 65: another root since the walk began is -ECHILD", async (t) => {
    const { tree, vfs, walker, context } = await jailed(t);
    walker.at(POINT.DROP, () => toAway(context));
    const run = tree.counted(() => assert.equal(walker.fs.readFileSync("/acl/link", "utf8"), "/away"));
    assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
    vfs.umount("/jail");
  });

  // Taken out: root_ = 0 in completeWalk(). The walk starts again.
  test("row 68: at the end the root is of no use any more, and its change no reason to start again", async (t) => {
    const { tree, vfs, walker, context } = await jailed(t);
    walker.at(POINT.COMPLETE, () => toAway(context));
    let fd;
    const run = tree.counted(() => {
      fd = walker.fs.openSync("/target");
    });
    assert.deepEqual([run.dropFailed, run.echildRestarts], [0, 0]);
    assert.equal(walker.fs.readFileSync(fd, "utf8"), "/jail");
    walker.fs.closeSync(fd);
    vfs.umount("/jail");
  });
});

// Taken out: rcuReadUnlock() in leaveRcu() only on success. The slot still shows an epoch, the next grace period expels it.
test("row 68: the last drop ends the read-side section also when it fails", async (t) => {
  const { vfs, peer, memory } = await setUp(t);
  vfs.fs.writeFileSync("/f", "x");
  const walker = await walkerOf(t, vfs.handle);
  const epochs = [];
  const slot = walker.threadSlot;
  walker.at(POINT.UNLAZY_HALF, () => {
    epochs.push(memory.epoch(slot) !== 0);
    peer.fs.renameSync("/f", "/g");
  });
  walker.at(POINT.DROPPED, (ok) => epochs.push(ok, memory.epoch(slot) !== 0));
  assert.equal(
    codeOf(() => walker.fs.openSync("/f")),
    "ENOENT",
  );
  assert.deepEqual(epochs, [true, 0, false]);
  assert.equal(memory.epoch(slot), 0);
});

describe("out of rcu mode at a directory and the child just found (nameidata_dentry_drop_rcu)", () => {
  /** A driver that is asked about every entry, with /drv/dir/file. */
  async function asked(t) {
    const all = await setUp(t);
    const { vfs, peer } = all;
    const verdict = { good: true };
    const driver = objectDriver(
      "asked",
      { dir: { file: "x" }, link: { link: "dir/file" } },
      {
        revalidate: () => verdict.good,
      },
    );
    const walker = await walkerOf(t, vfs.handle);
    for (const each of [vfs, peer, walker]) each.registerDriver(driver);
    vfs.fs.mkdirSync("/drv");
    vfs.mount("none", "/drv", "asked");
    vfs.fs.statSync("/drv/dir/file");
    return { ...all, walker, verdict };
  }

  // Taken out: the reference on the parent in dropRcuNext(). Each walk takes one away from it.
  test("row 66: parent and child get a reference each", async (t) => {
    const { tree, vfs, walker, memory } = await asked(t);
    for (let round = 0; round < 3; round++) {
      let parent = 0;
      let child = 0;
      let before;
      let after;
      walker.at(
        POINT.FOUND,
        (d) => {
          child = d;
        },
        2,
      );
      walker.at(POINT.DROP, (why, d) => {
        assert.equal(why, DROP.REVALIDATE);
        parent = d;
        before = [memory.count(parent), memory.count(child)];
      });
      walker.at(POINT.DROPPED, (ok, d) => {
        assert.deepEqual([ok, d], [1, parent]);
        after = [memory.count(parent), memory.count(child)];
      });
      const run = tree.counted(() => walker.fs.statSync("/drv/dir/file"));
      assert.deepEqual(after, [before[0] + 1, before[1] + 1]);
      assert.deepEqual([run.dropRevalidate, run.dropFailed], [1, 0]);
      assert.equal(memory.count(parent), before[0], "given back at the end of the walk");
    }
    vfs.umount("/drv");
  });

  // Taken out: the sequence's check in legitimizeDentry(). The child that has just left the table is walked on.
  test("row 66: the child's sequence speaks for both, and a child that moved takes neither along", async (t) => {
    const { tree, vfs, peer, walker, memory, verdict } = await asked(t);
    const before = gauges(vfs);
    vfs.fs.statSync("/drv/dir/file");
    let child = 0;
    let parent = 0;
    let free;
    let left;
    walker.at(
      POINT.FOUND,
      (d) => {
        child = d;
      },
      2,
    );
    walker.at(POINT.DROP, (_why, d) => {
      parent = d;
      free = [memory.count(parent), memory.count(child)];
    });
    walker.at(POINT.UNLAZY_HALF, (d) => {
      assert.equal(d, child);
      // Somebody else finds the child stale: it leaves the table, and another one takes its place.
      verdict.good = false;
      assert.ok(peer.fs.statSync("/drv/dir").isDirectory());
      verdict.good = true;
    });
    walker.at(POINT.DROPPED, (ok) => {
      left = [ok, memory.count(parent)];
    });
    const run = tree.counted(() => assert.equal(walker.fs.statSync("/drv/dir/file").size, 1));
    assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
    // The new child holds on to the parent as the old one did.
    assert.deepEqual(left, [0, free[0]]);
    assert.deepEqual(gauges(vfs), before);
    vfs.umount("/drv");
    assert.equal(vfs.fs.readdirSync("/drv").length, 0);
  });

  // The core has no assertions to compile out; what the seed asserts is looked up in memory at the moment it must hold.
  // Taken out: nd.inode in rcuWalk() set from nothing (the start's inode kept), or the parent's reference in dropRcuNext().
  test("row 67: then the child's parent is the directory, with references, and the inode the validated one", async (t) => {
    const { vfs, walker, memory } = await asked(t);
    let child = 0;
    let parent = 0;
    const seen = [];
    walker.at(
      POINT.FOUND,
      (d) => {
        child = d;
      },
      2,
    );
    walker.at(POINT.DROP, (_why, d) => {
      parent = d;
    });
    walker.at(POINT.DROPPED, () => {
      seen.push(memory.parent(child) === parent, memory.count(parent) > 0, memory.count(child) > 0);
    });
    walker.fs.statSync("/drv/dir");
    assert.deepEqual(seen, [true, true, true]);

    vfs.fs.mkdirSync("/d");
    vfs.fs.writeFileSync("/d/f", "x");
    const copies = [];
    const auditor = await walkerOf(t, vfs.handle, { audit: (d, i) => copies.push(memory.inode(d) === i) });
    auditor.fs.closeSync(auditor.fs.openSync("/d/f"));
    auditor.fs.statSync("/d");
    assert.deepEqual(copies, [true, true]);
    vfs.umount("/drv");
  });
});

describe("all or nothing", () => {
  /** Every kind of drop, each with what makes it fail half way. */
  const KINDS = {
    uncached: (fs) => fs.statSync("/m/drv/new"),
    permission: (fs) => fs.statSync("/m/acl/file"),
    revalidate: (fs) => fs.statSync("/m/asked/file"),
    link: (fs) => fs.statSync("/m/link"),
    last: (fs) => fs.closeSync(fs.openSync("/m/dir/file")),
    create: (fs) => fs.closeSync(fs.openSync("/m/dir/made", "w")),
  };

  async function world(t) {
    const all = await setUp(t);
    const { vfs, peer } = all;
    const { fs } = vfs;
    const { walker } = await userWalker(t, vfs);
    fs.mkdirSync("/m");
    vfs.mount("none", "/m", "tmpfs");
    fs.chmodSync("/m", 0o777);
    for (const dir of ["acl", "dir", "drv", "asked", "other"]) fs.mkdirSync(`/m/${dir}`);
    fs.chmodSync("/m/dir", 0o777);
    fs.writeFileSync("/m/acl/file", "x");
    fs.writeFileSync("/m/dir/file", "x");
    vfs.setfacl("/m/acl", ACL);
    fs.symlinkSync("dir/file", "/m/link");
    const plain = objectDriver("plain", { new: "x" });
    const asked = objectDriver("asked", { file: "x" }, { revalidate: () => true });
    for (const each of [vfs, peer, walker]) {
      each.registerDriver(plain);
      each.registerDriver(asked);
    }
    vfs.mount("none", "/m/drv", "plain");
    vfs.mount("none", "/m/asked", "asked");
    return { ...all, walker };
  }

  for (const [kind, ask] of Object.entries(KINDS)) {
    // Taken out: putPending() in leaveRcu() (references stay, /m is busy), or the clearing of nd.dentry_ (they are put twice).
    test(`row 70: a drop that fails half way leaves nothing behind (${kind})`, async (t) => {
      const { tree, vfs, peer, walker, memory } = await world(t);
      let at = 0;
      let counts;
      walker.at(POINT.DROP, (_why, d) => {
        at = d;
        counts = [memory.count(d)];
      });
      walker.at(POINT.COMPLETE, (d) => {
        if (at !== 0) return;
        at = d;
        counts = [memory.count(d)];
      });
      let failed;
      let seqOk;
      walker.at(POINT.UNLAZY_HALF, (d) => {
        // Whatever is being referenced moves away and back: its sequence is another one.
        if (kind === "link") {
          peer.fs.renameSync("/m/link", "/m/other/link");
          peer.fs.renameSync("/m/other/link", "/m/link");
        } else if (kind === "last") {
          peer.fs.renameSync("/m/dir/file", "/m/other/file");
          peer.fs.renameSync("/m/other/file", "/m/dir/file");
        } else if (kind === "permission") {
          peer.fs.renameSync("/m/acl", "/m/other/acl");
          peer.fs.renameSync("/m/other/acl", "/m/acl");
        } else if (kind === "create") {
          peer.fs.renameSync("/m/dir", "/m/other/dir");
          peer.fs.renameSync("/m/other/dir", "/m/dir");
        } else {
          // What cannot be renamed: the sequence in memory is moved on as any change of the dentry would.
          const words = new Int32Array(vfs.handle.memory.buffer);
          Atomics.add(words, d >>> 2, 2);
        }
        seqOk = true;
      });
      walker.at(POINT.DROPPED, (ok, d) => {
        failed = [ok, d, memory.count(at) - counts[0], memory.epoch(walkerSlot)];
      });
      const walkerSlot = walker.threadSlot;
      const run = tree.counted(() => ask(walker.fs));
      assert.ok(seqOk);
      assert.deepEqual(failed, [0, 0, 0, 0], "no references, no path in the walk's state, no section");
      assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
      vfs.fs.rmSync("/m/dir", { recursive: true });
      for (const mount of ["/m/drv", "/m/asked", "/m"]) vfs.umount(mount);
      vfs.fs.rmdirSync("/m");
      assert.deepEqual(vfs.fs.readdirSync("/"), []);
    });
  }

  for (const [kind, ask] of Object.entries(KINDS)) {
    // Taken out: the check of the mount sequence in legitimizeMnt(). The walk goes on as if nothing had been mounted.
    test(`row 70: the same when the mounts changed (${kind})`, async (t) => {
      const { tree, vfs, peer, walker } = await world(t);
      walker.at(kind === "last" ? POINT.COMPLETE : POINT.DROP, () => {
        peer.fs.mkdirSync("/elsewhere");
        peer.mount("none", "/elsewhere", "tmpfs");
      });
      const run = tree.counted(() => ask(walker.fs));
      assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
      for (const mount of ["/m/drv", "/m/asked", "/m", "/elsewhere"]) vfs.umount(mount);
    });
  }

  // Ours does not hold a start descriptor's file in rcu mode (the seed's nd->file), so nothing of it can be left over.
  // Taken out: fput(f) in pathInitFd(). The file stays open for ever.
  test("row 70: a start at a descriptor is given back too", async (t) => {
    const { vfs, peer, walker } = await world(t);
    const raw = rawCore(t, vfs.handle);
    const before = gauges(vfs);
    const fd = raw.openat(-100, "/m/dir", 0o200000);
    assert.equal(raw.stat(fd, "file"), 0);
    vfs.walkMode({ ref: true });
    assert.equal(raw.stat(fd, "file"), 0);
    raw.core.walkMode(1);
    assert.equal(raw.stat(fd, "file"), 0);
    assert.equal(raw.stat(fd, "none"), -2);
    raw.core.walkMode(0);
    vfs.walkMode({ ref: false });
    assert.equal(raw.core.sysClose(0, fd), 0);
    assert.equal(raw.stat(fd, "file"), -9);
    assert.deepEqual(gauges(vfs), before);
    assert.ok(peer && walker);
  });

  // Taken out: "if (nd.rcu)" before dropRcu() in completeWalk(): a section is left that nobody entered.
  test("row 69: in ref mode there is nothing to leave", async (t) => {
    const { tree, walker, memory } = await world(t);
    walker.walkMode({ ref: true });
    for (const [kind, ask] of Object.entries(KINDS)) {
      let passed;
      const run = tree.counted(() => {
        passed = walker.points(() => ask(walker.fs)).map(([id]) => id);
      });
      assert.ok(!passed.includes(POINT.DROP) && !passed.includes(POINT.DROPPED), kind);
      const drops = Object.keys(run).filter((name) => name.startsWith("drop") && run[name] !== 0);
      assert.deepEqual([drops, run.echildRestarts, run.endedRcu], [[], 0, 0], kind);
      assert.equal(memory.epoch(walker.threadSlot), 0, kind);
    }
  });

  for (const [kind, ask] of Object.entries(KINDS)) {
    if (kind === "last") continue;
    // Taken out: "nd.flags &= ~LOOKUP_RCU" in leaveRcu(). What follows is read without a reference again.
    test(`row 71: after a drop the walk goes on in ref mode from where it is (${kind})`, async (t) => {
      const { walker } = await world(t);
      const passed = walker.points(() => ask(walker.fs));
      const drop = passed.findIndex(([id]) => id === POINT.DROPPED);
      assert.equal(passed[drop][1], 1);
      assert.equal(passed.filter(([id]) => id === POINT.WALK_START).length, 1, "it does not begin again");
      const rest = passed.slice(drop + 1);
      assert.deepEqual(
        rest.filter(([id, , b]) => id === POINT.PARENT_CHECK || (id === POINT.FOUND && b !== 0)),
        [],
        "no step by sequence numbers",
      );
      assert.ok(!rest.some(([id]) => id === POINT.DROP));
      const before = passed.slice(0, drop).filter(([id]) => id === POINT.COMPONENT).length;
      const all = passed.filter(([id]) => id === POINT.COMPONENT).length;
      // A component is named once in either mode; those of a link's body come on top.
      assert.ok(before >= 1 && all <= before + 3, `${before} of ${all}`);
    });
  }
});
