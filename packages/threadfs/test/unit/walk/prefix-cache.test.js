/**
 * The memo of directories walked (core/vfs/walk/prefix-cache.ts): what it knows is asked of it only while all of it still holds. Each change
 * of a tree is made between two lookups, and at each point of a lookup.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRNO, POINT, RENAME_EXCHANGE } from "../../../dist/abi/abi.js";
import { createVfs } from "../../../dist/src/index.js";
import { dentryOf } from "../../support/dentries.js";
import { rawCore } from "../../support/forced.js";
import { asker, DIRECTORY, FILE, LEVELS, MEMO, NO_MEMO, setUp } from "../../support/memo.js";
import { mount, toyDriver } from "../../support/toy.js";
import { codeOf } from "../../support/tree.js";

/** The change makes another answer, the one that a walk without the memo gives. */
function changes({ who, plain }, path, change, expected) {
  const before = who.learn(path).ask(path);
  change();
  const now = plain.ask(path);
  if (expected !== undefined) assert.equal(now, expected);
  assert.notEqual(now, before, "the change changes the answer");
  assert.equal(who.ask(path), now);
  assert.equal(who.ask(path), now, "and again");
  for (let i = 0; i < 4; i++) who.ask(path);
  assert.equal(who.ask(path), now, "once the memo has it anew");
}

test("a directory walked before is not walked again, and the walk counts as one", async (t) => {
  const { who, fs } = await setUp(t);
  const ino = fs.statSync(FILE).ino;
  assert.equal(who.ask(FILE), ino);
  assert.equal(who.steps, 4);
  who.learn(FILE);
  const before = who.arena.core.sumCounters(1) && [...who.arena.ioNumbers.subarray(0, 26)];
  assert.equal(who.ask(FILE), ino);
  assert.equal(who.ask(`${DIRECTORY}/none`), -ERRNO.ENOENT);
  assert.equal(who.steps, 1);
  who.arena.core.sumCounters(1);
  const grown = [...who.arena.ioNumbers.subarray(0, 26)].map((n, i) => n - before[i]);
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
    [tree.vfs.handle, MEMO, 1],
  ]) {
    const who = asker(t, handle, mode);
    for (let i = 0; i < 4; i++) who.ask(FILE);
    assert.equal(who.entries(DIRECTORY.length).length, known);
  }
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync(DIRECTORY, { recursive: true });
  for (const [mode, known] of [
    [0, 1],
    [NO_MEMO, 0],
    [1, 0],
  ]) {
    const who = asker(t, vfs.handle, mode);
    for (let i = 0; i < 4; i++) assert.equal(who.ask(FILE), -ERRNO.ENOENT);
    assert.equal(who.entries(DIRECTORY.length).length, known, `mode ${mode}`);
  }
});

