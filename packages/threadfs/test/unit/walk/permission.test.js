/** Who may search and open what, in both modes: mode bits, capabilities, a driver's hooks, the security and audit hooks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DROP, POINT } from "../../../dist/abi/abi.js";
import { ACL_TAG } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { codeOf } from "../../support/errors.js";

const { USER_OBJ, USER, GROUP_OBJ, MASK, OTHER } = ACL_TAG;
const [R, W, X] = [4, 2, 1];
const EXEC = 1;
const ECHILD = -10;
// Where walks are counted the tests give access() its mode: then one call is one walk, also when it fails.
const CAP_DAC_OVERRIDE = 1 << 1;
const CAP_DAC_READ_SEARCH = 1 << 2;

/** u::rwx, user 1001 r-x, nobody else anything. */
const LISTED = [
  { tag: USER_OBJ, perm: 7 },
  { tag: USER, id: 1001, perm: 5 },
  { tag: GROUP_OBJ, perm: 0 },
  { tag: MASK, perm: 7 },
  { tag: OTHER, perm: 0 },
];

/** /d, owned by 1000:1000, with `mode` and a file f in it. */
function makeDir(vfs, mode) {
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "x");
  vfs.fs.chownSync("/d", 1000, 1000);
  vfs.fs.chmodSync("/d", mode);
}

/** A driver of one directory with one file, its root's mode given; `hooks` are added to it. */
function oneFile(name, mode, hooks) {
  const file = { ino: 2, mode: 0o100644, size: 0 };
  return {
    name,
    root: () => ({ ino: 1, mode: 0o040000 | mode }),
    lookup: (_dir, wanted) => (wanted === "f" ? file : null),
    ...hooks,
  };
}

/** Mounts a driver at /m and looks its file up once, so that it is in the cache. */
function mountDriver(vfs, driver) {
  vfs.registerDriver(driver);
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", driver.name);
  vfs.fs.accessSync("/m/f");
}

// Taken out: the ACL is read in rcu mode too, instead of -ECHILD.
test("row 31: an ACL that would have to be read takes the walk out of rcu mode, once", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", LISTED);
  const named = vfs.context({ uid: 1001, gid: 1001 });
  const c = counted(() => named.fs.accessSync("/d/f"));
  assert.equal(c.dropPermission, 1);
  assert.deepEqual([c.endedRcu, c.endedRef, c.echildRestarts], [0, 1, 0]);
  const refused = vfs.context({ uid: 1002, gid: 1002 });
  const d = counted(() =>
    assert.equal(
      codeOf(() => refused.fs.accessSync("/d/f", 0)),
      "EACCES",
    ),
  );
  assert.equal(d.dropPermission, 1);
});

// Taken out: the owner is sent to the ACL as everybody else is.
test("row 31: the owner needs no ACL and stays in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", LISTED);
  const owner = vfs.context({ uid: 1000, gid: 1000 });
  const c = counted(() => owner.fs.accessSync("/d/f"));
  assert.deepEqual([c.dropPermission, c.endedRcu], [0, 1]);
});

// Taken out: the ACL is asked whatever its mask says (then the named user is refused, and the walk drops for it).
test("row 31: an ACL with an empty mask is not asked: the mode bits decide", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", [...LISTED.slice(0, 3), { tag: MASK, perm: 0 }, { tag: OTHER, perm: 1 }]);
  const named = vfs.context({ uid: 1001, gid: 1001 });
  const c = counted(() => named.fs.accessSync("/d/f"));
  assert.deepEqual([c.dropPermission, c.endedRcu], [0, 1]);
});

// Taken out: whatever check_acl says is the answer, EAGAIN too.
test("row 32: a check_acl without an opinion leaves it to the mode bits", async (t) => {
  const { vfs } = await treeFor(t);
  const asked = [];
  let opinion;
  const checkAcl = (node, mask) => {
    asked.push([node, mask]);
    return opinion;
  };
  mountDriver(vfs, oneFile("acl", 0o751, { checkAcl }));
  const inGroup = vfs.context({ uid: 5, gid: 5, groups: [0] });
  const other = vfs.context({ uid: 5, gid: 5 });
  const readRoot = (who) => codeOf(() => who.fs.accessSync("/m", R));
  for (const [says, group, others] of [
    [undefined, undefined, "EACCES"],
    [true, undefined, undefined],
    [false, "EACCES", "EACCES"],
  ]) {
    opinion = says;
    assert.equal(readRoot(inGroup), group, `group, hook says ${says}`);
    assert.equal(readRoot(other), others, `others, hook says ${says}`);
  }
  opinion = undefined;
  asked.length = 0;
  other.fs.accessSync("/m/f");
  assert.deepEqual(asked, [[1, EXEC]]);
});

