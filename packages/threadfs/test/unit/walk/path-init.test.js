/** Where a walk begins: root, working directory, descriptor, and what its state holds from the first step on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_FDCWD, ERRNO, POINT, STAT } from "../../../dist/abi/abi.js";
import { Context } from "../../../dist/src/api/context.js";
import { Attachment } from "../../../dist/src/bridge/attachment.js";
import { treeFor } from "../../support/debug-tree.js";
import { codeOf } from "../../support/errors.js";

/** Offsets in a dentry (core/vfs/dcache/dentry.ts). */
const DENTRY_INODE = 20;
const DENTRY_COUNT = 68;
const RCU = 1;
const REVAL = 2;

/**
 * A second attachment that acts as a given context, as another thread that shares it would: with its chdir and chroot, and
 * with stat relative to a descriptor.
 */
function seat(t, handle, host = {}) {
  const actions = new Map();
  let log = [];
  const point = (id, a, b) => {
    log.push([id, a, b]);
    const action = actions.get(id);
    actions.delete(id);
    action?.(a, b);
  };
  const arena = Attachment.attach(handle, { ...host, point });
  t.after(() => arena.close());
  return {
    context: new Context(arena, handle.ctx, false),
    at: (id, action) => actions.set(id, action),
    points(run) {
      log = [];
      run();
      return log;
    },
    /** Size of a file, or -errno: one walk in all. */
    size(path, dirfd = AT_FDCWD) {
      const length = arena.writeString(path, arena.path);
      arena.path[length] = 0;
      const answer = arena.core.sysStat(handle.ctx, dirfd, length, 0);
      return answer < 0 ? answer : arena.stat[STAT.size];
    },
  };
}

const startsOf = (points) => points.filter(([id]) => id === POINT.START_READ).length;
const word = (vfs, address) => new DataView(vfs.handle.memory.buffer).getInt32(address, true);

/** /f of 1 byte, /a/f of 2, /b/f of 3. */
function threeFiles(fs) {
  fs.mkdirSync("/a");
  fs.mkdirSync("/b");
  for (const [path, text] of [
    ["/f", "1"],
    ["/a/f", "22"],
    ["/b/f", "333"],
  ])
    fs.writeFileSync(path, text);
}

// Taken out: root and mount are used without a second look at the context's sequence.
test("row 39: a root that changes while it is read is read again, in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context();
  const walker = seat(t, agent.handle);
  const other = seat(t, agent.handle);
  walker.at(POINT.START_READ, () => other.context.chroot("/a"));
  let points;
  const c = counted(() => {
    points = walker.points(() => assert.equal(walker.size("/f"), 2));
  });
  assert.equal(startsOf(points), 2);
  assert.deepEqual([c.echildRestarts], [0]);
  assert.deepEqual(points.find(([id]) => id === POINT.WALK_START)[1], RCU);
});

// Taken out: the walk begins with the root's sequence of a later moment than its root was read at.
test("row 39: a root directory that moves once it was read starts the walk again", async (t) => {
  const { vfs, counted, attach } = await treeFor(t);
  threeFiles(vfs.fs);
  const mover = await attach();
  const agent = vfs.context({ root: "/a" });
  const walker = seat(t, agent.handle);
  walker.at(POINT.START_READ, () => mover.fs.renameSync("/a", "/z"));
  const c = counted(() => assert.equal(walker.size("/f"), 2));
  // The rename has walked twice.
  assert.deepEqual([c.walks, c.echildRestarts], [3, 1]);
});

// Taken out: the working directory is used without a second look at the context's sequence.
test("row 40: a working directory that changes while it is read is read again, in rcu mode", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context({ cwd: "/a" });
  const walker = seat(t, agent.handle);
  const other = seat(t, agent.handle);
  walker.at(POINT.START_READ, () => other.context.chdir("/b"));
  const points = walker.points(() => assert.equal(walker.size("f"), 3));
  assert.equal(startsOf(points), 2);
  assert.deepEqual(
    points.filter(([id]) => id === POINT.RESTART),
    [],
  );
});

