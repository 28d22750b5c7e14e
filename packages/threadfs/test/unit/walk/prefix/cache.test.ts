/**
 * The prefix cache (core/vfs/walk/prefix-cache.ts): a walk starts from an entry only if every sequence of the entry is still the same.
 * The tests make each change of a tree between two lookups, and at each point of a lookup.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defined } from "../../../../../cli/dist/support/defined.js";
import { AT_FDCWD, COUNTERS, ERRNO, POINT, RENAME_EXCHANGE, S_IFDIR, S_IFREG } from "../../../../dist/abi/abi.js";
import { Context } from "../../../../dist/src/api/context.js";
import { ACL_TAG, type AclEntry, type Counters, createVfs } from "../../../../dist/src/index.js";
import { counterGrowth } from "../../../support/counters.js";
import { memoryDriver, mountDriver, ROOT } from "../../../support/drivers/memory-driver.js";
import { refused } from "../../../support/errors.js";
import type { TestScope } from "../../../support/hooked-vfs.js";
import { freshLink } from "../../../support/interleavings.js";
import { dentryOf } from "../../../support/memory.js";
import {
  type CachedTree,
  type CachedWalker,
  cachedWalker,
  DIRECTORY,
  FILE,
  LEVELS,
  setUp,
  WITH_PREFIX_CACHE,
  WITHOUT_PREFIX_CACHE,
} from "../../../support/prefix-cache.js";
import { rawCore } from "../../../support/raw-core.js";

/** A name that a dentry keeps outside of itself. */
const LONG = "/a-directory-whose-name-is-too-long-for-its-dentry";

/** After the change the walker finds another inode (or error), the same as a walk without a prefix cache. */
function changes(
  { walker, plain }: Pick<CachedTree, "walker" | "plain">,
  path: string,
  change: () => unknown,
  expected?: number,
): void {
  const before = walker.learn(path).ino(path);
  change();
  const now = plain.ino(path);
  if (expected !== undefined) assert.equal(now, expected);
  assert.notEqual(now, before, "the change changes the result");
  assert.equal(walker.ino(path), now);
  assert.equal(walker.ino(path), now, "and again");
  for (let i = 0; i < 4; i++) walker.ino(path);
  assert.equal(walker.ino(path), now, "with a new entry");
}

/** What the counters of an attachment grew by during a run; only those that changed. */
function ownGrowth({ attachment, core }: CachedWalker, run: () => unknown): Partial<Counters> {
  const read = () => {
    core.sumCounters(1);
    return Object.fromEntries(COUNTERS.map((name, i) => [name, attachment.ioNumbers[i]])) as Counters;
  };
  return Object.fromEntries(Object.entries(counterGrowth(read, run)).filter(([, n]) => n !== 0));
}

/** The number of entries that an attachment has for DIRECTORY after some walks to FILE. */
function entriesAfterWalks(walker: CachedWalker): number {
  for (let i = 0; i < 4; i++) walker.ino(FILE);
  return defined(walker.entries(DIRECTORY.length), "prefix cache").length;
}

test("a walk does not walk a cached directory again, and counts as one walk", async (t) => {
  const { walker, fs } = await setUp(t);
  const ino = fs.statSync(FILE).ino;
  assert.equal(walker.ino(FILE), ino);
  assert.equal(walker.steps, 4);
  walker.learn(FILE);
  const growth = ownGrowth(walker, () => {
    assert.equal(walker.ino(FILE), ino);
    assert.equal(walker.ino(`${DIRECTORY}/none`), -ERRNO.ENOENT);
    assert.equal(walker.steps, 1);
  });
  assert.deepEqual(growth, { walks: 2, endedRcu: 2, missesValidated: 1 });
});

