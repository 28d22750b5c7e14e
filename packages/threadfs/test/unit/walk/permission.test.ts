/** The permission to search and to open, in both modes: mode bits, capabilities, a driver's hooks, the security and audit hooks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  DROP,
  ERRNO,
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  POINT,
  S_IFDIR,
  S_IFREG,
} from "../../../dist/abi/abi.js";
import { ACL_TAG, type AclEntry, type Driver, type SecurityHook, type Vfs } from "../../../dist/src/index.js";
import { type DebugTree, treeFor } from "../../support/debug-tree.js";
import { codeOf, errorWithCode, refused } from "../../support/errors.js";
import { firstPass, lastPass, of, type PointPass, type TestScope } from "../../support/hooked-vfs.js";
import { AskedInRef } from "../../support/interleavings.js";

const { USER_OBJ, USER, GROUP_OBJ, MASK, OTHER } = ACL_TAG;
const [R, W, X] = [MAY_READ, MAY_WRITE, MAY_EXEC] as const;
const ECHILD = -ERRNO.ECHILD;
// Where walks are counted the tests give access() its mode: then one call is one walk, also when it fails.

/** u::rwx, user 1001 r-x, no right for any other. */
const LISTED: readonly AclEntry[] = [
  { tag: USER_OBJ, perm: 7 },
  { tag: USER, id: 1001, perm: 5 },
  { tag: GROUP_OBJ, perm: 0 },
  { tag: MASK, perm: 7 },
  { tag: OTHER, perm: 0 },
];

/** /d, owned by 1000:1000, with `mode` and a file f in it. */
function makeDir(vfs: Vfs, mode: number): void {
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "x");
  vfs.fs.chownSync("/d", 1000, 1000);
  vfs.fs.chmodSync("/d", mode);
}

/** A driver of one directory with one file, its root's mode given; `hooks` are added to it. */
function oneFile(name: string, mode: number, hooks: Partial<Driver>): Driver {
  const file = { ino: 2, mode: S_IFREG | 0o644, size: 0 };
  return {
    name,
    root: () => ({ ino: 1, mode: S_IFDIR | mode }),
    lookup: (_dir, wanted) => (wanted === "f" ? file : null),
    ...hooks,
  };
}

/** Mounts a driver at /m and looks its file up once, so that it is in the cache. */
function mountDriver(vfs: Vfs, driver: Driver): void {
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", driver.name);
  vfs.fs.accessSync("/m/f");
}

// Taken out: the hook is called in rcu mode, although the driver has not said that it is for that.
test("row 31: an ACL that a driver must be asked about takes the walk out of rcu mode, once", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const checkAcl: Driver["checkAcl"] = () => undefined;
  mountDriver(vfs, oneFile("acl", 0o750, { checkAcl }));
  const user = vfs.context({ uid: 5, gid: 5, groups: [0] });
  const c = counted(() => user.fs.accessSync("/m/f"));
  assert.deepEqual([c.dropPermission, c.endedRcu, c.endedRef, c.echildRestarts], [1, 0, 1, 0]);
});

// Taken out: the ACL decides for the owner as for all others.
test("row 31: the owner needs no ACL and stays in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", LISTED);
  const owner = vfs.context({ uid: 1000, gid: 1000 });
  const c = counted(() => owner.fs.accessSync("/d/f"));
  assert.deepEqual([c.dropPermission, c.endedRcu], [0, 1]);
});

// Taken out: the ACL decides whatever its mask is (then the named user is refused, and the walk leaves rcu mode for it).
test("row 31: where an ACL has an empty mask the mode bits decide", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", [...LISTED.slice(0, 3), { tag: MASK, perm: 0 }, { tag: OTHER, perm: 1 }]);
  const named = vfs.context({ uid: 1001, gid: 1001 });
  const c = counted(() => named.fs.accessSync("/d/f"));
  assert.deepEqual([c.dropPermission, c.endedRcu], [0, 1]);
});

