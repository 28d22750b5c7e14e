/** Propagation of mounts (row 122): peer groups, slaves, what may not be bound; what is mounted, moved and unmounted elsewhere with a call, or not at all. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { POINT } from "../../../../dist/abi/abi.js";
import { PROPAGATION_MAX } from "../../../../dist/abi/limits.js";
import { attachVfs, createVfs, type MountPropagation, type Vfs } from "../../../../dist/src/index.js";
import { treeFor } from "../../../support/debug-tree.js";
import { refused } from "../../../support/errors.js";
import type { TestScope } from "../../../support/hooked-vfs.js";
import { memoryOf } from "../../../support/memory.js";
import { dies, places } from "./mounts.js";

const make = (vfs: Vfs, path: string, propagation: MountPropagation, recursive = false) =>
  vfs.mount(null, path, "none", { propagation, recursive });

/** How the mounts share, by their places, with groups by numbers from 1 on. */
function shares(vfs: Vfs): Record<string, string> {
  const numbers = new Map<string, number>();
  const renumbered = (field: string) =>
    field.replace(/\d+/, (n) => String(numbers.get(n) ?? numbers.set(n, numbers.size + 1).size));
  const list = vfs.mounts().filter(({ propagation }) => propagation.length > 0);
  return Object.fromEntries(list.map((m) => [m.mountPoint, m.propagation.map(renumbered).join(" ")]));
}

/** In a tree: "/m", "/p" and "/s" are one file system with directories "d" and "e"; "/p" is a peer of "/m", "/s" a slave of both. */
function setUp(vfs: Vfs): Vfs {
  for (const path of ["/m", "/p", "/s", "/u"]) vfs.fs.mkdirSync(path);
  vfs.mount("first", "/m", "tmpfs");
  for (const path of ["/m/d", "/m/e"]) vfs.fs.mkdirSync(path);
  make(vfs, "/m", "shared");
  vfs.mount("/m", "/p", "bind");
  vfs.mount("/m", "/s", "bind");
  make(vfs, "/s", "slave");
  return vfs;
}

async function shared(t: TestScope): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  return setUp(vfs);
}

describe("peer groups and slaves (row 122)", () => {
  // Fails when attachTree() makes no copies, or makes them where nothing receives.
  test("row 122: what is mounted in a shared mount is in its peers and slaves, what is mounted in a slave only there", async (t) => {
    const vfs = await shared(t);
    vfs.mount("new", "/p/d", "tmpfs");
    assert.deepEqual(places(vfs, "new"), ["/m/d", "/p/d", "/s/d"]);
    vfs.fs.writeFileSync("/m/d/f", "one");
    assert.equal(vfs.fs.readFileSync("/s/d/f", "utf8"), "one");
    vfs.mount("own", "/s/e", "tmpfs");
    assert.deepEqual(places(vfs, "own"), ["/s/e"]);
    assert.deepEqual(shares(vfs), {
      ...{ "/m": "shared:1", "/p": "shared:1", "/s": "master:1" },
      ...{ "/p/d": "shared:2", "/m/d": "shared:2", "/s/d": "master:2" },
    });
    // A remount is of one mount.
    vfs.mount(null, "/m/d", "none", { remount: true, bind: true, readonly: true });
    vfs.fs.writeFileSync("/p/d/f", "two");
    vfs.umount("/m/d");
    assert.deepEqual(places(vfs, "new"), []);
    assert.deepEqual(places(vfs, "own"), ["/s/e"]);
    memoryOf(vfs);
  });

  // Fails when leavePeers() drops the slaves of a mount that leaves, or changeType() takes one mount for all.
  test("row 122: a group that ends hands its slaves on; with recursive all mounts below change", async (t) => {
    const vfs = await shared(t);
    make(vfs, "/s", "shared");
    make(vfs, "/m", "private");
    make(vfs, "/p", "slave");
    // Nobody is in the group any more, so its slaves receive from nowhere.
    assert.deepEqual(shares(vfs), { "/s": "shared:1" });
    vfs.mount("/s", "/p", "bind");
    make(vfs, "/p", "slave");
    make(vfs, "/p", "shared");
    vfs.mount("/p", "/u", "bind");
    make(vfs, "/u", "slave");
    make(vfs, "/p", "private");
    assert.deepEqual(shares(vfs), { "/s": "shared:1", "/u": "master:1" });
    make(vfs, "/", "shared", true);
    assert.deepEqual(
      Object.values(shares(vfs)).map((of) => of.replace(/\d+/g, "N")),
      ["shared:N", "shared:N", "shared:N", "shared:N", "shared:N master:N"],
    );
    make(vfs, "/", "private", true);
    assert.deepEqual(shares(vfs), {});
    memoryOf(vfs);
  });

  // Fails when dominatingId() takes groups that no path leads to from the context's root, or none further up.
  test("row 122: the list tells the nearest group above that the context can reach", async (t) => {
    const vfs = await shared(t);
    make(vfs, "/s", "shared");
    vfs.fs.mkdirSync("/m/e/in");
    vfs.mount("/s", "/u", "bind");
    make(vfs, "/u", "slave");
    vfs.fs.mkdirSync("/j");
    vfs.mount(null, "/j", "tmpfs");
    for (const path of ["/j/top", "/j/slave"]) vfs.fs.mkdirSync(path);
    vfs.mount("/m", "/j/top", "bind");
    vfs.mount("/u", "/j/slave", "bind");
    const inside = vfs.context({ root: "/j" });
    const [top, slave] = ["/top", "/slave"].map((at) => inside.mounts().find(({ mountPoint }) => mountPoint === at));
    const [group] = top?.propagation.map((field) => field.split(":")[1]) ?? [];
    assert.match(slave?.propagation.join(" ") ?? "", new RegExp(`^master:\\d+ propagate_from:${group}$`));
    assert.match(inside.mountinfo(), /\/slave rw,relatime master:\d+ propagate_from:\d+ - tmpfs/);
    assert.equal(shares(vfs)["/u"], "master:2");
    inside.close();
  });
});

