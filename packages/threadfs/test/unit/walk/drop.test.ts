/**
 * Leaving rcu mode (core/vfs/walk/drop.ts): rows 63 to 71. The tests read reference counts in memory, so that one too many or
 * one too few shows at once and not only when a file cannot be removed.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AT_FDCWD, CAP_SYS_CHROOT, DROP, ERRNO, O_DIRECTORY, POINT } from "../../../dist/abi/abi.js";
import type { Context, ContextOptions, FsSync, HostOptions, Vfs } from "../../../dist/src/index.js";
import { gauges } from "../../support/counters.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf, refused } from "../../support/errors.js";
import { type HookedVfs, type TestScope, walkerOf } from "../../support/hooked-vfs.js";
import { AskedInRef, makeOld, mountDriverAt, setUp } from "../../support/interleavings.js";
import { rawCore } from "../../support/raw-core.js";

/** The count of a dentry that is gone. */
const DEAD = -128;

/** A context of user 1000 and an attachment to it whose points can be hooked. */
async function userWalker(t: TestScope, vfs: Vfs, options: ContextOptions = {}, host: HostOptions = {}) {
  const context = vfs.context({ uid: 1000, gid: 1000, caps: CAP_SYS_CHROOT, ...options });
  t.after(() => context.close());
  return { context, walker: await walkerOf(t, context.handle, host) };
}

/** Each of these counts with one more reference. */
function oneMore(counts: readonly number[]): number[] {
  return counts.map((count) => count + 1);
}

describe("a reference counts only if the sequence has not changed", () => {
  // Taken out: the check of the sequence behind the reference in legitimizeDentry(). The old file is opened.
  test("row 63: a reference on an unchanged dentry counts, and one on a changed dentry does not", async (t) => {
    const { tree, vfs, peer, walker, memory } = await setUp(t);
    vfs.fs.writeFileSync("/f", "old");
    let dentry = 0;
    walker.at(POINT.COMPLETE, (d) => {
      dentry = d;
    });
    const quiet = tree.counted(() => walker.fs.closeSync(walker.fs.openSync("/f", "r")));
    assert.deepEqual([quiet.echildRestarts, quiet.dropFailed], [0, 0]);
    const before = memory.count(dentry);

    walker.at(POINT.UNLAZY_HALF, () => {
      peer.fs.renameSync("/f", "/g");
      peer.fs.writeFileSync("/f", "new");
    });
    let fd = -1;
    const moved = tree.counted(() => {
      fd = walker.fs.openSync("/f", "r");
    });
    assert.deepEqual([moved.echildRestarts, moved.dropFailed], [1, 1]);
    assert.equal(walker.fs.readFileSync(fd, "utf8"), "new");
    assert.equal(memory.count(dentry), before, "what was taken for the old file is given back");
    walker.fs.closeSync(fd);
  });

  // Taken out: lockrefGetNotDead() returns true for a dead object. The walk uses freed memory.
  test("row 63: a dead dentry gives no reference", async (t) => {
    const { tree, vfs, peer, walker, memory } = await setUp(t);
    vfs.fs.writeFileSync("/f", "x");
    let dentry = 0;
    walker.at(POINT.COMPLETE, (d) => {
      dentry = d;
      peer.fs.unlinkSync("/f");
    });
    const killed: number[] = [];
    walker.each(POINT.KILL, (d) => killed.push(d));
    const counts: number[] = [];
    walker.at(POINT.DROPPED, (ok) => counts.push(ok, memory.count(dentry)));
    const run = tree.counted(() => refused("ENOENT", () => walker.fs.openSync("/f", "r")));
    assert.deepEqual([run.echildRestarts, run.dropFailed], [1, 1]);
    assert.deepEqual(counts, [0, DEAD], "as dead as before");
    assert.deepEqual(killed, [], "and not killed once more");
  });

  // Taken out: dget(nd.dentry) in openFile(). The dentry dies with its name.
  test("row 63: a file that was opened outlives its name", async (t) => {
    const { vfs } = await setUp(t);
    const before = gauges(vfs);
    vfs.fs.writeFileSync("/f", "still here");
    const fd = vfs.fs.openSync("/f", "r");
    vfs.fs.unlinkSync("/f");
    assert.equal(gauges(vfs).inodes, before.inodes + 1);
    assert.equal(vfs.fs.readFileSync(fd, "utf8"), "still here");
    vfs.fs.closeSync(fd);
    assert.deepEqual(gauges(vfs), before);
  });
});