// Taken out: every result of check_acl is final, EAGAIN too.
test("row 32: where check_acl returns undefined the mode bits decide", async (t) => {
  const { vfs } = await treeFor(t);
  const asked: [node: number, mask: number][] = [];
  let opinion: boolean | undefined;
  const checkAcl: Driver["checkAcl"] = (node, mask) => {
    asked.push([node, mask]);
    return opinion;
  };
  mountDriver(vfs, oneFile("acl", 0o751, { checkAcl }));
  const inGroup = vfs.context({ uid: 5, gid: 5, groups: [0] });
  const other = vfs.context({ uid: 5, gid: 5 });
  const readRoot = ({ fs }: Pick<Vfs, "fs">) => codeOf(() => fs.accessSync("/m", R));
  for (const [says, group, others] of [
    [undefined, undefined, "EACCES"],
    [true, undefined, undefined],
    [false, "EACCES", "EACCES"],
  ] as const) {
    opinion = says;
    assert.equal(readRoot(inGroup), group, `group, hook says ${says}`);
    assert.equal(readRoot(other), others, `others, hook says ${says}`);
  }
  opinion = undefined;
  asked.length = 0;
  other.fs.accessSync("/m/f");
  assert.deepEqual(asked, [[1, X]]);
});

// Taken out: the hook is called in rcu mode instead of -ECHILD (no drop is counted, and it runs inside the section).
test("row 33: a permission hook is called in ref mode only", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked: [node: number, mask: number][] = [];
  let seen: PointPass[] = [];
  const permission: Driver["permission"] = (node, mask) => {
    asked.push([node, mask]);
  };
  mountDriver(vfs, oneFile("perm", 0o777, { permission }));
  asked.length = 0;
  const c = counted(() => {
    seen = vfs.points(() => vfs.fs.accessSync("/m/f"));
  });
  assert.deepEqual([c.dropPermission, c.endedRef, c.echildRestarts], [1, 1, 0]);
  assert.deepEqual(asked, [[1, X]]);
  const results = of(seen, POINT.PERMISSION).map(([, , result]) => result | 0);
  assert.deepEqual(results.slice(-2), [ECHILD, 0]);
});

// Taken out: a capability lifts any error, -ECHILD too (then no drop is counted and ACL or hook are never consulted).
test("row 34: a capability does not lift the ECHILD of rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked: number[] = [];
  const checkAcl = (node: number) => {
    asked.push(node);
    return false;
  };
  mountDriver(vfs, oneFile("acl", 0o750, { checkAcl, root: () => ({ ino: 1, mode: S_IFDIR | 0o750, uid: 7 }) }));
  asked.length = 0;
  const c = counted(() => vfs.fs.accessSync("/m/f"));
  assert.deepEqual([c.dropPermission, c.endedRef], [1, 1]);
  assert.deepEqual(asked, [1]);
});

// Taken out: a capability lifts the hook's error (once any error, once a refusal only).
test("row 34: no capability lifts the error of a permission hook", async (t) => {
  const { vfs } = await treeFor(t);
  let code: string | undefined;
  const permission = () => {
    if (code !== undefined) throw errorWithCode(code);
  };
  mountDriver(vfs, oneFile("perm", 0o777, { permission }));
  for (const thrown of ["EIO", "EROFS", "EPERM", "ESTALE", "EACCES"]) {
    code = thrown;
    refused(thrown, () => vfs.fs.accessSync("/m/f"));
  }
});

/** What each set of capabilities lets a stranger do with a directory of mode 0700 and files of mode 0600, 0711, 0000. */
const LIFTED = [
  // caps, search the directory, write it, read 0600, write 0600, execute 0600, execute 0711, read and write 0000
  [0, false, false, false, false, false, true, false],
  [CAP_DAC_READ_SEARCH, true, false, true, false, false, true, false],
  [CAP_DAC_OVERRIDE, true, true, true, true, false, true, true],
  [CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH, true, true, true, true, false, true, true],
] as const;

