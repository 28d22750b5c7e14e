/** Mounts on directories of a driver that are removed behind the tree's back: they are detached, as by Linux's d_invalidate(). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { POINT, S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import type { Driver, Vfs } from "../../../dist/src/index.js";
import { type DebugTree, treeFor } from "../../support/debug-tree.js";
import { codeOf } from "../../support/errors.js";
import type { HookedVfs, TestScope } from "../../support/hooked-vfs.js";

const DIR = S_IFDIR | 0o755;

interface Scene {
  readonly tree: DebugTree;
  readonly vfs: HookedVfs;
  readonly other: HookedVfs;
  /** Removes everything but what is in directories of these numbers, and makes it again: each name has another number. */
  remake(keep?: readonly number[]): void;
  /** Mounts before the driver was mounted. */
  readonly mounts: number;
}

/** A driver whose names are directories (f: a file; none, in: nothing), each with a number for its path, and two threads on it. */
async function scene(t: TestScope, more: Partial<Driver> = {}): Promise<Scene> {
  const tree = await treeFor(t);
  const { vfs } = tree;
  const other = await tree.attach();
  const stale = new Set<number>();
  const numbers = new Map<string, number>();
  let last = 1;
  const numberOf = (path: string): number => {
    const n = numbers.get(path) ?? ++last;
    numbers.set(path, n);
    return n;
  };
  const driver: Driver = {
    name: "d",
    root: () => ({ ino: 1, mode: DIR }),
    lookup: (dir, name) =>
      name === "none" || name === "in"
        ? null
        : { ino: numberOf(`${dir}/${name}`), mode: name === "f" ? S_IFREG | 0o644 : DIR },
    revalidate: (_dir, node) => node === null || !stale.has(node),
    ...more,
  };
  vfs.registerDriver(driver);
  other.registerDriver({ ...driver });
  vfs.fs.mkdirSync("/m");
  vfs.fs.mkdirSync("/b");
  const { mounts } = vfs.counters();
  vfs.mount("d", "/m", "d");
  const remake = (keep: readonly number[] = []) => {
    for (const [path, n] of numbers) {
      if (keep.includes(n)) continue;
      stale.add(n);
      numbers.delete(path);
    }
  };
  return { tree, vfs, other, remake, mounts };
}

const problemsOf = ({ vfs, other }: Scene): string[] =>
  check(vfs.handle.memory, { live: [vfs.threadSlot, other.threadSlot] }).problems.map(String);

/** A tmpfs at a path, with a file in it. */
function mountAt(vfs: Vfs, path: string): void {
  vfs.mount("t", path, "tmpfs");
  vfs.fs.writeFileSync(`${path}/in`, path);
}

/** Everything is detached: the driver's own mount can be unmounted at once, and nothing is left. */
function assertNothingLeft(s: Scene): void {
  assert.deepEqual(problemsOf(s), []);
  s.vfs.umount("/m");
  assert.equal(s.vfs.counters().mounts, s.mounts);
  assert.deepEqual(problemsOf(s), []);
}

// Fails when dInvalidate() only unhashes the dentry.
for (const [what, depth] of [
  ["on it", "/m/a"],
  ["on a directory in it", "/m/a/b"],
  ["deep below it", "/m/a/b/c/d/e"],
] as const) {
  for (const ref of [false, true]) {
    test(`a stale directory loses the mount ${what}${ref ? ", in ref mode" : ""}`, async (t) => {
      const s = await scene(t);
      const { vfs, remake } = s;
      vfs.walkMode({ ref });
      mountAt(vfs, depth);
      remake();
      assert.equal(vfs.fs.existsSync(`${depth}/in`), false);
      assert.equal(vfs.fs.statSync(depth).isDirectory(), true);
      assert.equal(
        codeOf(() => vfs.umount(depth)),
        "EINVAL",
      );
      assertNothingLeft(s);
    });
  }
}

test("a stale directory loses mounts on mounts, several on one place, and those in a bind of the file system", async (t) => {
  const s = await scene(t);
  const { vfs, remake } = s;
  mountAt(vfs, "/m/a/b");
  mountAt(vfs, "/m/a/b");
  vfs.fs.mkdirSync("/m/a/b/dir");
  mountAt(vfs, "/m/a/b/dir");
  mountAt(vfs, "/m/a/c");
  vfs.mount("/m", "/b", "bind");
  mountAt(vfs, "/b/a/b");
  mountAt(vfs, "/b/a");
  mountAt(vfs, "/m/other");
  remake([vfs.fs.statSync("/b/other").ino]);
  assert.equal(vfs.fs.existsSync("/m/a/b/in"), false);
  assert.equal(vfs.fs.existsSync("/b/a/in"), false);
  assert.equal(vfs.fs.readFileSync("/m/other/in", "utf8"), "/m/other");
  vfs.umount("/m/other");
  vfs.umount("/b");
  assertNothingLeft(s);
});

test("a mount on a stale file is detached too", async (t) => {
  const s = await scene(t);
  const { vfs, remake } = s;
  vfs.fs.writeFileSync("/source", "mounted");
  vfs.mount("/source", "/m/a/f", "bind");
  assert.equal(vfs.fs.readFileSync("/m/a/f", "utf8"), "mounted");
  remake();
  assert.equal(vfs.fs.statSync("/m/a/f").size, 0);
  assertNothingLeft(s);
});