describe("out of rcu mode at a directory (nameidata_drop_rcu)", () => {
  /** /jail is a mount with a directory that is decided on in ref mode, and in it an absolute link. /away is another root. */
  async function jailed(t: TestScope) {
    const { tree, vfs, memory } = await setUp(t);
    const { fs } = vfs;
    fs.mkdirSync("/jail");
    vfs.mount("none", "/jail", "tmpfs");
    fs.chmodSync("/jail", 0o755);
    for (const root of ["/jail", "/away"]) {
      fs.mkdirSync(`${root}/acl`, { recursive: true });
      fs.writeFileSync(`${root}/target`, root);
      fs.symlinkSync("/target", `${root}/acl/link`);
    }
    const asked = new AskedInRef();
    asked.add(vfs, "/jail/acl");
    fs.mkdirSync("/out");
    const { context, walker } = await userWalker(t, vfs, { cwd: "/out" }, { security: asked.security });
    context.chroot("/jail");
    return { tree, vfs, memory, context, walker };
  }
  /** Gives the context another root during its walk: its working directory is still outside of the old root. */
  function toAway(context: Context): void {
    context.chroot("../away");
  }

  // Taken out: mntget(nd.rootMnt) or the dget of the root in legitimizeRoot() (together with ND_ROOT_GRABBED).
  test("row 64: dentry, mount and root are referenced, and the root stays the walk's own", async (t) => {
    const { tree, vfs, walker, context, memory } = await jailed(t);
    let start = 0;
    let free: number[] = [];
    let held: number[] = [];
    let busy: string | undefined;
    walker.at(POINT.WALK_START, (_mode, d) => {
      start = d;
    });
    walker.at(POINT.DROP, (_reason, d) => {
      free = [memory.count(start), memory.count(d)];
    });
    walker.at(POINT.DROPPED, (ok, d) => {
      assert.equal(ok, 1);
      held = [memory.count(start), memory.count(d)];
      toAway(context);
      busy = codeOf(() => vfs.umount("/jail"));
    });
    const run = tree.counted(() => assert.equal(walker.fs.readFileSync("/acl/link", "utf8"), "/jail"));
    assert.deepEqual(held, oneMore(free));
    assert.equal(busy, "EBUSY");
    assert.deepEqual([run.dropPermission, run.dropFailed, run.echildRestarts], [1, 0, 0]);
    vfs.umount("/jail");
  });

  // Taken out: the comparison with the context's root in legitimizeRoot(). The call reads /jail's file, without a restart.
  test("row 65: a walk starts again when its context has another root since it began", async (t) => {
    const { tree, vfs, walker, context } = await jailed(t);
    walker.at(POINT.DROP, () => toAway(context));
    const run = tree.counted(() => assert.equal(walker.fs.readFileSync("/acl/link", "utf8"), "/away"));
    assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
    vfs.umount("/jail");
  });

  // Taken out: root_ = 0 in completeWalk(). The walk starts again.
  test("row 68: a walk at its end does not start again when the root changed", async (t) => {
    const { tree, vfs, walker, context } = await jailed(t);
    walker.at(POINT.COMPLETE, () => toAway(context));
    let fd = -1;
    const run = tree.counted(() => {
      fd = walker.fs.openSync("/target", "r");
    });
    assert.deepEqual([run.dropFailed, run.echildRestarts], [0, 0]);
    assert.equal(walker.fs.readFileSync(fd, "utf8"), "/jail");
    walker.fs.closeSync(fd);
    vfs.umount("/jail");
  });
});

// Taken out: rcuReadUnlock() in leaveRcu() only on success. The slot still shows an epoch, the next grace period expels it.
test("row 68: a walk at its end leaves the read-side section also when it cannot leave rcu mode", async (t) => {
  const { vfs, peer, walker, memory } = await setUp(t);
  vfs.fs.writeFileSync("/f", "x");
  const epochs: unknown[] = [];
  const slot = walker.threadSlot;
  walker.at(POINT.UNLAZY_HALF, () => {
    epochs.push(memory.epoch(slot) !== 0);
    peer.fs.renameSync("/f", "/g");
  });
  walker.at(POINT.DROPPED, (ok) => epochs.push(ok, memory.epoch(slot) !== 0));
  refused("ENOENT", () => walker.fs.openSync("/f", "r"));
  assert.deepEqual(epochs, [true, 0, false]);
  assert.equal(memory.epoch(slot), 0);
});

