/** Walks that start again (core/vfs/walk/namei.ts, filenameLookup): rows 72 to 76, 86 to 88. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DROP, POINT } from "../../../dist/abi/abi.js";
import { counted, gauges } from "../../support/counters.js";
import { debugTree } from "../../support/debug-tree.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf } from "../../support/errors.js";
import { walkerOf } from "../../support/hooked-vfs.js";
import { memoryOf } from "../../support/memory.js";

const ECHILD = 10;
const ESTALE = 116;
const CAP_SYS_CHROOT = 1 << 18;

async function setUp(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  const peer = await walkerOf(t, tree.vfs.handle);
  const walker = await walkerOf(t, tree.vfs.handle);
  return { vfs: tree.vfs, peer, walker, memory: memoryOf(tree.vfs) };
}

/** A driver file system at /drv, known to every attachment. */
function mountDriver(driver, ...all) {
  for (const vfs of all) vfs.registerDriver(driver);
  all[0].fs.mkdirSync("/drv");
  all[0].mount("none", "/drv", driver.name);
}

const starts = (passed) => passed.filter(([id]) => id === POINT.WALK_START).map(([, mode]) => mode);
const restarts = (passed) => passed.filter(([id]) => id === POINT.RESTART).map(([, errno]) => errno);

describe("ECHILD", () => {
  // Taken out: "if (err == -ECHILD)" and what it does in filenameLookup(). The caller sees ECHILD.
  test("row 72: the whole lookup is done again as a ref-walk, counted once", async (t) => {
    const { vfs, peer, walker } = await setUp(t);
    vfs.fs.mkdirSync("/a/b/c", { recursive: true });
    vfs.fs.writeFileSync("/a/b/c/f", "x");
    walker.at(
      POINT.PARENT_CHECK,
      () => {
        peer.fs.renameSync("/a/b", "/a/away");
        peer.fs.renameSync("/a/away", "/a/b");
      },
      3,
    );
    let passed;
    const run = counted(walker, () => {
      passed = walker.points(() => assert.equal(walker.fs.statSync("/a/b/c/f").size, 1));
    });
    assert.equal(walker.waits(POINT.PARENT_CHECK), false, "the interleaving happened");
    assert.deepEqual(restarts(passed), [ECHILD]);
    assert.deepEqual(starts(passed), [1, 0], "rcu, then ref, from the start of the path");
    assert.deepEqual([run.walks, run.echildRestarts, run.endedRef, run.endedRcu, run.estaleRestarts], [1, 1, 1, 0, 0]);
  });

  // Taken out: the second attempt made in rcu mode too (flags | LOOKUP_RCU). It fails as the first, for as long as one wants.
  test("row 72: a ref-walk completes though its path is renamed before every one of its steps", async (t) => {
    const { vfs, peer, walker } = await setUp(t);
    vfs.fs.mkdirSync("/a/b/c", { recursive: true });
    vfs.fs.writeFileSync("/a/b/c/f", "x");
    let moves = 0;
    const move = () => {
      moves++;
      peer.fs.renameSync("/a/b", "/a/away");
      peer.fs.renameSync("/a/away", "/a/b");
    };
    for (const id of [POINT.COMPONENT, POINT.FOUND, POINT.PARENT_CHECK, POINT.COMPLETE]) walker.each(id, move);
    const passed = walker.points(() => assert.equal(walker.fs.statSync("/a/b/c/f").size, 1));
    walker.never();
    assert.ok(moves > 5);
    assert.deepEqual(restarts(passed), [ECHILD]);
    assert.equal(counted(walker, () => walker.fs.statSync("/a/b/c/f")).echildRestarts, 0);
  });

  // Taken out: the second attempt in filenameParentat(). The caller sees ECHILD.
  test("row 72: so do the lookups of parents and those that create", async (t) => {
    const { vfs, peer, walker } = await setUp(t);
    vfs.fs.mkdirSync("/a/b/c", { recursive: true });
    const move = () => {
      peer.fs.renameSync("/a/b", "/a/away");
      peer.fs.renameSync("/a/away", "/a/b");
    };
    const calls = {
      mkdir: (fs) => fs.mkdirSync("/a/b/c/dir"),
      symlink: (fs) => fs.symlinkSync("body", "/a/b/c/link"),
      create: (fs) => fs.writeFileSync("/a/b/c/file", "x"),
      rename: (fs) => fs.renameSync("/a/b/c/file", "/a/b/c/other"),
      unlink: (fs) => fs.unlinkSync("/a/b/c/link"),
    };
    for (const [name, call] of Object.entries(calls)) {
      walker.at(POINT.PARENT_CHECK, move, 2);
      const passed = walker.points(() => call(walker.fs));
      assert.equal(walker.waits(POINT.PARENT_CHECK), false, name);
      assert.deepEqual(restarts(passed), [ECHILD], name);
    }
    assert.deepEqual(vfs.fs.readdirSync("/a/b/c"), ["dir", "other"]);
  });

  // Taken out: "&& !checkRcu(nd)" on the way of errors in endAttempt(): a wrong errno gets out of rcu mode.
  test("row 72: an errno of rcu mode that may be of two moments is asked again", async (t) => {
    const { vfs, peer } = await setUp(t);
    vfs.fs.mkdirSync("/p/d", { recursive: true });
    vfs.fs.writeFileSync("/p/d/f", "x");
    const { ino } = vfs.fs.statSync("/p/d");
    const modes = [];
    // Nobody may search what was /p/d from the moment on when it has another name.
    const security = (node, _mask, rcu) => {
      if (node !== ino) return 0;
      modes.push(rcu);
      peer.fs.renameSync("/p/d", "/p/e");
      peer.fs.mkdirSync("/p/d");
      peer.fs.writeFileSync("/p/d/f", "xy");
      return -13;
    };
    const walker = await walkerOf(t, vfs.handle, { security });
    // EINVAL: it is there, and no link.
    const run = counted(walker, () =>
      assert.equal(
        codeOf(() => walker.fs.readlinkSync("/p/d/f")),
        "EINVAL",
      ),
    );
    assert.deepEqual([modes, run.echildRestarts], [[true], 1]);
  });
});

