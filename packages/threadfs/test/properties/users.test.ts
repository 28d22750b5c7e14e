/**
 * Random sequences of calls by several users on one tree, with modes and owners that change all the time; the kernel says
 * what each user may do. The oracle takes effective credentials for each call, which needs root.
 */
import { test } from "node:test";
import fc from "fast-check";
import { defined } from "../../../cli/dist/support/defined.js";
import type { Vfs } from "../../dist/src/index.js";
import type { Credentials } from "../conformance/support/case.js";
import { attempt, type Outcome } from "../conformance/support/outcome.js";
import { SELF, type Target, UMASK } from "../conformance/support/targets.js";
import type { FsCalls } from "../support/fs-calls.js";
import { body, COMMANDS, FLOOR, type Operands, path, plant, text } from "./commands.js";
import { assertSame, check, useSides } from "./support.js";

const USERS: readonly Credentials[] = [
  { uid: 0, gid: 0, groups: [] },
  { uid: 1000, gid: 1000, groups: [] },
  { uid: 1001, gid: 1001, groups: [2000] },
  { uid: 1002, gid: 1000, groups: [2000, 1001] },
];

const ids = fc.constantFrom(-1, 0, 1000, 1001, 1002);
const groups = fc.constantFrom(-1, 0, 1000, 1001, 2000);

/** No directory is sticky and writable for all: there some kernels protect links and files beyond permissions. */
const mode = fc.constantFrom(
  ...[
    0o755, 0o700, 0o777, 0o711, 0o770, 0o750, 0o644, 0o600, 0o444, 0o000, 0o1775, 0o2775, 0o2755, 0o6755, 0o4711,
    0o2644,
  ],
);

interface OwnerOperands extends Operands {
  readonly uid: number;
  readonly gid: number;
}

const CALLS = {
  ...COMMANDS,
  chown: (fs, { to, uid, gid }) => fs.chownSync(to, uid, gid),
  lchown: (fs, { to, uid, gid }) => fs.lchownSync(to, uid, gid),
  utimes: (fs, { to }) => fs.utimesSync(to, 1000, 2000),
} satisfies Record<string, (fs: FsCalls, operands: OwnerOperands) => unknown>;

/**
 * Without access and exists, which go by the real and not the effective user; without realpath, which the C library
 * walks by rules of its own; and without link (see `mode`).
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

/** A user makes several calls in a row: a change of credentials is slow, every thread of the process takes part. */
const session = fc.record({
  user: fc.constantFrom(0, 1, 1, 2, 2, 3, 3),
  commands: fc.array(command, { minLength: 1, maxLength: 14, size: "max" }),
});

type Session = typeof session extends fc.Arbitrary<infer T> ? T : never;

const sessions = fc.array(session, { minLength: 1, maxLength: 10, size: "max" });

/** Calls `fn` with the user's effective credentials and restores root's afterwards. */
function asKernelUser<T>({ uid, gid, groups: more }: Credentials, fn: () => T): T {
  process.setgroups?.(more);
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return fn();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(SELF.groups);
  }
}

/** Every user may make files in the floor itself, and the planted files belong to several users. */
function prepare({ fs }: Target, dir: string): string {
  const floor = `${dir}/${FLOOR}`;
  fs.mkdirSync(floor, { recursive: true });
  plant(fs, floor);
  fs.chmodSync(floor, 0o777);
  for (const [n, name] of ["a", "a/a", "a/b", "b"].entries())
    fs.chownSync(floor + name, 1000 + (n % 2), 1000 + (n % 2));
  return floor;
}

/** The outcomes of one session's calls on `fs`. */
const playOne = (fs: FsCalls, { commands }: Session, dir: string): Outcome[] =>
  commands.map((one) => attempt(() => CALLS[one.kind](fs, one), dir));

const userOf = ({ user }: Session) => defined(USERS[user], `user ${user}`);

function playKernel(kernel: Target, dir: string, list: readonly Session[]): Outcome[][] {
  const floor = prepare(kernel, dir);
  return kernel.with({ cwd: floor }, (fs) => list.map((one) => asKernelUser(userOf(one), () => playOne(fs, one, dir))));
}

function playOurs(ours: Target, vfs: Vfs, dir: string, list: readonly Session[]): Outcome[][] {
  const floor = prepare(ours, dir);
  const contexts = new Map(
    USERS.map((user) => [user, vfs.context({ ...user, umask: UMASK, cwd: floor, root: "/" })] as const),
  );
  try {
    return list.map((one) => playOne(defined(contexts.get(userOf(one)), "context").fs, one, dir));
  } finally {
    for (const context of contexts.values()) context.close();
  }
}

const play = (target: Target, dir: string, list: readonly Session[]): Outcome[][] =>
  target.vfs ? playOurs(target, target.vfs, dir, list) : playKernel(target, dir, list);

const sides = useSides(import.meta.url, { play });

test("random calls of several users have the kernel's results", async (t) => {
  if (SELF.uid !== 0) return t.skip("needs root to take other credentials");
  const property = fc.asyncProperty(sessions, async (list) => {
    const { kernel, ours } = await sides.inFresh("play", list);
    for (const [n, outcomes] of kernel.entries()) {
      const call = (m: number) => JSON.stringify(list[n]?.commands[m]);
      const pair = { kernel: outcomes, ours: defined(ours[n], `outcomes of session ${n}`) };
      assertSame(pair, (m) => `session ${n}, call ${m}: ${call(m)}`);
    }
  });
  await check(t, property, 80);
});