/** A driver that revalidates every entry, with /drv/dir/file. */
async function revalidated(t: TestScope) {
  const all = await setUp(t);
  const { vfs, peer, walker } = all;
  const verdict = { good: true };
  const content = { dir: { file: "x" }, link: { link: "dir/file" } };
  const driver = objectDriver("revalidated", content, { revalidate: () => verdict.good });
  mountDriverAt(driver, "/drv", vfs, peer, walker);
  vfs.fs.statSync("/drv/dir/file");
  return { ...all, verdict };
}

/** Addresses of two dentries. */
interface Dropped {
  parent: number;
  child: number;
}

/** The directory at which the walker's next walk leaves rcu mode, and the second dentry that this walk finds. */
function droppedAt(walker: HookedVfs, atDrop: (at: Dropped, reason: number) => void = () => {}): Readonly<Dropped> {
  const at = { parent: 0, child: 0 };
  walker.at(
    POINT.FOUND,
    (d) => {
      at.child = d;
    },
    2,
  );
  walker.at(POINT.DROP, (reason, d) => {
    at.parent = d;
    atDrop(at, reason);
  });
  return at;
}

describe("out of rcu mode at a directory and the child just found (nameidata_dentry_drop_rcu)", () => {
  // Taken out: the reference on the parent in dropRcuNext(). Each walk releases one too many.
  test("row 66: parent and child get a reference each", async (t) => {
    const { tree, vfs, walker, memory } = await revalidated(t);
    for (let round = 0; round < 3; round++) {
      let before: number[] = [];
      let after: number[] = [];
      const counts = ({ parent, child }: Dropped) => [memory.count(parent), memory.count(child)];
      const at = droppedAt(walker, (now, reason) => {
        assert.equal(reason, DROP.REVALIDATE);
        before = counts(now);
      });
      walker.at(POINT.DROPPED, (ok, d) => {
        assert.deepEqual([ok, d], [1, at.parent]);
        after = counts(at);
      });
      const run = tree.counted(() => walker.fs.statSync("/drv/dir/file"));
      assert.deepEqual(after, oneMore(before));
      assert.deepEqual([run.dropRevalidate, run.dropFailed], [1, 0]);
      assert.equal(memory.count(at.parent), before[0], "given back at the end of the walk");
    }
    vfs.umount("/drv");
  });

  // Taken out: the sequence's check in legitimizeDentry(). The walk goes on from the child that has just left the table.
  test("row 66: when the child's sequence changed, neither parent nor child keeps a reference", async (t) => {
    const { tree, vfs, peer, walker, memory, verdict } = await revalidated(t);
    const before = gauges(vfs);
    vfs.fs.statSync("/drv/dir/file");
    let free = 0;
    let left: number[] = [];
    const at = droppedAt(walker, ({ parent }) => {
      free = memory.count(parent);
    });
    walker.at(POINT.UNLAZY_HALF, (d) => {
      assert.equal(d, at.child);
      // The other attachment finds the child stale: it leaves the table, and a new one takes its place.
      verdict.good = false;
      assert.ok(peer.fs.statSync("/drv/dir").isDirectory());
      verdict.good = true;
    });
    walker.at(POINT.DROPPED, (ok) => {
      left = [ok, memory.count(at.parent)];
    });
    const run = tree.counted(() => assert.equal(walker.fs.statSync("/drv/dir/file").size, 1));
    assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
    // The new child has a reference on the parent as the old one had.
    assert.deepEqual(left, [0, free]);
    assert.deepEqual(gauges(vfs), before);
    vfs.umount("/drv");
    assert.equal(vfs.fs.readdirSync("/drv").length, 0);
  });

  // The core has no assertions to compile out: the test checks in memory, at the right moment, what the patch asserts.
  // Taken out: nd.inode set in rcuWalk() (the start's inode is kept), or the parent's reference in dropRcuNext().
  test("row 67: out of rcu mode the child's parent is the directory, both have references, and the inode is the validated one", async (t) => {
    const { vfs, walker, memory } = await revalidated(t);
    const seen: boolean[] = [];
    const at = droppedAt(walker);
    walker.at(POINT.DROPPED, () => {
      const { parent, child } = at;
      seen.push(memory.parent(child) === parent, memory.count(parent) > 0, memory.count(child) > 0);
    });
    walker.fs.statSync("/drv/dir");
    assert.deepEqual(seen, [true, true, true]);

    vfs.fs.mkdirSync("/d");
    vfs.fs.writeFileSync("/d/f", "x");
    const copies: boolean[] = [];
    const auditor = await walkerOf(t, vfs.handle, { audit: (d, i) => copies.push(memory.inode(d) === i) });
    auditor.fs.closeSync(auditor.fs.openSync("/d/f", "r"));
    auditor.fs.statSync("/d");
    assert.deepEqual(copies, [true, true]);
    vfs.umount("/drv");
  });
});

