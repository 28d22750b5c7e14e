/** Namespaces of mounts (row 122): a context's own copy, what it shares with its maker's, its end, the limit of mounts. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { check } from "../../../../../verify/dist/fsck/check-arena.js";
import { POINT } from "../../../../dist/abi/abi.js";
import { MOUNTS_MAX, PROPAGATION_MAX } from "../../../../dist/abi/limits.js";
import { attachVfs, type Context, type ContextOptions, createVfs, type Vfs } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import { refused } from "../../../support/errors.js";
import { type TestScope, walkerOf } from "../../../support/hooked-vfs.js";
import { dies, places } from "./mounts.js";

/** The memory is what the tree says: nothing leaks. */
const sound = (vfs: Vfs) => assert.deepEqual(check(vfs.handle.memory).problems, []);

/** In a tree: "/m" is a shared mount with directories "d" and "e", "/p" a private one with a directory "in", "/u" a directory. */
function setUp(vfs: Vfs): Vfs {
  for (const path of ["/m", "/p", "/u"]) vfs.fs.mkdirSync(path);
  vfs.mount("first", "/m", "tmpfs");
  for (const path of ["/m/d", "/m/e"]) vfs.fs.mkdirSync(path);
  vfs.mount(null, "/m", "none", { propagation: "shared" });
  vfs.mount("second", "/p", "tmpfs");
  vfs.fs.mkdirSync("/p/in");
  return vfs;
}

async function prepared(t: TestScope): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  return setUp(vfs);
}

describe("a context's own namespace (row 122)", () => {
  // Fails when takePlaces() copies no namespace, or leaves root or working directory in the maker's.
  test("row 122: what is mounted and unmounted in one namespace is not seen in the other", async (t) => {
    const vfs = await prepared(t);
    vfs.fs.writeFileSync("/p/f", "below");
    const own = vfs.context({ root: "/p", cwd: "/in", mounts: "own" });
    const outer = vfs.context({ mounts: "own", cwd: "/p" });
    const plain = vfs.context();
    outer.mount("its", "/p", "tmpfs");
    own.mount("inner", "/in", "tmpfs");
    vfs.mount("tree's", "/u", "tmpfs");
    assert.deepEqual(outer.fs.readdirSync("/p"), []);
    assert.deepEqual(
      [vfs, own, plain].map((of) => places(of, "its")),
      [[], [], []],
    );
    assert.deepEqual([places(own, "inner"), places(vfs, "inner"), places(outer, "inner")], [["/in"], [], []]);
    assert.deepEqual([places(plain, "tree's"), places(outer, "tree's")], [["/u"], []]);
    assert.deepEqual(vfs.fs.readdirSync("/p").sort(), ["f", "in"]);
    // Root and working directory are in the copies: a way up from them leads through the namespace.
    own.fs.writeFileSync("x", "in the copy of /p");
    assert.deepEqual(vfs.fs.readdirSync("/p/in"), ["x"]);
    assert.equal(outer.fs.readFileSync("f", "utf8"), "below");
    assert.deepEqual(outer.fs.readdirSync("..").sort(), ["m", "p", "u"]);
    assert.deepEqual(outer.fs.readdirSync("../p"), []);
    outer.umount("/m");
    assert.deepEqual([places(vfs, "first"), places(outer, "first")], [["/m"], []]);
    // The working directory is in use in the copy alone.
    refused("EBUSY", () => {
      outer.umount("/p");
      outer.umount("/p");
    });
    vfs.umount("/p");
    assert.equal(outer.fs.readFileSync("f", "utf8"), "below");
    for (const context of [own, outer, plain]) context.close();
    assert.equal(vfs.counters().mounts, 3);
    sound(vfs);
  });

  // Fails when copyList() makes no peers, or what is unbindable is left out.
  test("row 122: shared mounts propagate between namespaces, slaves receive, the copy of what is unbindable is private", async (t) => {
    const vfs = await prepared(t);
    vfs.mount("/m", "/u", "bind");
    vfs.mount(null, "/u", "none", { propagation: "slave" });
    vfs.mount(null, "/p", "none", { propagation: "unbindable" });
    const own = vfs.context({ mounts: "own" });
    vfs.mount("new", "/m/d", "tmpfs");
    assert.deepEqual(places(own, "new"), ["/m/d", "/u/d"]);
    own.mount("back", "/m/e", "tmpfs");
    assert.deepEqual(places(vfs, "back"), ["/m/e", "/u/e"]);
    own.mount("slave's", "/u/d", "tmpfs");
    assert.deepEqual(places(vfs, "slave's"), []);
    const kinds = (of: Vfs | Context) => of.mounts().map(({ propagation: [kind = ""] }) => kind.split(":")[0]);
    assert.equal(kinds(vfs).includes("unbindable"), true);
    assert.equal(kinds(own).includes("unbindable"), false);
    own.umount("/u/d");
    vfs.umount("/m/d");
    assert.deepEqual(places(own, "new"), []);
    // A slave's namespace receives, and gives nothing.
    own.mount(null, "/m", "none", { propagation: "slave" });
    own.umount("/m/e");
    assert.deepEqual(places(vfs, "back"), ["/m/e", "/u/e"]);
    // Its end propagates nowhere.
    own.close();
    assert.deepEqual(places(vfs, "back"), ["/m/e", "/u/e"]);
    assert.equal(vfs.counters().mounts, 6);
    sound(vfs);
  });
});