// Taken out: the hook is called in rcu mode instead of -ECHILD (no drop is counted, and it runs inside the section).
test("row 33: a permission hook is asked in ref mode only", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const asked = [];
  let seen = [];
  const permission = (node, mask) => asked.push([node, mask, seen.length]);
  mountDriver(vfs, oneFile("perm", 0o777, { permission }));
  asked.length = 0;
  const c = counted(() => {
    seen = vfs.points(() => vfs.fs.accessSync("/m/f"));
  });
  assert.deepEqual([c.dropPermission, c.endedRef, c.echildRestarts], [1, 1, 0]);
  assert.deepEqual(
    asked.map(([node, mask]) => [node, mask]),
    [[1, EXEC]],
  );
  const answers = seen.filter(([id]) => id === POINT.PERMISSION).map(([, , answer]) => answer | 0);
  assert.deepEqual(answers.slice(-2), [ECHILD, 0]);
});

// Taken out: a capability lifts any error, -ECHILD too (then no drop is counted and the ACL or hook is never asked).
test("row 34: a capability does not hide that rcu mode could not tell", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", LISTED);
  const c = counted(() => vfs.fs.accessSync("/d/f"));
  assert.deepEqual([c.dropPermission, c.endedRef], [1, 1]);
});

// Taken out: a capability lifts what the hook says (once any error, once a refusal only).
test("row 34: what a permission hook answers stands under every capability", async (t) => {
  const { vfs } = await treeFor(t);
  let code;
  const permission = () => {
    if (code !== undefined) throw Object.assign(new Error(code), { code });
  };
  mountDriver(vfs, oneFile("perm", 0o777, { permission }));
  for (code of ["EIO", "EROFS", "EPERM", "ESTALE", "EACCES"]) {
    assert.equal(
      codeOf(() => vfs.fs.accessSync("/m/f")),
      code,
    );
  }
});

/** What each set of capabilities lets a stranger do with a directory of mode 0700 and files of mode 0600, 0711, 0000. */
const LIFTED = [
  // caps, search the directory, write it, read 0600, write 0600, execute 0600, execute 0711, read and write 0000
  [0, false, false, false, false, false, true, false],
  [CAP_DAC_READ_SEARCH, true, false, true, false, false, true, false],
  [CAP_DAC_OVERRIDE, true, true, true, true, false, true, true],
  [CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH, true, true, true, true, false, true, true],
];