type Kind = "uncached" | "permission" | "revalidate" | "link" | "last" | "create";
/** Every reason to leave rcu mode, with a call that does. */
const CALLS: Readonly<Record<Kind, (fs: FsSync) => unknown>> = {
  uncached: (fs) => fs.statSync("/m/drv/new"),
  permission: (fs) => fs.statSync("/m/acl/file"),
  revalidate: (fs) => fs.statSync("/m/asked/file"),
  link: (fs) => fs.statSync("/m/link"),
  last: (fs) => fs.closeSync(fs.openSync("/m/dir/file", "r")),
  create: (fs) => fs.closeSync(fs.openSync("/m/dir/made", "w")),
};
const CASES = Object.entries(CALLS) as [Kind, (fs: FsSync) => unknown][];

/** The changes, and their reverse, that are made during each kind of call; the other dentries cannot be renamed. */
const MOVED: Readonly<Partial<Record<Kind, readonly [from: string, to: string]>>> = {
  link: ["/m/link", "/m/other/link"],
  last: ["/m/dir/file", "/m/other/file"],
  permission: ["/m/acl", "/m/other/acl"],
  create: ["/m/dir", "/m/other/dir"],
};

/** A file system of each kind below /m. */
async function allKinds(t: TestScope) {
  const { tree, vfs, peer, memory } = await setUp(t);
  const { fs } = vfs;
  const askedInRef = new AskedInRef();
  const { walker } = await userWalker(t, vfs, {}, { security: askedInRef.security });
  fs.mkdirSync("/m");
  vfs.mount("none", "/m", "tmpfs");
  fs.chmodSync("/m", 0o777);
  for (const dir of ["acl", "dir", "drv", "asked", "other"]) fs.mkdirSync(`/m/${dir}`);
  fs.chmodSync("/m/dir", 0o777);
  fs.writeFileSync("/m/acl/file", "x");
  fs.writeFileSync("/m/dir/file", "x");
  askedInRef.add(vfs, "/m/acl");
  fs.symlinkSync("dir/file", "/m/link");
  makeOld(fs, "/m/link");
  const plain = objectDriver("plain", { new: "x" });
  const asked = objectDriver("asked", { file: "x" }, { revalidate: () => true });
  for (const each of [vfs, peer, walker]) {
    each.registerDriver(plain);
    each.registerDriver(asked);
  }
  vfs.mount("none", "/m/drv", "plain");
  vfs.mount("none", "/m/asked", "asked");
  return { tree, vfs, peer, memory, walker };
}

/** Changes the dentry that the walk references: its sequence is another one afterwards. */
function changeDentry(vfs: Vfs, peer: Vfs, kind: Kind, dentry: number): void {
  const names = MOVED[kind];
  if (names === undefined) {
    // The sequence in memory moves on as after any change of the dentry.
    Atomics.add(new Int32Array(vfs.handle.memory.buffer), dentry >>> 2, 2);
    return;
  }
  const [from, to] = names;
  peer.fs.renameSync(from, to);
  peer.fs.renameSync(to, from);
}