describe("the contexts of a namespace (row 122)", () => {
  // Fails when a context that another one makes has the tree's namespace, or putMntNs() ends one that is in use.
  test("row 122: contexts of a context share its namespace, which ends with the last of them", async (t) => {
    const vfs = await prepared(t);
    const { mounts } = vfs.counters();
    const own = vfs.context({ mounts: "own" });
    const inOwn = await attachVfs(own.handle);
    const child = inOwn.context({ cwd: "/p" });
    const copy = inOwn.context({ mounts: "own" });
    child.mount("its", "/u", "tmpfs");
    assert.deepEqual([places(own, "its"), places(vfs, "its"), places(copy, "its")], [["/u"], [], []]);
    const fd = child.fs.openSync("/u/f", "w+");
    assert.equal(vfs.counters().mounts, 3 * mounts + 1);
    own.close();
    assert.deepEqual(places(child, "its"), ["/u"]);
    // An open file keeps its mount after the end of the namespace, as after a lazy umount; here it ends with the context.
    child.fs.writeSync(fd, "still there");
    child.close();
    assert.equal(vfs.counters().mounts, 2 * mounts);
    copy.close();
    inOwn.close();
    assert.equal(vfs.counters().mounts, mounts);
    sound(vfs);
  });

  // Fails when checkMnt() is not asked, or takes the root of another namespace for one of its own.
  test("row 122: the root of a namespace is not unmounted or moved, and pivot_root works below it", async (t) => {
    const vfs = await prepared(t);
    const own = vfs.context({ mounts: "own" });
    refused("EBUSY", () => own.umount("/"));
    refused("EINVAL", () => own.umount("/", { detach: true }));
    refused("EINVAL", () => own.mount("/", "/u", "none", { move: true }));
    const inner = await attachVfs(own.handle);
    const pivoting = inner.context({ root: "/p" });
    inner.mount("new root", "/p/in", "tmpfs");
    inner.fs.mkdirSync("/p/in/old");
    pivoting.pivotRoot("/in", "/in/old");
    assert.deepEqual(
      pivoting.mounts().map(({ mountPoint }) => mountPoint),
      ["/old", "/"],
    );
    assert.deepEqual(places(vfs, "new root"), []);
    for (const context of [pivoting, own]) context.close();
    inner.close();
    assert.equal(vfs.counters().mounts, 3);
    sound(vfs);
  });

  // Fails when the privilege is not asked for, or another value means something.
  test("row 122: it needs CAP_SYS_ADMIN, and there is no other value", async (t) => {
    const vfs = await prepared(t);
    const user = await attachVfs(vfs.context({ uid: 1000 }).handle);
    refused("EPERM", () => user.context({ mounts: "own" }));
    user.close();
    for (const mounts of ["shared", "", null, true, 0])
      refused("ERR_INVALID_ARG_VALUE", () => vfs.context({ mounts } as unknown as ContextOptions));
    assert.equal(vfs.counters().mounts, 3);
  });
});

/** Mounts copies of "/u" in it until a namespace has at least `least`. */
function fill(vfs: Vfs, least: number): void {
  for (let n = 0; vfs.counters().mounts < least; n++) {
    vfs.fs.mkdirSync(`/u/${n}`);
    vfs.mount("/u", `/u/${n}`, "bind", { recursive: true });
  }
}