for (const [n, level] of LEVELS.entries()) {
  const what = ["the first level", "the second level", "the directory itself"][n];
  const moved = `/moved${n}`;

  test(`${what} is renamed, and back`, async (t) => {
    const all = await setUp(t);
    const ino = all.who.ask(FILE);
    changes(all, FILE, () => all.fs.renameSync(level, moved), -ERRNO.ENOENT);
    all.fs.renameSync(moved, level);
    assert.equal(all.who.ask(FILE), ino);
    assert.equal(all.who.learn(FILE).ask(FILE), ino);
  });

  test(`${what} is exchanged with one that has the same names below it`, async (t) => {
    const all = await setUp(t);
    const { rename } = rawCore(t, all.vfs.handle);
    const theirs = all.who.ask(`/other${FILE}`);
    changes(all, FILE, () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0), theirs);
  });

  test(`${what} is replaced by a directory of that name`, async (t) => {
    const all = await setUp(t);
    const theirs = all.who.ask(`/other${FILE}`);
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
    assert.equal(all.who.ask(FILE), all.plain.ask(FILE));
    assert.ok(all.who.learn(FILE).ask(FILE) > 0);
  });

  test(`${what} may not be searched any more, and may again`, async (t) => {
    const all = await setUp(t);
    const context = all.vfs.context({ uid: 1000, gid: 1000 });
    t.after(() => context.close());
    const who = asker(t, context.handle);
    const plain = asker(t, context.handle, NO_MEMO);
    const ino = who.learn(FILE).ask(FILE);
    changes({ who, plain }, FILE, () => all.fs.chmodSync(level, 0o700), -ERRNO.EACCES, "by mode");
    assert.equal(who.knows(FILE), false);
    all.fs.chmodSync(level, 0o755);
    assert.equal(who.learn(FILE).ask(FILE), ino);
    // Only for this user, by an ACL: the mode's search bits stay.
    const acl = [
      { tag: 1, perm: 7 },
      { tag: 2, id: 1000, perm: 0 },
      { tag: 4, perm: 5 },
      { tag: 16, perm: 7 },
      { tag: 32, perm: 5 },
    ];
    changes({ who, plain }, FILE, () => all.vfs.setfacl(level, acl), -ERRNO.EACCES);
  });

  test(`something is mounted on ${what}, and taken off`, async (t) => {
    const all = await setUp(t);
    const ino = all.who.ask(FILE);
    changes(all, FILE, () => all.vfs.mount(null, level, "tmpfs"), -ERRNO.ENOENT);
    all.vfs.umount(level);
    assert.equal(all.who.ask(FILE), ino);
    const theirs = all.who.ask(`/other${FILE}`);
    changes(all, FILE, () => all.vfs.mount(`/other${level}`, level, "bind"), theirs);
    assert.equal(all.who.knows(FILE), false, "a mount point is not passed by way of the memo");
    all.vfs.umount(level);
    assert.equal(all.who.learn(FILE).ask(FILE), ino);
  });

  test(`a link stands where ${what} was`, async (t) => {
    const all = await setUp(t);
    const theirs = all.who.ask(`/other${FILE}`);
    changes(
      all,
      FILE,
      () => {
        all.fs.renameSync(level, moved);
        all.fs.symlinkSync(`/other${level}`, level);
      },
      theirs,
    );
    assert.equal(all.who.knows(FILE), false);
  });

  test(`the memory of ${what} is another directory's`, async (t) => {
    const all = await setUp(t);
    const old = dentryOf(all.vfs, level);
    all.who.learn(FILE);
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
    assert.equal(all.who.ask(FILE), -ERRNO.ENOENT);
    all.fs.writeFileSync(`${again}/second-level/file`, "");
    assert.equal(all.who.ask(FILE), -ERRNO.ENOENT);
  });
}

test("the last component is always looked up", async (t) => {
  const all = await setUp(t);
  changes(all, FILE, () => all.fs.unlinkSync(FILE), -ERRNO.ENOENT);
  changes(all, FILE, () => all.fs.writeFileSync(FILE, "again"));
  changes(all, FILE, () => all.fs.renameSync(`/other${FILE}`, FILE));
  all.fs.unlinkSync(FILE);
  all.fs.symlinkSync(`/other${DIRECTORY}`, FILE);
  assert.equal(all.who.ask(FILE), all.fs.statSync(`/other${DIRECTORY}`).ino);
});

test("the context's root changes, and the working directory", async (t) => {
  const all = await setUp(t);
  const context = all.vfs.context({ cwd: "/" });
  t.after(() => context.close());
  const who = asker(t, context.handle);
  const plain = asker(t, context.handle, NO_MEMO);
  const relative = FILE.slice(1);
  const mine = who.learn(relative).ask(relative);
  const theirs = all.plain.ask(`/other${FILE}`);
  assert.notEqual(mine, theirs);
  changes({ who, plain }, relative, () => context.chdir("/other"), theirs);
  changes({ who, plain }, relative, () => context.chdir("/"), mine);
  assert.equal(who.learn(FILE).ask(FILE), mine);
  changes({ who, plain }, FILE, () => context.chroot("/other"), theirs);
  // One thread and two contexts: each start has an entry of its own.
  const first = new all.who.context.constructor(who.arena, all.vfs.handle.ctx, false);
  for (let i = 0; i < 6; i++) {
    assert.equal(first.fs.statSync(FILE).ino, mine);
    assert.equal(who.ask(FILE), theirs);
  }
});

