/** Names of mount points of other namespaces (row 122): removed, replaced, moved; beside lookups, mounts and deaths. The kernel's results: conformance/linux/mountpoints. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { POINT } from "../../../../dist/abi/abi.js";
import { attachVfs, type Context, createVfs, type Vfs } from "../../../../dist/src/index.js";
import { type DebugTree, treeFor } from "../../../support/debug-tree.js";
import { mountDriver } from "../../../support/drivers/memory-driver.js";
import { objectDriver } from "../../../support/drivers/object-driver.js";
import { codeOf, refused } from "../../../support/errors.js";
import { type HookedVfs, type TestScope, walkerOf } from "../../../support/hooked-vfs.js";
import { dies, places } from "./mounts.js";

const sound = (vfs: Vfs) => assert.deepEqual(check(vfs.handle.memory).problems, []);

/** In a tree: a file system "/p" with empty directories "in" and "other" and files "f" and "g"; a directory "/u". */
function setUp(vfs: Vfs): void {
  for (const path of ["/p", "/u"]) vfs.fs.mkdirSync(path);
  vfs.mount("first", "/p", "tmpfs");
  for (const path of ["/p/in", "/p/other"]) vfs.fs.mkdirSync(path);
  for (const path of ["/p/f", "/p/g"]) vfs.fs.writeFileSync(path, path);
}

/** How a name goes, or moves: by a context in whose namespace nothing is mounted there. */
const REMOVALS: Record<string, (vfs: Vfs) => void> = {
  rmdir: ({ fs }) => fs.rmdirSync("/p/in"),
  "rename over it": ({ fs }) => fs.renameSync("/p/other", "/p/in"),
};

interface Prepared {
  readonly vfs: Vfs;
  /** A context with a namespace of its own. */
  readonly own: Context;
  /** The mounts before those of a test. */
  readonly mounts: number;
}

function prepare(vfs: Vfs): Prepared {
  setUp(vfs);
  const own = vfs.context({ mounts: "own" });
  return { vfs, own, mounts: vfs.counters().mounts };
}

async function prepared(t: TestScope): Promise<Prepared> {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  return prepare(vfs);
}

/** A mount in the namespace of `own` on "/p/in", with a directory and a mount on that, and a file. */
function mountIn(own: Context): void {
  own.mount("new", "/p/in", "tmpfs");
  own.fs.mkdirSync("/p/in/d");
  own.fs.writeFileSync("/p/in/x", "kept");
  own.mount("inner", "/p/in/d", "tmpfs");
}

describe("names of mount points (row 122)", () => {
  // Fails when isLocalMountpoint() takes the mounts of every namespace for one's own, or none; or looks at one mount of the file system.
  test("row 122: a mount of one's own namespace keeps its name, through whichever mount; another namespace's does not", async (t) => {
    const { vfs, own, mounts } = await prepared(t);
    vfs.mount("/p", "/u", "bind");
    own.mount("new", "/p/in", "tmpfs");
    own.mount("/p/g", "/p/f", "bind");
    for (const call of [
      () => own.fs.rmdirSync("/p/in"),
      () => own.fs.renameSync("/p/in", "/p/x"),
      () => own.fs.renameSync("/p/other", "/p/in"),
      () => own.linux.renameat2Sync("/p/in", "/p/other", { exchange: true }),
      () => own.fs.unlinkSync("/p/f"),
    ])
      refused("EBUSY", call);
    vfs.mount("through the bind", "/u/other", "tmpfs");
    refused("EBUSY", () => vfs.fs.rmdirSync("/p/other"));
    own.fs.rmdirSync("/p/other");
    assert.deepEqual([places(vfs, "through the bind"), vfs.fs.readdirSync("/u").sort()], [[], ["f", "g", "in"]]);
    vfs.fs.rmdirSync("/p/in");
    vfs.fs.unlinkSync("/p/f");
    assert.deepEqual([own.fs.readdirSync("/p"), places(own, "new")], [["g"], []]);
    assert.equal(vfs.counters().mounts, mounts + 1);
    sound(vfs);
  });

  // Fails when a move detaches, or the mount stays under the former name.
  test("row 122: a mount moves with the name it is on, and the prefix cache follows", async (t) => {
    const { vfs, own } = await prepared(t);
    mountIn(own);
    own.fs.mkdirSync("/p/in/d/a-name-that-makes-the-path-long/below", { recursive: true });
    const below = (path: string) => `${path}/d/a-name-that-makes-the-path-long/below`;
    const seen = (path: string) => codeOf(() => own.fs.statSync(below(path))) ?? "there";
    for (let n = 0; n < 3; n++) assert.equal(seen("/p/in"), "there");
    vfs.fs.renameSync("/p/in", "/p/moved");
    for (let n = 0; n < 3; n++) assert.deepEqual([seen("/p/in"), seen("/p/moved")], ["ENOENT", "there"]);
    vfs.linux.renameat2Sync("/p/moved", "/p/other", { exchange: true });
    for (let n = 0; n < 3; n++) assert.deepEqual([seen("/p/moved"), seen("/p/other")], ["ENOENT", "there"]);
    assert.deepEqual([places(own, "inner"), vfs.fs.readdirSync("/p/other")], [["/p/other/d"], []]);
    vfs.fs.rmdirSync("/p/other");
    for (let n = 0; n < 3; n++) assert.equal(seen("/p/other"), "ENOENT");
    sound(vfs);
  });
});

