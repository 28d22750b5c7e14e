/** Walks that start again (core/vfs/walk/namei.ts, filenameLookup): rows 72 to 76, 86 to 88. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CAP_SYS_CHROOT, DROP, ERRNO, POINT } from "../../../dist/abi/abi.js";
import type { AuditHook, Counters, Driver, FsSync, SecurityHook } from "../../../dist/src/index.js";
import { counted, gauges } from "../../support/counters.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf, errorWithCode, refused } from "../../support/errors.js";
import { of, type PointPass, type TestScope, walkerOf } from "../../support/hooked-vfs.js";
import { makeOld, mountDriverAt, setUp } from "../../support/interleavings.js";

const { ECHILD, ESTALE } = ERRNO;

/** The mode of each attempt: 0 ref, 1 rcu, 2 ref with revalidation. */
function starts(passed: readonly PointPass[]): number[] {
  return of(passed, POINT.WALK_START).map(([, mode]) => mode);
}

/** The errno of each restart. */
function restarts(passed: readonly PointPass[]): number[] {
  return of(passed, POINT.RESTART).map(([, errno]) => errno);
}

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
    let passed: PointPass[] = [];
    const run = counted(walker, () => {
      passed = walker.points(() => assert.equal(walker.fs.statSync("/a/b/c/f").size, 1));
    });
    assert.equal(walker.waits(POINT.PARENT_CHECK), false, "the interleaving happened");
    assert.deepEqual(restarts(passed), [ECHILD]);
    assert.deepEqual(starts(passed), [1, 0], "rcu, then ref, from the start of the path");
    assert.deepEqual([run.walks, run.echildRestarts, run.endedRef, run.endedRcu, run.estaleRestarts], [1, 1, 1, 0, 0]);
  });

  // Taken out: the second attempt is in rcu mode too (flags | LOOKUP_RCU). It fails as the first, as often as the test renames.
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
  test("row 72: the lookup of a parent and a lookup that creates are done again as a ref-walk too", async (t) => {
    const { vfs, peer, walker } = await setUp(t);
    vfs.fs.mkdirSync("/a/b/c", { recursive: true });
    const move = () => {
      peer.fs.renameSync("/a/b", "/a/away");
      peer.fs.renameSync("/a/away", "/a/b");
    };
    const calls: Readonly<Record<string, (fs: FsSync) => unknown>> = {
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
  test("row 72: a walk whose errno in rcu mode may mix two states starts again", async (t) => {
    const { vfs, peer } = await setUp(t);
    vfs.fs.mkdirSync("/p/d", { recursive: true });
    vfs.fs.writeFileSync("/p/d/f", "x");
    const { ino } = vfs.fs.statSync("/p/d");
    const modes: boolean[] = [];
    // The hook refuses the search of the directory that was /p/d, from the moment on when it has another name.
    const security: SecurityHook = (node, _mask, rcu) => {
      if (node !== ino) return 0;
      modes.push(rcu);
      peer.fs.renameSync("/p/d", "/p/e");
      peer.fs.mkdirSync("/p/d");
      peer.fs.writeFileSync("/p/d/f", "xy");
      return -ERRNO.EACCES;
    };
    const walker = await walkerOf(t, vfs.handle, { security });
    // EINVAL: the file is there, and no link.
    const run = counted(walker, () => refused("EINVAL", () => walker.fs.readlinkSync("/p/d/f")));
    assert.deepEqual([modes, run.echildRestarts], [[true], 1]);
  });
});

/** A driver that revalidates "." and ".." too. */
function doubtingDriver(): Driver {
  return objectDriver("doubting", { dir: { file: "x" } }, { revalidate: () => true, revalidateDots: true });
}

/** A revalidate hook that returns these results, one after the other, then true. */
function resultsOf(...results: boolean[]): Driver["revalidate"] {
  return () => results.shift() ?? true;
}

describe("ESTALE", () => {
  // Taken out: LOOKUP_REVAL in the third attempt. The driver is called with the same arguments again.
  test("row 73: after ESTALE the lookup is done again and tells the driver to revalidate", async (t) => {
    const { vfs, walker } = await setUp(t);
    const driver = doubtingDriver();
    mountDriverAt(driver, "/drv", vfs, walker);
    vfs.fs.statSync("/drv/dir");
    for (const path of ["/drv/dir/.", "/drv/dir/.."]) {
      const results = [true, false];
      const asked: boolean[] = [];
      driver.revalidate = (_dir, _node, _name, reval) => {
        asked.push(reval);
        return results.shift() ?? true;
      };
      let passed: PointPass[] = [];
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

  // Put in: a loop around the third attempt. It meets ESTALE again and again.
  test("row 73: a lookup is done again once, then ESTALE is the call's error", async (t) => {
    const { vfs, walker } = await setUp(t);
    const driver = doubtingDriver();
    mountDriverAt(driver, "/drv", vfs, walker);
    vfs.fs.statSync("/drv/dir");
    let callsForDir = 0;
    driver.revalidate = (_dir, _node, name) => name === "dir" && callsForDir++ % 2 === 0;
    const run = counted(walker, () => refused("ESTALE", () => walker.fs.chmodSync("/drv/dir/.", 0)));
    assert.equal(run.estaleRestarts, 1);
  });

  // This core has one loop for both modes; the patch has one in do_path_lookup and one in path_walk.
  // Taken out: "if (err == -ESTALE)" in filenameLookup(), or the same made to depend on the first attempt's mode.
  test("row 74: a lookup in ref mode is done again too, and one lookup may need rcu, ref and REVAL", async (t) => {
    const { vfs, peer, walker } = await setUp(t);
    const driver = doubtingDriver();
    mountDriverAt(driver, "/drv", vfs, peer, walker);
    vfs.fs.statSync("/drv/dir");
    walker.walkMode({ ref: true });
    driver.revalidate = resultsOf(true, false);
    const ref = counted(walker, () => assert.ok(walker.fs.statSync("/drv/dir/.").isDirectory()));
    assert.deepEqual([ref.estaleRestarts, ref.echildRestarts], [1, 0]);

    walker.walkMode({ ref: false });
    walker.at(POINT.UNLAZY_HALF, (d) => {
      Atomics.add(new Int32Array(vfs.handle.memory.buffer), d >>> 2, 2);
    });
    driver.revalidate = resultsOf(true, false);
    const passed = walker.points(() => assert.ok(walker.fs.statSync("/drv/dir/.").isDirectory()));
    assert.deepEqual(restarts(passed), [ECHILD, ESTALE]);
    assert.deepEqual(starts(passed), [1, 0, 2]);
  });

  // Taken out: "if (err == -ESTALE)" in filenameLookup().
  test("row 74: a driver's lookup that throws ESTALE is called again", async (t) => {
    const { vfs, walker } = await setUp(t);
    const driver = objectDriver("stale", { file: "x" });
    const { lookup } = driver;
    let times = 1;
    driver.lookup = (dir, name) => {
      if (times-- > 0) throw errorWithCode("ESTALE");
      return lookup(dir, name);
    };
    mountDriverAt(driver, "/drv", vfs, walker);
    const run = counted(walker, () => assert.equal(walker.fs.statSync("/drv/file").size, 1));
    assert.equal(run.estaleRestarts, 1);
    times = 2;
    vfs.shrink(1000);
    refused("ESTALE", () => walker.fs.chmodSync("/drv/file", 0));
  });
});

// Taken out: the puts under ND_ROOT_GRABBED in terminateWalk(). The root's count grows with every attempt.
test("row 75: the root's reference is released between attempts and at the end", async (t) => {
  const { vfs, walker, memory } = await setUp(t);
  const driver = doubtingDriver();
  mountDriverAt(driver, "/drv", vfs, walker);
  let root = 0;
  walker.at(POINT.WALK_START, (_mode, d) => {
    root = d;
  });
  walker.fs.statSync("/drv/dir");
  const before = memory.count(root);
  const between: number[] = [];
  for (const ref of [false, true]) {
    walker.walkMode({ ref });
    for (let i = 0; i < 20; i++) {
      driver.revalidate = resultsOf(true, false);
      walker.at(POINT.RESTART, () => between.push(memory.count(root)));
      walker.fs.statSync("/drv/dir/.");
      refused("ENOENT", () => walker.fs.statSync("/drv/dir/../none/x"));
    }
  }
  assert.equal(between.length, 40);
  assert.deepEqual(new Set(between), new Set([before]));
  assert.equal(memory.count(root), before);
});

// Taken out: "err == 0 &&" before host.audit(), and in another build the call itself.
test("row 76: the audit hook is called once for each walk that succeeds, and for none that fails", async (t) => {
  const { vfs, peer, memory } = await setUp(t);
  const auditCalls: Parameters<AuditHook>[] = [];
  const walker = await walkerOf(t, vfs.handle, { audit: (...args) => auditCalls.push(args) });
  vfs.fs.mkdirSync("/a");
  vfs.fs.writeFileSync("/a/f", "x");
  /** How often the hook is called in a run. */
  const audited = (run: () => unknown) => {
    auditCalls.length = 0;
    run();
    return auditCalls.length;
  };
  let last = 0;
  walker.at(POINT.ANSWER, (_err, d) => {
    last = d;
  });
  assert.equal(
    audited(() => walker.fs.statSync("/a/f")),
    1,
  );
  assert.deepEqual(auditCalls[0], [last, memory.inode(last)]);
  assert.equal(
    audited(() => walker.fs.closeSync(walker.fs.openSync("/a/f", "r"))),
    1,
  );
  assert.equal(
    audited(() => walker.fs.closeSync(walker.fs.openSync("/a/new", "w"))),
    1,
  );
  assert.equal(
    audited(() => codeOf(() => walker.fs.statSync("/a/none"))),
    0,
  );
  assert.equal(
    audited(() => codeOf(() => walker.fs.statSync("/none/f"))),
    0,
  );
  assert.equal(
    audited(() => codeOf(() => walker.fs.openSync("/a/f/x", "r"))),
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
    audited(() => walker.fs.statSync("/a/f")),
    1,
    "a walk that started again is one walk",
  );
  assert.equal(walker.waits(POINT.PARENT_CHECK), false);
});

describe("the inode that goes with the walk's dentry", () => {
  // Taken out: "return setStartInode(nd)" in jumpRoot() (0 instead). The walk checks search permission of the link's directory.
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
      refused("EACCES", () => walker.fs.statSync("abs"));
      refused("EACCES", () => walker.fs.statSync("top/file"));
      assert.equal(walker.fs.statSync("top").mode & 0o777, 0o750, "stat of the root itself needs no permission");
      fs.chmodSync("/jail", 0o755);
      assert.equal(walker.fs.statSync("abs").size, 1);
      fs.chmodSync("/jail", 0o750);
    }
  });

  // Taken out: "nd.inode = inode" at the end of stepInto(), or of followDotdotRcu() and climb() after a mount.
  test("row 86: after every other kind of step it is the new dentry's", async (t) => {
    const { vfs, fs, memory } = await setUp(t);
    fs.mkdirSync("/a/b/c", { recursive: true });
    fs.writeFileSync("/a/b/f", "x");
    fs.symlinkSync("b/f", "/a/rel");
    fs.symlinkSync("/a/b/f", "/a/abs");
    vfs.mount("none", "/a/b/c", "tmpfs");
    fs.mkdirSync("/a/b/c/in");
    const auditCalls: boolean[] = [];
    const auditor = await walkerOf(t, vfs.handle, {
      audit: (dentry, inode) => auditCalls.push(memory.inode(dentry) === inode),
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
        auditCalls.length = 0;
        auditor.fs.statSync(path);
        assert.deepEqual(auditCalls, [true], path);
      }
    }
  });
});

describe("leaving rcu mode", () => {
  /** A tree with a directory for each of these, and an attachment of user 1000. */
  async function allKinds(t: TestScope) {
    const { vfs, fs } = await setUp(t);
    const user = vfs.context({ uid: 1000, gid: 1000, caps: CAP_SYS_CHROOT });
    t.after(() => user.close());
    const walker = await walkerOf(t, user.handle);
    fs.writeFileSync("/f", "x");
    fs.symlinkSync("f", "/link");
    makeOld(fs, "/link");
    const drivers: Readonly<Record<string, Partial<Driver>>> = {
      plain: {},
      judging: { permission: () => {} },
      acled: { checkAcl: () => undefined },
      asked: { revalidate: () => true },
    };
    for (const [name, hooks] of Object.entries(drivers)) {
      const driver = objectDriver(name, { dir: { f: "x" } }, hooks);
      for (const each of [vfs, walker]) each.registerDriver(driver);
      fs.mkdirSync(`/${name}`);
      vfs.mount("none", `/${name}`, name);
      if (name !== "plain") fs.statSync(`/${name}/dir/f`);
    }
    return { vfs, walker };
  }

  const CASES: readonly (readonly [title: string, path: string, reason: number, counter: keyof Counters])[] = [
    ["a name that is not cached", "/plain/dir", DROP.UNCACHED, "dropUncached"],
    ["permission()", "/judging/dir/f", DROP.PERMISSION, "dropPermission"],
    ["check_acl() of a driver", "/acled/dir/f", DROP.PERMISSION, "dropPermission"],
    ["d_revalidate()", "/asked/dir/f", DROP.REVALIDATE, "dropRevalidate"],
    ["a link whose time of access is old", "/link", DROP.LINK, "dropLink"],
  ];

  // Taken out, one by one: the drop in lookupFast() for a miss, -ECHILD for a driver's check_acl() and for a permission hook,
  // dropRcuNext() for revalidate, atimeNeedsUpdateRcu() in pickLinkRcu().
  for (const [title, path, reason, counter] of CASES) {
    test(`row 87: ${title} takes the walk out of rcu mode, once, and the walk succeeds`, async (t) => {
      const { walker } = await allKinds(t);
      let passed: PointPass[] = [];
      const run = counted(walker, () => {
        passed = walker.points(() => walker.fs.statSync(path));
      });
      assert.deepEqual(
        of(passed, POINT.DROP).map(([, why]) => why),
        [reason],
      );
      assert.deepEqual([run[counter], run.endedRef, run.endedRcu, run.echildRestarts], [1, 1, 0, 0]);
    });
  }

  // The patch's last lines name possible extensions: permission and d_revalidate aware of rcu mode, perhaps links; uncached names
  // always leave rcu mode. This core leaves it for the first three, as the patch does, but a directory in memory has all its
  // children in the cache, so that a miss there is ENOENT. Taken out: "if (!dLookupRcuMissFinal)" made to leave always.
  test("row 88: a missing name keeps a walk in rcu mode in memory, and takes it out once with a driver", async (t) => {
    const { walker } = await allKinds(t);
    const inMemory = counted(walker, () => assert.equal(walker.fs.existsSync("/none"), false));
    assert.deepEqual([inMemory.dropUncached, inMemory.missesValidated, inMemory.endedRcu], [0, 1, 1]);
    const first = counted(walker, () => assert.equal(walker.fs.existsSync("/plain/none"), false));
    assert.deepEqual([first.dropUncached, first.endedRcu], [1, 0]);
    const second = counted(walker, () => assert.equal(walker.fs.existsSync("/plain/none"), false));
    assert.deepEqual([second.dropUncached, second.endedRcu], [0, 1], "there is a negative entry");
  });

  // Taken out: the condition before completeWalk() in finishWalk(), so that every walk takes a reference at its end.
  test("row 88: a walk that meets none of these stays in rcu mode to the end", async (t) => {
    const { vfs, walker } = await allKinds(t);
    vfs.fs.statSync("/plain/dir/f");
    for (const path of ["/plain", "/plain/dir/f", "/plain/dir/..", "/plain/../asked", "/", "."]) {
      const run = counted(walker, () => walker.fs.statSync(path));
      assert.deepEqual([run.endedRcu, run.endedRef], [1, 0], path);
    }
    assert.ok(gauges(vfs).dentries > 0);
  });
});