test("a walk from a descriptor, and one whose start was renamed", async (t) => {
  const all = await setUp(t);
  const { openat } = rawCore(t, all.vfs.handle);
  const [mine, theirs] = ["/", "/other"].map((path) => openat(-100, path, 0));
  const relative = FILE.slice(1);
  const inos = [all.plain.ask(FILE), all.plain.ask(`/other${FILE}`)];
  all.who.learn(relative, mine);
  assert.equal(all.who.ask(relative, theirs), inos[1]);
  all.who.learn(relative, theirs);
  all.fs.renameSync("/other", "/renamed");
  assert.deepEqual([all.who.ask(relative, mine), all.who.ask(relative, theirs)], inos);
});

test("what the plain walk leaves to the general one is never remembered", async (t) => {
  const { who, plain, fs, vfs } = await setUp(t);
  const long = `/a-directory-whose-name-is-too-long-for-its-dentry`;
  fs.mkdirSync(`${long}/below`, { recursive: true });
  fs.writeFileSync(`${long}/below/file`, "");
  fs.symlinkSync(DIRECTORY, "/a-link-to-the-directory");
  fs.mkdirSync("/closed-directory-of-root/below", { recursive: true });
  fs.writeFileSync("/closed-directory-of-root/below/file", "");
  fs.chmodSync("/closed-directory-of-root", 0o700);
  const toy = toyDriver("memoToy", ["lookup", "revalidate", "permission"]);
  const sub = toy.make(1, "directory-of-the-driver", 0o040755);
  toy.make(sub, "file", 0o100644, { text: "x" });
  mount(vfs, toy.driver, "/mount-point");
  for (const { arena } of [who, plain]) arena.drivers.register(toy.driver);
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
    for (let i = 0; i < 6; i++) assert.equal(who.ask(path), plain.ask(path), path);
    assert.equal(who.knows(path), false, path);
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
  const { who, plain, tops } = await behind(t);
  for (const top of tops) {
    const path = `${top}${FILE}`;
    assert.equal(who.ask(path), plain.ask(path), path);
    const { steps } = who;
    for (let i = 0; i < 4; i++) assert.equal(who.ask(path), plain.ask(path), path);
    assert.ok(who.steps <= steps - LEVELS.length, path);
    assert.equal(who.ask(`${top}${DIRECTORY}/none`), -ERRNO.ENOENT);
    assert.equal(who.ask(`${top}${DIRECTORY}/`), plain.ask(`${top}${DIRECTORY}`));
    assert.equal(who.ask(`${path}/`), -ERRNO.ENOTDIR);
  }
});

test("behind a component that is special a change at each point of a lookup: the answer was true before it or after", async (t) => {
  const { who, fs, vfs, tops } = await behind(t);
  const { rename } = rawCore(t, vfs.handle);
  const theirs = who.ask(`/other${FILE}`);
  for (const top of tops.slice(0, 3)) {
    const path = `${top}${FILE}`;
    const mine = who.ask(path);
    for (let i = 0; i < 4; i++) who.ask(path);
    // Where a file system is mounted no directory can be exchanged; the first level in it can be renamed.
    const [make, unmake, after] =
      top === "/mnt"
        ? [
            () => fs.renameSync(`/mnt${LEVELS[0]}`, "/mnt/moved"),
            () => fs.renameSync("/mnt/moved", `/mnt${LEVELS[0]}`),
            -ERRNO.ENOENT,
          ]
        : [() => rename(top, "/other", RENAME_EXCHANGE), () => rename(top, "/other", RENAME_EXCHANGE), theirs];
    const passed = [...who.points];
    for (const [n, id] of passed.entries()) {
      const nth = passed.slice(0, n + 1).filter((other) => other === id).length;
      who.at(id, make, nth);
      const answer = who.ask(path);
      if (!who.waits(id)) {
        assert.ok(answer === mine || answer === after, `${top}: ${answer} at point ${id}`);
        assert.equal(who.ask(path), after);
        unmake();
      }
      for (let i = 0; i < 4; i++) assert.equal(who.ask(path), mine);
      assert.deepEqual(who.points, passed);
    }
  }
});