// Taken out: the working directory's sequence is not looked at any more once its inode was read.
test("row 40: a working directory that is removed and given up while it is read is never walked", async (t) => {
  const { vfs, attach } = await treeFor(t);
  threeFiles(vfs.fs);
  const remover = await attach();
  vfs.fs.mkdirSync("/gone");
  const agent = vfs.context({ cwd: "/gone" });
  const walker = seat(t, agent.handle);
  walker.at(POINT.START_READ, () => remover.fs.rmdirSync("/gone"));
  const points = walker.points(() => assert.equal(walker.size("f"), -ERRNO.ENOENT));
  assert.equal(points.filter(([id, errno]) => id === POINT.RESTART && errno === ERRNO.ECHILD).length, 1);
  // The context's own reference keeps the directory itself.
  assert.equal(agent.fs.statSync(".").nlink, 0);
  assert.equal(
    codeOf(() => agent.fs.mkdirSync("x")),
    "ENOENT",
  );
});

// Taken out, one at a time: the start at the descriptor; the check that it is a directory; the question for search permission.
test("row 41: a walk from a descriptor: its directory, EBADF, ENOTDIR, and permission to search it", async (t) => {
  const { vfs, counted } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context({ uid: 5, gid: 5 });
  const walker = seat(t, agent.handle);
  const dir = agent.fs.openSync("/b", "r");
  const file = agent.fs.openSync("/b/f", "r");
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
test("row 41: a descriptor closed while it is read: the walk starts again and finds it closed", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context();
  const walker = seat(t, agent.handle);
  const other = seat(t, agent.handle);
  const dir = agent.fs.openSync("/b", "r");
  walker.at(POINT.START_READ, () => other.context.fs.closeSync(dir));
  const points = walker.points(() => assert.equal(walker.size("f", dir), -ERRNO.EBADF));
  assert.equal(points.filter(([id]) => id === POINT.RESTART).length, 1);
});

// Taken out: a reference is taken on the descriptor's directory in rcu mode.
test("row 41: in rcu mode the directory of a descriptor is read, not referenced", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context();
  const walker = seat(t, agent.handle);
  const dir = agent.fs.openSync("/b", "r");
  const counts = [];
  walker.at(POINT.START_READ, (d) => counts.push(word(vfs, d + DENTRY_COUNT)));
  walker.at(POINT.COMPONENT, (d) => counts.push(word(vfs, d + DENTRY_COUNT)));
  assert.equal(walker.size("f", dir), 3);
  assert.equal(counts.length, 2);
  assert.equal(counts[1], counts[0]);
});

// Taken out: the walk's type of the last component is left from the walk before.
test("row 42: a walk that has no component ends at the root, whatever was walked before", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  for (const path of ["/", "//", "///"]) {
    for (const [call, code] of [
      [() => vfs.fs.rmdirSync(path), "EBUSY"],
      [() => vfs.fs.mkdirSync(path), "EEXIST"],
      [() => vfs.fs.unlinkSync(path), "EISDIR"],
      [() => vfs.fs.renameSync(path, "/x"), "EBUSY"],
      [() => vfs.fs.openSync(path, "w"), "EISDIR"],
    ]) {
      assert.equal(
        codeOf(() => vfs.fs.rmdirSync("/b/f")),
        "ENOTDIR",
      );
      assert.equal(codeOf(call), code, `${call} ${path}`);
    }
  }
  assert.equal(vfs.fs.readFileSync("/b/f", "utf8"), "333");
});