describe("all or nothing (row 70)", () => {
  for (const [kind, call] of CASES) {
    // Taken out: putPending() in leaveRcu() (references stay, /m is busy), or the clearing of nd.dentry_ (they are put twice).
    test(`row 70: an attempt to leave rcu mode that fails half way keeps no reference (${kind})`, async (t) => {
      const { tree, vfs, peer, walker, memory } = await allKinds(t);
      let at = 0;
      let before = 0;
      walker.at(POINT.DROP, (_reason, d) => {
        at = d;
        before = memory.count(d);
      });
      walker.at(POINT.COMPLETE, (d) => {
        if (at !== 0) return;
        at = d;
        before = memory.count(d);
      });
      let failed: number[] = [];
      let changed = false;
      walker.at(POINT.UNLAZY_HALF, (d) => {
        changeDentry(vfs, peer, kind, d);
        changed = true;
      });
      const slot = walker.threadSlot;
      walker.at(POINT.DROPPED, (ok, d) => {
        failed = [ok, d, memory.count(at) - before, memory.epoch(slot)];
      });
      const run = tree.counted(() => call(walker.fs));
      assert.ok(changed);
      assert.deepEqual(failed, [0, 0, 0, 0], "no references, no path in the walk's state, no section");
      assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
      vfs.fs.rmSync("/m/dir", { recursive: true });
      for (const mount of ["/m/drv", "/m/asked", "/m"]) vfs.umount(mount);
      vfs.fs.rmdirSync("/m");
      assert.deepEqual(vfs.fs.readdirSync("/"), []);
    });
  }

  for (const [kind, call] of CASES) {
    // Taken out: the check of the mount sequence in legitimizeMnt(). The walk goes on as if there were no new mount.
    test(`row 70: an attempt to leave rcu mode fails when the mounts changed (${kind})`, async (t) => {
      const { tree, vfs, peer, walker } = await allKinds(t);
      walker.at(kind === "last" ? POINT.COMPLETE : POINT.DROP, () => {
        peer.fs.mkdirSync("/elsewhere");
        peer.mount("none", "/elsewhere", "tmpfs");
      });
      const run = tree.counted(() => call(walker.fs));
      assert.deepEqual([run.dropFailed, run.echildRestarts], [1, 1]);
      for (const mount of ["/m/drv", "/m/asked", "/m", "/elsewhere"]) vfs.umount(mount);
    });
  }

  // In rcu mode a walk has no reference on the file of its start descriptor (the patch's nd->file), so that none can be left.
  // Taken out: fput(f) in pathInitFd(). The file stays open for ever.
  test("row 70: a walk releases its reference on the file that it started at", async (t) => {
    const { vfs } = await allKinds(t);
    const raw = rawCore(t, vfs.handle);
    const before = gauges(vfs);
    const fd = raw.openat(AT_FDCWD, "/m/dir", O_DIRECTORY);
    assert.equal(raw.stat(fd, "file"), 0);
    vfs.walkMode({ ref: true });
    assert.equal(raw.stat(fd, "file"), 0);
    raw.core.walkMode(1);
    assert.equal(raw.stat(fd, "file"), 0);
    assert.equal(raw.stat(fd, "none"), -ERRNO.ENOENT);
    raw.core.walkMode(0);
    vfs.walkMode({ ref: false });
    assert.equal(raw.core.sysClose(0, fd), 0);
    assert.equal(raw.stat(fd, "file"), -ERRNO.EBADF);
    assert.deepEqual(gauges(vfs), before);
  });
});

describe("walks in ref mode, from their start or after a drop (rows 69 and 71)", () => {
  // Taken out: "if (nd.rcu)" before dropRcu() in completeWalk(): the walk leaves a section that it did not enter.
  test("row 69: a walk in ref mode never leaves rcu mode", async (t) => {
    const { tree, walker, memory } = await allKinds(t);
    walker.walkMode({ ref: true });
    for (const [kind, call] of CASES) {
      let passed: number[] = [];
      const run = tree.counted(() => {
        passed = walker.points(() => call(walker.fs)).map(([id]) => id);
      });
      assert.ok(!passed.includes(POINT.DROP) && !passed.includes(POINT.DROPPED), kind);
      const drops = Object.entries(run).filter(([name, n]) => name.startsWith("drop") && n !== 0);
      assert.deepEqual([drops, run.echildRestarts, run.endedRcu], [[], 0, 0], kind);
      assert.equal(memory.epoch(walker.threadSlot), 0, kind);
    }
  });

  for (const [kind, call] of CASES) {
    if (kind === "last") continue;
    // Taken out: "nd.flags &= ~LOOKUP_RCU" in leaveRcu(). The next steps read without a reference again.
    test(`row 71: out of rcu mode the walk goes on in ref mode from where it is (${kind})`, async (t) => {
      const { walker } = await allKinds(t);
      const passed = walker.points(() => call(walker.fs));
      const drop = passed.findIndex(([id]) => id === POINT.DROPPED);
      assert.equal(passed[drop]?.[1], 1);
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
      // A component is passed once in either mode; the components of a link's body come on top.
      assert.ok(before >= 1 && all <= before + 3, `${before} of ${all}`);
    });
  }
});
