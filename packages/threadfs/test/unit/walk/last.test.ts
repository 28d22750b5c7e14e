/** Links in a walk and its end: what the last component may be, how the walk is ended, what is left of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { POINT, S_IFDIR } from "../../../dist/abi/abi.js";
import type { Driver } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { flatDriver, mountDriver, walkCode } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";
import { firstPass, type HookedVfs, of, type PointPass } from "../../support/hooked-vfs.js";
import { makeOld } from "../../support/interleavings.js";
import { memoryOf } from "../../support/memory.js";

/** Reference counts of the dentries that some paths lead to. */
function counts(vfs: HookedVfs, paths: readonly string[]): number[] {
  const memory = memoryOf(vfs);
  return paths.map((path) => {
    const points = vfs.points(() => walkCode(vfs, path));
    const [, , dentry] = firstPass(points, POINT.ANSWER);
    return memory.count(dentry);
  });
}

// Taken out: dropRcuLink() in pickLink(): the link's time of access is updated in rcu mode.
test("row 57: a link that rcu mode cannot follow takes the walk out of it with references on link and directory, then its body is walked", async (t) => {
  const { vfs, counted } = await treeFor(t);
  vfs.fs.mkdirSync("/a/b", { recursive: true });
  vfs.fs.writeFileSync("/a/b/f", "");
  vfs.fs.symlinkSync("b", "/a/l");
  vfs.fs.symlinkSync("/a/l", "/top");
  const held = () => counts(vfs, ["/", "/a", "/a/b", "/a/b/f"]);
  const before = held();
  for (const [path, links] of [
    ["/a/l/f", 1],
    ["/top/f", 2],
    ["/a/l/../l/f", 2],
  ] as const) {
    let points: PointPass[] = [];
    for (const link of ["/a/l", "/top"]) makeOld(vfs.fs, link);
    const c = counted(() => {
      points = vfs.points(() => assert.equal(walkCode(vfs, path), undefined));
    });
    assert.deepEqual([c.dropLink, c.endedRef, c.echildRestarts], [1, 1, 0], path);
    const steps = of(points, POINT.DROP, POINT.DROPPED, POINT.LINK).map(([id]) => id);
    assert.deepEqual(steps, [POINT.DROP, POINT.DROPPED, ...Array<number>(links).fill(POINT.LINK)], path);
  }
  assert.deepEqual(held(), before);
});

// Taken out: every link at the end is followed, O_NOFOLLOW or not.
test("row 58: a link at the end is followed as the call says, in rcu mode, and only then leaves it if its time of access is old", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.writeFileSync("/f", "12");
  fs.symlinkSync("f", "/l");
  fs.symlinkSync("d", "/ld");
  const stay = counted(() => assert.ok(fs.lstatSync("/l").isSymbolicLink()));
  assert.deepEqual([stay.dropLink, stay.endedRcu], [0, 1]);
  makeOld(fs, "/l");
  const go = counted(() => assert.equal(fs.statSync("/l").size, 2));
  assert.deepEqual([go.dropLink, go.endedRef], [1, 1]);
  // A slash behind a link asks for its target.
  makeOld(fs, "/ld");
  const slash = counted(() => assert.ok(fs.lstatSync("/ld/").isDirectory()));
  assert.equal(slash.dropLink, 1);
  assert.equal(
    codeOf(() => fs.openSync("/l", fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)),
    "ELOOP",
  );
});

// Taken out: the end of the walk does not check for a directory; and separately: a slash at the end does not ask for one.
test("row 59: where the call needs a directory, any other file is ENOTDIR, in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.writeFileSync("/f", "");
  fs.symlinkSync("f", "/l");
  fs.symlinkSync("d", "/ld");
  const c = counted(() => {
    assert.equal(walkCode(vfs, "/f/"), "ENOTDIR");
    assert.equal(walkCode(vfs, "/f//"), "ENOTDIR");
    assert.equal(walkCode(vfs, "/d/"), undefined);
    assert.equal(
      codeOf(() => fs.openSync("/f", fs.constants.O_DIRECTORY)),
      "ENOTDIR",
    );
  });
  assert.deepEqual([c.endedRcu, c.echildRestarts], [4, 0]);
  assert.equal(walkCode(vfs, "/l/"), "ENOTDIR");
  assert.equal(walkCode(vfs, "/ld/"), undefined);
  const context = vfs.context();
  for (const call of ["chdir", "chroot"] as const) {
    assert.equal(
      codeOf(() => context[call]("/f")),
      "ENOTDIR",
    );
  }
});