test("the debug build has a prefix cache only where the test asks for it, the shipping build unless the mode forbids it", async (t) => {
  const { tree } = await setUp(t);
  for (const [mode, known] of [
    [0, 0],
    [WITH_PREFIX_CACHE, 1],
  ] as const) {
    assert.equal(entriesAfterWalks(cachedWalker(t, tree.vfs.handle, mode)), known, `mode ${mode}`);
  }
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync(DIRECTORY, { recursive: true });
  for (const [mode, known] of [
    [0, 1],
    [WITHOUT_PREFIX_CACHE, 0],
    [1, 0],
  ] as const) {
    const walker = cachedWalker(t, vfs.handle, mode);
    assert.equal(entriesAfterWalks(walker), known, `mode ${mode}`);
    assert.equal(walker.ino(FILE), -ERRNO.ENOENT);
  }
});

/** An ACL that refuses user 1000 alone: the mode's search bits stay. */
const REFUSING_ACL: readonly AclEntry[] = [
  { tag: ACL_TAG.USER_OBJ, perm: 7 },
  { tag: ACL_TAG.USER, id: 1000, perm: 0 },
  { tag: ACL_TAG.GROUP_OBJ, perm: 5 },
  { tag: ACL_TAG.MASK, perm: 7 },
  { tag: ACL_TAG.OTHER, perm: 5 },
];

for (const [n, level] of LEVELS.entries()) {
  const place = ["the first level", "the second level", "the directory itself"][n];
  const moved = `/moved${n}`;
  /** The directory moves away and another file takes its path: the walk must notice that. */
  const replaced = (all: CachedTree, put: () => void) => {
    const theirs = all.walker.ino(`/other${FILE}`);
    const change = () => {
      all.fs.renameSync(level, moved);
      put();
    };
    changes(all, FILE, change, theirs);
  };

  test(`a cached walk notices that ${place} is renamed, and renamed back`, async (t) => {
    const all = await setUp(t);
    const ino = all.walker.ino(FILE);
    changes(all, FILE, () => all.fs.renameSync(level, moved), -ERRNO.ENOENT);
    all.fs.renameSync(moved, level);
    assert.equal(all.walker.ino(FILE), ino);
    assert.equal(all.walker.learn(FILE).ino(FILE), ino);
  });

  test(`a cached walk notices that ${place} is exchanged with a directory with the same names in it`, async (t) => {
    const all = await setUp(t);
    const { rename } = rawCore(t, all.vfs.handle);
    const theirs = all.walker.ino(`/other${FILE}`);
    changes(all, FILE, () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0), theirs);
  });

  test(`a cached walk notices that ${place} is replaced by another directory`, async (t) => {
    const all = await setUp(t);
    replaced(all, () => all.fs.renameSync(`/other${level}`, level));
  });

  test(`a cached walk notices that ${place} is removed, and made again`, async (t) => {
    const all = await setUp(t);
    changes(all, FILE, () => all.fs.rmSync(level, { recursive: true }), -ERRNO.ENOENT);
    all.fs.mkdirSync(DIRECTORY, { recursive: true });
    all.fs.writeFileSync(FILE, "new");
    assert.equal(all.walker.ino(FILE), all.plain.ino(FILE));
    assert.ok(all.walker.learn(FILE).ino(FILE) > 0);
  });

  test(`a cached walk notices that ${place} loses its search permission, and gets it back`, async (t) => {
    const all = await setUp(t);
    const context = all.vfs.context({ uid: 1000, gid: 1000 });
    t.after(() => context.close());
    const walker = cachedWalker(t, context.handle);
    const plain = cachedWalker(t, context.handle, WITHOUT_PREFIX_CACHE);
    const ino = walker.learn(FILE).ino(FILE);
    changes({ walker, plain }, FILE, () => all.fs.chmodSync(level, 0o700), -ERRNO.EACCES);
    assert.equal(walker.knows(FILE), false);
    all.fs.chmodSync(level, 0o755);
    assert.equal(walker.learn(FILE).ino(FILE), ino);
    changes({ walker, plain }, FILE, () => all.vfs.setfacl(level, REFUSING_ACL), -ERRNO.EACCES);
  });

  test(`a cached walk notices that ${place} is mounted over, and unmounted`, async (t) => {
    const all = await setUp(t);
    const ino = all.walker.ino(FILE);
    changes(all, FILE, () => all.vfs.mount(null, level, "tmpfs"), -ERRNO.ENOENT);
    all.vfs.umount(level);
    assert.equal(all.walker.ino(FILE), ino);
    const theirs = all.walker.ino(`/other${FILE}`);
    changes(all, FILE, () => all.vfs.mount(`/other${level}`, level, "bind"), theirs);
    // A path over a mount is tried again some walks after one that had no entry.
    for (let i = 0; i < 200; i++) all.walker.ino(FILE);
    assert.equal(all.walker.knows(FILE), true, "the cache holds the path over the mount point");
    all.vfs.umount(level);
    assert.equal(all.walker.learn(FILE).ino(FILE), ino);
  });

  test(`a cached walk notices that ${place} is replaced by a link`, async (t) => {
    const all = await setUp(t);
    replaced(all, () => freshLink(all.fs, `/other${level}`, level));
    assert.equal(all.walker.knows(FILE), true);
  });

  test(`a cached walk notices that the memory of ${place} belongs to another directory`, async (t) => {
    const all = await setUp(t);
    const old = dentryOf(all.vfs, level);
    all.walker.learn(FILE);
    all.fs.rmSync(level, { recursive: true });
    let again: string | undefined;
    for (let i = 0; i < 4000 && again === undefined; i++) {
      if (i % 50 === 0) all.vfs.synchronizeRcu();
      all.vfs.shrink(1 << 20);
      const path = `/new-directory-${i}`;
      all.fs.mkdirSync(`${path}/second-level/third-level`, { recursive: true });
      if (dentryOf(all.vfs, path) === old) again = path;
    }
    assert.ok(again, "the memory came back");
    assert.equal(all.walker.ino(FILE), -ERRNO.ENOENT);
    all.fs.writeFileSync(`${again}/second-level/file`, "");
    assert.equal(all.walker.ino(FILE), -ERRNO.ENOENT);
  });
}