// Taken out, one at a time: CAP_DAC_OVERRIDE; CAP_DAC_READ_SEARCH; the exception for files without any execute bit.
test("row 35: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH lift a refusal, in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.fs.mkdirSync("/open");
  for (const [name, mode] of [
    ["a", 0o600],
    ["b", 0o711],
    ["c", 0o000],
  ] as const) {
    vfs.fs.writeFileSync(`/open/${name}`, "x");
    vfs.fs.chmodSync(`/open/${name}`, mode);
  }
  for (const [caps, ...expected] of LIFTED) {
    const stranger = vfs.context({ uid: 7, gid: 7, caps });
    const may = (path: string, mask: number) => codeOf(() => stranger.fs.accessSync(path, mask)) === undefined;
    let got: boolean[] = [];
    const c = counted(() => {
      got = [
        may("/d/f", 0),
        may("/d", W),
        may("/open/a", R),
        may("/open/a", W),
        may("/open/a", X),
        may("/open/b", X),
        may("/open/c", R | W),
      ];
    });
    assert.deepEqual(got, expected, `capabilities ${caps}`);
    assert.deepEqual([c.walks, c.endedRcu], [7, 7], `capabilities ${caps}`);
  }
});

/** The security hook of a tree: the calls of it, and what it returns. */
interface SecurityState {
  readonly asked: Parameters<SecurityHook>[];
  answer: SecurityHook;
}

interface SecuredTree extends DebugTree {
  readonly state: SecurityState;
  /** Inode numbers of "/", "/a" and "/a/b", in which there is a file "f". */
  readonly inos: readonly [root: number, a: number, b: number];
}

/** A tree with a security hook that a test can replace. */
async function securedTree(t: TestScope): Promise<SecuredTree> {
  const state: SecurityState = { asked: [], answer: () => 0 };
  const security: SecurityHook = (...args) => {
    state.asked.push(args);
    return state.answer(...args);
  };
  const tree = await treeFor(t, { security });
  tree.vfs.fs.mkdirSync("/a/b", { recursive: true });
  tree.vfs.fs.writeFileSync("/a/b/f", "x");
  const ino = (path: string) => tree.vfs.fs.statSync(path).ino;
  const inos = [ino("/"), ino("/a"), ino("/a/b")] as const;
  state.asked.length = 0;
  return { ...tree, state, inos };
}

// Taken out: the call of the hook; and separately: its rcu argument is always false.
test("row 36: the security hook is called for each directory on the way, with the mode of the walk", async (t) => {
  const { vfs, state, inos, counted } = await securedTree(t);
  const c = counted(() => vfs.fs.statSync("/a/b/f"));
  assert.deepEqual(
    state.asked,
    inos.map((ino) => [ino, X, true]),
  );
  assert.equal(c.endedRcu, 1);
  state.asked.length = 0;
  vfs.walkMode({ ref: true });
  vfs.fs.statSync("/a/b/f");
  assert.deepEqual(
    state.asked,
    inos.map((ino) => [ino, X, false]),
  );
});

// Taken out: after -ECHILD the hook is not called again in ref mode.
test("row 36: a security hook that returns -ECHILD in rcu mode is called again in ref mode", async (t) => {
  const { vfs, state, inos, counted } = await securedTree(t);
  state.answer = (ino, _mask, rcu) => (ino === inos[1] && rcu ? ECHILD : 0);
  const c = counted(() => vfs.fs.statSync("/a/b/f"));
  assert.deepEqual(state.asked, [
    [inos[0], X, true],
    [inos[1], X, true],
    [inos[1], X, false],
    [inos[2], X, false],
  ]);
  assert.deepEqual([c.dropPermission, c.echildRestarts, c.endedRef], [1, 0, 1]);
});

// Taken out: the hook's result is ignored.
test("row 36: a refusal of the security hook is the call's error, for root too and in rcu mode", async (t) => {
  const { vfs, state, inos, counted } = await securedTree(t);
  for (const code of ["EACCES", "EPERM"] as const) {
    state.answer = (ino) => (ino === inos[2] ? -ERRNO[code] : 0);
    const c = counted(() => refused(code, () => vfs.fs.accessSync("/a/b/f", 0)));
    assert.deepEqual([c.endedRcu, c.echildRestarts], [1, 0]);
  }
});

