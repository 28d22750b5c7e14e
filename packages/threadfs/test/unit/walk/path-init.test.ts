/** Where a walk begins: root, working directory, descriptor, and what its state holds from the first step on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { attach, createMemory, shippingCore } from "../../../../verify/dist/binary/core.js";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { AT_FDCWD, CAPS_OF_MAKER, ERRNO, MODE_REF, OF_MAKER, POINT, STAT } from "../../../dist/abi/abi.js";
import { LOG_ACQUIRING, LOG_NR_LOCKS, LOG_NR_MUTEXES, SLOT_UNDO_LOG } from "../../../dist/generated/core-layout.js";
import { Context } from "../../../dist/src/api/context.js";
import { Attachment } from "../../../dist/src/bridge/attachment.js";
import type { FsSync, VfsHandle } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { codeOf, errorWithCode, refused } from "../../support/errors.js";
import {
  firstPass,
  of,
  type PointControls,
  PointHooks,
  type PointPass,
  type TestScope,
} from "../../support/hooked-vfs.js";
import { memoryOf } from "../../support/memory.js";
import { putPath } from "../../support/raw-core.js";

/** Modes of a walk, as POINT.WALK_START reports them. */
const RCU = 1;
const REVAL = 2;
/** A name that a dentry keeps outside of itself. */
const LONG = "a-name-that-is-longer-than-a-dentry-has-room-for";

interface ContextWalker extends Pick<PointControls, "at" | "points"> {
  readonly context: Context;
  /** Size of a file, or -errno: one walk in all. */
  size(path: string, dirfd?: number): number;
}

/**
 * A second attachment that acts as a given context, as another thread that shares it would: with its chdir and chroot, and
 * with stat relative to a descriptor.
 */
function contextWalker(t: TestScope, handle: VfsHandle): ContextWalker {
  const { at, points, point } = new PointHooks();
  const attachment = Attachment.attach(handle, { point });
  t.after(() => attachment.close());
  return {
    context: new Context(attachment, handle.ctx, false),
    at,
    points,
    size(path, dirfd = AT_FDCWD) {
      const result = attachment.core.sysStat(handle.ctx, dirfd, putPath(attachment, path), 0);
      return result < 0 ? result : defined(attachment.stat[STAT.size], "size");
    },
  };
}

/** How often the start of a walk was read. */
function startsOf(points: readonly PointPass[]): number {
  return of(points, POINT.START_READ).length;
}

/** /f of 1 byte, /a/f of 2, /b/f of 3. */
function threeFiles(fs: FsSync): void {
  fs.mkdirSync("/a");
  fs.mkdirSync("/b");
  fs.writeFileSync("/f", "1");
  fs.writeFileSync("/a/f", "22");
  fs.writeFileSync("/b/f", "333");
}

// Taken out: root and mount are used without a second check of the context's sequence.
test("row 39: a root that changes while it is read is read again, in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context();
  const walker = contextWalker(t, context.handle);
  const other = contextWalker(t, context.handle);
  walker.at(POINT.START_READ, () => other.context.chroot("/a"));
  let points: PointPass[] = [];
  const c = counted(() => {
    points = walker.points(() => assert.equal(walker.size("/f"), 2));
  });
  assert.equal(startsOf(points), 2);
  assert.deepEqual([c.echildRestarts], [0]);
  assert.equal(firstPass(points, POINT.WALK_START)[1], RCU);
});

// Taken out: the walk begins with the root's sequence of a later moment than its root was read at.
test("row 39: a root directory that moves after it was read starts the walk again", async (t) => {
  const { vfs, counted, attach } = await treeFor(t);
  threeFiles(vfs.fs);
  const mover = await attach();
  const context = vfs.context({ root: "/a" });
  const walker = contextWalker(t, context.handle);
  walker.at(POINT.START_READ, () => mover.fs.renameSync("/a", "/z"));
  const c = counted(() => assert.equal(walker.size("/f"), 2));
  // The rename has walked twice.
  assert.deepEqual([c.walks, c.echildRestarts], [3, 1]);
});

// Taken out: the working directory is used without a second check of the context's sequence.
test("row 40: a working directory that changes while it is read is read again, in rcu mode", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context({ cwd: "/a" });
  const walker = contextWalker(t, context.handle);
  const other = contextWalker(t, context.handle);
  walker.at(POINT.START_READ, () => other.context.chdir("/b"));
  const points = walker.points(() => assert.equal(walker.size("f"), 3));
  assert.equal(startsOf(points), 2);
  assert.deepEqual(
    points.filter(([id]) => id === POINT.RESTART),
    [],
  );
});