test("a cached walk always looks the last component up", async (t) => {
  const all = await setUp(t);
  changes(all, FILE, () => all.fs.unlinkSync(FILE), -ERRNO.ENOENT);
  changes(all, FILE, () => all.fs.writeFileSync(FILE, "again"));
  changes(all, FILE, () => all.fs.renameSync(`/other${FILE}`, FILE));
  all.fs.unlinkSync(FILE);
  all.fs.symlinkSync(`/other${DIRECTORY}`, FILE);
  assert.equal(all.walker.ino(FILE), all.fs.statSync(`/other${DIRECTORY}`).ino);
});

test("a cached walk notices that its context has another root or working directory", async (t) => {
  const all = await setUp(t);
  const context = all.vfs.context({ cwd: "/" });
  t.after(() => context.close());
  const walker = cachedWalker(t, context.handle);
  const plain = cachedWalker(t, context.handle, WITHOUT_PREFIX_CACHE);
  const relative = FILE.slice(1);
  const mine = walker.learn(relative).ino(relative);
  const theirs = all.plain.ino(`/other${FILE}`);
  assert.notEqual(mine, theirs);
  changes({ walker, plain }, relative, () => context.chdir("/other"), theirs);
  changes({ walker, plain }, relative, () => context.chdir("/"), mine);
  assert.equal(walker.learn(FILE).ino(FILE), mine);
  changes({ walker, plain }, FILE, () => context.chroot("/other"), theirs);
  // One thread and two contexts: each start has an entry of its own.
  const first = new Context(walker.attachment, all.vfs.handle.ctx, false);
  for (let i = 0; i < 6; i++) {
    assert.equal(first.fs.statSync(FILE).ino, mine);
    assert.equal(walker.ino(FILE), theirs);
  }
});