// Taken out: the hook is called although the mode bits refuse.
test("row 36: the security hook is not called for an access that the mode bits refuse", async (t) => {
  const { vfs, state } = await securedTree(t);
  vfs.fs.chmodSync("/a", 0o700);
  const user = vfs.context({ uid: 9, gid: 9 });
  state.asked.length = 0;
  refused("EACCES", () => user.fs.accessSync("/a/b/f", 0));
  assert.equal(state.asked.length, 1);
});

// Taken out: the guard around the hook (its exception then unwinds the core in the middle of a walk).
test("row 36: a security hook that throws refuses with EIO, and the tree goes on", async (t) => {
  const { vfs, state } = await securedTree(t);
  const thrown = new Error("from the hook");
  const uncaught = new Promise((resolve) => {
    process.setUncaughtExceptionCaptureCallback((error) => {
      process.setUncaughtExceptionCaptureCallback(null);
      resolve(error);
    });
  });
  state.answer = () => {
    throw thrown;
  };
  refused("EIO", () => vfs.fs.accessSync("/a/b/f", 0));
  assert.equal(await uncaught, thrown);
  state.answer = () => 0;
  assert.equal(vfs.fs.readFileSync("/a/b/f", "utf8"), "x");
});

// Taken out: the guard by which calls of the tree from inside the hook are refused.
test("row 36: a security hook that calls the tree is refused", async (t) => {
  const { vfs, state } = await securedTree(t);
  let code: string | undefined;
  state.answer = () => {
    code = codeOf(() => vfs.fs.statSync("/"));
    return 0;
  };
  assert.equal(vfs.fs.statSync("/a/b/f").size, 1);
  assert.equal(code, "ERR_THREADFS_REENTERED");
});

// Taken out: the call before a link is followed.
test("row 36: the security hook is called before a link is followed", async (t) => {
  const { vfs, state } = await securedTree(t);
  vfs.fs.symlinkSync("b/f", "/a/l");
  const link = vfs.fs.lstatSync("/a/l").ino;
  state.asked.length = 0;
  vfs.fs.statSync("/a/l");
  assert.equal(state.asked.filter(([ino]) => ino === link).length, 1);
  state.answer = (ino) => (ino === link ? -ERRNO.EACCES : 0);
  refused("EACCES", () => vfs.fs.statSync("/a/l"));
  vfs.fs.lstatSync("/a/l");
});

// Taken out: the mode is not passed to the permission check, which then acts as in ref mode.
test("row 37: both modes have the same result for every combination of mode bits", async (t) => {
  const { vfs, counted } = await treeFor(t);
  /** Callers, each with the shift of the mode bits that count for it. */
  const callers = [
    { fs: vfs.context({ uid: 1, gid: 1 }).fs, shift: 6 },
    { fs: vfs.context({ uid: 2, gid: 1 }).fs, shift: 3 },
    { fs: vfs.context({ uid: 3, gid: 3, groups: [9, 1] }).fs, shift: 3 },
    { fs: vfs.context({ uid: 4, gid: 4 }).fs, shift: 0 },
  ];
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "x");
  vfs.fs.chownSync("/d", 1, 1);
  for (let mode = 0; mode < 0o1000; mode += 3) {
    vfs.fs.chmodSync("/d", mode);
    const expected = callers.map(({ shift }) => ((mode >> shift) & X ? undefined : "EACCES"));
    const codes = () => callers.map(({ fs }) => codeOf(() => fs.accessSync("/d/f", 0)));
    const c = counted(() => assert.deepEqual(codes(), expected, `rcu mode, ${mode.toString(8)}`));
    assert.equal(c.endedRcu, callers.length);
    vfs.walkMode({ ref: true });
    assert.deepEqual(codes(), expected, `ref mode, ${mode.toString(8)}`);
    vfs.walkMode({ ref: false });
  }
});