describe("mounts whose name goes (row 122)", () => {
  for (const [how, remove] of Object.entries(REMOVALS)) {
    // Fails when detachMounts() is not called, leaves the mounts on the mount, or puts a reference too much.
    test(`row 122: ${how} detaches the mounts of all other namespaces, which end with their last users`, async (t) => {
      const { vfs, own, mounts } = await prepared(t);
      mountIn(own);
      own.mount("upper", "/p/in", "tmpfs");
      const third = vfs.context({ mounts: "own" });
      third.mount("third's", "/p/in", "tmpfs");
      const inOwn = await attachVfs(own.handle);
      own.umount("/p/in");
      const there = inOwn.context({ cwd: "/p/in" });
      const fd = own.fs.openSync("/p/in/x", "r+");
      remove(vfs);
      for (const [of, source] of [
        [own, "new"],
        [own, "inner"],
        [third, "third's"],
      ] as const)
        assert.deepEqual(places(of, source), []);
      // What is open stays, and the working directory: no way leads up from it.
      assert.deepEqual(
        [there.fs.readFileSync("x", "utf8"), there.fs.readdirSync(".."), own.fs.readFileSync(fd, "utf8")],
        ["kept", ["d", "x"], "kept"],
      );
      refused("ENOENT", () => there.getcwd());
      own.fs.closeSync(fd);
      there.close();
      inOwn.close();
      third.close();
      assert.equal(vfs.counters().mounts, mounts);
      sound(vfs);
      vfs.fs.rmSync("/p/in", { recursive: true, force: true });
      own.fs.mkdirSync("/p/in");
      own.mount("again", "/p/in", "tmpfs");
      assert.deepEqual(places(own, "again"), ["/p/in"]);
    });
  }

  // Fails when a driver is asked although the mount is one's own, or unlinkDriver() looks for mounts only below directories.
  test("row 122: names of a driver's directories and files go with the mounts of other namespaces", async (t) => {
    const { vfs, own, mounts } = await prepared(t);
    mountDriver(vfs, objectDriver("objects", { d: {}, f: "text" }), "/u");
    own.close();
    const other = vfs.context({ mounts: "own" });
    const both = vfs.counters().mounts;
    other.mount("new", "/u/d", "tmpfs");
    other.mount("/p/g", "/u/f", "bind");
    refused("EBUSY", () => other.fs.rmdirSync("/u/d"));
    refused("EBUSY", () => other.fs.unlinkSync("/u/f"));
    vfs.fs.rmdirSync("/u/d");
    vfs.fs.unlinkSync("/u/f");
    assert.deepEqual([other.fs.readdirSync("/u"), places(other, "new")], [[], []]);
    assert.equal(vfs.counters().mounts, both);
    sound(vfs);
    other.close();
    assert.equal(vfs.counters().mounts, mounts / 2 + 1);
    sound(vfs);
  });
});

async function hooked(t: TestScope): Promise<Prepared & { tree: DebugTree; walker: HookedVfs }> {
  const tree = await treeFor(t);
  const all = prepare(tree.vfs);
  return { ...all, tree, walker: await walkerOf(t, all.own.handle) };
}

describe("beside lookups (row 122)", () => {
  // Taken out: the checks of the mount sequence and of the dentry's in followMountRcu().
  test("row 122: a lookup in rcu mode that is about to cross the mount finds no name any more", async (t) => {
    for (const [how, remove] of Object.entries(REMOVALS))
      for (const [point, nth] of [
        [POINT.MOUNT_CHECK, 2],
        [POINT.MOUNT_DOWN, 2],
        [POINT.COMPLETE, 1],
      ] as const) {
        const { vfs, own, walker } = await hooked(t);
        mountIn(own);
        walker.at(point, () => remove(vfs), nth);
        assert.equal(
          codeOf(() => walker.fs.statSync("/p/in/x")),
          "ENOENT",
          `${how} at ${point}`,
        );
        assert.equal(walker.waits(point), false);
        sound(vfs);
      }
  });

  // Fails when the walk keeps a reference, or the detached mount loses one: then it ends under the walk, or never.
  test("row 122: a lookup with references ends in the mount or in the removed directory", async (t) => {
    for (const [how, remove] of Object.entries(REMOVALS))
      for (const [point, nth, size] of [
        [POINT.FOUND, 2, undefined],
        [POINT.MOUNT_DOWN, 2, 4],
      ] as const) {
        const { vfs, own, walker, mounts } = await hooked(t);
        mountIn(own);
        walker.walkMode({ ref: true });
        walker.at(point, () => remove(vfs), nth);
        assert.equal(walker.fs.statSync("/p/in/x", { throwIfNoEntry: false })?.size, size, `${how} at ${point}`);
        assert.equal(walker.waits(point), false);
        assert.equal(vfs.counters().mounts, mounts);
        sound(vfs);
      }
  });
});