test("the prefix cache distinguishes walks from different descriptors, also when a start was renamed", async (t) => {
  const all = await setUp(t);
  const { openat } = rawCore(t, all.vfs.handle);
  const [mine, theirs] = [openat(AT_FDCWD, "/", 0), openat(AT_FDCWD, "/other", 0)];
  const relative = FILE.slice(1);
  const inos = [all.plain.ino(FILE), all.plain.ino(`/other${FILE}`)];
  all.walker.learn(relative, mine);
  assert.equal(all.walker.ino(relative, theirs), inos[1]);
  all.walker.learn(relative, theirs);
  all.fs.renameSync("/other", "/renamed");
  assert.deepEqual([all.walker.ino(relative, mine), all.walker.ino(relative, theirs)], inos);
});

test("the prefix cache never holds a path over a directory that a driver decides about, nor one that does not exist", async (t) => {
  const { walker, plain, vfs } = await setUp(t);
  const asks = memoryDriver("uncached", ["lookup", "revalidate", "permission"]);
  const closed = memoryDriver("closed", ["lookup"]);
  for (const [{ driver, make }, at, mode] of [
    [asks, "/mount-point", 0o755],
    [closed, "/mount-of-closed", 0o700],
  ] as const) {
    const sub = make(ROOT, "directory-of-the-driver", S_IFDIR | mode);
    make(make(sub, "below", S_IFDIR | 0o755), "file", S_IFREG | 0o644, { text: "x" });
    mountDriver(vfs, driver, at);
    for (const { attachment } of [walker, plain]) attachment.drivers.register(driver, 0);
  }
  const paths = [
    "/first-level/second-level/third-level/",
    "/mount-point/directory-of-the-driver/below/file",
    "/mount-of-closed/directory-of-the-driver/below/file",
    "/first-level/second-level/third-level/file/below",
    "/first-level/second-level/none-of-these/file",
    `/first-level/second-level/${"n".repeat(256)}/file`,
  ];
  for (const path of paths) {
    // A path that cannot be entered keeps the thread from trying others for a while.
    for (let i = 0; i < 80; i++) assert.equal(walker.ino(path), plain.ino(path), path);
    assert.equal(walker.knows(path), false, path);
  }
});

/** Directories with FILE below them, behind a component that the plain walk leaves to the general one. */
async function specialTops(t: TestScope): Promise<CachedTree & { tops: string[] }> {
  const all = await setUp(t);
  const { fs, vfs } = all;
  // The plain walk goes on from the first directory of mode 0755.
  const closed = "/closed/open";
  for (const top of ["/mnt", closed, LONG]) fs.mkdirSync(top, { recursive: true });
  vfs.mount(null, "/mnt", "tmpfs");
  for (const top of ["/mnt", closed, LONG]) {
    fs.mkdirSync(`${top}${DIRECTORY}`, { recursive: true });
    fs.writeFileSync(`${top}${FILE}`, "");
  }
  fs.chmodSync("/closed", 0o700);
  return { ...all, tops: ["/mnt", closed, LONG, "/other/../other", "/other/."] };
}

// Taken out: walkFast() in linkPathWalk(). The walk walks every component behind the special one.
test("behind a component of the general walk the prefix cache holds the rest of the path", async (t) => {
  const { walker, plain, tops } = await specialTops(t);
  for (const top of tops) {
    const path = `${top}${FILE}`;
    assert.equal(walker.ino(path), plain.ino(path), path);
    const { steps } = walker;
    for (let i = 0; i < 4; i++) assert.equal(walker.ino(path), plain.ino(path), path);
    assert.ok(walker.steps <= steps - LEVELS.length, path);
    assert.equal(walker.ino(`${top}${DIRECTORY}/none`), -ERRNO.ENOENT);
    assert.equal(walker.ino(`${top}${DIRECTORY}/`), plain.ino(`${top}${DIRECTORY}`));
    assert.equal(walker.ino(`${path}/`), -ERRNO.ENOTDIR);
  }
});

/**
 * Walks until the cache holds what it can, and a walk passes the same points as the one before: a path over special components is tried
 * again some walks after it had no entry.
 */