// Taken out: the root of the walk before is kept.
test("row 42: each walk begins without a root and without a place of the walk before", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context();
  assert.equal(agent.fs.statSync("/f").size, 1);
  agent.chroot("/a");
  assert.equal(agent.fs.statSync("/f").size, 2);
  agent.chdir("/");
  assert.equal(agent.fs.statSync("../../f").size, 2);
  vfs.fs.mkdirSync("/a/d");
  const inside = vfs.context({ root: "/a", cwd: "/d" });
  for (const ref of [false, true]) {
    vfs.walkMode({ ref });
    assert.equal(agent.fs.statSync("/f").size, 2);
    assert.equal(agent.fs.statSync("../../f").size, 2);
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
      throw Object.assign(new Error("stale"), { code: "ESTALE" });
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
test("row 43: the root is read where it is needed, and once a walk", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context({ cwd: "/a" });
  const walker = seat(t, agent.handle);
  const reads = (path) => startsOf(walker.points(() => assert.ok(walker.size(path) > 0, path)));
  assert.deepEqual(["f", "/f", "../f", "../b/../a/../f", "/../b/../f"].map(reads), [1, 1, 2, 2, 1]);
});

// Taken out: the root is referenced in rcu mode.
test("row 43: in rcu mode the root is not referenced, in ref mode it is", async (t) => {
  const { vfs } = await treeFor(t);
  threeFiles(vfs.fs);
  const agent = vfs.context({ root: "/a" });
  const counts = [];
  let root;
  const look = () => {
    vfs.at(POINT.START_READ, (d) => {
      root = d;
    });
    vfs.at(POINT.COMPONENT, () => counts.push(word(vfs, root + DENTRY_COUNT)));
    counts.push(root === undefined ? undefined : word(vfs, root + DENTRY_COUNT));
    agent.fs.statSync("/f");
    counts.push(word(vfs, root + DENTRY_COUNT));
  };
  look();
  counts.length = 0;
  look();
  assert.deepEqual(counts, [counts[0], counts[0], counts[0]]);
  counts.length = 0;
  vfs.walkMode({ ref: true });
  look();
  assert.ok(counts[1] > counts[0], `${counts}`);
  assert.equal(counts[2], counts[0]);
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
  "/p/a-name-that-is-longer-than-a-dentry-has-room-for/f",
];

// Taken out: the step does not set the walk's inode; and separately: nor does the fast form for plain directories.
test("row 44: at each step the walk's inode is that of its dentry, in both modes", async (t) => {
  for (const security of [undefined, () => 0]) {
    const { vfs } = await treeFor(t, security === undefined ? {} : { security });
    const { fs } = vfs;
    for (const dir of ["/p/q", "/p/r", "/p/mnt", "/p/a-name-that-is-longer-than-a-dentry-has-room-for"]) {
      fs.mkdirSync(dir, { recursive: true });
    }
    vfs.mount(null, "/p/mnt", "tmpfs");
    fs.mkdirSync("/p/mnt/x");
    fs.writeFileSync("/p/mnt/x/y", "");
    fs.writeFileSync("/p/q/f", "");
    fs.writeFileSync("/p/a-name-that-is-longer-than-a-dentry-has-room-for/f", "");
    fs.symlinkSync("/p/mnt", "/p/link");
    fs.symlinkSync("..", "/p/q/up");
    for (const ref of [false, true]) {
      vfs.walkMode({ ref });
      for (const path of EVERYWHERE) {
        const points = vfs.points(() => fs.statSync(path));
        let checked = 0;
        points.forEach(([id, a, b], n) => {
          const asked = points[n - 1];
          // The fast form does not know the inode of the directory it starts in.
          if (id === POINT.COMPONENT && asked[0] === POINT.PERMISSION && asked[1] !== 0) {
            assert.equal(asked[1], word(vfs, a + DENTRY_INODE), `${path}, ref ${ref}`);
            checked++;
          }
          if (id === POINT.ATTR_COPIED) {
            assert.equal(a, word(vfs, b + DENTRY_INODE), `${path}, ref ${ref}`);
            checked++;
          }
        });
        assert.ok(checked > 0);
      }
    }
  }
});

// Taken out: the copy of the inode is used although the dentry's sequence has moved since it was read.
test("row 44: the inode that the walk goes on with is one that the dentry's sequence vouches for", async (t) => {
  const { vfs, attach, counted } = await treeFor(t);
  const other = await attach();
  const name = "a-name-that-is-longer-than-a-dentry-has-room-for";
  vfs.fs.mkdirSync(`/d/${name}`, { recursive: true });
  vfs.at(POINT.FOUND, () => {
    // The name now stands for another directory, in which there is a file that was never in the first one.
    vfs.at(POINT.FOUND, () => {
      other.fs.rmdirSync(`/d/${name}`);
      other.fs.mkdirSync(`/d/${name}`);
      other.fs.writeFileSync(`/d/${name}/f`, "12345");
    });
  });
  const c = counted(() => assert.equal(vfs.fs.statSync(`/d/${name}/f`).size, 5));
  assert.equal(c.echildRestarts, 1);
});