// Taken out: the working directory's sequence is not checked once its inode was read.
test("row 40: a working directory that is removed while it is read is never walked", async (t) => {
  const { vfs, attach } = await treeFor(t);
  threeFiles(vfs.fs);
  const remover = await attach();
  vfs.fs.mkdirSync("/gone");
  const context = vfs.context({ cwd: "/gone" });
  const walker = contextWalker(t, context.handle);
  walker.at(POINT.START_READ, () => remover.fs.rmdirSync("/gone"));
  const points = walker.points(() => assert.equal(walker.size("f"), -ERRNO.ENOENT));
  assert.equal(points.filter(([id, errno]) => id === POINT.RESTART && errno === ERRNO.ECHILD).length, 1);
  // The context's own reference keeps the directory itself.
  assert.equal(context.fs.statSync(".").nlink, 0);
  assert.equal(
    codeOf(() => context.fs.mkdirSync("x")),
    "ENOENT",
  );
});

// Taken out, one at a time: the start at the descriptor; the check that it is a directory; the check of search permission.
test("row 41: a walk from a descriptor starts in its directory, or fails with EBADF, ENOTDIR or EACCES", async (t) => {
  const { vfs, counted } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context({ uid: 5, gid: 5 });
  const walker = contextWalker(t, context.handle);
  const dir = context.fs.openSync("/b", "r");
  const file = context.fs.openSync("/b/f", "r");
  const c = counted(() => {
    assert.equal(walker.size("f", dir), 3);
    assert.equal(walker.size("/f", 999), 1);
    assert.equal(walker.size("f", 999), -ERRNO.EBADF);
    assert.equal(walker.size("f", -1), -ERRNO.EBADF);
    assert.equal(walker.size("f", file), -ERRNO.ENOTDIR);
  });
  assert.deepEqual([c.walks, c.endedRcu], [5, 5]);
  vfs.fs.chmodSync("/b", 0o700);
  assert.equal(walker.size("f", dir), -ERRNO.EACCES);
  vfs.fs.chmodSync("/b", 0o755);
  vfs.fs.renameSync("/b", "/c");
  assert.equal(walker.size("f", dir), 3);
});

// Taken out: the descriptor is not read again after its directory.
test("row 41: a walk from a descriptor that is closed while it is read starts again and fails with EBADF", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context();
  const walker = contextWalker(t, context.handle);
  const other = contextWalker(t, context.handle);
  const dir = context.fs.openSync("/b", "r");
  walker.at(POINT.START_READ, () => other.context.fs.closeSync(dir));
  const points = walker.points(() => assert.equal(walker.size("f", dir), -ERRNO.EBADF));
  assert.equal(points.filter(([id]) => id === POINT.RESTART).length, 1);
});

// Taken out: the number of times that the file was opened is not compared: the walk finds /a/f, which the descriptor never meant.
test("row 41: a walk from a descriptor whose file is reused for another directory, and then again for its own, starts again", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context();
  const walker = contextWalker(t, context.handle);
  // One thread, which keeps the file that it closes, in two contexts.
  const other = Attachment.attach(context.handle, {});
  t.after(() => other.close());
  const [same, elsewhere] = [context.handle, vfs.handle].map(({ ctx }) => new Context(other, ctx, false).fs);
  const dir = context.fs.openSync("/b", "r");
  const files: number[] = [];
  walker.at(POINT.START_FILE, (file) => {
    same?.closeSync(dir);
    const used = elsewhere?.openSync("/a", "r") ?? -1;
    files.push(file);
    walker.at(POINT.START_FILE, () => {
      elsewhere?.closeSync(used);
      assert.equal(same?.openSync("/b", "r"), dir);
      walker.at(POINT.START_FILE, (again) => files.push(again));
    });
  });
  assert.equal(walker.size("f", dir), 3);
  context.fs.closeSync(dir);
  assert.deepEqual(files, [files[0]], "the walk starts again in ref mode");
});

// Taken out: a reference is taken on the descriptor's directory in rcu mode.
test("row 41: in rcu mode the directory of a descriptor is read, not referenced", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context();
  const walker = contextWalker(t, context.handle);
  const dir = context.fs.openSync("/b", "r");
  const memory = memoryOf(vfs);
  const counts: number[] = [];
  walker.at(POINT.START_READ, (d) => counts.push(memory.count(d)));
  walker.at(POINT.COMPONENT, (d) => counts.push(memory.count(d)));
  assert.equal(walker.size("f", dir), 3);
  assert.equal(counts.length, 2);
  assert.equal(counts[1], counts[0]);
});