function settle(walker: CachedWalker, path: string): void {
  let before = "";
  for (let i = 0; i < 300; i++) {
    walker.ino(path);
    const now = walker.passed.join();
    if (i >= 200 && now === before) return;
    before = now;
  }
  assert.fail("no two walks pass the same points");
}

test("behind a component of the general walk the result is that of before or after a change at any point", async (t) => {
  const { walker, fs, vfs, tops } = await specialTops(t);
  const { rename } = rawCore(t, vfs.handle);
  const theirs = walker.ino(`/other${FILE}`);
  for (const top of tops.slice(0, 3)) {
    const path = `${top}${FILE}`;
    const mine = walker.ino(path);
    settle(walker, path);
    const exchange = () => rename(top, "/other", RENAME_EXCHANGE);
    // A mount point cannot be exchanged; the first level in its file system can be renamed.
    const { change, undo, after } =
      top === "/mnt"
        ? {
            change: () => fs.renameSync(`/mnt${LEVELS[0]}`, "/mnt/moved"),
            undo: () => fs.renameSync("/mnt/moved", `/mnt${LEVELS[0]}`),
            after: -ERRNO.ENOENT,
          }
        : { change: exchange, undo: exchange, after: theirs };
    const passed = [...walker.passed];
    for (const [n, id] of passed.entries()) {
      const nth = passed.slice(0, n + 1).filter((other) => other === id).length;
      walker.at(id, change, nth);
      const result = walker.ino(path);
      if (!walker.waits(id)) {
        assert.ok(result === mine || result === after, `${top}: ${result} at point ${id}`);
        assert.equal(walker.ino(path), after);
        undo();
      }
      settle(walker, path);
      assert.equal(walker.ino(path), mine);
      assert.deepEqual(walker.passed, passed);
    }
  }
});

test("a walk rejects a NUL anywhere in the path, whether the prefix cache holds the directory or not", async (t) => {
  const { walker, plain, vfs, tree } = await setUp(t);
  const user = cachedWalker(t, vfs.handle, WITH_PREFIX_CACHE, { security: () => 0 });
  const ref = cachedWalker(t, vfs.handle, WITH_PREFIX_CACHE | 1);
  const before = tree.counted(() => {
    for (const path of [FILE, `${DIRECTORY}/none`, "/no-such-directory-at-all/third-level/file", `${FILE}/`]) {
      for (let i = 0; i < path.length; i++) {
        if (i % 8 === 0) walker.learn(FILE);
        const broken = `${path.slice(0, i)}\0${path.slice(i + 1)}`;
        for (const each of [walker, plain, user, ref]) {
          assert.equal(each.ino(broken), -ERRNO.EINVAL, JSON.stringify(broken));
        }
      }
    }
  });
  assert.equal(before.dropPermission + before.dropUncached, 0);
  vfs.fs.chmodSync("/", 0o700);
  for (let i = 0; i < 4; i++) assert.equal(walker.ino(`${DIRECTORY}/\0file`), -ERRNO.EINVAL);
  assert.ok(walker.ino(FILE) > 0);
});

/** Points that a cached walk passes. */
const CACHED_POINTS = [
  "WALK_START",
  "COMPONENT",
  "SEQ_OPENED",
  "COMPARED",
  "FOUND",
  "PARENT_CHECK",
  "ATTR_COPIED",
  "COMPLETE",
] as const;

