/** Hooks of drivers that are called in rcu mode: rows 101 and 103; and all that stays in rcu mode in one walk. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { MAY_EXEC, POINT, S_IFDIR, S_IFLNK, S_IFREG } from "../../../dist/abi/abi.js";
import { ACL_TAG, type Driver, type HookMode } from "../../../dist/src/index.js";
import { counted, counterGrowth } from "../../support/counters.js";
import { treeFor } from "../../support/debug-tree.js";
import { argumentsOf, type HookName, memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";
import { objectDriver } from "../../support/drivers/object-driver.js";
import { codeOf, errorWithCode, refused } from "../../support/errors.js";
import { of, type TestScope, when } from "../../support/hooked-vfs.js";
import { freshLink, mountDriverAt, setUp } from "../../support/interleavings.js";
import { dentryOf } from "../../support/memory.js";

const IN_RCU: HookMode = { rcu: true };
const IN_REF: HookMode = { rcu: false };

/** A tree with a driver at /m that has a hook which may be called in rcu mode, and /m/d/f, which is in the cache. */
async function withHook(t: TestScope, hook: "permission" | "checkAcl" | "revalidate") {
  const { vfs, counted: grown } = await treeFor(t);
  const { driver, calls, make, nodes } = memoryDriver("inRcu", ["lookup", hook] satisfies HookName[]);
  driver.rcu = [hook];
  const dir = make(ROOT, "d", S_IFDIR | 0o755, { uid: 7 });
  const file = make(dir, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  vfs.fs.statSync("/m/d/f");
  calls.length = 0;
  return { vfs, grown, driver, calls, make, nodes, dir, file };
}

/** Another thread's wait for a grace period, by a clock that moves on by 2 seconds at every reading. */
function standStill(t: TestContext, wait: () => void): void {
  let time = performance.now();
  const mocked = t.mock.method(performance, "now", () => (time += 2000));
  wait();
  mocked.mock.restore();
}

// Taken out: the hooks' bits (RCU_PERMISSION), so that every check with a hook is -ECHILD in rcu mode.
test("row 101: permission() is told the mode, and answers in rcu mode", async (t) => {
  const { vfs, grown, calls, dir } = await withHook(t, "permission");
  const c = grown(() => vfs.fs.statSync("/m/d/f"));
  assert.deepEqual([c.walks, c.endedRcu, c.dropPermission], [1, 1, 0]);
  assert.deepEqual(argumentsOf(calls, "permission"), [
    [ROOT, MAY_EXEC, IN_RCU],
    [dir, MAY_EXEC, IN_RCU],
  ]);
  vfs.walkMode({ ref: true });
  calls.length = 0;
  vfs.fs.statSync("/m/d/f");
  assert.deepEqual(argumentsOf(calls, "permission")[1], [dir, MAY_EXEC, IN_REF]);
});

// Taken out: capableOverride() is asked about the hook's error too; separately: any error of the hook in rcu mode is taken for -ECHILD.
test("row 101: an error that permission() throws in rcu mode is the call's, for root too", async (t) => {
  const { vfs, grown, driver, dir } = await withHook(t, "permission");
  for (const code of ["EACCES", "EIO", "EROFS", "EPERM", "ESTALE"]) {
    driver.on.permission = (node) => {
      if (node === dir) throw errorWithCode(code);
    };
    const c = grown(() => refused(code, () => vfs.fs.accessSync("/m/d/f", 0)));
    if (code !== "ESTALE") assert.deepEqual([c.endedRcu, c.dropPermission, c.endedRef], [1, 0, 0], code);
  }
});

// Taken out: -ECHILD for "again" (the driver's table), and dropRcu() in mayLookup().
test("row 101: a hook that returns again, or throws ECHILD, is asked once more outside of rcu mode", async (t) => {
  const { vfs, grown, driver, calls, dir } = await withHook(t, "permission");
  const answers: Driver["permission"][] = [
    (node, _mask, mode) => (node === dir && mode?.rcu ? "again" : undefined),
    (node, _mask, mode) => {
      if (node === dir && mode?.rcu) throw errorWithCode("ECHILD");
    },
  ];
  for (const permission of answers) {
    driver.on.permission = permission as NonNullable<Driver["permission"]>;
    calls.length = 0;
    const c = grown(() => vfs.fs.statSync("/m/d/f"));
    assert.deepEqual([c.dropPermission, c.endedRef, c.echildRestarts], [1, 1, 0]);
    assert.deepEqual(argumentsOf(calls, "permission").slice(1), [
      [dir, MAY_EXEC, IN_RCU],
      [dir, MAY_EXEC, IN_REF],
    ]);
  }
});

// Taken out: the check in isAgain() that the walk is in rcu mode: the walk then goes round and fails with ECHILD.
test("row 101: again outside of rcu mode is an EIO that says so", async (t) => {
  const { vfs, driver } = await withHook(t, "permission");
  driver.on.permission = () => "again";
  assert.throws(() => vfs.fs.accessSync("/m/d/f"), {
    code: "EIO",
    message: /permission.*inRcu.*outside of rcu mode/,
  });
  // A hook that is not for rcu mode gets no mode, and grants nothing by the word.
  const { driver: without } = memoryDriver("never", ["lookup", "checkAcl"]);
  mountDriver(vfs, without, "/n");
  without.on.checkAcl = () => "again";
  refused("EIO", () => vfs.context({ uid: 8, gid: 8 }).fs.accessSync("/n", 4));
});

// Taken out: RCU_CHECK_ACL in driverAclCheck(); -EAGAIN is final.
test("row 101: checkAcl() answers in rcu mode: granted, refused, no opinion, again", async (t) => {
  const { vfs, driver, calls, dir } = await withHook(t, "checkAcl");
  const { fs } = vfs.context({ uid: 8, gid: 8, cwd: "/m/d" });
  const outcomes: readonly (readonly [
    answer: boolean | undefined | "again",
    code: string | undefined,
    drops: number,
  ])[] = [
    [true, undefined, 0],
    [false, "EACCES", 0],
    [undefined, undefined, 0],
    ["again", undefined, 1],
  ];
  for (const [answer, code, drops] of outcomes) {
    driver.on.checkAcl = (_node, _mask, mode) => (answer !== "again" ? answer : mode?.rcu ? answer : true);
    calls.length = 0;
    const c = counted(vfs, () =>
      assert.equal(
        codeOf(() => fs.accessSync("f", 0)),
        code,
      ),
    );
    assert.deepEqual([c.dropPermission, c.endedRef], [drops, drops], `${answer}`);
    assert.deepEqual(argumentsOf(calls, "checkAcl")[0], [dir, MAY_EXEC, IN_RCU]);
  }
});

// Taken out: isValidRcu() in lookupFast().
test("row 103: revalidate() answers in rcu mode, for names that exist and for a name that does not", async (t) => {
  const { vfs, grown, calls, dir, file } = await withHook(t, "revalidate");
  const long = `f${"x".repeat(200)}`;
  vfs.fs.existsSync("/m/d/none");
  vfs.fs.existsSync(`/m/d/${long}`);
  calls.length = 0;
  const c = grown(() => {
    vfs.fs.statSync("/m/d/f");
    refused("ENOENT", () => vfs.fs.accessSync("/m/d/none", 0));
    refused("ENOENT", () => vfs.fs.accessSync(`/m/d/${long}`, 0));
  });
  assert.deepEqual([c.walks, c.endedRcu, c.dropRevalidate], [3, 3, 0]);
  assert.deepEqual(argumentsOf(calls, "revalidate"), [
    [ROOT, dir, "d", false, IN_RCU],
    [dir, file, "f", false, IN_RCU],
    [ROOT, dir, "d", false, IN_RCU],
    [dir, null, "none", false, IN_RCU],
    [ROOT, dir, "d", false, IN_RCU],
    [dir, null, long, false, IN_RCU],
  ]);
});

// Taken out: the drop after any other answer: a stale name, attributes and an error are then decided inside the section.
test("row 103: what is not valid in rcu mode is asked about again outside of it, before anything is dropped", async (t) => {
  const { vfs, grown, driver, calls, nodes, make, dir, file } = await withHook(t, "revalidate");
  const modesOf = (name: string) =>
    argumentsOf(calls, "revalidate").flatMap((args) => (args[2] === name ? [(args[4] as HookMode).rcu] : []));
  driver.on.revalidate = (_dir, _node, name, _reval, mode) => (name === "f" ? !mode?.rcu : true);
  const valid = grown(() => vfs.fs.statSync("/m/d/f"));
  assert.deepEqual([valid.dropRevalidate, valid.endedRef], [1, 1]);
  assert.deepEqual(modesOf("f"), [true, false]);
  assert.deepEqual(argumentsOf(calls, "lookup"), [], "it was not dropped");
  driver.on.revalidate = (_dir, node, name) => (name === "f" ? { ...nodes.attributes(node ?? 0), size: 99 } : true);
  assert.equal(vfs.fs.statSync("/m/d/f").size, 99);
  driver.on.revalidate = (_dir, _node, name) => {
    if (name === "f") throw errorWithCode("EIO");
    return true;
  };
  refused("EIO", () => vfs.fs.accessSync("/m/d/f", 0));
  const other = make(dir, "f", S_IFREG | 0o600);
  driver.on.revalidate = (_dir, node) => node !== file;
  assert.equal(vfs.fs.statSync("/m/d/f").ino, other);
});

// Taken out: the refusal of calls while a hook runs (runHook()).
test("row 103: a hook in rcu mode that calls the tree is refused, and the walk goes on in rcu mode", async (t) => {
  const { vfs, grown, driver } = await withHook(t, "revalidate");
  const codes: (string | undefined)[] = [];
  driver.on.revalidate = () => {
    codes.push(codeOf(() => vfs.fs.statSync("/")));
    codes.push(codeOf(() => vfs.synchronizeRcu()));
    return true;
  };
  const c = grown(() => vfs.fs.statSync("/m/d/f"));
  assert.deepEqual(new Set(codes), new Set(["ERR_THREADFS_REENTERED"]));
  assert.equal(c.endedRcu, 1);
});

// Taken out: rcuValid() in checkRcu() and the result of rcuReadUnlock(): the result of a section that has been expelled counts.
test("row 103: a hook that stands still in rcu mode is expelled from its section, and its walk begins again in ref mode", async (t) => {
  const { vfs, walker, peer } = await setUp(t);
  const driver = objectDriver("slow", { d: { f: "x" } }, { revalidate: () => true, rcu: ["revalidate"] });
  mountDriverAt(driver, "/drv", vfs, walker, peer);
  vfs.fs.statSync("/drv/d/f");
  const modes: unknown[] = [];
  driver.revalidate = (_dir, _node, name, _reval, mode) => {
    if (name === "f" && modes.push(mode?.rcu) === 1) standStill(t, () => peer.synchronizeRcu());
    return true;
  };
  const c = counterGrowth(
    () => vfs.counters(),
    () => walker.fs.statSync("/drv/d/f"),
  );
  assert.deepEqual([c.expelledReaders, c.echildRestarts, c.endedRef], [1, 1, 1]);
  assert.deepEqual(modes, [true, false]);
});

// Taken out: the validation before the hook in driverRevalidateRcu(): parent and inode are then read again behind the hook.
test("row 103, bug 20: parent and inode are numbers of one moment while revalidate runs in rcu mode", async (t) => {
  const { vfs, fs, walker, peer } = await setUp(t);
  const driver = objectDriver("asked", { d: { f: "x" } }, { revalidate: () => true, rcu: ["revalidate"] });
  mountDriverAt(driver, "/drv", vfs, walker, peer);
  for (const good of [true, false]) {
    driver.put(driver.lookup(1, "d")?.ino, "f", "x");
    driver.revalidate = (_dir, node) => node !== null;
    fs.statSync("/drv/d/f");
    const seen: (number | null)[] = [];
    let inHook = false;
    driver.revalidate = (dir, node, name, _reval, mode) => {
      if (name !== "f" || inHook) return true;
      inHook = true;
      assert.deepEqual(mode, IN_RCU);
      peer.fs.unlinkSync("/drv/d/f");
      peer.shrink(1000);
      seen.push(dir, node);
      return good;
    };
    const code = codeOf(() => walker.fs.chmodSync("/drv/d/f", 0o600));
    assert.equal(code, "ENOENT");
    assert.ok(inHook && seen.every((number) => typeof number === "number"), `${seen}`);
    driver.revalidate = () => true;
    assert.equal(fs.existsSync("/drv/d/f"), false);
  }
  // Between the lookup and the hook the entry loses its node: the driver is not asked about a name without one.
  const asked: (number | null)[] = [];
  driver.put(driver.lookup(1, "d")?.ino, "f", "x");
  driver.revalidate = (_dir, node) => node !== null;
  const dentry = dentryOf(vfs, "/drv/d/f");
  driver.revalidate = (_dir, node, name, _reval, mode) => {
    if (name === "f" && mode?.rcu) asked.push(node);
    return true;
  };
  when(walker, POINT.FOUND, dentry, () => peer.fs.unlinkSync("/drv/d/f"));
  refused("ENOENT", () => walker.fs.statSync("/drv/d/f"));
  assert.ok(!asked.includes(null), `${asked}`);
  vfs.umount("/drv");
});

// Taken out, one at a time: the ACL in rcu mode; RCU_PERMISSION; RCU_CHECK_ACL; isValidRcu(); pickLinkRcu(); the body of a driver's link in memory; RCU_READLINK.
for (const kept of [false, true]) {
  const links = kept ? "whose links are kept" : "which is asked for links there";
  test(`rows 101 to 104: a walk over links, ACLs, private directories, mounts and a driver that answers from memory, ${links}, ends in rcu mode`, async (t) => {
    const { vfs } = await treeFor(t);
    const { driver, make, calls } = memoryDriver("all", ["lookup", "permission", "checkAcl", "revalidate", "readlink"]);
    driver.rcu = ["permission", "checkAcl", "revalidate", ...(kept ? [] : (["readlink"] as const))];
    if (kept) Object.assign(driver, { cacheLinks: true });
    make(make(ROOT, "d", S_IFDIR | 0o750, { uid: 7 }), "f", S_IFREG | 0o644);
    make(ROOT, "to-d", S_IFLNK | 0o777, { target: "d" });
    vfs.fs.mkdirSync("/private/listed/mount", { recursive: true });
    freshLink(vfs.fs, "/private/../private/listed", "/l");
    vfs.fs.chownSync("/private", 1001, 1001);
    vfs.fs.chmodSync("/private", 0o700);
    vfs.fs.chmodSync("/private/listed", 0o700);
    vfs.setfacl("/private/listed", [
      { tag: ACL_TAG.USER_OBJ, perm: 7 },
      { tag: ACL_TAG.USER, id: 1001, perm: 1 },
      { tag: ACL_TAG.GROUP_OBJ, perm: 0 },
      { tag: ACL_TAG.MASK, perm: 1 },
      { tag: ACL_TAG.OTHER, perm: 0 },
    ]);
    vfs.mount("none", "/private/listed/mount", "tmpfs");
    mountDriver(vfs, driver, "/private/listed/mount/m");
    freshLink(vfs.fs, "m/to-d", "/private/listed/mount/to-m");
    const paths = ["/private/listed/mount/m/d/f", "/l/mount/m/to-d/f", "/l/mount/to-m/../d/f", "/l/mount/to-m/f"];
    for (const path of paths) vfs.fs.statSync(path);
    const { fs } = vfs.context({ uid: 1001, gid: 1001 });
    for (const path of paths) {
      calls.length = 0;
      const c = counterGrowth(
        () => vfs.counters(),
        () => fs.statSync(path),
      );
      assert.deepEqual([c.walks, c.endedRcu, c.echildRestarts, c.estaleRestarts], [1, 1, 0, 0], path);
      const drops = Object.entries(c).filter(([name, n]) => name.startsWith("drop") && n !== 0);
      assert.deepEqual(drops, [], path);
      assert.equal(argumentsOf(calls, "readlink").length, kept || !path.includes("to-") ? 0 : 1, path);
      assert.deepEqual(
        of(
          vfs.points(() => vfs.fs.statSync(path)),
          POINT.DROP,
        ),
        [],
        path,
      );
    }
  });
}

// Taken out, one at a time: the checks in hooksOf() and flagsOf().
test("a driver's properties rcu and generation are checked when it is registered", async (t) => {
  const { vfs } = await treeFor(t);
  const driver = (more: object): Driver => ({ name: "x", root: () => ({ ino: 1, mode: S_IFDIR }), ...more }) as Driver;
  for (const [more, code] of [
    [{ rcu: "permission" }, "ERR_INVALID_ARG_TYPE"],
    [{ rcu: ["lookup"] }, "ERR_INVALID_ARG_VALUE"],
    [{ rcu: ["permission"] }, "ERR_INVALID_ARG_VALUE"],
    [{ rcu: ["revalidate"], permission: () => {} }, "ERR_INVALID_ARG_VALUE"],
    [{ generation: 1, revalidate: () => true }, "ERR_INVALID_ARG_TYPE"],
    [{ generation: true }, "ERR_INVALID_ARG_VALUE"],
  ] as const) {
    refused(code, () => vfs.registerDriver(driver(more)), JSON.stringify(more));
  }
  vfs.registerDriver(driver({ permission: () => {}, rcu: ["permission"], generation: false }));
  for (const more of [
    { permission: () => {} },
    { permission: () => {}, rcu: ["permission"], generation: true, revalidate: () => true },
  ])
    refused("EEXIST", () => vfs.registerDriver(driver(more)));
});
