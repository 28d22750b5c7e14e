/**
 * Mounts under a walk (rows 27 to 30): a walk finds them without a store, crosses them down and up, and starts again when a mount
 * has changed. In the patch a lock keeps mounts unchanged for the whole walk; here the walk checks the mount sequence.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { MOUNT } from "../../../../verify/dist/arena/layout.js";
import { POINT } from "../../../dist/abi/abi.js";
import { G_MOUNTS, MOUNT_HASH, MOUNT_HEADS } from "../../../dist/generated/core-layout.js";
import type { Vfs } from "../../../dist/src/index.js";
import { grown } from "../../support/counters.js";
import { treeFor } from "../../support/debug-tree.js";
import { codeOf, refused } from "../../support/errors.js";
import { lastPass, passes, type TestScope } from "../../support/hooked-vfs.js";
import { type Scene, scene } from "../../support/interleavings.js";
import { dentryOf, memoryOf } from "../../support/memory.js";

/** A tree with directories to mount on. */
async function mountScene(t: TestScope): Promise<Scene> {
  const s = await scene(t);
  for (const path of ["/m", "/other", "/keep", "/plain", "/plain/d"]) s.walker.fs.mkdirSync(path);
  return s;
}

/** A tmpfs with a file at /m, bound at /keep too, so that it outlives its mount. */
function mountKept(vfs: Vfs): void {
  vfs.mount(null, "/m", "tmpfs");
  vfs.fs.mkdirSync("/m/d");
  vfs.fs.writeFileSync("/m/d/f", "text");
  vfs.mount("/m", "/keep", "bind");
}

describe("mounts that change under a walk (row 27)", () => {
  // Fails when checkRcu() does not check the mount sequence: the walk finds a path that has gone with its mount.
  test("row 27: a mount that goes away under a walk that crossed it makes the walk start again", async (t) => {
    for (const place of ["MOUNT_CHECK", "MOUNT_DOWN", "ATTR_COPIED"] as const) {
      for (const change of ["detach", "move", "cover"]) {
        const { tree, walker, writer } = await mountScene(t);
        mountKept(walker);
        walker.at(POINT[place], () => {
          if (change === "detach") writer.umount("/m", { detach: true });
          else if (change === "move") writer.mount("/m", "/other", "move", { move: true });
          else writer.mount(null, "/m", "tmpfs");
        });
        let found: boolean | undefined;
        const counts = grown(tree, () => {
          found = walker.fs.existsSync("/m/d/f");
        });
        assert.equal(found, false, `${change} at ${place}`);
        assert.equal(counts.echildRestarts, 1, `${change} at ${place}`);
        assert.equal(walker.fs.existsSync("/keep/d/f"), true);
      }
    }
  });

  // Fails when checkRcu() or finishRcu() checks the mount sequence in every walk.
  test("row 27: mounts that come and go do not disturb a walk that met no mount point", async (t) => {
    const { tree, walker, writer } = await mountScene(t);
    for (const mode of [0o755, 0o700]) {
      walker.fs.chmodSync("/plain", mode);
      for (const path of ["/plain/d", "/plain/none"]) {
        walker.at(POINT.PARENT_CHECK, () => {
          writer.mount("/plain", "/other", "bind");
          writer.umount("/other");
        });
        const counts = grown(tree, () => walker.fs.existsSync(path));
        assert.equal(counts.echildRestarts, undefined, `${path}, mode ${mode.toString(8)}`);
      }
    }
  });

  // Fails when legitimizeMnt() does not check the mount sequence once it has the reference.
  test("row 27: a reference to a mount counts only if no mount has changed", async (t) => {
    const { tree, walker, writer } = await mountScene(t);
    mountKept(walker);
    // A file of the mount is open: the mount lives on, but no path leads to it any more.
    const fd = walker.fs.openSync("/m/d/f", "r");
    let opened: string | undefined;
    walker.at(POINT.COMPLETE, () => writer.umount("/m", { detach: true }));
    const counts = grown(tree, () => {
      opened = codeOf(() => walker.fs.readFileSync("/m/d/f"));
    });
    assert.equal(opened, "ENOENT");
    assert.equal(counts.dropFailed, 1);
    assert.equal(counts.echildRestarts, 1);
    assert.equal(walker.fs.fstatSync(fd).size, "text".length);
    walker.fs.closeSync(fd);
    walker.umount("/keep");
  });
});