// Taken out: the walk's type of the last component is left from the walk before.
test("row 42: a walk without a component ends at the root, whatever was walked before", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  for (const path of ["/", "//", "///"]) {
    for (const [call, code] of [
      [() => vfs.fs.rmdirSync(path), "EBUSY"],
      [() => vfs.fs.mkdirSync(path), "EEXIST"],
      [() => vfs.fs.unlinkSync(path), "EISDIR"],
      [() => vfs.fs.renameSync(path, "/x"), "EBUSY"],
      [() => vfs.fs.openSync(path, "w"), "EISDIR"],
    ] as const) {
      refused("ENOTDIR", () => vfs.fs.rmdirSync("/b/f"));
      assert.equal(codeOf(call), code, `${call} ${path}`);
    }
  }
  assert.equal(vfs.fs.readFileSync("/b/f", "utf8"), "333");
});

// Taken out: the root of the walk before is kept.
test("row 42: each walk begins without the root and the position of the walk before", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context();
  assert.equal(context.fs.statSync("/f").size, 1);
  context.chroot("/a");
  assert.equal(context.fs.statSync("/f").size, 2);
  context.chdir("/");
  assert.equal(context.fs.statSync("../../f").size, 2);
  vfs.fs.mkdirSync("/a/d");
  const inside = vfs.context({ root: "/a", cwd: "/d" });
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    assert.equal(context.fs.statSync("/f").size, 2);
    assert.equal(context.fs.statSync("../../f").size, 2);
    // The walk before was another context's, from another root.
    assert.equal(vfs.fs.statSync("/f").size, 1);
    assert.equal(inside.fs.statSync("../../f").size, 2);
  }
});

// Taken out: the second attempt is in rcu mode again; and separately: the third is without LOOKUP_REVAL.
test("row 42: the three attempts begin in rcu mode, in ref mode, and in ref mode with revalidation", async (t) => {
  const { vfs, attach } = await treeFor(t);
  const mover = await attach();
  vfs.registerDriver({
    name: "stale",
    root: () => ({ ino: 1, mode: 0o040755 }),
    lookup: () => ({ ino: 2, mode: 0o100644 }),
    revalidate() {
      throw errorWithCode("ESTALE");
    },
  });
  vfs.fs.mkdirSync("/m/here", { recursive: true });
  vfs.mount(null, "/m/here", "stale");
  vfs.fs.statSync("/m/here/f");
  vfs.at(POINT.WALK_START, () => {
    vfs.at(POINT.COMPONENT, () => {
      vfs.at(POINT.COMPONENT, () => {
        mover.fs.renameSync("/m", "/n");
        mover.fs.symlinkSync("n", "/m");
      });
    });
  });
  const points = vfs.points(() =>
    assert.equal(
      codeOf(() => vfs.fs.accessSync("/m/here/f", 0)),
      "ESTALE",
    ),
  );
  const modes = points.filter(([id]) => id === POINT.WALK_START).map(([, how]) => how);
  assert.deepEqual(modes, [RCU, 0, REVAL]);
});

// Taken out: the root is read at every start; and separately: at every "..".
test("row 43: a walk reads the root only where it needs it, and once", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context({ cwd: "/a" });
  const walker = contextWalker(t, context.handle);
  const reads = (path: string) => startsOf(walker.points(() => assert.ok(walker.size(path) > 0, path)));
  assert.deepEqual(["f", "/f", "../f", "../b/../a/../f", "/../b/../f"].map(reads), [1, 1, 2, 2, 1]);
});

// Taken out: the root is referenced in rcu mode.
test("row 43: in rcu mode the root is not referenced, in ref mode it is", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const context = vfs.context({ root: "/a" });
  const memory = memoryOf(vfs);
  const [, root] = firstPass(
    vfs.points(() => context.fs.statSync("/f")),
    POINT.START_READ,
  );
  /** The root's references before, during and after a walk. */
  const counted = () => {
    let during = 0;
    vfs.at(POINT.COMPONENT, () => {
      during = memory.count(root);
    });
    const before = memory.count(root);
    context.fs.statSync("/f");
    return { before, during, after: memory.count(root) };
  };
  const inRcu = counted();
  assert.deepEqual(inRcu, { before: inRcu.before, during: inRcu.before, after: inRcu.before });
  vfs.walkMode({ ref: true });
  const inRef = counted();
  assert.ok(inRef.during > inRef.before, JSON.stringify(inRef));
  assert.equal(inRef.after, inRef.before);
});

/** Paths over mounts, dots and links. */
const EVERYWHERE = [
  "/p/q/../r",
  "/p/mnt/x/..",
  "/p/mnt/x/../..",
  "/p/mnt/../q/./f",
  "/p/link/x/y",
  "/p/q/up/r",
  "/p/mnt/x/y",
  `/p/${LONG}/f`,
];