// Taken out, one at a time: CAP_DAC_OVERRIDE; CAP_DAC_READ_SEARCH; "nobody may execute it" for the override.
test("row 35: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH lift a refusal, in rcu mode", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.fs.mkdirSync("/open");
  for (const [name, mode] of [
    ["a", 0o600],
    ["b", 0o711],
    ["c", 0o000],
  ]) {
    vfs.fs.writeFileSync(`/open/${name}`, "x");
    vfs.fs.chmodSync(`/open/${name}`, mode);
  }
  for (const [caps, ...expected] of LIFTED) {
    const who = vfs.context({ uid: 7, gid: 7, caps });
    const may = (path, mask) => codeOf(() => who.fs.accessSync(path, mask)) === undefined;
    let got;
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

/** A tree whose host answers security questions with `answer(ino, mask, rcu)` and notes them. */
async function securedTree(t) {
  const state = { asked: [], answer: () => 0 };
  const security = (ino, mask, rcu) => {
    state.asked.push([ino, mask, rcu]);
    return state.answer(ino, mask, rcu);
  };
  const tree = await treeFor(t, { security });
  tree.vfs.fs.mkdirSync("/a/b", { recursive: true });
  tree.vfs.fs.writeFileSync("/a/b/f", "x");
  const ino = (path) => tree.vfs.fs.statSync(path).ino;
  const inos = [ino("/"), ino("/a"), ino("/a/b")];
  state.asked.length = 0;
  return { ...tree, state, inos };
}

// Taken out: the question to the hook; and separately: its rcu argument is always false.
test("row 36: the security hook is asked for each directory on the way, and told the mode", async (t) => {
  const { vfs, state, inos, counted } = await securedTree(t);
  const c = counted(() => vfs.fs.statSync("/a/b/f"));
  assert.deepEqual(
    state.asked,
    inos.map((ino) => [ino, EXEC, true]),
  );
  assert.equal(c.endedRcu, 1);
  state.asked.length = 0;
  vfs.walkMode({ ref: true });
  vfs.fs.statSync("/a/b/f");
  assert.deepEqual(
    state.asked,
    inos.map((ino) => [ino, EXEC, false]),
  );
});

// Taken out: after -ECHILD the question is not asked again in ref mode.
test("row 36: a security hook that cannot tell in rcu mode is asked again in ref mode", async (t) => {
  const { vfs, state, inos, counted } = await securedTree(t);
  state.answer = (ino, _mask, rcu) => (ino === inos[1] && rcu ? ECHILD : 0);
  const c = counted(() => vfs.fs.statSync("/a/b/f"));
  assert.deepEqual(state.asked, [
    [inos[0], EXEC, true],
    [inos[1], EXEC, true],
    [inos[1], EXEC, false],
    [inos[2], EXEC, false],
  ]);
  assert.deepEqual([c.dropPermission, c.echildRestarts, c.endedRef], [1, 0, 1]);
});

// Taken out: the hook's answer is dropped.
test("row 36: a refusal of the security hook is the answer, for root too and in rcu mode", async (t) => {
  const { vfs, state, inos, counted } = await securedTree(t);
  for (const [errno, code] of [
    [-13, "EACCES"],
    [-1, "EPERM"],
  ]) {
    state.answer = (ino) => (ino === inos[2] ? errno : 0);
    const c = counted(() =>
      assert.equal(
        codeOf(() => vfs.fs.accessSync("/a/b/f", 0)),
        code,
      ),
    );
    assert.deepEqual([c.endedRcu, c.echildRestarts], [1, 0]);
  }
});

// Taken out: the hook is asked although the mode bits refuse.
test("row 36: what the mode bits refuse is not asked of the security hook", async (t) => {
  const { vfs, state } = await securedTree(t);
  vfs.fs.chmodSync("/a", 0o700);
  const agent = vfs.context({ uid: 9, gid: 9 });
  state.asked.length = 0;
  assert.equal(
    codeOf(() => agent.fs.accessSync("/a/b/f", 0)),
    "EACCES",
  );
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
  assert.equal(
    codeOf(() => vfs.fs.accessSync("/a/b/f", 0)),
    "EIO",
  );
  assert.equal(await uncaught, thrown);
  state.answer = () => 0;
  assert.equal(vfs.fs.readFileSync("/a/b/f", "utf8"), "x");
});

// Taken out: the guard by which calls of the tree from inside the hook are refused.
test("row 36: a security hook that calls the tree is refused", async (t) => {
  const { vfs, state } = await securedTree(t);
  let code;
  state.answer = () => {
    code = codeOf(() => vfs.fs.statSync("/"));
    return 0;
  };
  assert.equal(vfs.fs.statSync("/a/b/f").size, 1);
  assert.equal(code, "ERR_THREADFS_REENTERED");
});

// Taken out: the question before a link is followed.
test("row 36: the security hook is asked before a link is followed", async (t) => {
  const { vfs, state } = await securedTree(t);
  vfs.fs.symlinkSync("b/f", "/a/l");
  const link = vfs.fs.lstatSync("/a/l").ino;
  state.asked.length = 0;
  vfs.fs.statSync("/a/l");
  assert.equal(state.asked.filter(([ino]) => ino === link).length, 1);
  state.answer = (ino) => (ino === link ? -13 : 0);
  assert.equal(
    codeOf(() => vfs.fs.statSync("/a/l")),
    "EACCES",
  );
  vfs.fs.lstatSync("/a/l");
});

// Taken out: the mode is not handed on to the permission check, which then acts as in ref mode.
test("row 37: both modes come to the same verdict for every combination of mode bits", async (t) => {
  const { vfs, counted } = await treeFor(t);
  const people = [
    vfs.context({ uid: 1, gid: 1 }),
    vfs.context({ uid: 2, gid: 1 }),
    vfs.context({ uid: 3, gid: 3, groups: [9, 1] }),
    vfs.context({ uid: 4, gid: 4 }),
  ];
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "x");
  vfs.fs.chownSync("/d", 1, 1);
  for (let mode = 0; mode < 0o1000; mode += 3) {
    vfs.fs.chmodSync("/d", mode);
    const expected = people.map((_, n) => ((mode >> [6, 3, 3, 0][n]) & EXEC ? undefined : "EACCES"));
    const ask = () => people.map((who) => codeOf(() => who.fs.accessSync("/d/f", 0)));
    const c = counted(() => assert.deepEqual(ask(), expected, `rcu mode, ${mode.toString(8)}`));
    assert.equal(c.endedRcu, people.length);
    vfs.walkMode({ ref: true });
    assert.deepEqual(ask(), expected, `ref mode, ${mode.toString(8)}`);
    vfs.walkMode({ ref: false });
  }
});

// Taken out: on -ECHILD the walk starts again from its beginning instead of asking the same component again.
test("row 38: after the drop the same component is asked again, and the walk goes on from there", async (t) => {
  const { vfs, counted } = await treeFor(t);
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", LISTED);
  const agent = vfs.context({ uid: 1001, gid: 1001 });
  let seen;
  const c = counted(() => {
    seen = vfs.points(() => agent.fs.accessSync("/d/f", 0));
  });
  assert.deepEqual([c.dropPermission, c.echildRestarts, c.dropFailed], [1, 0, 0]);
  assert.equal(seen.filter(([id]) => id === POINT.WALK_START).length, 1);
  const steps = seen.filter(
    ([id, a]) => id === POINT.PERMISSION || id === POINT.DROPPED || (id === POINT.DROP && a === DROP.PERMISSION),
  );
  const [asked, drop, dropped, again] = steps.slice(-4);
  assert.deepEqual([asked[2] | 0, drop[0], dropped.slice(0, 2)], [ECHILD, POINT.DROP, [POINT.DROPPED, 1]]);
  assert.deepEqual(again, [POINT.PERMISSION, asked[1], 0]);
});

// Taken out: the sequence of the directory is not looked at when the drop takes its reference.
test("row 38: a directory that changes before the drop sends the walk back to its start", async (t) => {
  const { vfs, counted, attach } = await treeFor(t);
  const other = await attach();
  makeDir(vfs, 0o700);
  vfs.setfacl("/d", LISTED);
  const agent = vfs.context({ uid: 1001, gid: 1001 });
  vfs.at(POINT.UNLAZY_HALF, () => other.fs.renameSync("/d", "/e"));
  const c = counted(() =>
    assert.equal(
      codeOf(() => agent.fs.accessSync("/d/f", 0)),
      "ENOENT",
    ),
  );
  assert.deepEqual([c.dropPermission, c.dropFailed, c.echildRestarts], [1, 1, 1]);
});

// Taken out: the call of the audit hook.
test("the audit hook is told every success with dentry and inode, and no failure", async (t) => {
  const told = [];
  const { vfs } = await treeFor(t, { audit: (dentry, inode) => told.push([dentry, inode]) });
  vfs.fs.mkdirSync("/d");
  vfs.fs.writeFileSync("/d/f", "x");
  told.length = 0;
  const seen = vfs.points(() => vfs.fs.statSync("/d/f"));
  const [, , inode] = [...seen]
    .reverse()
    .find(([id]) => id === POINT.ATTR_COPIED)
    .map((v, n, all) => (n === 2 ? all[1] : v));
  assert.deepEqual(told, [[seen.findLast(([id]) => id === POINT.ANSWER)[2], inode]]);
  told.length = 0;
  assert.equal(
    codeOf(() => vfs.fs.statSync("/d/none")),
    "ENOENT",
  );
  assert.deepEqual(told, []);
});

// Taken out, one at a time: the call for opens that may create; the call for walks to a parent directory.
test("the audit hook is told of opens, creations and removals too", async (t) => {
  const told = [];
  const { vfs } = await treeFor(t, { audit: (dentry) => told.push(dentry) });
  const asked = (run) => {
    told.length = 0;
    run();
    return told.length;
  };
  const close = (flags) => () => vfs.fs.closeSync(vfs.fs.openSync("/f", flags));
  assert.equal(asked(close("wx")), 1);
  assert.equal(asked(close("r")), 1);
  assert.equal(
    asked(() => vfs.fs.mkdirSync("/d")),
    1,
  );
  assert.equal(
    asked(() => vfs.fs.unlinkSync("/f")),
    1,
  );
  assert.equal(
    asked(() => codeOf(close("r"))),
    0,
  );
  assert.ok(told.every((dentry) => dentry > 0));
});