test("the result of a cached walk is that of before or after a change at any point of it", async (t) => {
  const all = await setUp(t);
  const { fs, walker } = all;
  const { rename } = rawCore(t, all.vfs.handle);
  const mine = walker.ino(FILE);
  const theirs = walker.ino(`/other${FILE}`);
  for (const level of LEVELS) {
    for (const name of CACHED_POINTS) {
      walker.learn(FILE);
      walker.at(POINT[name], () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0));
      const result = walker.ino(FILE);
      assert.equal(walker.waits(POINT[name]), false, name);
      // The walk reads the entry after its start: it sees a change made before that.
      assert.ok(result === theirs || (result === mine && name !== "WALK_START"), `${level} at ${name}: ${result}`);
      assert.equal(walker.ino(FILE), theirs);
      rename(level, `/other${level}`, RENAME_EXCHANGE);
      assert.equal(walker.ino(FILE), mine);

      walker.learn(FILE);
      walker.at(POINT[name], () => fs.renameSync(level, "/moved"));
      const gone = walker.ino(FILE);
      assert.ok(
        gone === -ERRNO.ENOENT || (gone === mine && name !== "WALK_START"),
        `${level} gone at ${name}: ${gone}`,
      );
      fs.renameSync("/moved", level);
    }
  }
  // After the walk found the child it checks the directory itself only.
  walker.learn(FILE);
  walker.at(POINT.PARENT_CHECK, () => fs.renameSync(DIRECTORY, "/moved"));
  assert.equal(walker.ino(FILE), -ERRNO.ENOENT);
});

test("a change while a walk writes an entry makes the entry stale", async (t) => {
  const all = await setUp(t);
  const { walker, plain } = all;
  const { rename } = rawCore(t, all.vfs.handle);
  const walked = 4;
  for (const level of LEVELS) {
    for (const name of ["SEQ_OPENED", "COMPARED"] as const) {
      for (let nth = 1; nth <= LEVELS.length; nth++) {
        // The cache holds a stale entry: the next miss, the second in a row in its set, writes the entry anew after its walk.
        walker.learn(FILE);
        rename(LEVELS[0], `/other${LEVELS[0]}`, RENAME_EXCHANGE);
        walker.at(POINT[name], () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0), walked + nth);
        walker.ino(FILE);
        assert.equal(walker.waits(POINT[name]), false, `${name} ${nth} is passed`);
        for (let i = 0; i < 4; i++) assert.equal(walker.ino(FILE), plain.ino(FILE), `${level}, ${name} ${nth}`);
      }
    }
  }
});

test("calls that create, remove and rename use the prefix cache too", async (t) => {
  const { walker, plain, vfs } = await setUp(t);
  walker.learn(FILE);
  const { fs } = walker;
  const path = `${DIRECTORY}/made`;
  walker.ino("/");
  fs.writeFileSync(path, "x");
  const walked = walker.steps;
  assert.ok(walked <= 2, `${walked} components`);
  assert.equal(walker.ino(path), plain.ino(path));
  fs.renameSync(path, `${path}-2`);
  assert.equal(plain.ino(path), -ERRNO.ENOENT);
  fs.unlinkSync(`${path}-2`);
  fs.mkdirSync(path);
  assert.ok(plain.ino(path) > 0);
  fs.rmdirSync(path);
  assert.equal(plain.ino(path), -ERRNO.ENOENT);
  // The permission to create is the directory's, not the start's.
  const context = vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => context.close());
  const user = cachedWalker(t, context.handle).learn(FILE);
  refused("EACCES", () => user.fs.writeFileSync(path, "x"));
  fs.chmodSync(DIRECTORY, 0o777);
  user.learn(FILE).fs.writeFileSync(path, "x");
  fs.unlinkSync(path);
  // The body of a link is another path than the one of the call.
  fs.symlinkSync("../made-by-a-link", `${DIRECTORY}/link`);
  for (let i = 0; i < 3; i++) fs.writeFileSync(`${DIRECTORY}/link`, "x");
  assert.deepEqual(fs.readdirSync(LEVELS[1]), ["made-by-a-link", "third-level"]);
  fs.unlinkSync(`${DIRECTORY}/link`);
  // A call with the directory's old name makes no file in the moved directory.
  fs.renameSync(DIRECTORY, "/moved");
  refused("ENOENT", () => fs.writeFileSync(path, "x"));
  assert.deepEqual(fs.readdirSync("/moved"), ["file"]);
});
