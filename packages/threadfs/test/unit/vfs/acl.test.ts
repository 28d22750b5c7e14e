/** POSIX ACLs: the rights that a list gives, its connection with the mode, and the lists that are refused. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { MAY_EXEC, MAY_WRITE, S_IFREG } from "../../../dist/abi/abi.js";
import { ACL_TAG, type AclEntry, createVfs, OPEN_FLAGS, type Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { memoryDriver, mountDriver, ROOT } from "../../support/drivers/memory-driver.js";
import { codeOf, refused } from "../../support/errors.js";

const { USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER } = ACL_TAG;
const [W, X] = [MAY_WRITE, MAY_EXEC] as const;

interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

interface File {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly acl: readonly AclEntry[];
}

/** posix_acl_permission() and acl_permission_check() by acl(5) and Linux: whether the caller gets all of `want`. */
function linuxAllows({ uid, gid, mode, acl }: File, caller: Caller, want: number): boolean {
  const covers = (perm: number) => (want & ~perm) === 0;
  const inGroup = (id: number | undefined) => id === caller.gid || (id !== undefined && caller.groups.includes(id));
  if (caller.uid === uid) return covers(mode >> 6);
  if ((mode & 0o070) === 0) return covers(inGroup(gid) ? mode >> 3 : mode);
  const permOf = (tag: number) => acl.find((e) => e.tag === tag)?.perm;
  const mask = permOf(MASK) ?? 7;
  const user = acl.find((e) => e.tag === USER && e.id === caller.uid);
  if (user !== undefined) return covers(user.perm & mask);
  const groups = acl.filter((e) => (e.tag === GROUP_OBJ && inGroup(gid)) || (e.tag === GROUP && inGroup(e.id)));
  if (groups.length > 0) return groups.some((e) => covers(e.perm & mask));
  return covers(defined(permOf(OTHER), "entry for others"));
}

function randomAcl(draw: Random): AclEntry[] {
  const acl: AclEntry[] = [{ tag: USER_OBJ, perm: draw(8) }];
  for (const id of [11, 12]) if (draw(2)) acl.push({ tag: USER, id, perm: draw(8) });
  acl.push({ tag: GROUP_OBJ, perm: draw(8) });
  for (const id of [21, 22]) if (draw(2)) acl.push({ tag: GROUP, id, perm: draw(8) });
  const named = acl.some((e) => e.tag === USER || e.tag === GROUP);
  if (named || draw(2)) acl.push({ tag: MASK, perm: draw(4) ? draw(8) : 0 });
  acl.push({ tag: OTHER, perm: draw(8) });
  return acl;
}

// Taken out, one at a time: the mask for users; the mask for groups; "a group matched, so that others does not count".
test("ACLs: user, group, mask and others decide as in Linux, for 80 lists, 7 callers and all accesses", async (t) => {
  const { vfs } = await treeFor(t);
  const draw = randomBelow(31);
  const callers = [
    { uid: 10, gid: 10, groups: [] },
    { uid: 11, gid: 20, groups: [] },
    { uid: 12, gid: 99, groups: [21] },
    { uid: 13, gid: 20, groups: [] },
    { uid: 13, gid: 21, groups: [22] },
    { uid: 13, gid: 99, groups: [20, 22] },
    { uid: 13, gid: 99, groups: [] },
  ].map((caller) => ({ caller, context: vfs.context(caller) }));
  vfs.fs.writeFileSync("/f", "x");
  vfs.fs.chownSync("/f", 10, 20);
  for (let n = 0; n < 80; n++) {
    const acl = randomAcl(draw);
    vfs.setfacl("/f", acl);
    const file = { uid: 10, gid: 20, mode: vfs.fs.statSync("/f").mode, acl };
    for (const { caller, context } of callers) {
      for (let want = 1; want < 8; want++) {
        const got = codeOf(() => context.fs.accessSync("/f", want));
        const expected = linuxAllows(file, caller, want) ? undefined : "EACCES";
        assert.equal(got, expected, JSON.stringify({ acl, caller, want }));
      }
    }
  }
});

