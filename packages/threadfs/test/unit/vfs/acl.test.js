/** POSIX ACLs: who gets what, mode and list, what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ACL_TAG } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { memoryDriver, mountDriver, ROOT, S_IFREG } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";

const { USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER } = ACL_TAG;
const [W, X] = [2, 1];

/** posix_acl_permission() and acl_permission_check() by acl(5) and Linux: whether `who` gets all of `want`. */
function linuxAllows({ uid, gid, mode, acl }, who, want) {
  const covers = (perm) => (want & ~perm) === 0;
  const inGroup = (id) => who.gid === id || who.groups.includes(id);
  if (who.uid === uid) return covers(mode >> 6);
  if (acl === undefined || (mode & 0o070) === 0) return covers(inGroup(gid) ? mode >> 3 : mode);
  const permOf = (tag) => acl.find((e) => e.tag === tag)?.perm;
  const mask = permOf(MASK) ?? 7;
  const user = acl.find((e) => e.tag === USER && e.id === who.uid);
  if (user !== undefined) return covers(user.perm & mask);
  const groups = acl.filter((e) => (e.tag === GROUP_OBJ && inGroup(gid)) || (e.tag === GROUP && inGroup(e.id)));
  if (groups.length > 0) return groups.some((e) => covers(e.perm & mask));
  return covers(permOf(OTHER));
}

/** A small seeded generator (mulberry32). */
function generator(seed) {
  let s = seed;
  return (below) => {
    s = (s + 0x6d2b79f5) | 0;
    let z = Math.imul(s ^ (s >>> 15), s | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) % below;
  };
}

function randomAcl(draw) {
  const acl = [{ tag: USER_OBJ, perm: draw(8) }];
  for (const id of [11, 12]) if (draw(2)) acl.push({ tag: USER, id, perm: draw(8) });
  acl.push({ tag: GROUP_OBJ, perm: draw(8) });
  for (const id of [21, 22]) if (draw(2)) acl.push({ tag: GROUP, id, perm: draw(8) });
  const named = acl.some((e) => e.tag === USER || e.tag === GROUP);
  if (named || draw(2)) acl.push({ tag: MASK, perm: draw(4) ? draw(8) : 0 });
  acl.push({ tag: OTHER, perm: draw(8) });
  return acl;
}

// Taken out, one at a time: the mask for users; the mask for groups; "a group matched, so others does not count".
test("ACLs: user, group, mask and others as in Linux, for 80 lists, 7 people and all accesses", async (t) => {
  const { vfs } = await treeFor(t);
  const draw = generator(31);
  const people = [
    { uid: 10, gid: 10, groups: [] },
    { uid: 11, gid: 20, groups: [] },
    { uid: 12, gid: 99, groups: [21] },
    { uid: 13, gid: 20, groups: [] },
    { uid: 13, gid: 21, groups: [22] },
    { uid: 13, gid: 99, groups: [20, 22] },
    { uid: 13, gid: 99, groups: [] },
  ].map((who) => ({ who, context: vfs.context(who) }));
  vfs.fs.writeFileSync("/f", "x");
  vfs.fs.chownSync("/f", 10, 20);
  for (let n = 0; n < 80; n++) {
    const acl = randomAcl(draw);
    vfs.setfacl("/f", acl);
    const file = { uid: 10, gid: 20, mode: vfs.fs.statSync("/f").mode, acl };
    for (const { who, context } of people) {
      for (let want = 1; want < 8; want++) {
        const got = codeOf(() => context.fs.accessSync("/f", want));
        const expected = linuxAllows(file, who, want) ? undefined : "EACCES";
        assert.equal(got, expected, JSON.stringify({ acl, who, want }));
      }
    }
  }
});

// Taken out, one at a time: the mode after setfacl; the ACL after chmod.
test("ACLs: mode and ACL show each other's changes", async (t) => {
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
test("ACLs: what is no list, not one's own, or of a driver is refused", async (t) => {
  const { vfs } = await treeFor(t);
  vfs.fs.writeFileSync("/f", "x");
  const base = [
    { tag: USER_OBJ, perm: 6 },
    { tag: GROUP_OBJ, perm: 4 },
    { tag: OTHER, perm: 4 },
  ];
  const bad = [
    base.slice(1),
    [...base, { tag: OTHER, perm: 1 }],
    [base[0], { tag: USER, id: 1, perm: 1 }, ...base.slice(1)],
    // Out of order: a list is read from its start, and "others" before the groups would let them in.
    [base[2], base[1], base[0]],
  ];
  for (const acl of bad) {
    assert.equal(
      codeOf(() => vfs.setfacl("/f", acl)),
      "EINVAL",
      JSON.stringify(acl),
    );
  }
  const stranger = vfs.context({ uid: 5, gid: 5 });
  assert.equal(
    codeOf(() => stranger.setfacl("/f", base)),
    "EPERM",
  );
  const { driver, make } = memoryDriver("plain", ["lookup"]);
  make(ROOT, "f", S_IFREG | 0o644);
  mountDriver(vfs, driver);
  assert.equal(
    codeOf(() => vfs.setfacl("/m/f", base)),
    "ENOTSUP",
  );
});
