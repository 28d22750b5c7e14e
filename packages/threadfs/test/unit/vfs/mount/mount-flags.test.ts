/** Mounts beyond the patch (rows 106, 111, 122): flags and their changes, expiry, recursive binds, the list of mounts, steps into mounts on the hot path. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERRNO, POINT } from "../../../../dist/abi/abi.js";
import { attachVfs, createVfs, type MountOptions, type Vfs } from "../../../../dist/src/index.js";
import { grown } from "../../../support/counters.js";
import { treeFor } from "../../../support/debug-tree.js";
import { codeOf, refused } from "../../../support/errors.js";
import { passes, type TestScope } from "../../../support/hooked-vfs.js";
import { scene } from "../../../support/interleavings.js";
import { memoryOf } from "../../../support/memory.js";

/** A tree with a file system at /m: a file, a link to it, a directory. */
async function mounted(t: TestScope): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 32 << 20 });
  t.after(() => vfs.close());
  for (const path of ["/m", "/n", "/o"]) vfs.fs.mkdirSync(path);
  vfs.mount("source", "/m", "tmpfs");
  vfs.fs.writeFileSync("/m/f", "text");
  vfs.fs.symlinkSync("f", "/m/l");
  vfs.fs.mkdirSync("/m/d");
  return vfs;
}

const remount = (vfs: Vfs, path: string, options: MountOptions) =>
  vfs.mount(null, path, "none", { ...options, remount: true });
const optionsAt = (vfs: Vfs, path: string) => {
  const found = vfs.mounts().filter(({ mountPoint }) => mountPoint === path);
  return [found.at(-1)?.options.join(","), found.at(-1)?.superOptions.join(",")];
};

describe("flags of mounts (row 122)", () => {
  // Fails when doRemount() changes the file system with MS_BIND, or leaves it without.
  test("row 122: a remount with bind changes one mount, without it the file system of all", async (t) => {
    const vfs = await mounted(t);
    vfs.mount("/m", "/n", "bind");
    remount(vfs, "/n", { readonly: true, bind: true });
    refused("EROFS", () => vfs.fs.mkdirSync("/n/x"));
    vfs.fs.mkdirSync("/m/x");
    assert.deepEqual(
      [optionsAt(vfs, "/m"), optionsAt(vfs, "/n")],
      [
        ["rw,relatime", "rw"],
        ["ro,relatime", "rw"],
      ],
    );
    remount(vfs, "/m", { readonly: true });
    remount(vfs, "/n", { readonly: false, bind: true });
    for (const path of ["/m/y", "/n/y"]) refused("EROFS", () => vfs.fs.mkdirSync(path));
    assert.deepEqual(
      [optionsAt(vfs, "/m"), optionsAt(vfs, "/n")],
      [
        ["ro,relatime", "ro"],
        ["rw,relatime", "ro"],
      ],
    );
    remount(vfs, "/n", { readonly: false });
    vfs.fs.mkdirSync("/n/y");
    // What is left out stays.
    remount(vfs, "/m", { noexec: true, noatime: true, bind: true });
    assert.deepEqual(optionsAt(vfs, "/m"), ["ro,noexec,noatime", "rw"]);
    remount(vfs, "/m", { noatime: false, readonly: false, bind: true });
    assert.deepEqual(optionsAt(vfs, "/m"), ["rw,noexec,relatime", "rw"]);
    refused("EINVAL", () => remount(vfs, "/m/d", { noexec: true, bind: true }));
    refused("EINVAL", () => remount(vfs, "/o", { noexec: true }));
  });
});

