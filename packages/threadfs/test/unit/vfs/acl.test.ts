/** POSIX ACLs: the rights that a list gives, its connection with the mode, and the lists that are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../../../cli/dist/support/defined.js";
import { type Random, randomBelow } from "../../../../cli/dist/support/random.js";
import { MAY_EXEC, MAY_WRITE, S_IFREG } from "../../../dist/abi/abi.js";
import { ACL_TAG, type AclEntry } from "../../../dist/src/index.js";
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