describe("ESTALE", () => {
  /** What `revalidate` answers, one after the other, then true; and what it was asked with. */
  function doubting(answers, content = { dir: { file: "x" } }) {
    const asked = [];
    const driver = objectDriver("doubting", content, {
      revalidate(_dir, _node, _name, reval) {
        asked.push(reval);
        return answers.shift() ?? true;
      },
    });
    driver.revalidateDots = true;
    return { driver, asked };
  }

  // Taken out: LOOKUP_REVAL in the third attempt. The driver is not told, and asked the same.
  test("row 73: the lookup is done again and the driver is told to look for itself", async (t) => {
    const { vfs, walker } = await setUp(t);
    const { driver, asked } = doubting([]);
    mountDriver(driver, vfs, walker);
    vfs.fs.statSync("/drv/dir");
    for (const path of ["/drv/dir/.", "/drv/dir/.."]) {
      const queue = [true, false];
      asked.length = 0;
      driver.revalidate = (_dir, _node, _name, reval) => {
        asked.push(reval);
        return queue.shift() ?? true;
      };
      let passed;
      const run = counted(walker, () => {
        passed = walker.points(() => assert.ok(walker.fs.statSync(path).isDirectory()));
      });
      assert.deepEqual(restarts(passed), [ESTALE], path);
      assert.deepEqual(starts(passed), [1, 2], path);
      assert.deepEqual([run.estaleRestarts, run.echildRestarts], [1, 0], path);
      assert.equal(asked.slice(0, 2).includes(true), false, path);
      assert.ok(asked.length > 2 && asked.slice(2).every((reval) => reval), path);
    }
  });

  // Put in: a loop around the third attempt. It is told of ESTALE again and again.
  test("row 73: once, then ESTALE is the answer", async (t) => {
    const { vfs, walker } = await setUp(t);
    const { driver } = doubting([]);
    mountDriver(driver, vfs, walker);
    vfs.fs.statSync("/drv/dir");
    driver.revalidate = (_dir, _node, name) => name === "dir" && asksForDir++ % 2 === 0;
    let asksForDir = 0;
    const run = counted(walker, () =>
      assert.equal(
        codeOf(() => walker.fs.chmodSync("/drv/dir/.", 0)),
        "ESTALE",
      ),
    );
    assert.equal(run.estaleRestarts, 1);
  });

  // Ours has one loop for both modes, where the seed has one in do_path_lookup and one in path_walk.
  // Taken out: "if (err == -ESTALE)" in filenameLookup(), or the same made to depend on the first attempt's mode.
  test("row 74: a lookup in ref mode has the same second try, and rcu, ref and REVAL may all come in one", async (t) => {
    const { vfs, peer, walker } = await setUp(t);
    const { driver } = doubting([]);
    mountDriver(driver, vfs, peer, walker);
    vfs.fs.statSync("/drv/dir");
    const doubt = (answers) => {
      driver.revalidate = () => answers.shift() ?? true;
    };
    walker.walkMode({ ref: true });
    doubt([true, false]);
    const ref = counted(walker, () => assert.ok(walker.fs.statSync("/drv/dir/.").isDirectory()));
    assert.deepEqual([ref.estaleRestarts, ref.echildRestarts], [1, 0]);

    walker.walkMode({ ref: false });
    walker.at(POINT.UNLAZY_HALF, (d) => {
      Atomics.add(new Int32Array(vfs.handle.memory.buffer), d >>> 2, 2);
    });
    doubt([true, false]);
    const passed = walker.points(() => assert.ok(walker.fs.statSync("/drv/dir/.").isDirectory()));
    assert.deepEqual(restarts(passed), [ECHILD, ESTALE]);
    assert.deepEqual(starts(passed), [1, 0, 2]);
  });

  // Taken out: "if (err == -ESTALE)" in filenameLookup().
  test("row 74: a driver's lookup that answers ESTALE is asked again too", async (t) => {
    const { vfs, walker } = await setUp(t);
    const driver = objectDriver("stale", { file: "x" });
    const { lookup } = driver;
    let times = 1;
    driver.lookup = (dir, name) => {
      if (times-- > 0) throw Object.assign(new Error("stale"), { code: "ESTALE" });
      return lookup(dir, name);
    };
    mountDriver(driver, vfs, walker);
    const run = counted(walker, () => assert.equal(walker.fs.statSync("/drv/file").size, 1));
    assert.equal(run.estaleRestarts, 1);
    times = 2;
    vfs.shrink(1000);
    assert.equal(
      codeOf(() => walker.fs.chmodSync("/drv/file", 0)),
      "ESTALE",
    );
  });

  // Taken out: the puts under ND_ROOT_GRABBED in terminateWalk(). The root's count grows with every attempt.
  test("row 75: the root's reference is put between attempts and at the end", async (t) => {
    const { vfs, walker, memory } = await setUp(t);
    const { driver } = doubting([]);
    mountDriver(driver, vfs, walker);
    let root = 0;
    walker.at(POINT.WALK_START, (_mode, d) => {
      root = d;
    });
    walker.fs.statSync("/drv/dir");
    const before = memory.count(root);
    const between = [];
    for (const ref of [false, true]) {
      walker.walkMode({ ref });
      for (let i = 0; i < 20; i++) {
        const answers = [true, false];
        driver.revalidate = () => answers.shift() ?? true;
        walker.at(POINT.RESTART, () => between.push(memory.count(root)));
        walker.fs.statSync("/drv/dir/.");
        assert.equal(
          codeOf(() => walker.fs.statSync("/drv/dir/../none/x")),
          "ENOENT",
        );
      }
    }
    assert.equal(between.length, 40);
    assert.deepEqual(new Set(between), new Set([before]));
    assert.equal(memory.count(root), before);
  });
});