describe("beside mounts (row 122)", () => {
  // Taken out: the second look of detachMounts(), where lockMountpoints() has found none. The mount stays on a removed directory then.
  test("row 122: a mount that goes below another onto the directory, between the question and the removal, is detached", async (t) => {
    const { vfs, own, tree, walker } = await hooked(t);
    own.mount("shared", "/u", "tmpfs");
    own.fs.mkdirSync("/u/one");
    own.fs.mkdirSync("/u/d");
    own.mount(null, "/u", "none", { propagation: "shared" });
    // A slave of it, in which a mount stands on "d" already.
    own.fs.mkdirSync("/slave");
    own.mount("/u", "/slave", "bind");
    own.mount(null, "/slave", "none", { propagation: "slave" });
    own.mount("above", "/slave/d", "tmpfs");
    const { mounts } = vfs.counters();
    const remover = await tree.attach();
    let between = false;
    remover.each(POINT.MOUNT_CHECK, (_dentry, where) => {
      if (where !== 3) return;
      between = true;
      remover.never();
      walker.mount("/p/in", "/u/d", "bind");
    });
    remover.fs.rmdirSync("/p/in");
    assert.equal(between, true);
    // The bind and its copy stand, and have a removed directory as their root; what stood in the copy's place was on that.
    assert.equal(vfs.counters().mounts, mounts + 2 - 1);
    assert.deepEqual(places(own, "above"), []);
    own.umount("/u/d");
    sound(vfs);
  });

  // Fails when mount(2) does not take the directory's i_mutex: then the name goes while the mount has found it, and before it stands there.
  test("row 122: a removal waits for a mount on the directory, and takes it along", async (t) => {
    const { vfs, tree, mounts } = await hooked(t);
    // In ref mode no walk passes this point.
    const parked = await tree.parked((worker) => {
      worker.walkMode({ ref: true });
      const its = worker.context({ mounts: "own" });
      its.mount("late", "/p/in", "tmpfs");
      its.close();
      return true;
    }, POINT.MOUNT_CHECK);
    const removed = vfs.fs.promises.rmdir("/p/in");
    const { value, code } = await parked.release();
    assert.deepEqual([value, code], [true, undefined]);
    await removed;
    assert.equal(vfs.fs.existsSync("/p/in"), false);
    // A promise leaves its call while it waits: the next call that needs references counts them anew.
    vfs.fs.writeFileSync("/u/x", "");
    assert.equal(vfs.counters().mounts, mounts);
    sound(vfs);
  });
});

describe("contexts that close (row 122)", () => {
  // Taken out: the look at the context in lockMountpoints(). It has the tree's namespace then, in which no mount stands there.
  test("row 122: a call of a context that has been closed meanwhile removes no name that its namespace uses", async (t) => {
    const { vfs, own, walker } = await hooked(t);
    const inOwn = await attachVfs(own.handle);
    const shares = inOwn.context();
    own.mount("new", "/p/in", "tmpfs");
    walker.at(POINT.DROPPED, () => own.close());
    refused("EBADF", () => walker.fs.rmdirSync("/p/in"));
    assert.equal(walker.waits(POINT.DROPPED), false);
    assert.deepEqual(places(shares, "new"), ["/p/in"]);
    shares.close();
    sound(vfs);
  });
});

describe("deaths (row 122)", () => {
  // Fails when pendingMount() looks at names that a driver removes alone.
  test("row 122: a thread that dies behind the removal leaves the mounts to the recount", async (t) => {
    for (const [how, remove] of Object.entries(REMOVALS))
      for (const [point, nth] of [
        [POINT.REMOVED_MOUNTPOINT, 1],
        [POINT.MOUNT_DETACH, 1],
        [POINT.MOUNT_DETACH, 2],
      ] as const) {
        const { vfs, own, tree, mounts } = await hooked(t);
        mountIn(own);
        const fd = own.fs.openSync("/p/in/x");
        assert.equal(await dies(tree, point, nth, remove), true, how);
        assert.deepEqual(own.fs.readdirSync("/p").includes("in"), how !== "rmdir");
        assert.deepEqual([places(own, "new"), places(own, "inner")], [[], []], `${how} at ${point}, ${nth}`);
        assert.equal(own.fs.readFileSync(fd, "utf8"), "kept");
        own.fs.closeSync(fd);
        assert.equal(vfs.counters().mounts, mounts);
        sound(vfs);
      }
  });
});
