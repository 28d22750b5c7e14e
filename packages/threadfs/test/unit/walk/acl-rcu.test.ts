/** POSIX ACLs, directories of one user and of a group in rcu mode (core/vfs/walk/permission.ts): row 102. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ACL_TAG, type AclEntry, createVfs, type FsSync, type Vfs } from "../../../dist/src/index.js";
import { counted, counterGrowth } from "../../support/counters.js";
import { treeFor } from "../../support/debug-tree.js";
import { codeOf, refused } from "../../support/errors.js";
import { walkerOf } from "../../support/hooked-vfs.js";
import { atEveryPoint, setUp } from "../../support/interleavings.js";
import { dentryOf } from "../../support/memory.js";

const { USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER } = ACL_TAG;

/** The owner may do all; user `id` has `perm`, no other user anything. */
function only(id: number, perm: number): AclEntry[] {
  return [
    { tag: USER_OBJ, perm: 7 },
    { tag: USER, id, perm },
    { tag: GROUP_OBJ, perm: 0 },
    { tag: MASK, perm: 7 },
    { tag: OTHER, perm: 0 },
  ];
}

/** /d/e/f, whose directories are `owner`'s. */
function makeDirs({ fs }: Pick<Vfs, "fs">, owner = 0): void {
  fs.rmSync("/d", { recursive: true, force: true });
  fs.mkdirSync("/d/e", { recursive: true });
  fs.writeFileSync("/d/e/f", "x");
  for (const path of ["/d", "/d/e"]) {
    fs.chmodSync(path, 0o700);
    fs.chownSync(path, owner, owner);
  }
}

// Taken out: "return -ECHILD" in place of the ACL in rcu mode.
test("row 102: an ACL in memory is evaluated in rcu mode: grants and refusals end there", async (t) => {
  const { vfs } = await treeFor(t);
  makeDirs(vfs);
  for (const path of ["/d", "/d/e"]) vfs.setfacl(path, only(1001, 1));
  vfs.setfacl("/d/e/f", only(1001, 4));
  const outcomes = (uid: number, groups: number[] = []) => {
    const { fs } = vfs.context({ uid, gid: uid, groups });
    return [0, 4, 2].map((mode) => codeOf(() => fs.accessSync("/d/e/f", mode)));
  };
  const growth = counterGrowth(
    () => vfs.counters(),
    () => {
      assert.deepEqual(outcomes(1001), [undefined, undefined, "EACCES"]);
      assert.deepEqual(outcomes(1002), ["EACCES", "EACCES", "EACCES"]);
    },
  );
  assert.deepEqual([growth.dropPermission, growth.endedRcu, growth.walks], [0, growth.walks, growth.walks]);
  for (const path of ["/d", "/d/e"]) {
    vfs.setfacl(path, [
      ...only(1001, 0).slice(0, 3),
      { tag: GROUP, id: 60, perm: 1 },
      { tag: MASK, perm: 1 },
      { tag: OTHER, perm: 0 },
    ]);
  }
  const members = counterGrowth(
    () => vfs.counters(),
    () => {
      assert.deepEqual(outcomes(1003, [60]), [undefined, "EACCES", "EACCES"]);
      assert.deepEqual(
        outcomes(1001, [60]),
        ["EACCES", "EACCES", "EACCES"],
        "an entry for the user comes before the group's",
      );
    },
  );
  assert.deepEqual([members.dropPermission, members.endedRcu, members.walks], [0, members.walks, members.walks]);
});

