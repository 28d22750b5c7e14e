/**
 * The memo of directories walked (core/vfs/walk/prefix-cache.ts): what it knows is asked of it only while all of it still holds. Each change
 * of a tree is made between two lookups, and at each point of a lookup.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRNO, POINT, RENAME_EXCHANGE } from "../../../dist/abi/abi.js";
import { createVfs } from "../../../dist/src/index.js";
import { memoryDriver, mountDriver } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";
import { dentryOf } from "../../support/memory.js";
import {
  cachedWalker,
  DIRECTORY,
  FILE,
  LEVELS,
  setUp,
  WITH_PREFIX_CACHE,
  WITHOUT_PREFIX_CACHE,
} from "../../support/prefix-cache.js";
import { rawCore } from "../../support/raw-core.js";

/** The change makes another answer, the one that a walk without the memo gives. */
function changes({ walker, plain }, path, change, expected) {
  const before = walker.learn(path).ino(path);
  change();
  const now = plain.ino(path);
  if (expected !== undefined) assert.equal(now, expected);
  assert.notEqual(now, before, "the change changes the answer");
  assert.equal(walker.ino(path), now);
  assert.equal(walker.ino(path), now, "and again");
  for (let i = 0; i < 4; i++) walker.ino(path);
  assert.equal(walker.ino(path), now, "once the memo has it anew");
}

test("a directory walked before is not walked again, and the walk counts as one", async (t) => {
  const { walker, fs } = await setUp(t);
  const ino = fs.statSync(FILE).ino;
  assert.equal(walker.ino(FILE), ino);
  assert.equal(walker.steps, 4);
  walker.learn(FILE);
  const before = walker.arena.core.sumCounters(1) && [...walker.arena.ioNumbers.subarray(0, 26)];
  assert.equal(walker.ino(FILE), ino);
  assert.equal(walker.ino(`${DIRECTORY}/none`), -ERRNO.ENOENT);
  assert.equal(walker.steps, 1);
  walker.arena.core.sumCounters(1);
  const grown = [...walker.arena.ioNumbers.subarray(0, 26)].map((n, i) => n - before[i]);
  const expected = new Array(26).fill(0);
  expected[0] = 2; // walks
  expected[1] = 2; // endedRcu
  expected[24] = 1; // missesValidated
  assert.deepEqual(grown, expected);
});

test("the debug build has no memo unless it is told to, the shipping one has until it is told not to", async (t) => {
  const { tree } = await setUp(t);
  for (const [handle, mode, known] of [
    [tree.vfs.handle, 0, 0],
    [tree.vfs.handle, WITH_PREFIX_CACHE, 1],
  ]) {
    const walker = cachedWalker(t, handle, mode);
    for (let i = 0; i < 4; i++) walker.ino(FILE);
    assert.equal(walker.entries(DIRECTORY.length).length, known);
  }
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync(DIRECTORY, { recursive: true });
  for (const [mode, known] of [
    [0, 1],
    [WITHOUT_PREFIX_CACHE, 0],
    [1, 0],
  ]) {
    const walker = cachedWalker(t, vfs.handle, mode);
    for (let i = 0; i < 4; i++) assert.equal(walker.ino(FILE), -ERRNO.ENOENT);
    assert.equal(walker.entries(DIRECTORY.length).length, known, `mode ${mode}`);
  }
});