describe("mounts that become read-only (row 122)", () => {
  // Fails when hasWriters() looks at no files, or at those of one mount where the file system becomes read-only.
  test("row 122: what a file is open for writing in does not become read-only", async (t) => {
    const vfs = await mounted(t);
    vfs.mount("/m", "/n", "bind");
    const reading = vfs.fs.openSync("/m/f", "r");
    const fd = vfs.fs.openSync("/m/f", "r+");
    refused("EBUSY", () => remount(vfs, "/m", { readonly: true, bind: true }));
    refused("EBUSY", () => remount(vfs, "/m", { readonly: true }));
    refused("EBUSY", () => remount(vfs, "/n", { readonly: true }));
    remount(vfs, "/n", { readonly: true, bind: true });
    assert.deepEqual(optionsAt(vfs, "/m"), ["rw,relatime", "rw"]);
    vfs.fs.writeSync(fd, "more");
    vfs.fs.closeSync(fd);
    remount(vfs, "/m", { readonly: true });
    assert.equal(vfs.fs.readFileSync("/m/f", "utf8"), "more");
    vfs.fs.closeSync(reading);
  });

  // Fails when changeReadonly() does not wait for the calls of other threads: the directory appears in a read-only mount.
  test("row 122: a call that has found the mount writable ends before it is read-only, or keeps it writable", async (t) => {
    const { walker, writer } = await scene(t);
    walker.fs.mkdirSync("/m");
    walker.mount(null, "/m", "tmpfs");
    for (const options of [{ readonly: true, bind: true }, { readonly: true }]) {
      let code: string | undefined;
      walker.at(POINT.ALLOCATED, () => {
        code = codeOf(() => remount(writer, "/m", options));
      });
      walker.fs.mkdirSync("/m/x");
      assert.equal(code, "EBUSY");
      walker.fs.rmdirSync("/m/x");
      remount(writer, "/m", options);
      refused("EROFS", () => walker.fs.mkdirSync("/m/x"));
      remount(writer, "/m", { readonly: false });
    }
  });
});

describe("nosymfollow (row 122)", () => {
  // Fails when pickLink() does not ask for the flag, in one of the modes.
  test("row 122: with nosymfollow a link is not followed, in the middle of a path or at its end, in both modes", async (t) => {
    const vfs = await mounted(t);
    vfs.fs.symlinkSync("/m/d", "/to-d");
    vfs.fs.symlinkSync("d", "/m/ld");
    remount(vfs, "/m", { nosymfollow: true, bind: true });
    for (const ref of [false, true]) {
      vfs.walkMode({ ref });
      for (const path of ["/m/l", "/m/ld", "/m/ld/x", "/m/ld/"]) refused("ELOOP", () => vfs.fs.statSync(path), path);
      refused("ELOOP", () => vfs.fs.openSync("/m/l", "r"));
      refused("ELOOP", () => vfs.fs.writeFileSync("/m/l", ""));
      assert.equal(vfs.fs.lstatSync("/m/l").isSymbolicLink(), true);
      assert.equal(vfs.fs.readlinkSync("/m/l"), "f");
      assert.equal(vfs.fs.statSync("/to-d").isDirectory(), true, "a link of another mount, into this one");
    }
    remount(vfs, "/m", { nosymfollow: false, bind: true });
    vfs.walkMode({ ref: false });
    assert.equal(vfs.fs.readFileSync("/m/l", "utf8"), "text");
  });

  // Fails when pickLink() does not have the flag validated by the mount sequence (ND_MOUNTS): ELOOP where the link may be followed.
  test("row 106: ELOOP of rcu mode is returned only if no mount has changed", async (t) => {
    const { tree, walker, writer } = await scene(t);
    walker.fs.mkdirSync("/m");
    walker.mount(null, "/m", "tmpfs", { nosymfollow: true });
    walker.fs.writeFileSync("/m/f", "text");
    walker.fs.symlinkSync("f", "/m/l");
    const inside = walker.context({ cwd: "/m" });
    const refusals: number[] = [];
    walker.at(
      POINT.PERMISSION,
      (_, error) => {
        refusals.push(error | 0);
        remount(writer, "/m", { nosymfollow: false, bind: true });
      },
      3,
    );
    let found = false;
    const counts = grown(tree, () => {
      found = inside.fs.existsSync("l");
    });
    assert.deepEqual(refusals, [-ERRNO.ELOOP]);
    assert.equal(found, true);
    assert.equal(counts.echildRestarts, 1);
    inside.close();
  });

  test("options that exclude each other or mean nothing are refused", async (t) => {
    const vfs = await mounted(t);
    const wrong: [string, string, MountOptions][] = [
      ["/m", "tmpfs", { noatime: true, strictatime: true }],
      ["/m", "tmpfs", { recursive: true }],
      ["/m", "tmpfs", { remount: true, move: true }],
      ["/m", "tmpfs", { remount: true, bind: true, size: 4096 }],
      ["/m", "none", { remount: true, size: 4096 }],
    ];
    for (const [path, type, options] of wrong)
      refused("ERR_INVALID_ARG_VALUE", () => vfs.mount(null, path, type, options), JSON.stringify(options));
    refused("ERR_INVALID_ARG_TYPE", () => vfs.umount("/m", { expire: 1 as never }));
    refused("ERR_INVALID_ARG_VALUE", () => vfs.umount("/m", { lazy: true } as never));
  });
});