describe("steps down into mounts (row 28)", () => {
  // Fails when followMountRcu() steps down once only, or does not open the sequence of the root it enters.
  test("row 28: a walk steps down through mounts on top of each other, each root with its own sequence", async (t) => {
    const { tree, walker, writer, memory } = await mountScene(t);
    walker.mount(null, "/m", "tmpfs");
    walker.fs.writeFileSync("/m/below", "");
    walker.mount(null, "/m", "tmpfs");
    walker.fs.writeFileSync("/m/top", "");
    // The roots have other sequences than the directory that they are mounted on.
    for (const mode of [0o700, 0o755]) walker.fs.chmodSync("/m", mode);
    assert.equal(
      passes(walker, POINT.MOUNT_DOWN, () => walker.fs.statSync("/m/top")),
      2,
    );
    const counts = grown(tree, () => {
      assert.equal(walker.fs.existsSync("/m/top"), true);
      assert.equal(walker.fs.existsSync("/m/below"), false);
      walker.fs.statSync("/m");
    });
    assert.deepEqual(counts, { walks: 3, endedRcu: 3, missesValidated: 1 });
    let seq = 0;
    walker.at(POINT.COMPLETE, (_, s) => {
      seq = s;
    });
    walker.fs.statSync("/m");
    assert.equal(seq, memory.seq(dentryOf(walker, "/m")));
    // The walk checks that sequence.
    walker.at(POINT.ATTR_COPIED, () => writer.fs.chmodSync("/m", 0o711));
    let mode = 0;
    const changed = grown(tree, () => {
      mode = walker.fs.statSync("/m").mode & 0o777;
    });
    assert.equal(mode, 0o711);
    assert.equal(changed.echildRestarts, 1);
  });

  // Fails when followMountRcu() starts the walk again at a mount point that has no mount in this mount.
  test("row 28: a walk stays on a mount point that has no mount in the walk's own mount", async (t) => {
    const { tree, walker } = await mountScene(t);
    walker.fs.writeFileSync("/m/under", "");
    walker.mount("/", "/other", "bind");
    walker.mount(null, "/m", "tmpfs");
    walker.fs.writeFileSync("/m/over", "");
    const counts = grown(tree, () => {
      assert.equal(walker.fs.existsSync("/other/m/under"), true);
      assert.equal(walker.fs.existsSync("/m/over"), true);
      assert.equal(walker.fs.existsSync("/m/under"), false);
      assert.equal(walker.fs.existsSync("/other/m/over"), false);
    });
    assert.deepEqual(counts, { walks: 4, endedRcu: 4, missesValidated: 2 });
  });
});

describe("steps up out of mounts (row 29)", () => {
  // Fails when followDotdotRcu() does not go up over a mount's root, goes up once only, or goes above the root.
  test("row 29: '..' at a mount's root goes to where it is mounted; at the root it stays", async (t) => {
    const { tree, walker } = await mountScene(t);
    walker.mount(null, "/plain/d", "tmpfs");
    walker.mount(null, "/plain/d", "tmpfs");
    walker.fs.mkdirSync("/plain/d/top");
    const inode = (path: string) => walker.fs.statSync(path).ino;
    assert.equal(
      passes(walker, POINT.MOUNT_UP, () => inode("/plain/d/..")),
      2,
    );
    const jail = walker.context({ root: "/plain/d", cwd: "/" });
    for (const ref of [false, true]) {
      const [root, plain, d] = [inode("/"), inode("/plain"), inode("/plain/d")];
      walker.walkMode({ ref });
      jail.fs.existsSync("/");
      const counts = grown(tree, () => {
        assert.equal(inode("/plain/d/.."), plain);
        assert.equal(inode("/plain/d/top/../../d"), d);
        assert.equal(inode("/plain/d/../.."), root);
        assert.equal(inode("/.."), root);
        assert.equal(inode("/../../plain/../.."), root);
        assert.equal(jail.fs.statSync("..").ino, d);
        assert.equal(jail.fs.statSync("/top/../../..").ino, d);
      });
      assert.deepEqual(counts, { walks: 7, [ref ? "endedRef" : "endedRcu"]: 7 });
    }
    jail.close();
  });

  // Fails when followDotdotRcu() does not check the mount sequence after it has read the mount point: no restart.
  test("row 29: a mount that moves while '..' leaves it makes the walk start again", async (t) => {
    const { tree, walker, writer } = await mountScene(t);
    walker.mount(null, "/m", "tmpfs");
    const inside = walker.context({ cwd: "/m" });
    walker.at(POINT.MOUNT_UP, () => writer.mount("/m", "/plain/d", "move", { move: true }));
    let up = 0;
    const counts = grown(tree, () => {
      up = inside.fs.statSync("..").ino;
    });
    assert.equal(counts.echildRestarts, 1);
    assert.equal(up, walker.fs.statSync("/plain").ino);
    inside.close();
  });
});