/** Checks the inode at each step of a walk against its dentry's. Returns how many steps were checked. */
function checkInodes(points: readonly PointPass[], inodeOf: (dentry: number) => number, message: string): number {
  let checked = 0;
  let before: PointPass = [0, 0, 0];
  for (const pass of points) {
    const [id, a, b] = pass;
    // The fast form does not know the inode of the directory it starts in.
    if (id === POINT.COMPONENT && before[0] === POINT.PERMISSION && before[1] !== 0) {
      assert.equal(before[1], inodeOf(a), message);
      checked++;
    }
    if (id === POINT.ATTR_COPIED) {
      assert.equal(a, inodeOf(b), message);
      checked++;
    }
    before = pass;
  }
  return checked;
}

// Taken out: the step does not set the walk's inode; and separately: nor does the fast form for plain directories.
test("row 44: at each step the walk's inode is that of its dentry, in both modes", async (t) => {
  for (const security of [undefined, () => 0]) {
    const { vfs } = await treeFor(t, security === undefined ? {} : { security });
    const { fs } = vfs;
    for (const dir of ["/p/q", "/p/r", "/p/mnt", `/p/${LONG}`]) fs.mkdirSync(dir, { recursive: true });
    vfs.mount(null, "/p/mnt", "tmpfs");
    fs.mkdirSync("/p/mnt/x");
    fs.writeFileSync("/p/mnt/x/y", "");
    fs.writeFileSync("/p/q/f", "");
    fs.writeFileSync(`/p/${LONG}/f`, "");
    fs.symlinkSync("/p/mnt", "/p/link");
    fs.symlinkSync("..", "/p/q/up");
    for (const ref of [false, true]) {
      vfs.walkMode({ ref });
      for (const path of EVERYWHERE) {
        const points = vfs.points(() => fs.statSync(path));
        assert.ok(checkInodes(points, memoryOf(vfs).inode, `${path}, ref ${ref}`) > 0);
      }
    }
  }
});

// Taken out: the copy of the inode is used although the dentry's sequence has moved since it was read.
test("row 44: a walk goes on only with an inode that the dentry's sequence validates", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync(`/d/${LONG}`, { recursive: true });
  vfs.at(POINT.FOUND, () => {
    // The name now stands for another directory, in which there is a file that was never in the first one.
    vfs.at(POINT.FOUND, () => {
      other.fs.rmdirSync(`/d/${LONG}`);
      other.fs.mkdirSync(`/d/${LONG}`);
      other.fs.writeFileSync(`/d/${LONG}/f`, "12345");
    });
  });
  const c = counted(() => assert.equal(vfs.fs.statSync(`/d/${LONG}/f`).size, 5));
  assert.equal(c.echildRestarts, 1);
});

// Fails when a walk goes on without the root that its context had when the walk found the context.
test("a context that is closed at any moment of a walk in ref mode ends it with EBADF, or after it", () => {
  const core = shippingCore({ accesses: true });
  const memory = createMemory();
  let [access, moment, context, closed] = [0, 0, 0, 0];
  const walker = attach(
    memory,
    core,
    { access: () => (access++ === moment ? close() : undefined) },
    { init: { seed: 1 } },
  );
  const closer = attach(memory, core);
  /** Not while the walker holds a lock, for which the end of the context would wait. */
  const close = (): undefined => {
    const log = (walker.slotAddress + SLOT_UNDO_LOG) >>> 2;
    const holds = [LOG_ACQUIRING, LOG_NR_LOCKS, LOG_NR_MUTEXES].some((at) => walker.words[log + at / 4] !== 0);
    if (holds) moment++;
    else if (closer.exports.contextClose(0, context) === 0) closed++;
  };
  closer.check("sysMkdir", 0, AT_FDCWD, closer.path("/d"), 0o755);
  walker.exports.walkMode(MODE_REF);
  const results = new Set<number>();
  for (moment = 0; access >= moment; moment++) {
    context = closer.exports.contextCreate(0, 0, 0, OF_MAKER, OF_MAKER, CAPS_OF_MAKER, 0, 0);
    access = 0;
    results.add(walker.exports.sysStat(context, AT_FDCWD, walker.path("/d"), 0));
    closer.exports.contextClose(0, context);
    const { problems } = check(memory, { live: [walker.slot, closer.slot] });
    assert.deepEqual(problems, [], `closed before access ${moment}`);
  }
  assert.deepEqual([...results].sort(), [-ERRNO.EBADF, 0]);
  assert.ok(closed > 20, `${closed} times`);
});