// Taken out: on -ECHILD the walk starts again from its beginning instead of checking the same component again.
test("row 38: out of rcu mode the walk checks the same component again and goes on from there", async (t) => {
  const asked = new AskedInRef();
  const { vfs, counted } = await treeFor(t, { security: asked.security });
  makeDir(vfs, 0o755);
  asked.add(vfs, "/d");
  const user = vfs.context({ uid: 1001, gid: 1001 });
  let seen: PointPass[] = [];
  const c = counted(() => {
    seen = vfs.points(() => user.fs.accessSync("/d/f", 0));
  });
  assert.deepEqual([c.dropPermission, c.echildRestarts, c.dropFailed], [1, 0, 0]);
  assert.equal(seen.filter(([id]) => id === POINT.WALK_START).length, 1);
  const steps = seen.filter(
    ([id, a]) => id === POINT.PERMISSION || id === POINT.DROPPED || (id === POINT.DROP && a === DROP.PERMISSION),
  );
  const last = steps.slice(-4);
  assert.deepEqual(
    last.map(([id]) => id),
    [POINT.PERMISSION, POINT.DROP, POINT.DROPPED, POINT.PERMISSION],
  );
  const [, inode, result] = firstPass(last, POINT.PERMISSION);
  assert.equal(result | 0, ECHILD);
  assert.equal(firstPass(last, POINT.DROPPED)[1], 1);
  assert.deepEqual(lastPass(last, POINT.PERMISSION), [POINT.PERMISSION, inode, 0]);
});

// Taken out: the sequence of the directory is not checked when the walk takes its reference.
test("row 38: a directory that changes before the walk leaves rcu mode sends the walk back to its start", async (t) => {
  const asked = new AskedInRef();
  const { vfs, counted, attach } = await treeFor(t, { security: asked.security });
  const other = await attach();
  makeDir(vfs, 0o755);
  asked.add(vfs, "/d");
  const user = vfs.context({ uid: 1001, gid: 1001 });
  vfs.at(POINT.UNLAZY_HALF, () => other.fs.renameSync("/d", "/e"));
  const c = counted(() => refused("ENOENT", () => user.fs.accessSync("/d/f", 0)));
  assert.deepEqual([c.dropPermission, c.dropFailed, c.echildRestarts], [1, 1, 1]);
});

// Taken out: the call of the audit hook.
test("the audit hook is called for every success with dentry and inode, and for no failure", async (t) => {
  const auditCalls: [dentry: number, inode: number][] = [];
  const { vfs } = await treeFor(t, { audit: (...args) => auditCalls.push(args) });
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "x");
  auditCalls.length = 0;
  const seen = vfs.points(() => vfs.fs.statSync("/d/f"));
  const [, inode] = lastPass(seen, POINT.ATTR_COPIED);
  const [, , dentry] = lastPass(seen, POINT.ANSWER);
  assert.deepEqual(auditCalls, [[dentry, inode]]);
  auditCalls.length = 0;
  refused("ENOENT", () => vfs.fs.statSync("/d/none"));
  assert.deepEqual(auditCalls, []);
});

// Taken out, one at a time: the call for opens that may create; the call for walks to a parent directory.
test("the audit hook is called for opens, creations and removals too", async (t) => {
  const auditCalls: number[] = [];
  const { vfs } = await treeFor(t, { audit: (dentry) => auditCalls.push(dentry) });
  /** How often the hook is called in a run. */
  const audited = (run: () => unknown) => {
    auditCalls.length = 0;
    run();
    return auditCalls.length;
  };
  const openAndClose = (flags: string) => () => vfs.fs.closeSync(vfs.fs.openSync("/f", flags));
  assert.equal(audited(openAndClose("wx")), 1);
  assert.equal(audited(openAndClose("r")), 1);
  assert.equal(
    audited(() => vfs.fs.mkdirSync("/d")),
    1,
  );
  assert.equal(
    audited(() => vfs.fs.unlinkSync("/f")),
    1,
  );
  assert.equal(
    audited(() => codeOf(openAndClose("r"))),
    0,
  );
  assert.ok(auditCalls.every((dentry) => dentry > 0));
});