describe("mounts that expire (row 122)", () => {
  // Fails when a walk in rcu mode passes a marked mount, which then looks unused; or when mntput() leaves the mark.
  test("row 122: expire ends a mount that was not used since it was marked, whatever the mode of the walk that used it", async (t) => {
    const vfs = await mounted(t);
    const expire = () => codeOf(() => vfs.umount("/m", { expire: true }));
    for (const ref of [false, true]) {
      vfs.walkMode({ ref });
      const uses = [
        () => vfs.fs.statSync("/m/f"),
        () => vfs.fs.existsSync("/m/d"),
        () => vfs.fs.existsSync("/m/missing"),
        () => vfs.fs.closeSync(vfs.fs.openSync("/m/f", "r")),
      ];
      for (const use of uses) {
        assert.equal(expire(), "EAGAIN");
        use();
      }
      assert.equal(expire(), "EAGAIN");
      vfs.fs.existsSync("/n");
      const fd = vfs.fs.openSync("/m/f", "r");
      assert.equal(expire(), "EBUSY");
      vfs.fs.closeSync(fd);
    }
    assert.equal(expire(), "EAGAIN");
    assert.equal(expire(), undefined);
    assert.equal(expire(), "EINVAL");
    assert.equal(vfs.fs.existsSync("/m/f"), false);
  });
});