describe("bind mounts, moves and pivot_root where mounts are shared (row 122)", () => {
  // Fails when listTree() takes unbindable mounts, or the graft does not ask.
  test("row 122: an unbindable mount is not bound, and not copied with what is above it", async (t) => {
    const vfs = await shared(t);
    vfs.mount("kept", "/u", "tmpfs");
    vfs.fs.mkdirSync("/u/in");
    vfs.mount("left", "/u/in", "tmpfs");
    make(vfs, "/u/in", "unbindable");
    refused("EINVAL", () => vfs.mount("/u/in", "/m/d", "bind"));
    refused("EINVAL", () => vfs.mount("/u/in", "/m/d", "bind", { recursive: true }));
    // It is moved, but not to where copies would have to be made.
    refused("EINVAL", () => vfs.mount("/u", "/m/d", "none", { move: true }));
    vfs.mount("/u", "/m/d", "bind", { recursive: true });
    assert.deepEqual(places(vfs, "kept"), ["/m/d", "/p/d", "/s/d", "/u"]);
    assert.deepEqual(places(vfs, "left"), ["/u/in"]);
    make(vfs, "/u/in", "private");
    vfs.mount("/u", "/m/d/in", "none", { move: true });
    assert.deepEqual(places(vfs, "left"), ["/m/d/in/in", "/p/d/in/in", "/s/d/in/in"]);
  });

  // Fails when moveMount() or checkPivot() does not look at the mount that another stands in.
  test("row 122: a mount in a shared one is not moved, and is no new root", async (t) => {
    const vfs = await shared(t);
    vfs.mount(null, "/m/d", "tmpfs");
    refused("EINVAL", () => vfs.mount("/m/d", "/u", "none", { move: true }));
    vfs.fs.mkdirSync("/m/d/put");
    const context = vfs.context({ root: "/m" });
    refused("EINVAL", () => context.pivotRoot("/d", "/d/put"));
    make(vfs, "/m", "private");
    refused("EINVAL", () => context.pivotRoot("/d", "/d/put"));
    make(vfs, "/m/d", "private");
    context.pivotRoot("/d", "/d/put");
    context.close();
  });

  // Fails when attachCopy() takes the place of what stands there, or propagate_umount leaves what a cover hides.
  test("row 122: a copy goes below what stands in its place, and that comes back when the copy goes", async (t) => {
    const vfs = await shared(t);
    make(vfs, "/p", "private");
    vfs.mount("above", "/p/d", "tmpfs");
    vfs.fs.writeFileSync("/p/d/above", "");
    make(vfs, "/p", "private");
    vfs.mount("/m", "/u", "bind");
    vfs.umount("/p/d");
    vfs.umount("/p");
    // A slave has a mount of its own where its master gets one.
    vfs.mount("above", "/s/d", "tmpfs");
    vfs.fs.writeFileSync("/s/d/above", "");
    vfs.mount("below", "/u/d", "tmpfs");
    assert.deepEqual(places(vfs, "below"), ["/m/d", "/s/d", "/u/d"]);
    assert.deepEqual(vfs.fs.readdirSync("/s/d"), ["above"]);
    vfs.umount("/m/d");
    assert.deepEqual([places(vfs, "below"), places(vfs, "above")], [[], ["/s/d"]]);
    assert.deepEqual(vfs.fs.readdirSync("/s/d"), ["above"]);
    vfs.umount("/s/d");
    assert.equal(vfs.counters().mounts, 4);
    memoryOf(vfs);
  });
});