// Taken out: "err == 0 &&" before host.audit(), and in another build the call itself.
test("row 76: the audit hook is told of what was found, once, and of nothing that was not", async (t) => {
  const { vfs, peer, memory } = await setUp(t);
  const told = [];
  const walker = await walkerOf(t, vfs.handle, { audit: (dentry, inode) => told.push([dentry, inode]) });
  vfs.fs.mkdirSync("/a");
  vfs.fs.writeFileSync("/a/f", "x");
  const during = (run) => {
    told.length = 0;
    run();
    return told.length;
  };
  let last = 0;
  walker.at(POINT.ANSWER, (_err, d) => {
    last = d;
  });
  assert.equal(
    during(() => walker.fs.statSync("/a/f")),
    1,
  );
  assert.deepEqual(told[0], [last, memory.inode(last)]);
  assert.equal(
    during(() => walker.fs.closeSync(walker.fs.openSync("/a/f"))),
    1,
  );
  assert.equal(
    during(() => walker.fs.closeSync(walker.fs.openSync("/a/new", "w"))),
    1,
  );
  assert.equal(
    during(() => codeOf(() => walker.fs.statSync("/a/none"))),
    0,
  );
  assert.equal(
    during(() => codeOf(() => walker.fs.statSync("/none/f"))),
    0,
  );
  assert.equal(
    during(() => codeOf(() => walker.fs.openSync("/a/f/x"))),
    0,
  );
  walker.at(
    POINT.PARENT_CHECK,
    () => {
      peer.fs.renameSync("/a", "/b");
      peer.fs.renameSync("/b", "/a");
    },
    2,
  );
  assert.equal(
    during(() => walker.fs.statSync("/a/f")),
    1,
    "a walk that started again is one walk",
  );
  assert.equal(walker.waits(POINT.PARENT_CHECK), false);
});