describe("recursive binds (row 122)", () => {
  // Fails when listTree() takes the mounts beside the source, or not those on copies, or when it gives them the flags of the uppermost.
  test("row 122: a recursive bind has copies of the mounts below its source, with their flags", async (t) => {
    const vfs = await mounted(t);
    vfs.fs.mkdirSync("/m/e");
    vfs.mount("low", "/m/d", "tmpfs", { noexec: true });
    vfs.fs.mkdirSync("/m/d/x");
    vfs.mount("lower", "/m/d/x", "tmpfs");
    vfs.mount("beside", "/m/e", "tmpfs");
    vfs.mount("/m/d", "/n", "bind", { recursive: true, readonly: true });
    vfs.mount("/m", "/o", "bind", { recursive: true });
    const below = (top: string) =>
      vfs
        .mounts()
        .filter(({ mountPoint }) => mountPoint.startsWith(top))
        .map(({ mountPoint, source, options }) => [mountPoint, source, options.join(",")]);
    assert.deepEqual(below("/n"), [
      ["/n", "low", "ro,noexec,relatime"],
      ["/n/x", "lower", "rw,relatime"],
    ]);
    assert.deepEqual(below("/o").sort(), [
      ["/o", "source", "rw,relatime"],
      ["/o/d", "low", "rw,noexec,relatime"],
      ["/o/d/x", "lower", "rw,relatime"],
      ["/o/e", "beside", "rw,relatime"],
    ]);
    // A directory of a mount: those beside it stay where they are.
    vfs.fs.mkdirSync("/m/plain/x", { recursive: true });
    vfs.mount("in", "/m/plain/x", "tmpfs");
    vfs.fs.mkdirSync("/p");
    const before = vfs.counters().mounts;
    vfs.mount("/m/plain", "/p", "bind", { recursive: true });
    assert.equal(vfs.counters().mounts, before + 2);
    assert.deepEqual(
      below("/p").map(([at]) => at),
      ["/p", "/p/x"],
    );
    vfs.umount("/p", { detach: true });
    vfs.umount("/m/plain/x");
    vfs.fs.writeFileSync("/n/x/seen", "");
    assert.equal(vfs.fs.existsSync("/o/d/x/seen"), true);
    refused("EBUSY", () => vfs.umount("/o"));
    vfs.umount("/o", { detach: true });
    vfs.umount("/n", { detach: true });
    assert.equal(vfs.counters().mounts, 5);
  });

  // Fails when recount.ts does not detach what a dead thread had copied: the copies keep each other.
  test("row 122: a thread that dies in the middle of a recursive bind leaves nothing of it", async (t) => {
    const tree = await treeFor(t);
    const { vfs } = tree;
    for (const path of ["/m", "/n"]) vfs.fs.mkdirSync(path);
    vfs.mount(null, "/m", "tmpfs");
    for (const path of ["/m/a", "/m/b", "/m/c"]) {
      vfs.fs.mkdirSync(path);
      vfs.mount(null, path, "tmpfs");
    }
    for (let nth = 1; nth <= 4; nth++) {
      const dying = await tree.attach();
      dying.at(
        POINT.MOUNT_ATTACH,
        () => {
          throw new Error("ends here");
        },
        nth,
      );
      assert.equal(
        codeOf(() => dying.mount("/m", "/n", "bind", { recursive: true })),
        "ERR_THREADFS_PANIC",
      );
      await new Promise((resolve) => setImmediate(resolve));
      // The first call with references recounts.
      vfs.fs.writeFileSync("/m/f", "");
      assert.equal(vfs.counters().mounts, 5, `at copy ${nth}`);
      assert.equal(vfs.fs.existsSync("/n/f"), false);
    }
    memoryOf(vfs);
  });
});

describe("pivot_root (row 122)", () => {
  // Fails when pivotLocked() leaves the root or the working directory of the context, or changes those of another one.
  test("row 122: the mounts change places, and so do root and working directory of the context", async (t) => {
    const vfs = await mounted(t);
    vfs.mount("new", "/m/d", "tmpfs");
    vfs.fs.mkdirSync("/m/d/old");
    vfs.fs.writeFileSync("/m/d/new", "");
    const context = vfs.context({ root: "/m" });
    const other = vfs.context({ root: "/m" });
    const inside = vfs.context({ root: "/m", cwd: "/d" });
    context.pivotRoot("/d", "/d/old");
    assert.deepEqual(context.fs.readdirSync("/").sort(), ["new", "old"]);
    assert.deepEqual(context.fs.readdirSync(".").sort(), ["new", "old"]);
    assert.equal(context.fs.readFileSync("/old/f", "utf8"), "text");
    assert.equal(context.fs.statSync("/old/../..").ino, context.fs.statSync("/").ino);
    assert.equal(other.fs.readFileSync("/f", "utf8"), "text");
    assert.equal(inside.fs.existsSync("new"), true);
    assert.equal(vfs.fs.existsSync("/m/new"), true);
    assert.deepEqual(
      context.mounts().map(({ mountPoint, source }) => [mountPoint, source]),
      [
        ["/old", "source"],
        ["/", "new"],
      ],
    );
    for (const one of [other, inside]) one.close();
    context.fs.accessSync("/old/d");
    const old = vfs.context({ root: "/m", cwd: "/" });
    old.fs.accessSync("old/f");
    old.close();
    context.close();
    vfs.umount("/m/old");
    vfs.umount("/m");
    assert.equal(vfs.counters().mounts, 1);
  });

  // Fails when traverseMounts() keeps the reference that it has taken where the way down leads back to the walk's mount.
  test("row 122: mounts that change places under a walk in ref mode leave it no reference", async (t) => {
    const { walker, writer } = await scene(t);
    walker.fs.mkdirSync("/m");
    walker.fs.mkdirSync("/n");
    walker.mount("one", "/m", "tmpfs");
    walker.fs.mkdirSync("/m/d");
    walker.mount("two", "/m/d", "tmpfs");
    const inside = walker.context({ cwd: "/m" });
    walker.walkMode({ ref: true });
    walker.at(POINT.MOUNT_DOWN, () => {
      writer.mount("/m/d", "/n", "none", { move: true });
      writer.mount("/m", "/n", "none", { move: true });
    });
    assert.equal(inside.fs.statSync("d/d").isDirectory(), true);
    inside.close();
    for (const path of ["/n", "/n"]) writer.umount(path);
    assert.equal(writer.counters().mounts, 1);
  });

  // Fails when pivotLocked() looks up the root outside of the lock of the context, or takes fewer references than it has places.
  test("row 122: a walk that is under way starts at one of the two roots", async (t) => {
    const { walker } = await scene(t);
    walker.fs.mkdirSync("/m");
    walker.mount("old", "/m", "tmpfs");
    walker.fs.mkdirSync("/m/d");
    walker.mount("new", "/m/d", "tmpfs");
    walker.fs.mkdirSync("/m/d/put");
    walker.fs.writeFileSync("/m/d/new", "");
    const context = walker.context({ root: "/m" });
    const other = await attachVfs(context.handle, { share: false });
    t.after(() => other.close());
    walker.at(POINT.START_READ, () => other.pivotRoot("/d", "/d/put"));
    assert.equal(context.fs.existsSync("/new"), true);
    context.close();
  });
});