describe("umounts where mounts are shared (row 122)", () => {
  // Fails when isBusyElsewhere() looks at no other mount.
  test("row 122: a mount is busy while one that would go with it is, and goes lazily", async (t) => {
    const vfs = await shared(t);
    vfs.mount("new", "/m/d", "tmpfs");
    vfs.fs.mkdirSync("/m/d/in");
    vfs.mount("in", "/s/d/in", "tmpfs");
    const fd = vfs.fs.openSync("/p/d/f", "w");
    refused("EBUSY", () => vfs.umount("/m/d"));
    refused("EAGAIN", () => vfs.umount("/m/d", { expire: true }));
    refused("EBUSY", () => vfs.umount("/m/d", { expire: true }));
    vfs.umount("/m/d", { detach: true });
    // The slave's has another mount on it, which does not go.
    assert.deepEqual(places(vfs, "new"), ["/s/d"]);
    vfs.fs.writeSync(fd, "still there");
    vfs.fs.closeSync(fd);
    assert.equal(vfs.fs.readFileSync("/s/d/f", "utf8"), "still there");
    vfs.umount("/s/d", { detach: true });
    memoryOf(vfs);
  });
});

/** Many peers of "/m". */
function addPeers(vfs: Vfs, upTo: number): void {
  for (let n = 3; n < upTo; n++) {
    vfs.fs.mkdirSync(`/peer${n}`);
    vfs.mount("/m", `/peer${n}`, "bind");
  }
}

describe("limits and deaths (row 122)", () => {
  // Fails when hasRoom() is not asked, or a graft that it refuses leaves its copies.
  test("row 122: a group has at most PROPAGATION_MAX mounts with what receives from it", async (t) => {
    const vfs = await shared(t);
    addPeers(vfs, PROPAGATION_MAX);
    const { mounts } = vfs.counters();
    refused("ENOSPC", () => vfs.mount("/p", "/u", "bind"));
    vfs.mount("other", "/u", "tmpfs");
    make(vfs, "/u", "shared");
    vfs.fs.mkdirSync("/u/d");
    // More copies of the shared one than a group has room for.
    vfs.mount("/u", "/s/d", "bind");
    refused("ENOSPC", () => vfs.mount("/u", "/m/e", "bind"));
    assert.equal(vfs.counters().mounts, mounts + 2);
    vfs.mount("all", "/m/d", "tmpfs");
    assert.equal(places(vfs, "all").length, PROPAGATION_MAX);
    vfs.umount("/m/d");
    assert.equal(vfs.counters().mounts, mounts + 2);
    memoryOf(vfs);
  });

  // Fails when entryAt() finds the entries in the scratch area elsewhere, or the recount leaves copies in their groups.
  test("row 122: a thread that dies while it attaches many copies leaves none of them", async (t) => {
    const tree = await treeFor(t);
    const vfs = setUp(tree.vfs);
    addPeers(vfs, 30);
    vfs.mount("tree", "/u", "tmpfs");
    vfs.fs.mkdirSync("/u/in");
    vfs.mount("in", "/u/in", "tmpfs");
    const [before, { mounts }] = [vfs.mountinfo(), vfs.counters()];
    // The copies of "/u/in" are attached one by one, then all of "/u" in one transaction.
    for (const nth of [1, 2, 17, 30, 31, 45, 60]) {
      const bind = (one: Vfs) => one.mount("/u", "/m/d", "bind", { recursive: true });
      assert.equal(await dies(tree, POINT.MOUNT_ATTACH, nth, bind), true, `at ${nth}`);
      assert.deepEqual([vfs.counters().mounts, vfs.mountinfo()], [mounts, before], `at ${nth}`);
      memoryOf(vfs);
    }
  });

  // Fails when detachIn() takes one mount for all that stand in a directory, or the recount leaves what was detached in its group.
  test("row 122: a thread that dies while it unmounts leaves the mount everywhere or nowhere", async (t) => {
    const tree = await treeFor(t);
    const vfs = setUp(tree.vfs);
    addPeers(vfs, 20);
    vfs.mount("new", "/m/d", "tmpfs");
    for (const nth of [1, 10, 20]) {
      assert.equal(await dies(tree, POINT.MOUNT_DETACH, nth, (one) => one.umount("/m/d")), true);
      assert.equal(places(vfs, "new").length, 20, `at ${nth}`);
      memoryOf(vfs);
    }
    vfs.umount("/p/d");
    assert.deepEqual(places(vfs, "new"), []);
  });
});

describe("the option (row 122)", () => {
  // Fails when mount() passes on what it should refuse.
  test("row 122: what cannot be given with it, what is no propagation, who may not, what is no mount", async (t) => {
    const vfs = await shared(t);
    for (const options of [{ bind: true }, { remount: true }, { readonly: true }, { move: true }, { size: 1 }])
      refused("ERR_INVALID_ARG_VALUE", () => vfs.mount("/m", "/u", "none", { propagation: "shared", ...options }));
    refused("ERR_INVALID_ARG_VALUE", () => make(vfs, "/m", "rshared" as MountPropagation));
    refused("ERR_INVALID_ARG_VALUE", () => make(vfs, "/m", "toString" as MountPropagation));
    refused("EINVAL", () => make(vfs, "/m/d", "shared"));
    refused("ENOENT", () => make(vfs, "/none", "shared"));
    vfs.fs.chmodSync("/", 0o755);
    const context = vfs.context({ uid: 1000 });
    const user = await attachVfs(context.handle);
    refused("EPERM", () => make(user, "/m", "private"));
    user.close();
    context.close();
  });
});