// Taken out: a walk that ends in a jump is never revalidated; and separately: a stale entry is not ESTALE.
test("row 60: a walk that ends in '.', '..' or '/' is revalidated in ref mode where the file system asks for it", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked: [node: number | null, reval: boolean][] = [];
  let good = true;
  const hooks: Partial<Driver> = {
    revalidateDots: true,
    revalidate: (_dir, node, _name, reval) => {
      asked.push([node, reval]);
      return good;
    },
  };
  mountDriver(vfs, flatDriver("dots", { d: [2, S_IFDIR] }, hooks));
  vfs.fs.statSync("/m/d");
  const inside = vfs.context({ cwd: "/m/d" });
  const chrooted = vfs.context({ root: "/m" });
  const ends = [
    [inside, ".", 2],
    [inside, "..", 1],
    [vfs, "/m/.", 1],
    [chrooted, "/", 1],
  ] as const;
  for (const [caller, path, node] of ends) {
    asked.length = 0;
    const c = counted(() => assert.equal(walkCode(caller, path), undefined));
    assert.deepEqual([c.dropRevalDot, c.endedRef, c.echildRestarts], [1, 1, 0], path);
    assert.deepEqual(asked, [[node, false]], path);
  }
  good = false;
  asked.length = 0;
  const stale = counted(() => assert.equal(walkCode(inside, "."), "ESTALE"));
  assert.equal(stale.estaleRestarts, 1);
  assert.deepEqual(
    asked.map(([, reval]) => reval),
    [false, true],
  );
  // A name at the end is not a jump: it is revalidated on the way, as every name of this file system.
  good = true;
  const named = counted(() => walkCode(vfs, "/m/d"));
  assert.deepEqual([named.dropRevalDot, named.dropRevalidate], [0, 1]);
});

// Taken out: a walk that fails in rcu mode drops references that it never took.
test("row 61: a walk that fails in rcu mode releases no reference", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/a/b/secret", { recursive: true });
  fs.mkdirSync("/mnt");
  fs.chmodSync("/a/b/secret", 0o700);
  fs.writeFileSync("/a/f", "");
  vfs.mount(null, "/mnt", "tmpfs");
  fs.mkdirSync("/mnt/x");
  fs.writeFileSync("/mnt/x/f", "");
  const user = vfs.context({ uid: 3, gid: 3 });
  const held = () => counts(vfs, ["/", "/a", "/a/b", "/a/b/secret", "/a/f", "/mnt", "/mnt/x", "/mnt/x/f"]);
  const before = held();
  const failing = [
    ["/a/none", "ENOENT"],
    ["/a/none/x", "ENOENT"],
    ["/a/f/x", "ENOTDIR"],
    ["/a/f/", "ENOTDIR"],
    ["/mnt/x/f/y", "ENOTDIR"],
    ["/mnt/x/none", "ENOENT"],
    ["/a/b/secret/x", "EACCES"],
    [`/mnt/x/${"n".repeat(256)}`, "ENAMETOOLONG"],
  ] as const;
  for (let n = 0; n < 5; n++) {
    for (const [path, code] of failing) {
      const c = counted(() => assert.equal(walkCode(user, path), code));
      assert.equal(c.endedRcu, 1, path);
    }
  }
  assert.deepEqual(held(), before);
  vfs.umount("/mnt");
});

// Taken out: the count of links goes on from the attempt before.
test("row 62: every attempt counts its links from 0: 40 are followed after a restart, 41 are not", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "");
  for (let n = 0; n < 20; n++) {
    vfs.fs.symlinkSync(n === 19 ? "d" : `dir${n + 1}`, `/dir${n}`);
    vfs.fs.symlinkSync(n === 19 ? "f" : `end${n + 1}`, `/d/end${n}`);
  }
  vfs.fs.symlinkSync("end0", "/d/more");
  const restarted = (path: string): string | undefined => {
    makeOld(vfs.fs, "/dir0");
    vfs.at(POINT.UNLAZY_HALF, () => {
      other.fs.renameSync("/dir0", "/aside");
      other.fs.renameSync("/aside", "/dir0");
    });
    let code: string | undefined;
    const c = counted(() => {
      code = walkCode(vfs, path);
    });
    assert.deepEqual([c.dropLink, c.dropFailed, c.echildRestarts], [1, 1, 1]);
    return code;
  };
  assert.equal(restarted("/dir0/end0"), undefined);
  assert.equal(restarted("/dir0/more"), "ELOOP");
  assert.equal(walkCode(vfs, "/dir0/end0"), undefined);
});

// Taken out: a walk that failed with links on its stack leaves its count to the next walk.
test("row 62: a walk after one that ended in ELOOP has all its links again", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.writeFileSync("/f", "");
  vfs.fs.symlinkSync("loop", "/loop");
  for (let n = 0; n < 40; n++) vfs.fs.symlinkSync(n === 39 ? "f" : `l${n + 1}`, `/l${n}`);
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    for (let n = 0; n < 3; n++) {
      assert.equal(walkCode(vfs, "/loop"), "ELOOP");
      assert.equal(walkCode(vfs, "/l0"), undefined);
    }
  }
});