describe("the list of mounts (row 122)", () => {
  // Fails when showMounts() lists what the root of the context hides, or shows places as the tree sees them.
  test("row 122: it has what a path leads to from the context's root, as seen from there", async (t) => {
    const vfs = await mounted(t);
    vfs.mount("a".repeat(300), "/m/d", "tmpfs", { size: 1 << 20, nrInodes: 10, readonly: true });
    vfs.fs.mkdirSync("/m/sub/with space", { recursive: true });
    vfs.mount("/m/sub", "/n", "bind", { nosuid: true, nodev: true, nodiratime: true, strictatime: true });
    const [root, m, d, n] = vfs.mounts();
    const dev = (path: string) => vfs.fs.statSync(path).dev;
    assert.deepEqual(root, {
      ...{ id: root?.id, parentId: root?.id, dev: dev("/"), root: "/", mountPoint: "/", options: ["rw", "relatime"] },
      ...{ propagation: [], type: "tmpfs", source: "none", superOptions: ["rw"] },
    });
    assert.deepEqual(m, {
      ...{ id: m?.id, parentId: root?.id, dev: dev("/m"), root: "/", mountPoint: "/m", options: ["rw", "relatime"] },
      ...{ propagation: [], type: "tmpfs", source: "source", superOptions: ["rw"] },
    });
    assert.deepEqual(d, {
      ...{ id: d?.id, parentId: m?.id, dev: dev("/m/d"), root: "/", mountPoint: "/m/d", options: ["ro", "relatime"] },
      ...{
        propagation: [],
        type: "tmpfs",
        source: "a".repeat(255),
        superOptions: ["ro", "size=1024k", "nr_inodes=10"],
      },
    });
    assert.deepEqual(n, {
      ...{ id: n?.id, parentId: root?.id, dev: dev("/m"), root: "/sub", mountPoint: "/n" },
      ...{
        propagation: [],
        options: ["rw", "nosuid", "nodev", "nodiratime"],
        type: "tmpfs",
        source: "source",
        superOptions: ["rw"],
      },
    });
    vfs.fs.renameSync("/m/sub/with space", "/m/d2");
    vfs.fs.rmdirSync("/m/sub");
    assert.equal(vfs.mounts()[3]?.root, "/sub//deleted");
    const jail = vfs.context({ root: "/m", uid: 1000, gid: 1000 });
    assert.deepEqual(
      jail.mounts().map(({ id, parentId, mountPoint }) => [id, parentId, mountPoint]),
      [
        [m?.id, root?.id, "/"],
        [d?.id, m?.id, "/d"],
      ],
    );
    const inside = vfs.context({ root: "/n" });
    inside.chroot("/");
    assert.deepEqual(
      inside.mounts().map(({ mountPoint }) => mountPoint),
      ["/"],
    );
    // A directory of a mount is no place of that mount.
    const below = vfs.context({ root: "/m/d2" });
    assert.deepEqual(below.mounts(), []);
    for (const context of [jail, inside, below]) context.close();
  });

  // Fails when a page that is full ends the list, or when a mount at the edge of a page is left out or listed twice.
  test("row 122: it may be longer than a page, and is of one moment", async (t) => {
    const vfs = await createVfs({ maxBytes: 64 << 20 });
    t.after(() => vfs.close());
    const name = "n".repeat(200);
    const places: string[] = [];
    for (let n = 0; n < 300; n++) {
      const place = `/${name}${n}`;
      places.push(place);
      vfs.fs.mkdirSync(place);
      vfs.mount(`source ${n}`, place, "tmpfs");
      assert.equal(vfs.mounts().length, n + 2);
    }
    assert.deepEqual(
      vfs.mounts().map(({ mountPoint }) => mountPoint),
      ["/", ...places],
    );
    for (const place of places) vfs.umount(place);
    assert.equal(vfs.mounts().length, 1);
  });

  test("row 122: a driver's mount has its name as type", async (t) => {
    const vfs = await mounted(t);
    vfs.registerDriver({ name: "shop", root: () => ({ ino: 1, mode: 0o040755 }) });
    vfs.mount(new URL("https://example.org/shop"), "/n", "shop");
    const { type, source, superOptions } = vfs.mounts().at(-1) ?? {};
    assert.deepEqual([type, source, superOptions], ["shop", "https://example.org/shop", ["rw"]]);
  });
});