describe("the inode that goes with the walk's dentry", () => {
  // Taken out: "return setStartInode(nd)" in jumpRoot() (0 instead). Search permission is asked of the link's directory.
  test("row 86: after a link to the root it is the root's", async (t) => {
    const { vfs } = await setUp(t);
    const { fs } = vfs;
    fs.mkdirSync("/jail/open", { recursive: true });
    fs.writeFileSync("/jail/file", "x");
    fs.symlinkSync("/file", "/jail/open/abs");
    fs.symlinkSync("/", "/jail/open/top");
    fs.chmodSync("/jail", 0o750);
    const user = vfs.context({ uid: 1000, gid: 1000, root: "/jail", cwd: "/open" });
    t.after(() => user.close());
    for (const ref of [false, true]) {
      const walker = await walkerOf(t, user.handle);
      walker.walkMode({ ref });
      assert.equal(
        codeOf(() => walker.fs.statSync("abs")),
        "EACCES",
      );
      assert.equal(
        codeOf(() => walker.fs.statSync("top/file")),
        "EACCES",
      );
      assert.equal(walker.fs.statSync("top").mode & 0o777, 0o750, "the root itself may be seen");
      fs.chmodSync("/jail", 0o755);
      assert.equal(walker.fs.statSync("abs").size, 1);
      fs.chmodSync("/jail", 0o750);
    }
  });

  // Taken out: "nd.inode = inode" at the end of stepInto(), or of followDotdotRcu() and climb() after a mount.
  test("row 86: after every other kind of step it is the new dentry's", async (t) => {
    const { vfs, walker, memory } = await setUp(t);
    const { fs } = vfs;
    fs.mkdirSync("/a/b/c", { recursive: true });
    fs.writeFileSync("/a/b/f", "x");
    fs.symlinkSync("b/f", "/a/rel");
    fs.symlinkSync("/a/b/f", "/a/abs");
    vfs.mount("none", "/a/b/c", "tmpfs");
    fs.mkdirSync("/a/b/c/in");
    const told = [];
    const auditor = await walkerOf(t, vfs.handle, {
      audit: (dentry, inode) => told.push(memory.inode(dentry) === inode),
    });
    const paths = [
      "/",
      "/a",
      "/a/b/f",
      "/a/rel",
      "/a/abs",
      "/a/b/c",
      "/a/b/c/in",
      "/a/b/c/in/..",
      "/a/b/c/..",
      "/a/..",
    ];
    for (const ref of [false, true]) {
      auditor.walkMode({ ref });
      for (const path of paths) {
        told.length = 0;
        auditor.fs.statSync(path);
        assert.deepEqual(told, [true], path);
      }
    }
    assert.ok(walker);
  });
});