describe("mount, dentry and references of a step (row 30)", () => {
  // Fails when stepInto() or traverseMounts() keeps a reference in ref mode, or releases one in rcu mode.
  test("row 30: a step releases the references of the last one in ref mode, and takes none in rcu mode", async (t) => {
    const { walker, memory } = await mountScene(t);
    mountKept(walker);
    walker.mount(null, "/m", "tmpfs");
    walker.fs.mkdirSync("/m/e");
    walker.fs.writeFileSync("/m/e/g", "");
    walker.fs.symlinkSync("../../keep/d", "/m/e/link");
    const jail = walker.context({ uid: 1000, root: "/m", cwd: "/e" });
    const paths = [
      "/m/e/g",
      "/m/../m/e/../../plain/d/.",
      "/m/e/none",
      "/m/e/g/x",
      "/keep/d/f",
      "/m/e/link/f",
      "/m/e/link/no",
    ];
    const walks = () => {
      for (const path of paths) walker.fs.existsSync(path);
      for (const path of ["g", "..", "../../e/link/f", "/e/no"]) jail.fs.existsSync(path);
    };
    for (const ref of [true, false]) {
      walker.walkMode({ ref });
      walks();
      const before = memory.bytesWithout(walker);
      walks();
      assert.equal(Buffer.compare(before, memory.bytesWithout(walker)), 0, `ref ${ref}: a count has changed`);
    }
    // In the middle of a walk in ref mode there are references on one dentry and its mount, and on no dentry on the way.
    const [, mount] = lastPass(
      walker.points(() => walker.fs.statSync("/m/e")),
      POINT.MOUNT_DOWN,
    );
    const [e, g] = [dentryOf(walker, "/m/e"), dentryOf(walker, "/m/e/g")];
    const counts = () => [memory.count(e), memory.count(g), memory.mountCount(mount)] as const;
    const [onE, onG, onMount] = counts();
    for (const ref of [true, false]) {
      walker.walkMode({ ref });
      let during: readonly number[] = [];
      walker.at(POINT.ATTR_COPIED, () => {
        during = counts();
      });
      walker.fs.statSync("/m/e/g");
      const one = ref ? 1 : 0;
      assert.deepEqual(during, [onE, onG + one, onMount + one]);
    }
    jail.close();
  });

  // Fails when stepInto() does not set the mount together with the dentry: a call may write to a read-only mount.
  test("row 30: a step sets mount and dentry together in both modes", async (t) => {
    const { walker } = await mountScene(t);
    walker.fs.writeFileSync("/plain/f", "");
    walker.mount("/plain", "/other", "bind", { readonly: true });
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      refused("EROFS", () => walker.fs.accessSync("/other/f", walker.fs.constants.W_OK));
      walker.fs.accessSync("/plain/f", walker.fs.constants.W_OK);
      walker.fs.accessSync("/other/../plain/f", walker.fs.constants.W_OK);
    }
  });
});

// Fails when a chain of the mount table, or what a mount says of its place, is changed without the undo log.
test("a thread that dies while it detaches a mount leaves it in its place, also behind another one in the mount table", async (t) => {
  const tree = await treeFor(t);
  const { vfs } = tree;
  const memory = memoryOf(vfs);
  const places = new Map<number, string>();
  for (let n = 0; n < 64; n++) {
    const place = `/m${n}`;
    vfs.fs.mkdirSync(place);
    vfs.mount(null, place, "tmpfs");
    vfs.fs.writeFileSync(`${place}/f`, place);
    places.set(memory.word(G_MOUNTS), place);
  }
  const heads = Array.from({ length: MOUNT_HASH }, (_, n) => memory.word(MOUNT_HEADS + 4 * n)).filter((at) => at !== 0);
  const behind = heads.map((head) => memory.word(head + MOUNT.hashNext)).filter((at) => at !== 0);
  assert.ok(behind.length > 0, "mounts that share a chain");
  for (const mount of [...behind.slice(0, 2), ...heads.slice(0, 1)]) {
    const dying = await tree.attach();
    dying.at(POINT.MOUNT_DETACH, () => {
      throw new Error("ends here");
    });
    assert.equal(
      codeOf(() => dying.umount(defined(places.get(mount), "place"))),
      "ERR_THREADFS_PANIC",
    );
    await new Promise((resolve) => setImmediate(resolve));
    for (const place of places.values()) assert.equal(vfs.fs.readFileSync(`${place}/f`, "utf8"), place);
  }
  for (const place of places.values()) vfs.umount(place);
  assert.equal(vfs.counters().mounts, 1);
});
