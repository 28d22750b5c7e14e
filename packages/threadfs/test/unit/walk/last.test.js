/** Links in a walk and its end: what the last component may be, how the walk is ended, what is left of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { POINT } from "../../../dist/abi/abi.js";
import { treeFor } from "../../support/debug-tree.js";
import { flatDriver, mountDriver, walkCode } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";
import { of } from "../../support/hooked-vfs.js";

const DENTRY_COUNT = 68;
const S_IFDIR = 0o040000;

/** Reference counts of the dentries that some paths lead to. */
function counts(vfs, paths) {
  const view = new DataView(vfs.handle.memory.buffer);
  return paths.map((path) => {
    const points = vfs.points(() => walkCode(vfs, path));
    return view.getInt32(of(points, POINT.ANSWER)[0][2] + DENTRY_COUNT, true);
  });
}

// Taken out: the link is followed without leaving rcu mode.
test("row 57: a link on the way: out of rcu mode with references on link and directory, then its body", async (t) => {
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
  ]) {
    let points;
    const c = counted(() => {
      points = vfs.points(() => assert.equal(walkCode(vfs, path), undefined));
    });
    assert.deepEqual([c.dropLink, c.endedRef, c.echildRestarts], [1, 1, 0], path);
    const steps = of(points, POINT.DROP, POINT.DROPPED, POINT.LINK).map(([id]) => id);
    assert.deepEqual(steps, [POINT.DROP, POINT.DROPPED, ...Array(links).fill(POINT.LINK)], path);
  }
  assert.deepEqual(held(), before);
});

// Taken out: a link at the end is followed whatever was asked.
test("row 58: a link at the end is followed as the call says, and only then drops", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/d");
  fs.writeFileSync("/f", "12");
  fs.symlinkSync("f", "/l");
  fs.symlinkSync("d", "/ld");
  const stay = counted(() => assert.ok(fs.lstatSync("/l").isSymbolicLink()));
  assert.deepEqual([stay.dropLink, stay.endedRcu], [0, 1]);
  const go = counted(() => assert.equal(fs.statSync("/l").size, 2));
  assert.deepEqual([go.dropLink, go.endedRef], [1, 1]);
  // A slash behind it asks for what it leads to.
  const slash = counted(() => assert.ok(fs.lstatSync("/ld/").isDirectory()));
  assert.equal(slash.dropLink, 1);
  assert.equal(
    codeOf(() => fs.openSync("/l", fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)),
    "ELOOP",
  );
});

// Taken out: nobody asks at the end whether it is a directory; and separately: a slash at the end does not ask for one.
test("row 59: where a directory is asked for, anything else is ENOTDIR, in rcu mode", async (t) => {
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
  for (const call of ["chdir", "chroot"]) {
    assert.equal(
      codeOf(() => context[call]("/f")),
      "ENOTDIR",
    );
  }
});

// Taken out: a walk that ends in a jump is never asked about; and separately: a stale answer is not ESTALE.
test("row 60: a walk that ends in '.', '..' or '/' on a file system that wants it is revalidated in ref mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked = [];
  let good = true;
  const hooks = {
    revalidateDots: true,
    revalidate: (dir, node, name, reval) => {
      asked.push([dir, node, name, reval]);
      return good;
    },
  };
  mountDriver(vfs, flatDriver("dots", { d: [2, S_IFDIR] }, hooks));
  vfs.fs.statSync("/m/d");
  const agent = vfs.context({ cwd: "/m/d" });
  const chrooted = vfs.context({ root: "/m" });
  const ends = [
    [agent, ".", 2],
    [agent, "..", 1],
    [vfs, "/m/.", 1],
    [chrooted, "/", 1],
  ];
  for (const [who, path, node] of ends) {
    asked.length = 0;
    const c = counted(() => assert.equal(walkCode(who, path), undefined));
    assert.deepEqual([c.dropRevalDot, c.endedRef, c.echildRestarts], [1, 1, 0], path);
    assert.deepEqual(
      asked.map(([, asking, , reval]) => [asking, reval]),
      [[node, false]],
      path,
    );
  }
  good = false;
  asked.length = 0;
  const stale = counted(() => assert.equal(walkCode(agent, "."), "ESTALE"));
  assert.equal(stale.estaleRestarts, 1);
  assert.deepEqual(
    asked.map(([, , , reval]) => reval),
    [false, true],
  );
  // A name at the end is not a jump; and a file system that does not want it is not asked.
  good = true;
  const named = counted(() => walkCode(vfs, "/m/d"));
  assert.deepEqual([named.dropRevalDot, named.dropRevalidate], [0, 1]);
});

// Taken out: a walk that fails in rcu mode drops references that it never took.
test("row 61: a walk that fails in rcu mode puts nothing", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const { fs } = vfs;
  fs.mkdirSync("/a/b/secret", { recursive: true });
  fs.mkdirSync("/mnt");
  fs.chmodSync("/a/b/secret", 0o700);
  fs.writeFileSync("/a/f", "");
  vfs.mount(null, "/mnt", "tmpfs");
  fs.mkdirSync("/mnt/x");
  fs.writeFileSync("/mnt/x/f", "");
  const agent = vfs.context({ uid: 3, gid: 3 });
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
  ];
  for (let n = 0; n < 5; n++) {
    for (const [path, code] of failing) {
      const c = counted(() => assert.equal(walkCode(agent, path), code));
      assert.equal(c.endedRcu, 1, path);
    }
  }
  assert.deepEqual(held(), before);
  vfs.umount("/mnt");
});

// Taken out: the count of links goes on from the attempt before.
test("row 62: every attempt counts its links from none: 40 are followed after a restart, 41 are not", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "");
  for (let n = 0; n < 20; n++) {
    vfs.fs.symlinkSync(n === 19 ? "d" : `dir${n + 1}`, `/dir${n}`);
    vfs.fs.symlinkSync(n === 19 ? "f" : `end${n + 1}`, `/d/end${n}`);
  }
  vfs.fs.symlinkSync("end0", "/d/more");
  const restarted = (path) => {
    vfs.at(POINT.UNLAZY_HALF, () => {
      other.fs.renameSync("/dir0", "/aside");
      other.fs.renameSync("/aside", "/dir0");
    });
    let code;
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

// Taken out: a walk that was given up with links on its stack leaves its count to the next.
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