describe("what rcu mode cannot do", () => {
  async function world(t) {
    const all = await setUp(t);
    const { vfs } = all;
    const { fs } = vfs;
    const user = vfs.context({ uid: 1000, gid: 1000, caps: CAP_SYS_CHROOT });
    t.after(() => user.close());
    const walker = await walkerOf(t, user.handle);
    fs.mkdirSync("/acl");
    fs.writeFileSync("/acl/f", "x");
    const entry = (tag, perm, id) => ({ tag, perm, id });
    vfs.setfacl("/acl", [entry(1, 7), entry(2, 5, 1000), entry(4, 5), entry(16, 7), entry(32, 5)]);
    fs.symlinkSync("acl/f", "/link");
    for (const [name, hooks] of [
      ["plain", {}],
      ["judging", { permission: () => {} }],
      ["acled", { checkAcl: () => undefined }],
      ["asked", { revalidate: () => true }],
    ]) {
      const driver = objectDriver(name, { dir: { f: "x" } }, hooks);
      for (const each of [vfs, walker]) each.registerDriver(driver);
      fs.mkdirSync(`/${name}`);
      vfs.mount("none", `/${name}`, name);
      if (name !== "plain") fs.statSync(`/${name}/dir/f`);
    }
    return { ...all, walker };
  }
  const reasons = (passed) => passed.filter(([id]) => id === POINT.DROP).map(([, why]) => why);

  // Taken out, one by one: the drop in lookupFast() for a miss, "if (rcu) return -ECHILD" for an ACL and for a permission hook,
  // dropRcuNext() for revalidate, dropLink() in pickLink().
  for (const [what, path, why, counter] of [
    ["a name that is not cached", "/plain/dir", DROP.UNCACHED, "dropUncached"],
    ["permission()", "/judging/dir/f", DROP.PERMISSION, "dropPermission"],
    ["check_acl() of a driver", "/acled/dir/f", DROP.PERMISSION, "dropPermission"],
    ["an ACL in memory", "/acl/f", DROP.PERMISSION, "dropPermission"],
    ["d_revalidate()", "/asked/dir/f", DROP.REVALIDATE, "dropRevalidate"],
    ["a link", "/link", DROP.LINK, "dropLink"],
  ]) {
    test(`row 87: ${what} takes the walk out, once, and the answer is right`, async (t) => {
      const { walker } = await world(t);
      let passed;
      const run = counted(walker, () => {
        passed = walker.points(() => walker.fs.statSync(path));
      });
      assert.deepEqual(reasons(passed), [why]);
      assert.deepEqual([run[counter], run.endedRef, run.endedRcu, run.echildRestarts], [1, 1, 0, 0]);
    });
  }

  // The seed's last lines name what may come: permission and d_revalidate aware of rcu mode, links perhaps, and uncached names
  // always dropping. Ours drops for the first three, as the seed does, and has one thing more: a directory in memory has all its
  // children in the cache, so there a miss is an answer. Taken out: "if (!dLookupRcuMissFinal)" made to drop always.
  test("row 88: a name that is not there needs no drop in memory, and one with a driver", async (t) => {
    const { walker } = await world(t);
    const inMemory = counted(walker, () => assert.equal(walker.fs.existsSync("/none"), false));
    assert.deepEqual([inMemory.dropUncached, inMemory.missesValidated, inMemory.endedRcu], [0, 1, 1]);
    const first = counted(walker, () => assert.equal(walker.fs.existsSync("/plain/none"), false));
    assert.deepEqual([first.dropUncached, first.endedRcu], [1, 0]);
    const second = counted(walker, () => assert.equal(walker.fs.existsSync("/plain/none"), false));
    assert.deepEqual([second.dropUncached, second.endedRcu], [0, 1], "the negative entry answers");
  });

  // Taken out: the condition before completeWalk() in finishWalk(), so that every walk takes a reference at its end.
  test("row 88: what has none of these stays in rcu mode to the end", async (t) => {
    const { vfs, walker } = await world(t);
    vfs.fs.statSync("/plain/dir/f");
    for (const path of ["/plain", "/plain/dir/f", "/plain/dir/..", "/plain/../asked", "/", "."]) {
      const run = counted(walker, () => walker.fs.statSync(path));
      assert.deepEqual([run.endedRcu, run.endedRef], [1, 0], path);
    }
    assert.ok(gauges(vfs).dentries > 0);
  });
});
