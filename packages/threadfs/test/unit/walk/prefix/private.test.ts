/**
 * Entries of the prefix cache for paths over directories that not every user may search (core/vfs/walk/prefix-links.ts): by their mode, their
 * group or an ACL. Such an entry is for one context, and says no more than that context may do.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRNO, POINT } from "../../../../dist/abi/abi.js";
import { Context } from "../../../../dist/src/api/context.js";
import { ACL_TAG, type AclEntry, type ContextOptions } from "../../../../dist/src/index.js";
import type { TestScope } from "../../../support/hooked-vfs.js";
import {
  type CachedTree,
  type CachedWalker,
  cachedWalker,
  DIRECTORY,
  FILE,
  LEVELS,
  setUp,
  WITHOUT_PREFIX_CACHE,
} from "../../../support/prefix-cache.js";

const USER: ContextOptions = { uid: 1000, gid: 1000 };
/** Another user, in the same group. */
const OTHER: ContextOptions = { uid: 2000, gid: 2000, groups: [1000] };

/** The owner may do all, user 1000 search, no other user anything. */
const ONLY_USER: readonly AclEntry[] = [
  { tag: ACL_TAG.USER_OBJ, perm: 7 },
  { tag: ACL_TAG.USER, id: 1000, perm: 1 },
  { tag: ACL_TAG.GROUP_OBJ, perm: 0 },
  { tag: ACL_TAG.MASK, perm: 1 },
  { tag: ACL_TAG.OTHER, perm: 0 },
];

interface Users extends CachedTree {
  /** Walks as user 1000, with and without the prefix cache. */
  readonly user: CachedWalker;
  readonly userPlain: CachedWalker;
}

async function users(t: TestScope): Promise<Users> {
  const all = await setUp(t);
  const context = all.vfs.context(USER);
  t.after(() => context.close());
  return {
    ...all,
    user: cachedWalker(t, context.handle),
    userPlain: cachedWalker(t, context.handle, WITHOUT_PREFIX_CACHE),
  };
}

/** Ways to let user 1000 search a directory, and not every user. */
const CLOSED: Readonly<Record<string, (all: CachedTree, path: string) => unknown>> = {
  "of the owner alone": ({ fs }, path) => {
    fs.chownSync(path, 1000, 1000);
    fs.chmodSync(path, 0o700);
  },
  "of a group": ({ fs }, path) => {
    fs.chownSync(path, 0, 1000);
    fs.chmodSync(path, 0o710);
  },
  "with an ACL": ({ vfs }, path) => vfs.setfacl(path, [...ONLY_USER]),
};

/** Changes after which user 1000 may not search it. */
const REFUSALS: Readonly<Record<string, (all: CachedTree, path: string) => unknown>> = {
  chmod: ({ fs }, path) => fs.chmodSync(path, 0o000),
  chown: ({ fs, vfs }, path) => {
    vfs.setfacl(path, []);
    fs.chmodSync(path, 0o700);
    fs.chownSync(path, 0, 0);
  },
  "an ACL": ({ fs, vfs }, path) => {
    fs.chownSync(path, 0, 0);
    vfs.setfacl(
      path,
      [...ONLY_USER].map((entry) => (entry.id === 1000 ? { ...entry, perm: 0 } : entry)),
    );
  },
};

for (const [what, close] of Object.entries(CLOSED)) {
  // Taken out: PRIVATE in addDir() (a directory that is not for all has no entry). Every walk walks all components.
  test(`the prefix cache holds a path over directories ${what}`, async (t) => {
    const all = await users(t);
    for (const level of LEVELS) close(all, level);
    const ino = all.plain.ino(FILE);
    assert.equal(all.user.learn(FILE).ino(FILE), ino);
    assert.ok(all.user.passed.includes(POINT.PREFIX_FOUND));
    assert.equal(all.user.ino(`${DIRECTORY}/none`), -ERRNO.ENOENT);
  });

  for (const [change, refuse] of Object.entries(REFUSALS)) {
    // Fails when modeChangeEnd() does not move the sequence, or does not count.
    test(`a cached walk over directories ${what} notices ${change}`, async (t) => {
      for (const level of LEVELS) {
        const all = await users(t);
        for (const each of LEVELS) close(all, each);
        all.user.learn(FILE);
        refuse(all, level);
        for (let i = 0; i < 6; i++) assert.equal(all.user.ino(FILE), -ERRNO.EACCES, level);
        assert.equal(all.userPlain.ino(FILE), -ERRNO.EACCES, level);
        assert.ok(all.walker.ino(FILE) > 0, "the superuser");
      }
    });
  }
}