// Taken out: D_EXEC_ANY is set for a directory with an ACL too (inodeFlags()), whose mode 0755 then lets every user in.
test("row 102: an ACL that excludes one user from a directory with x for all excludes it in rcu mode", async (t) => {
  for (const shipped of [false, true]) {
    const vfs = shipped ? await createVfs({ maxBytes: 64 << 20 }) : (await treeFor(t)).vfs;
    vfs.fs.mkdirSync("/a-directory-in-the-path/of-more-than-thirty-bytes", { recursive: true });
    const path = "/a-directory-in-the-path/of-more-than-thirty-bytes/f";
    vfs.fs.writeFileSync(path, "x");
    const user = vfs.context({ uid: 1001, gid: 1001 });
    for (let i = 0; i < 5; i++) user.fs.accessSync(path);
    const excluded = [
      { tag: USER_OBJ, perm: 7 },
      { tag: USER, id: 1001, perm: 4 },
      { tag: GROUP_OBJ, perm: 5 },
      { tag: MASK, perm: 5 },
      { tag: OTHER, perm: 5 },
    ];
    vfs.setfacl("/a-directory-in-the-path", excluded);
    assert.equal(vfs.fs.statSync("/a-directory-in-the-path").mode & 0o777, 0o755);
    for (let i = 0; i < 5; i++) refused("EACCES", () => user.fs.accessSync(path, 0));
    vfs.context({ uid: 1002, gid: 1002 }).fs.accessSync(path);
    vfs.setfacl("/a-directory-in-the-path", []);
    for (let i = 0; i < 5; i++) user.fs.accessSync(path);
    if (shipped) vfs.close();
  }
});

// Taken out: owner and ACL are read under two sequences, one after the other. The machine explores every access of that
// (the tree "acls" of verify); here the change is made at every point of the walk.
test("row 102: mode, owner and ACL are those of one moment: a user whom every moment permits is never refused", async (t) => {
  const { vfs, peer } = await setUp(t);
  const user = vfs.context({ uid: 1001, gid: 1001 });
  t.after(() => user.close());
  const walker = await walkerOf(t, user.handle);
  atEveryPoint(walker, {
    prepare() {
      makeDirs(vfs);
      for (const path of ["/d", "/d/e"]) vfs.setfacl(path, only(1001, 1));
    },
    call: (its: FsSync) => its.statSync("/d/e/f"),
    change() {
      for (const path of ["/d", "/d/e"]) {
        peer.fs.chownSync(path, 1001, 1001);
        peer.setfacl(path, only(1001, 0));
      }
    },
    check: (code, where) => assert.equal(code, undefined, where),
  });
});

// Taken out: the check of the last dentry's sequence behind an error of rcu mode (checkRcu()).
test("row 102: EACCES of an ACL in rcu mode was true at one moment of the call", async (t) => {
  const { vfs, peer } = await setUp(t);
  const user = vfs.context({ uid: 1001, gid: 1001 });
  t.after(() => user.close());
  const walker = await walkerOf(t, user.handle);
  // The directory that refuses is at no moment at the path that the walk asks for: it has another name before its ACL changes.
  atEveryPoint(walker, {
    prepare() {
      makeDirs(vfs);
      vfs.fs.rmSync("/old", { recursive: true, force: true });
      for (const path of ["/d", "/d/e"]) vfs.setfacl(path, only(1001, 1));
      vfs.fs.mkdirSync("/next/e", { recursive: true });
      vfs.fs.writeFileSync("/next/e/f", "x");
    },
    call: (its: FsSync) => its.statSync("/d/e/f"),
    change() {
      peer.fs.renameSync("/d", "/old");
      peer.setfacl("/old", only(1001, 0));
      peer.setfacl("/old/e", only(1001, 0));
      peer.fs.renameSync("/next", "/d");
    },
    check: (code, where) => assert.ok(code === undefined || code === "ENOENT", `${where}: ${code}`),
  });
});

// Taken out, one at a time: modeChangeBegin() and modeChangeEnd() in chownLocked(); the write section in modeChangeEnd().
test("row 102: a change of mode, owner, group or ACL of a directory moves its dentry's sequence", async (t) => {
  const { vfs, memory } = await setUp(t);
  makeDirs(vfs);
  const dentry = dentryOf(vfs, "/d");
  const changes: Record<string, () => void> = {
    mode: () => vfs.fs.chmodSync("/d", 0o750),
    owner: () => vfs.fs.chownSync("/d", 1001, 0),
    group: () => vfs.fs.chownSync("/d", -1, 60),
    acl: () => vfs.setfacl("/d", only(1001, 1)),
    "no acl": () => vfs.setfacl("/d", []),
  };
  for (const [what, change] of Object.entries(changes)) {
    const before = memory.seq(dentry);
    change();
    assert.notEqual(memory.seq(dentry), before, what);
    assert.equal(memory.seq(dentry) % 2, 0, what);
  }
});