// Taken out, one at a time: the mode after setfacl; the ACL after chmod.
test("ACLs: a change of the ACL changes the mode, and a change of the mode the ACL", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.writeFileSync("/f", "x");
  const perms = () => Object.fromEntries(vfs.getfacl("/f").map((e) => [e.tag, e.perm]));
  const mode = () => vfs.fs.statSync("/f").mode & 0o777;
  vfs.setfacl("/f", [
    { tag: USER_OBJ, perm: 6 },
    { tag: USER, id: 5, perm: 7 },
    { tag: GROUP_OBJ, perm: 1 },
    { tag: MASK, perm: 5 },
    { tag: OTHER, perm: 4 },
  ]);
  assert.equal(mode(), 0o654);
  vfs.fs.chmodSync("/f", 0o723);
  assert.deepEqual(perms(), { [USER_OBJ]: 7, [USER]: 7, [GROUP_OBJ]: 1, [MASK]: 2, [OTHER]: 3 });
  assert.equal(mode(), 0o723);
  vfs.setfacl("/f", []);
  assert.deepEqual(vfs.getfacl("/f"), []);
  assert.equal(mode(), 0o723);
  assert.equal(
    codeOf(() => vfs.context({ uid: 5, gid: 5 }).fs.accessSync("/f", W | X)),
    undefined,
  );
});

// Taken out, one at a time: the check of the entries; the check of the owner; the refusal for file systems of drivers.
test("ACLs: setfacl refuses bad lists, files of other owners, and files of drivers", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.writeFileSync("/f", "x");
  const [owner, group, others] = [
    { tag: USER_OBJ, perm: 6 },
    { tag: GROUP_OBJ, perm: 4 },
    { tag: OTHER, perm: 4 },
  ] as const;
  const base = [owner, group, others];
  const bad = [
    [group, others],
    [...base, { tag: OTHER, perm: 1 }],
    [owner, { tag: USER, id: 1, perm: 1 }, group, others],
    // Out of order: the core reads a list from its start, and "others" before the groups would let them in.
    [others, group, owner],
  ];
  for (const acl of bad) refused("EINVAL", () => vfs.setfacl("/f", acl), JSON.stringify(acl));
  const stranger = vfs.context({ uid: 5, gid: 5 });
  refused("EPERM", () => stranger.setfacl("/f", base));
  const { driver, make } = memoryDriver("plain", ["lookup"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  refused("ENOTSUP", () => vfs.setfacl("/m/f", base));
});

/** A tree whose arena is whole in the end. */
async function plainTree(t: TestContext): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => {
    assert.deepEqual(check(vfs.handle.memory).problems, []);
    vfs.close();
  });
  vfs.fs.mkdirSync("/d");
  return vfs;
}

const SHARED: AclEntry[] = [
  { tag: USER_OBJ, perm: 7 },
  { tag: USER, id: 1000, perm: 7 },
  { tag: GROUP_OBJ, perm: 5 },
  { tag: MASK, perm: 7 },
  { tag: OTHER, perm: 0 },
];
const perms = (acl: readonly AclEntry[]) => acl.map(({ perm }) => perm).join("");

// test/conformance/linux/acl.test.ts holds the same to the kernel.
test("default ACLs decide what is created, in the place of the umask, and pass on", async (t) => {
  const vfs = await plainTree(t);
  const { fs, linux } = vfs;
  vfs.umask(0o77);
  vfs.setfacl("/d", SHARED, { default: true });
  assert.deepEqual([perms(vfs.getfacl("/d", { default: true })), vfs.getfacl("/d")], ["77570", []]);
  fs.writeFileSync("/d/f", "f", { mode: 0o666 });
  fs.mkdirSync("/d/e");
  linux.mkfifoSync("/d/p", 0o600);
  const fd = fs.openSync("/d", OPEN_FLAGS.O_TMPFILE | fs.constants.O_RDWR, 0o640);
  linux.linkatSync(fd, "/d/t");
  fs.symlinkSync("f", "/d/l");
  const mode = (path: string) => (fs.lstatSync(path).mode & 0o777).toString(8);
  assert.deepEqual(["/d/f", "/d/e", "/d/p", "/d/t", "/d/l"].map(mode), ["660", "770", "600", "640", "777"]);
  assert.deepEqual(
    ["/d/f", "/d/e", "/d/p", "/d/t"].map((path) => perms(vfs.getfacl(path))),
    ["67560", "77570", "67500", "67540"],
  );
  assert.equal(perms(vfs.getfacl("/d/e", { default: true })), "77570");
  const user = vfs.context({ uid: 1000, gid: 1000 });
  fs.chmodSync("/d", 0o711);
  assert.equal(
    codeOf(() => user.fs.writeFileSync("/d/f", "u")),
    undefined,
  );
  fs.chmodSync("/d/f", 0o640);
  assert.equal(perms(vfs.getfacl("/d/f")), "67540");
  refused("EACCES", () => user.fs.writeFileSync("/d/f", "u"));
  refused("EPERM", () => user.setfacl("/d", [], { default: true }));
  vfs.setfacl("/d", [], { default: true });
  fs.writeFileSync("/d/g", "g");
  assert.deepEqual([mode("/d/g"), vfs.getfacl("/d/g")], ["600", []]);
});