// Taken out: the comparison of the context in prefixLinksValid(): the other user, whose entry it is not, finds the file.
test("an entry over a directory of the owner alone is for one context", async (t) => {
  const all = await users(t);
  CLOSED["of the owner alone"]?.(all, LEVELS[1]);
  // One thread, so one prefix cache, and three contexts in turn.
  const { attachment } = all.walker;
  const [mine, theirs] = [USER, OTHER].map((options) => {
    const context = all.vfs.context(options);
    t.after(() => context.close());
    return new Context(attachment, context.handle.ctx, false).fs;
  });
  const root = new Context(attachment, all.vfs.handle.ctx, false).fs;
  const ino = all.plain.ino(FILE);
  for (const runs of [6, 1, 1, 6, 200, 1]) {
    for (let i = 0; i < runs; i++) assert.equal(mine?.statSync(FILE).ino, ino);
    for (let i = 0; i < runs; i++) assert.throws(() => theirs?.statSync(FILE), { code: "EACCES" });
    for (let i = 0; i < runs; i++) assert.equal(root.statSync(FILE).ino, ino);
  }
});

// Taken out: the count in isLinksValid(): the entry of a context that walks no more stays for ever; and, separately, its limit: contexts in turn
// have an entry made at every second walk.
test("of two contexts that walk in turn one has the entry, and not for ever", async (t) => {
  const all = await users(t);
  CLOSED["of the owner alone"]?.(all, LEVELS[1]);
  const context = all.vfs.context(USER);
  t.after(() => context.close());
  const { attachment, ino: walk } = all.user;
  const other = new Context(attachment, context.handle.ctx, false).fs;
  all.user.learn(FILE);
  for (let i = 0; i < 20; i++) {
    other.statSync(FILE);
    assert.ok(all.user.knows(FILE), `walk ${i}`);
  }
  for (let i = 0; i < 200; i++) other.statSync(FILE);
  walk(FILE);
  assert.ok(all.user.steps > 1, "the other one has it now");
});

/** Learns the path of the file behind walks that were refused, which keep a thread from trying to enter paths for a while. */
function learnAgain(walker: CachedWalker): CachedWalker {
  for (let i = 0; i < 80; i++) walker.ino(FILE);
  return walker.learn(FILE);
}

// Taken out: maySearch() in addDir(): the entry leads over what the context may not search.
test("a path over a directory that the caller may not search has no entry", async (t) => {
  const all = await users(t);
  CLOSED["of the owner alone"]?.(all, LEVELS[0]);
  all.fs.chmodSync(LEVELS[1], 0o700);
  for (let i = 0; i < 200; i++) assert.equal(all.user.ino(FILE), -ERRNO.EACCES);
  assert.equal(all.user.entries(DIRECTORY.length)?.length, 0);
  all.fs.chmodSync(LEVELS[1], 0o755);
  learnAgain(all.user);
});

// Taken out: modeChangeEnd()'s write section: the walk ends where it could before the change, after it.
test("a cached walk over private directories ends as it would before or after a change at any point", async (t) => {
  for (const close of Object.values(CLOSED)) {
    for (const refuse of Object.values(REFUSALS)) {
      const all = await users(t);
      const again = () => {
        for (const level of LEVELS) {
          all.vfs.setfacl(level, []);
          close(all, level);
        }
      };
      again();
      const { passed } = all.user.learn(FILE);
      const ino = all.plain.ino(FILE);
      for (const [n, point] of passed.entries()) {
        learnAgain(all.user);
        const change = () => refuse(all, LEVELS[n % 3] as string);
        all.user.at(point, change, passed.slice(0, n + 1).filter((id) => id === point).length);
        const result = all.user.ino(FILE);
        assert.ok(result === ino || result === -ERRNO.EACCES, `point ${n}: ${result}`);
        assert.equal(all.user.ino(FILE), -ERRNO.EACCES, `point ${n}`);
        again();
      }
    }
  }
});