describe("steps into mounts on the hot path (row 106)", () => {
  // Fails when rcuWalk() leaves mount points to the general walk: the walk passes MOUNT_DOWN in linkPathWalk(), and is slower; or forgets nd.mnt.
  test("row 106: a path over four mounts ends in rcu mode, with the flags of the last", async (t) => {
    const { tree, walker } = await scene(t);
    let path = "";
    for (const name of ["one", "two", "three", "four"]) {
      path += `/${name}`;
      walker.fs.mkdirSync(path);
      walker.mount(null, path, "tmpfs", { readonly: false });
    }
    walker.fs.writeFileSync(`${path}/f`, "text");
    remount(walker, path, { readonly: true });
    assert.equal(
      passes(walker, POINT.MOUNT_DOWN, () => walker.fs.statSync(`${path}/f`)),
      4,
    );
    const counts = grown(tree, () => {
      refused("EROFS", () => walker.fs.accessSync(`${path}/f`, walker.fs.constants.W_OK));
      walker.fs.accessSync(`${path}/`, walker.fs.constants.R_OK);
      assert.equal(walker.fs.existsSync(`${path}/none`), false);
      assert.equal(walker.fs.statSync("/one/..").ino, walker.fs.statSync("/").ino);
    });
    assert.deepEqual(counts, { walks: 5, endedRcu: 5, missesValidated: 1 });
  });

  // Fails when rcuWalk() takes a walk that is back at the dentry it started from for one that has not moved.
  test("row 106: a bind mount of the directory that the walk starts from is another place", async (t) => {
    const { walker } = await scene(t);
    walker.fs.mkdirSync("/here");
    walker.mount("/", "/here", "bind", { readonly: true });
    for (const path of ["/here", "/here/", "/here/."])
      refused("EROFS", () => walker.fs.accessSync(path, walker.fs.constants.W_OK), path);
    walker.fs.accessSync("/", walker.fs.constants.W_OK);
    refused("EROFS", () => walker.fs.mkdirSync("/here/x"));
  });
});