test("a NUL anywhere in the path is found, whether the memo knows the directory or not", async (t) => {
  const { who, plain, vfs, tree } = await setUp(t);
  const user = asker(t, vfs.handle, MEMO, { security: () => 0 });
  const ref = asker(t, vfs.handle, MEMO | 1);
  const before = tree.counted(() => {
    for (const path of [FILE, `${DIRECTORY}/none`, "/no-such-directory-at-all/third-level/file", `${FILE}/`]) {
      for (let i = 0; i < path.length; i++) {
        if (i % 8 === 0) who.learn(FILE);
        const broken = `${path.slice(0, i)}\0${path.slice(i + 1)}`;
        for (const each of [who, plain, user, ref])
          assert.equal(each.ask(broken), -ERRNO.EINVAL, JSON.stringify(broken));
      }
    }
  });
  assert.equal(before.dropPermission + before.dropUncached, 0);
  vfs.fs.chmodSync("/", 0o700);
  for (let i = 0; i < 4; i++) assert.equal(who.ask(`${DIRECTORY}/\0file`), -ERRNO.EINVAL);
  assert.ok(who.ask(FILE) > 0);
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
  const { fs, who } = all;
  const { rename } = rawCore(t, all.vfs.handle);
  const mine = who.ask(FILE);
  const theirs = who.ask(`/other${FILE}`);
  for (const level of LEVELS) {
    for (const name of points) {
      who.learn(FILE);
      who.at(POINT[name], () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0));
      const answer = who.ask(FILE);
      assert.equal(who.waits(POINT[name]), false, name);
      // The chain is looked at after the start: a change made before that is seen.
      assert.ok(answer === theirs || (answer === mine && name !== "WALK_START"), `${level} at ${name}: ${answer}`);
      assert.equal(who.ask(FILE), theirs);
      rename(level, `/other${level}`, RENAME_EXCHANGE);
      assert.equal(who.ask(FILE), mine);

      who.learn(FILE);
      who.at(POINT[name], () => fs.renameSync(level, "/moved"));
      const gone = who.ask(FILE);
      assert.ok(
        gone === -ERRNO.ENOENT || (gone === mine && name !== "WALK_START"),
        `${level} gone at ${name}: ${gone}`,
      );
      fs.renameSync("/moved", level);
    }
  }
  // Nothing but the directory itself is checked after its child was found.
  who.learn(FILE);
  who.at(POINT.PARENT_CHECK, () => fs.renameSync(DIRECTORY, "/moved"));
  assert.equal(who.ask(FILE), -ERRNO.ENOENT);
});

test("a change while an entry is written", async (t) => {
  const all = await setUp(t);
  const { who, plain } = all;
  const { rename } = rawCore(t, all.vfs.handle);
  const walked = 4;
  for (const level of LEVELS) {
    for (const name of ["SEQ_OPENED", "COMPARED"]) {
      for (let nth = 1; nth <= LEVELS.length; nth++) {
        // Learned and made stale: the next miss, the second running of its set, writes the entry anew, after its walk.
        who.learn(FILE);
        rename(LEVELS[0], `/other${LEVELS[0]}`, RENAME_EXCHANGE);
        who.at(POINT[name], () => assert.equal(rename(level, `/other${level}`, RENAME_EXCHANGE), 0), walked + nth);
        who.ask(FILE);
        assert.equal(who.waits(POINT[name]), false, `${name} ${nth} is passed`);
        for (let i = 0; i < 4; i++) assert.equal(who.ask(FILE), plain.ask(FILE), `${level}, ${name} ${nth}`);
      }
    }
  }
});

test("creating, removing and renaming go by way of the memo as well", async (t) => {
  const { who, plain, vfs } = await setUp(t);
  who.learn(FILE);
  const { fs } = who;
  const path = `${DIRECTORY}/made`;
  const passes = (run) => {
    who.ask("/");
    run();
    return who.steps;
  };
  const walked = passes(() => fs.writeFileSync(path, "x"));
  assert.ok(walked <= 2, `${walked} components`);
  assert.equal(who.ask(path), plain.ask(path));
  fs.renameSync(path, `${path}-2`);
  assert.equal(plain.ask(path), -ERRNO.ENOENT);
  fs.unlinkSync(`${path}-2`);
  fs.mkdirSync(path);
  assert.ok(plain.ask(path) > 0);
  fs.rmdirSync(path);
  assert.equal(plain.ask(path), -ERRNO.ENOENT);
  // Whether one may is the directory's to say, not the start's.
  const context = vfs.context({ uid: 1000, gid: 1000 });
  t.after(() => context.close());
  const user = asker(t, context.handle).learn(FILE);
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