// Taken out: isSearchable() in rcuWalk(): the general walk then takes every component below such a directory (in the debug build it passes
// the same points, so the counters of the shipping build are compared: neither drops).
test("row 102: directories of the owner alone and of a group are searched in rcu mode, and refused there", async (t) => {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  makeDirs(vfs, 1001);
  vfs.fs.chownSync("/d/e", 0, 60);
  vfs.fs.chmodSync("/d/e", 0o710);
  const cases: readonly (readonly [uid: number, groups: number[], code: string | undefined])[] = [
    [1001, [60], undefined],
    [1001, [], "EACCES"],
    [1002, [60], "EACCES"],
    [0, [], undefined],
  ];
  for (const [uid, groups, code] of cases) {
    const { fs } = vfs.context({ uid, gid: uid, groups });
    for (const path of ["/d/e/f", "/d/e/none"]) {
      const expected = code ?? (path.endsWith("none") ? "ENOENT" : undefined);
      const growth = counted(vfs, () =>
        assert.equal(
          codeOf(() => fs.accessSync(path, 0)),
          expected,
        ),
      );
      assert.deepEqual([growth.walks, growth.endedRcu, growth.echildRestarts], [1, 1, 0], `${uid} ${path}`);
    }
  }
});

// Taken out: "c.flags & CHILD_MASK" in prefixCacheFill(): an entry is made that never matches, every time that the path is walked.
test("row 102: what one user may search is not kept for others", async (t) => {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  const path = "/a-directory-of-user-1001-alone/and-another-one/file";
  vfs.fs.mkdirSync("/a-directory-of-user-1001-alone/and-another-one", { recursive: true });
  vfs.fs.writeFileSync(path, "x");
  vfs.fs.chownSync("/a-directory-of-user-1001-alone", 1001, 1001);
  vfs.fs.chmodSync("/a-directory-of-user-1001-alone", 0o700);
  const owner = vfs.context({ uid: 1001, gid: 1001 }).fs;
  const stranger = vfs.context({ uid: 1002, gid: 1002 }).fs;
  for (let i = 0; i < 10; i++) {
    owner.accessSync(path);
    refused("EACCES", () => stranger.accessSync(path, 0));
  }
});

// Taken out, one at a time: the sequence in the comparison with the table of directories found searchable; modeChangeEnd() of chmod, chown
// and setfacl.
test("row 102: a directory that was searched before is refused as soon as the user may not search it", async (t) => {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  makeDirs(vfs, 1001);
  const { fs } = vfs.context({ uid: 1001, gid: 1001 });
  const changes: readonly (readonly [away: () => void, back: () => void])[] = [
    [() => vfs.fs.chmodSync("/d/e", 0o600), () => vfs.fs.chmodSync("/d/e", 0o700)],
    [() => vfs.fs.chownSync("/d", 0, 0), () => vfs.fs.chownSync("/d", 1001, 1001)],
    [() => vfs.setfacl("/d", only(1002, 1)), () => vfs.setfacl("/d", only(1001, 1))],
  ];
  for (const [n, [away, back]] of changes.entries()) {
    // The list decides for another user than the owner alone.
    if (n === 2) vfs.fs.chownSync("/d", 0, 0);
    if (n === 2) back();
    for (let i = 0; i < 3; i++) fs.accessSync("/d/e/f");
    away();
    for (let i = 0; i < 3; i++) refused("EACCES", () => fs.accessSync("/d/e/f", 0));
    back();
    for (let i = 0; i < 3; i++) fs.accessSync("/d/e/f");
  }
});
