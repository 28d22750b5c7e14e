/**
 * Random sequences of calls by several users on one tree, with modes and owners that change all the time: who may do
 * what is the kernel's to say. The oracle takes effective credentials for each call, which needs root.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attempt, picture } from "../conformance/outcome.js";
import { SELF, UMASK } from "../conformance/targets.js";
import { body, COMMANDS, FLOOR, path, plant, text } from "./commands.js";
import { check, useTargets } from "./support.js";

const targets = await useTargets();

const USERS = [
  { uid: 0, gid: 0, groups: [] },
  { uid: 1000, gid: 1000, groups: [] },
  { uid: 1001, gid: 1001, groups: [2000] },
  { uid: 1002, gid: 1000, groups: [2000, 1001] },
];

const ids = fc.constantFrom(-1, 0, 1000, 1001, 1002);
const groups = fc.constantFrom(-1, 0, 1000, 1001, 2000);

/** No directory that is sticky and writable for all: there some kernels protect links and files beyond permissions. */
const mode = fc.constantFrom(
  ...[
    0o755, 0o700, 0o777, 0o711, 0o770, 0o750, 0o644, 0o600, 0o444, 0o000, 0o1775, 0o2775, 0o2755, 0o6755, 0o4711,
    0o2644,
  ],
);

const CALLS = {
  ...COMMANDS,
  chown: (fs, { to, uid, gid }) => fs.chownSync(to, uid, gid),
  lchown: (fs, { to, uid, gid }) => fs.lchownSync(to, uid, gid),
  utimes: (fs, { to }) => fs.utimesSync(to, 1000, 2000),
};

/**
 * Without access and exists, which go by the real and not the effective user; without realpath, which the C library
 * walks by rules of its own; and without the making of hard links, see `mode`.
 */
const kind = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("mkdir", "writeFile", "symlink", "rename", "rename") },
  { weight: 4, arbitrary: fc.constantFrom("chmod", "chmod", "chown", "lchown", "utimes") },
  { weight: 2, arbitrary: fc.constantFrom("unlink", "rmdir", "truncate", "appendFile", "exclusive") },
  { weight: 3, arbitrary: fc.constantFrom("stat", "lstat", "readFile", "readdir", "readlink") },
);

const command = fc.record({
  kind,
  from: path,
  to: path,
  body,
  mode,
  text,
  uid: ids,
  gid: groups,
});

/** A user makes several calls in a row: to take other credentials is dear, every thread of the process has to. */
const session = fc.record({
  user: fc.constantFrom(0, 1, 1, 2, 2, 3, 3),
  commands: fc.array(command, { minLength: 1, maxLength: 14, size: "max" }),
});

const sessions = fc.array(session, { minLength: 1, maxLength: 10, size: "max" });

/** Calls `fn` with the user's effective credentials; root again afterwards in any case. */
function asKernelUser({ uid, gid, groups: more }, fn) {
  process.setgroups(more);
  process.setegid(gid);
  process.seteuid(uid);
  try {
    return fn();
  } finally {
    process.seteuid(0);
    process.setegid(0);
    process.setgroups(SELF.groups);
  }
}

/** Everybody may make things in the floor itself, and what is planted belongs to several. */
function prepare({ fs }, dir) {
  const floor = `${dir}/${FLOOR}`;
  fs.mkdirSync(floor, { recursive: true });
  plant(fs, floor);
  fs.chmodSync(floor, 0o777);
  for (const [n, name] of ["a", "a/a", "a/b", "b"].entries())
    fs.chownSync(floor + name, 1000 + (n % 2), 1000 + (n % 2));
  return floor;
}

/** The answers of one session's calls on `fs`. */
const play = (fs, { commands }, dir) => commands.map((one) => attempt(() => CALLS[one.kind](fs, one), dir));

function playKernel(dir, list) {
  const floor = prepare(targets.kernel, dir);
  return targets.kernel.with({ cwd: floor }, (fs) =>
    list.map((one) => asKernelUser(USERS[one.user], () => play(fs, one, dir))),
  );
}

function playOurs(dir, list) {
  const floor = prepare(targets.ours, dir);
  const contexts = USERS.map((user) => targets.ours.vfs.context({ ...user, umask: UMASK, cwd: floor, root: "/" }));
  try {
    return list.map((one) => play(contexts[one.user].fs, one, dir));
  } finally {
    for (const context of contexts) context.close();
  }
}

test("random calls of several users answer as the kernel does", (t) => {
  if (SELF.uid !== 0) return t.skip("needs root to take other credentials");
  if (!targets.ours.vfs) return t.skip("the second target has no contexts");
  const property = fc.property(sessions, (list) => {
    const dirs = targets.fresh();
    try {
      const expected = playKernel(dirs[0], list);
      const got = playOurs(dirs[1], list);
      for (const [n, answers] of expected.entries()) {
        for (const [m, answer] of answers.entries()) {
          assert.equal(answer.thrown, undefined);
          assert.deepEqual(got[n][m], answer, `session ${n}, call ${m}: ${JSON.stringify(list[n].commands[m])}`);
        }
      }
      assert.deepEqual(picture(targets.ours.fs, dirs[1]), picture(targets.kernel.fs, dirs[0]), "the tree at the end");
    } finally {
      targets.remove(dirs);
    }
  });
  check(t, property, 80);
});