test("default ACLs of base entries alone decide the mode, and end with their directory", async (t) => {
  const vfs = await plainTree(t);
  const { fs } = vfs;
  vfs.setfacl(
    "/d",
    [USER_OBJ, GROUP_OBJ, OTHER].map((tag) => ({ tag, perm: 4 })),
    { default: true },
  );
  fs.writeFileSync("/d/f", "");
  fs.mkdirSync("/d/e");
  assert.deepEqual([fs.statSync("/d/f").mode & 0o777, fs.statSync("/d/e").mode & 0o777], [0o444, 0o444]);
  assert.deepEqual([vfs.getfacl("/d/f").length, vfs.getfacl("/d/e", { default: true }).length], [0, 3]);
  for (let n = 0; n < 2000; n++) {
    fs.mkdirSync("/d/x");
    fs.rmdirSync("/d/x");
  }
  refused("EACCES", () => vfs.setfacl("/d/f", SHARED, { default: true }));
  vfs.setfacl("/d/f", [], { default: true });
  refused("EINVAL", () => vfs.setfacl("/d", SHARED.slice(1), { default: true }));
  refused("ERR_INVALID_ARG_VALUE", () => vfs.setfacl("/d", [], { defaults: true } as never));
});

test("ACLs as attributes have Linux's form, and are copied by it", async (t) => {
  const vfs = await plainTree(t);
  const { fs, linux } = vfs;
  const [ACCESS, DEFAULT] = ["system.posix_acl_access", "system.posix_acl_default"];
  refused("ENODATA", () => linux.getxattrSync("/d", DEFAULT));
  vfs.setfacl("/d", SHARED);
  vfs.setfacl("/d", SHARED, { default: true });
  for (const name of ["user.u", "security.s"]) linux.setxattrSync("/d", name, "");
  assert.deepEqual(linux.listxattrSync("/d"), ["security.s", ACCESS, DEFAULT, "user.u"]);
  const value = linux.getxattrSync("/d", DEFAULT);
  const expected = "0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000000ffffffff";
  assert.equal(Buffer.from(value).toString("hex"), expected);
  fs.mkdirSync("/copy");
  linux.setxattrSync("/copy", DEFAULT, value);
  assert.deepEqual(vfs.getfacl("/copy", { default: true }), vfs.getfacl("/d", { default: true }));
  const other = Buffer.from(value);
  other[0] = 1;
  refused("ENOTSUP", () => linux.setxattrSync("/copy", DEFAULT, other));
  refused("EINVAL", () => linux.setxattrSync("/copy", DEFAULT, value.subarray(0, -1)));
  linux.setxattrSync("/copy", DEFAULT, "");
  assert.deepEqual(linux.listxattrSync("/copy"), []);
  linux.removexattrSync("/copy", DEFAULT);
  refused("ENOTSUP", () => linux.setxattrSync("/d", "system.other", ""));
});

test("a snapshot keeps access and default ACLs", async (t) => {
  const vfs = await plainTree(t);
  vfs.setfacl("/d", SHARED, { default: true });
  vfs.fs.mkdirSync("/d/e");
  vfs.linux.mkfifoSync("/d/p");
  const snapshot = await (await vfs.snapshot()).bytes();
  const again = await createVfs({ maxBytes: 4 << 20, snapshot });
  for (const path of ["/d", "/d/e", "/d/p"]) {
    assert.deepEqual(again.getfacl(path), vfs.getfacl(path));
    assert.equal(again.fs.statSync(path).mode, vfs.fs.statSync(path).mode);
    assert.equal(again.fs.statSync(path).ctimeMs, vfs.fs.statSync(path).ctimeMs);
  }
  for (const path of ["/d", "/d/e"])
    assert.deepEqual(
      again.getfacl(path, { default: true }),
      SHARED.map((e) => ({ id: 0xffffffff, ...e })),
    );
  again.close();
});