test("root, working directory and descriptors in a detached mount stay usable, and the mount ends with the last", async (t) => {
  const s = await scene(t);
  const { vfs, remake } = s;
  mountAt(vfs, "/m/a/b");
  vfs.fs.mkdirSync("/m/a/b/dir");
  const inside = vfs.context({ cwd: "/m/a/b/dir" });
  const rooted = vfs.context({ root: "/m/a/b" });
  const below = vfs.context({ cwd: "/m/a/b/.." });
  const fd = vfs.fs.openSync("/m/a/b/in", "r");
  remake();
  assert.equal(vfs.fs.existsSync("/m/a/b/in"), false);
  assert.equal(vfs.counters().mounts, s.mounts + 2);
  inside.fs.writeFileSync("new", "text");
  assert.equal(rooted.fs.readFileSync("/dir/new", "utf8"), "text");
  assert.equal(inside.fs.readFileSync("../in", "utf8"), "/m/a/b");
  assert.equal(
    codeOf(() => inside.getcwd()),
    "ENOENT",
  );
  assert.equal(vfs.fs.readFileSync(fd, "utf8"), "/m/a/b");
  // Below the removed directory nothing can be mounted: no path would lead there.
  assert.equal(
    codeOf(() => vfs.mount("t", "/m/a/none", "tmpfs")),
    "ENOENT",
  );
  assert.deepEqual(problemsOf(s), []);
  inside.close();
  rooted.close();
  assert.equal(vfs.counters().mounts, s.mounts + 2);
  vfs.fs.closeSync(fd);
  assert.equal(vfs.counters().mounts, s.mounts + 1);
  below.close();
  assertNothingLeft(s);
});

// Fails when hashMount() does not look at the directories above the mount point.
test("a mount below a directory that goes stale after the walk is refused with ENOENT", async (t) => {
  const s = await scene(t);
  const { vfs, other, remake } = s;
  vfs.fs.statSync("/m/a/b/c");
  // Inside mount(2), after its walk.
  vfs.at(POINT.ANSWER, () => {
    remake();
    other.fs.statSync("/m/a/b/c");
  });
  assert.equal(
    codeOf(() => vfs.mount("t", "/m/a/b/c", "tmpfs")),
    "ENOENT",
  );
  assertNothingLeft(s);
});

// Fails when hashMount() does not ask once more, under the locks.
test("a mount on a directory that goes stale after it was asked for is refused with ENOENT", async (t) => {
  const s = await scene(t);
  const { vfs, other, remake } = s;
  vfs.fs.statSync("/m/a/b/c");
  let asked = 0;
  vfs.each(POINT.MOUNT_CHECK, (_place, step) => {
    if (step !== 2) return;
    asked++;
    remake();
    other.fs.statSync("/m/a/b/c");
  });
  for (const path of ["/m/a/b/c", "/m/a"]) {
    assert.equal(
      codeOf(() => vfs.mount("t", path, "tmpfs")),
      "ENOENT",
    );
  }
  vfs.never();
  assert.equal(asked, 2);
  assertNothingLeft(s);
});

// Fails when the umount of a mount that has been detached meanwhile puts its references again.
test("an umount of a mount that goes stale after the walk is EINVAL", async (t) => {
  const s = await scene(t);
  const { vfs, other, remake } = s;
  for (const detach of [false, true]) {
    mountAt(vfs, "/m/a/b");
    vfs.at(POINT.ANSWER, () => {
      remake();
      assert.equal(other.fs.existsSync("/m/a/b/in"), false);
    });
    assert.equal(
      codeOf(() => vfs.umount("/m/a/b", { detach })),
      "EINVAL",
    );
    assert.deepEqual(problemsOf(s), []);
  }
  assertNothingLeft(s);
});

// Fails when unlinkDriver() leaves mounts below a directory that the driver removes although it is not empty.
test("rmdir of a driver's directory is EBUSY with a mount on it, and detaches those below it", async (t) => {
  const removed = new Set<string>();
  const s = await scene(t, { unlink: (_dir, _node, name) => void removed.add(name), revalidate: () => true });
  const { vfs, other } = s;
  mountAt(vfs, "/m/a/b/c");
  for (const fs of [vfs.fs, other.fs]) {
    assert.equal(
      codeOf(() => fs.rmdirSync("/m/a/b/c")),
      "EBUSY",
    );
  }
  assert.deepEqual([...removed], []);
  const inside = vfs.context({ cwd: "/m/a" });
  vfs.fs.rmdirSync("/m/a");
  assert.deepEqual([...removed], ["a"]);
  assert.equal(vfs.counters().mounts, s.mounts + 1);
  assert.equal(inside.fs.existsSync("b/c/in"), false);
  assert.deepEqual(problemsOf(s), []);
  inside.close();
  assertNothingLeft(s);
});

// Fails when igetDriver() takes an inode of another type for the number.
test("a number that comes back with another type is another node, and its mounts are gone", async (t) => {
  let mode = DIR;
  let valid = true;
  const s = await scene(t, {
    lookup: (dir, name) => (dir === 1 && name === "a" ? { ino: 2, mode } : null),
    revalidate: () => valid,
  });
  const { vfs } = s;
  // Keeps the directory, so that its number is known when it comes back.
  const below = vfs.context({ cwd: "/m/a" });
  mountAt(vfs, "/m/a");
  const inside = vfs.context({ cwd: "/m/a" });
  [mode, valid] = [S_IFREG | 0o644, false];
  assert.equal(vfs.fs.statSync("/m/a").isFile(), true);
  assert.equal(below.fs.statSync(".").isDirectory(), true);
  assert.equal(inside.fs.readFileSync("in", "utf8"), "/m/a");
  assert.deepEqual(problemsOf(s), []);
  inside.close();
  below.close();
  assertNothingLeft(s);
});