for (const [n, level] of LEVELS.entries()) {
  const what = ["the first level", "the second level", "the directory itself"][n];
  const moved = `/moved${n}`;

  test(`${what} is renamed, and back`, async (t) => {
    const all = await setUp(t);
    const ino = all.walker.ino(FILE);
    changes(all, FILE, () => all.fs.renameSync(level, moved), -ERRNO.ENOENT);
    all.fs.renameSync(moved, level);
    assert.equal(all.walker.ino(FILE), ino);
    assert.equal(all.walker.learn(FILE).ino(FILE), ino);
  });

  test(`${what} is exchanged with one that has the same names below it`, async (t) => {
    const all = await setUp(t);
    const { rename } = rawCore(t, all.vfs.handle);
    const theirs = all.walker.ino(`/other${FILE}`);
    changes(all, FILE, () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0), theirs);
  });

  test(`${what} is replaced by a directory of that name`, async (t) => {
    const all = await setUp(t);
    const theirs = all.walker.ino(`/other${FILE}`);
    changes(
      all,
      FILE,
      () => {
        all.fs.renameSync(level, moved);
        all.fs.renameSync(`/other${level}`, level);
      },
      theirs,
    );
  });

  test(`${what} is removed and made again`, async (t) => {
    const all = await setUp(t);
    changes(all, FILE, () => all.fs.rmSync(level, { recursive: true }), -ERRNO.ENOENT);
    all.fs.mkdirSync(DIRECTORY, { recursive: true });
    all.fs.writeFileSync(FILE, "new");
    assert.equal(all.walker.ino(FILE), all.plain.ino(FILE));
    assert.ok(all.walker.learn(FILE).ino(FILE) > 0);
  });

  test(`${what} may not be searched any more, and may again`, async (t) => {
    const all = await setUp(t);
    const context = all.vfs.context({ uid: 1000, gid: 1000 });
    t.after(() => context.close());
    const walker = cachedWalker(t, context.handle);
    const plain = cachedWalker(t, context.handle, WITHOUT_PREFIX_CACHE);
    const ino = walker.learn(FILE).ino(FILE);
    changes({ walker, plain }, FILE, () => all.fs.chmodSync(level, 0o700), -ERRNO.EACCES, "by mode");
    assert.equal(walker.knows(FILE), false);
    all.fs.chmodSync(level, 0o755);
    assert.equal(walker.learn(FILE).ino(FILE), ino);
    // Only for this user, by an ACL: the mode's search bits stay.
    const acl = [
      { tag: 1, perm: 7 },
      { tag: 2, id: 1000, perm: 0 },
      { tag: 4, perm: 5 },
      { tag: 16, perm: 7 },
      { tag: 32, perm: 5 },
    ];
    changes({ walker, plain }, FILE, () => all.vfs.setfacl(level, acl), -ERRNO.EACCES);
  });

  test(`something is mounted on ${what}, and taken off`, async (t) => {
    const all = await setUp(t);
    const ino = all.walker.ino(FILE);
    changes(all, FILE, () => all.vfs.mount(null, level, "tmpfs"), -ERRNO.ENOENT);
    all.vfs.umount(level);
    assert.equal(all.walker.ino(FILE), ino);
    const theirs = all.walker.ino(`/other${FILE}`);
    changes(all, FILE, () => all.vfs.mount(`/other${level}`, level, "bind"), theirs);
    assert.equal(all.walker.knows(FILE), false, "a mount point is not passed by way of the memo");
    all.vfs.umount(level);
    assert.equal(all.walker.learn(FILE).ino(FILE), ino);
  });

  test(`a link stands where ${what} was`, async (t) => {
    const all = await setUp(t);
    const theirs = all.walker.ino(`/other${FILE}`);
    changes(
      all,
      FILE,
      () => {
        all.fs.renameSync(level, moved);
        all.fs.symlinkSync(`/other${level}`, level);
      },
      theirs,
    );
    assert.equal(all.walker.knows(FILE), false);
  });

  test(`the memory of ${what} is another directory's`, async (t) => {
    const all = await setUp(t);
    const old = dentryOf(all.vfs, level);
    all.walker.learn(FILE);
    all.fs.rmSync(level, { recursive: true });
    let again;
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

test("the last component is always looked up", async (t) => {
  const all = await setUp(t);
  changes(all, FILE, () => all.fs.unlinkSync(FILE), -ERRNO.ENOENT);
  changes(all, FILE, () => all.fs.writeFileSync(FILE, "again"));
  changes(all, FILE, () => all.fs.renameSync(`/other${FILE}`, FILE));
  all.fs.unlinkSync(FILE);
  all.fs.symlinkSync(`/other${DIRECTORY}`, FILE);
  assert.equal(all.walker.ino(FILE), all.fs.statSync(`/other${DIRECTORY}`).ino);
});

test("the context's root changes, and the working directory", async (t) => {
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
  const first = new all.walker.context.constructor(walker.arena, all.vfs.handle.ctx, false);
  for (let i = 0; i < 6; i++) {
    assert.equal(first.fs.statSync(FILE).ino, mine);
    assert.equal(walker.ino(FILE), theirs);
  }
});

test("a walk from a descriptor, and one whose start was renamed", async (t) => {
  const all = await setUp(t);
  const { openat } = rawCore(t, all.vfs.handle);
  const [mine, theirs] = ["/", "/other"].map((path) => openat(-100, path, 0));
  const relative = FILE.slice(1);
  const inos = [all.plain.ino(FILE), all.plain.ino(`/other${FILE}`)];
  all.walker.learn(relative, mine);
  assert.equal(all.walker.ino(relative, theirs), inos[1]);
  all.walker.learn(relative, theirs);
  all.fs.renameSync("/other", "/renamed");
  assert.deepEqual([all.walker.ino(relative, mine), all.walker.ino(relative, theirs)], inos);
});

test("what the plain walk leaves to the general one is never remembered", async (t) => {
  const { walker, plain, fs, vfs } = await setUp(t);
  const long = `/a-directory-whose-name-is-too-long-for-its-dentry`;
  fs.mkdirSync(`${long}/below`, { recursive: true });
  fs.writeFileSync(`${long}/below/file`, "");
  fs.symlinkSync(DIRECTORY, "/a-link-to-the-directory");
  fs.mkdirSync("/closed-directory-of-root/below", { recursive: true });
  fs.writeFileSync("/closed-directory-of-root/below/file", "");
  fs.chmodSync("/closed-directory-of-root", 0o700);
  const toy = memoryDriver("memoToy", ["lookup", "revalidate", "permission"]);
  const sub = toy.make(1, "directory-of-the-driver", 0o040755);
  toy.make(sub, "file", 0o100644, { text: "x" });
  mountDriver(vfs, toy.driver, "/mount-point");
  for (const { arena } of [walker, plain]) arena.drivers.register(toy.driver);
  const paths = [
    `${long}/below/file`,
    "/a-link-to-the-directory/file",
    "/first-level/second-level/./third-level/file",
    "/first-level/second-level/../second-level/third-level/file",
    "/first-level//second-level/third-level/file",
    "/first-level/second-level/third-level//file",
    "/first-level/second-level/third-level/",
    "/closed-directory-of-root/below/file",
    "/mount-point/directory-of-the-driver/file",
    "/first-level/second-level/third-level/file/below",
    "/first-level/second-level/none-of-these/file",
    `/first-level/second-level/${"n".repeat(256)}/file`,
  ];
  for (const path of paths) {
    for (let i = 0; i < 6; i++) assert.equal(walker.ino(path), plain.ino(path), path);
    assert.equal(walker.knows(path), false, path);
  }
});

/** Paths to FILE behind a component that the plain walk does not take. */
async function behind(t) {
  const all = await setUp(t);
  const { fs, vfs } = all;
  const long = "/a-directory-whose-name-is-too-long-for-its-dentry";
  // The rest is what lies below the first directory that is nothing special.
  const closed = "/closed/open";
  for (const top of ["/mnt", closed, long]) fs.mkdirSync(top, { recursive: true });
  vfs.mount(null, "/mnt", "tmpfs");
  for (const top of ["/mnt", closed, long]) {
    fs.mkdirSync(`${top}${DIRECTORY}`, { recursive: true });
    fs.writeFileSync(`${top}${FILE}`, "");
  }
  fs.chmodSync("/closed", 0o700);
  return { ...all, tops: ["/mnt", closed, long, "/other/../other", "/other/."] };
}

// Taken out: walkFast() in linkPathWalk(). Every component behind the special one is walked for itself.
test("behind a component that is special the memo knows the rest of the path", async (t) => {
  const { walker, plain, tops } = await behind(t);
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

test("behind a component that is special a change at each point of a lookup: the answer was true before it or after", async (t) => {
  const { walker, fs, vfs, tops } = await behind(t);
  const { rename } = rawCore(t, vfs.handle);
  const theirs = walker.ino(`/other${FILE}`);
  for (const top of tops.slice(0, 3)) {
    const path = `${top}${FILE}`;
    const mine = walker.ino(path);
    for (let i = 0; i < 4; i++) walker.ino(path);
    // Where a file system is mounted no directory can be exchanged; the first level in it can be renamed.
    const [make, unmake, after] =
      top === "/mnt"
        ? [
            () => fs.renameSync(`/mnt${LEVELS[0]}`, "/mnt/moved"),
            () => fs.renameSync("/mnt/moved", `/mnt${LEVELS[0]}`),
            -ERRNO.ENOENT,
          ]
        : [() => rename(top, "/other", RENAME_EXCHANGE), () => rename(top, "/other", RENAME_EXCHANGE), theirs];
    const passed = [...walker.passed];
    for (const [n, id] of passed.entries()) {
      const nth = passed.slice(0, n + 1).filter((other) => other === id).length;
      walker.at(id, make, nth);
      const answer = walker.ino(path);
      if (!walker.waits(id)) {
        assert.ok(answer === mine || answer === after, `${top}: ${answer} at point ${id}`);
        assert.equal(walker.ino(path), after);
        unmake();
      }
      for (let i = 0; i < 4; i++) assert.equal(walker.ino(path), mine);
      assert.deepEqual(walker.passed, passed);
    }
  }
});

test("a NUL anywhere in the path is found, whether the memo knows the directory or not", async (t) => {
  const { walker, plain, vfs, tree } = await setUp(t);
  const user = cachedWalker(t, vfs.handle, WITH_PREFIX_CACHE, { security: () => 0 });
  const ref = cachedWalker(t, vfs.handle, WITH_PREFIX_CACHE | 1);
  const before = tree.counted(() => {
    for (const path of [FILE, `${DIRECTORY}/none`, "/no-such-directory-at-all/third-level/file", `${FILE}/`]) {
      for (let i = 0; i < path.length; i++) {
        if (i % 8 === 0) walker.learn(FILE);
        const broken = `${path.slice(0, i)}\0${path.slice(i + 1)}`;
        for (const each of [walker, plain, user, ref])
          assert.equal(each.ino(broken), -ERRNO.EINVAL, JSON.stringify(broken));
      }
    }
  });
  assert.equal(before.dropPermission + before.dropUncached, 0);
  vfs.fs.chmodSync("/", 0o700);
  for (let i = 0; i < 4; i++) assert.equal(walker.ino(`${DIRECTORY}/\0file`), -ERRNO.EINVAL);
  assert.ok(walker.ino(FILE) > 0);
});

test("a change at each point of a lookup: what is answered was true before it or after", async (t) => {
  const points = [
    "WALK_START",
    "COMPONENT",
    "SEQ_OPENED",
    "COMPARED",
    "FOUND",
    "PARENT_CHECK",
    "ATTR_COPIED",
    "COMPLETE",
  ];
  const all = await setUp(t);
  const { fs, walker } = all;
  const { rename } = rawCore(t, all.vfs.handle);
  const mine = walker.ino(FILE);
  const theirs = walker.ino(`/other${FILE}`);
  for (const level of LEVELS) {
    for (const name of points) {
      walker.learn(FILE);
      walker.at(POINT[name], () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0));
      const answer = walker.ino(FILE);
      assert.equal(walker.waits(POINT[name]), false, name);
      // The chain is looked at after the start: a change made before that is seen.
      assert.ok(answer === theirs || (answer === mine && name !== "WALK_START"), `${level} at ${name}: ${answer}`);
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
  // Nothing but the directory itself is checked after its child was found.
  walker.learn(FILE);
  walker.at(POINT.PARENT_CHECK, () => fs.renameSync(DIRECTORY, "/moved"));
  assert.equal(walker.ino(FILE), -ERRNO.ENOENT);
});

test("a change while an entry is written", async (t) => {
  const all = await setUp(t);
  const { walker, plain } = all;
  const { rename } = rawCore(t, all.vfs.handle);
  const walked = 4;
  for (const level of LEVELS) {
    for (const name of ["SEQ_OPENED", "COMPARED"]) {
      for (let nth = 1; nth <= LEVELS.length; nth++) {
        // Learned and made stale: the next miss, the second running of its set, writes the entry anew, after its walk.
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

test("creating, removing and renaming go by way of the memo as well", async (t) => {
  const { walker, plain, vfs } = await setUp(t);
  walker.learn(FILE);
  const { fs } = walker;
  const path = `${DIRECTORY}/made`;
  const passes = (run) => {
    walker.ino("/");
    run();
    return walker.steps;
  };
  const walked = passes(() => fs.writeFileSync(path, "x"));
  assert.ok(walked <= 2, `${walked} components`);
  assert.equal(walker.ino(path), plain.ino(path));
  fs.renameSync(path, `${path}-2`);
  assert.equal(plain.ino(path), -ERRNO.ENOENT);
  fs.unlinkSync(`${path}-2`);
  fs.mkdirSync(path);
  assert.ok(plain.ino(path) > 0);
  fs.rmdirSync(path);
  assert.equal(plain.ino(path), -ERRNO.ENOENT);
  // Whether one may is the directory's to say, not the start's.
  const context = vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => context.close());
  const user = cachedWalker(t, context.handle).learn(FILE);
  assert.equal(
    codeOf(() => user.fs.writeFileSync(path, "x")),
    "EACCES",
  );
  fs.chmodSync(DIRECTORY, 0o777);
  user.learn(FILE).fs.writeFileSync(path, "x");
  fs.unlinkSync(path);
  // The body of a link is another path than the one that is asked for.
  fs.symlinkSync("../made-by-a-link", `${DIRECTORY}/link`);
  for (let i = 0; i < 3; i++) fs.writeFileSync(`${DIRECTORY}/link`, "x");
  assert.deepEqual(fs.readdirSync(LEVELS[1]), ["made-by-a-link", "third-level"]);
  fs.unlinkSync(`${DIRECTORY}/link`);
  // Where the directory went meanwhile, nothing is made in it under its old name.
  fs.renameSync(DIRECTORY, "/moved");
  assert.equal(
    codeOf(() => fs.writeFileSync(path, "x")),
    "ENOENT",
  );
  assert.deepEqual(fs.readdirSync("/moved"), ["file"]);
});