describe("limits (row 122)", () => {
  // Fails when addPending() is not asked, does not add up what goes to one namespace, or the failed call leaves copies.
  test("row 122: a namespace has at most MOUNTS_MAX mounts, wherever they come from", async (t) => {
    const vfs = await prepared(t);
    vfs.mount("many", "/u", "tmpfs");
    fill(vfs, MOUNTS_MAX / 2);
    const { mounts } = vfs.counters();
    vfs.fs.mkdirSync("/u/more");
    refused("ENOSPC", () => vfs.mount("/u", "/u/more", "bind", { recursive: true }));
    assert.equal(vfs.counters().mounts, mounts);
  });

  // Fails when each copy is counted by itself, or what has been copied before is left.
  test("row 122: a mount whose copies find no room in another namespace is nowhere", async (t) => {
    const vfs = await prepared(t);
    vfs.mount("many", "/u", "tmpfs");
    fill(vfs, MOUNTS_MAX / 16);
    const size = places(vfs, "many").length;
    const own = vfs.context({ mounts: "own" });
    own.umount("/u", { detach: true });
    // It has as many peers of "/m" as make its namespace full.
    for (let n = 1; n < MOUNTS_MAX / size; n++) {
      vfs.fs.mkdirSync(`/peer${n}`);
      own.mount("/m", `/peer${n}`, "bind");
    }
    const { mounts } = vfs.counters();
    refused("ENOSPC", () => vfs.mount("/u", "/m/d", "bind", { recursive: true }));
    assert.deepEqual([vfs.counters().mounts, places(own, "many").length], [mounts, 0]);
    own.umount("/peer1");
    vfs.mount("/u", "/m/d", "bind", { recursive: true });
    assert.equal(places(own, "many").length, (MOUNTS_MAX / size - 1) * size);
    own.close();
    assert.equal(places(vfs, "many").length, 2 * size);
    sound(vfs);
  });

  // Fails when countDetached() forgets what stands on the mount, which goes after it.
  test("row 122: a mount that goes from below what covers it counts no more, nor what stands on it", async (t) => {
    const vfs = await prepared(t);
    vfs.mount("/m", "/u", "bind");
    vfs.mount(null, "/u", "none", { propagation: "slave" });
    vfs.mount("new", "/m/d", "tmpfs");
    vfs.fs.mkdirSync("/m/d/in");
    vfs.mount("in", "/m/d/in", "tmpfs");
    vfs.mount("cover", "/u/d", "tmpfs");
    assert.equal(vfs.counters().mounts, 9);
    vfs.umount("/m/d", { detach: true });
    assert.deepEqual([places(vfs, "cover"), vfs.counters().mounts], [["/u/d"], 5]);
    sound(vfs);
  });

  // Fails when haveRoom() is not asked, or counts the mounts of one tree of groups by themselves.
  test("row 122: a context whose copies would be too many peers is not made", async (t) => {
    const vfs = await prepared(t);
    const contexts = Array.from({ length: PROPAGATION_MAX / 2 - 1 }, () => vfs.context({ mounts: "own" }));
    vfs.mount("/m", "/u", "bind");
    const { mounts } = vfs.counters();
    refused("ENOSPC", () =>
      Array.from({ length: PROPAGATION_MAX }, () => contexts.push(vfs.context({ mounts: "own" }))),
    );
    // Of the first ones each added a peer, of the others two.
    assert.equal(contexts.length, PROPAGATION_MAX / 2 - 1 + 31);
    for (const context of contexts.splice(0)) context.close();
    assert.equal(vfs.counters().mounts, 4);
    assert.equal(mounts > 4, true);
    sound(vfs);
  });
});

describe("deaths and other threads (row 122)", () => {
  // Fails when the recount takes the copies for a namespace, or leaves what was not detached of one.
  test("row 122: a thread that dies while it copies or ends a namespace leaves none", async (t) => {
    const tree = await treeFor(t);
    const vfs = setUp(tree.vfs);
    const { mounts } = vfs.counters();
    for (const nth of [1, 2]) {
      assert.equal(await dies(tree, POINT.MOUNT_ATTACH, nth, (one) => one.context({ mounts: "own" })), true);
      assert.equal(vfs.counters().mounts, mounts, `copying, at ${nth}`);
      sound(vfs);
      assert.equal(await dies(tree, POINT.MOUNT_DETACH, nth, (one) => one.context({ mounts: "own" }).close()), true);
      assert.equal(vfs.counters().mounts, mounts, `closing, at ${nth}`);
      sound(vfs);
    }
    assert.equal(vfs.contexts().length, 1);
  });

  // Fails when a mount is attached in a namespace that has ended.
  test("row 122: a mount that comes too late is EINVAL, and is nowhere", async (t) => {
    const tree = await treeFor(t);
    const vfs = setUp(tree.vfs);
    const own = vfs.context({ mounts: "own" });
    const late = await walkerOf(t, own.handle);
    late.walkMode({ ref: true });
    late.at(POINT.ANSWER, () => own.close());
    refused("EINVAL", () => late.mount("late", "/p/in", "tmpfs"));
    assert.equal(late.waits(POINT.ANSWER), false);
    assert.equal(vfs.counters().mounts, 3);
    sound(vfs);
  });
});
