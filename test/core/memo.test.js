/**
 * The memo of directories walked (core/fs/memo.ts): what it knows is asked of it only while all of it still holds. Each change
 * of a tree is made between two lookups, and at each point of a lookup.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRNO, POINT, RENAME_EXCHANGE } from "../../dist/abi.js";
import { createVfs } from "../../dist/index.js";
import { dentryOf } from "./lib/dentries.js";
import { rawCore } from "./lib/forced.js";
import { asker, DIRECTORY, ENTRY_DIRECTORY, ENTRY_LEN, ENTRY_WORDS, G_TURNS, MEMO, NO_MEMO } from "./lib/memo.js";
import { mount, toyDriver } from "./lib/toy.js";
import { codeOf, treeFor } from "./lib/tree.js";

const LEVELS = ["/first-level", "/first-level/second-level", DIRECTORY];
const FILE = `${DIRECTORY}/file`;

/** A tree with FILE and, at /other, directories of the same names with another file of that name. */
async function setUp(t, options) {
  const tree = await treeFor(t, options);
  const { fs } = tree.vfs;
  fs.mkdirSync(DIRECTORY, { recursive: true });
  fs.writeFileSync(FILE, "one");
  fs.mkdirSync(`/other${DIRECTORY}`, { recursive: true });
  fs.writeFileSync(`/other${FILE}`, "two");
  return { tree, vfs: tree.vfs, fs, who: asker(t, tree.vfs.handle), plain: asker(t, tree.vfs.handle, NO_MEMO) };
}

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

test("prefixes of every length, up to as deep as there is room; none longer", async (t) => {
  const { vfs } = await treeFor(t);
  const who = asker(t, vfs.handle);
  for (let length = 20; length <= 110; length++) {
    const directory = `/${"x".repeat(9)}/${String(length).padStart(3, "0")}`
      .padEnd(34, "y")
      .slice(0, Math.min(length, 34));
    let path = directory;
    while (path.length < length) path += `/${"z".repeat(Math.max(1, Math.min(29, length - path.length - 1)))}`;
    if (path.length !== length) continue;
    vfs.fs.mkdirSync(path, { recursive: true });
    vfs.fs.writeFileSync(`${path}/f-of-some-length`, "");
    for (let i = 0; i < 5; i++) assert.ok(who.ask(`${path}/f-of-some-length`) > 0, `${length}`);
    assert.equal(who.knows(`${path}/f-of-some-length`), length >= 24 && length <= 96, `${length} bytes`);
  }
  for (let depth = 7; depth <= 12; depth++) {
    const path = "/abcdef".repeat(depth);
    vfs.fs.mkdirSync(path, { recursive: true });
    for (let i = 0; i < 200; i++) who.ask(`${path}/none`);
    assert.equal(who.knows(`${path}/none`), depth <= 9, `${depth} directories`);
  }
});

test("every byte of the path is compared, and all else that an entry stands for", async (t) => {
  const { vfs } = await treeFor(t);
  const bytes = new Uint8Array(vfs.handle.memory.buffer);
  for (const length of [24, 31, 32, 33, 40, 63, 64, 65, 71, 72, 80, 95, 96]) {
    const path = `/${String(length)}-directory${"/below-it-and-further".repeat(5)}`
      .slice(0, length)
      .replace(/\/$/, "x");
    vfs.fs.mkdirSync(path, { recursive: true });
    const who = asker(t, vfs.handle).learn(`${path}/not-there`);
    const [entry, ...others] = who.entries(length);
    assert.deepEqual(others, []);
    const words = length <= 32 ? 4 : length <= 64 ? 8 : 8 + Math.ceil((length - 64) / 8);
    const offsets = [...Array(16).keys()].concat(Array.from({ length: words * 8 }, (_, i) => ENTRY_WORDS + i));
    for (const offset of offsets) {
      bytes[entry + offset] ^= 1;
      assert.equal(who.knows(`${path}/not-there`), false, `${length} bytes: byte ${offset} of the entry`);
      bytes[entry + offset] ^= 1;
      who.learn(`${path}/not-there`);
    }
    who.arena.close();
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

test("a sequence that comes round to the same number does not bring an entry back", async (t) => {
  const all = await setUp(t);
  const { who, fs } = all;
  const words = new Int32Array(all.vfs.handle.memory.buffer);
  const turns = () => Atomics.load(words, G_TURNS >> 2);
  const dentry = dentryOf(all.vfs, LEVELS[1]);
  const theirs = all.plain.ask(`/other${FILE}`);
  who.learn(FILE);
  const seq = Atomics.load(words, dentry >> 2);
  // As after many changes: one more passes a multiple of 2^24.
  for (const [from, change] of [
    [0x00fffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0x01fffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0x7ffffffe, () => fs.chmodSync(LEVELS[1], 0o755)],
    [0xfffffffe | 0, () => fs.chmodSync(LEVELS[1], 0o755)],
    // A rename's unhash moves it on inside the write section.
    [0x02fffffe, () => fs.renameSync(LEVELS[1], "/moved")],
  ]) {
    const before = turns();
    Atomics.store(words, dentry >> 2, from);
    change();
    assert.ok(turns() > before, `${from}`);
  }
  fs.renameSync(`/other${LEVELS[1]}`, LEVELS[1]);
  Atomics.store(words, dentry >> 2, seq);
  assert.equal(who.ask(FILE), theirs);
  // Without that mark it would: this is what the mark is for.
  assert.equal(who.learn(FILE).ask(FILE), theirs);
});

test("a thread that takes over a slot begins with an empty memo", async (t) => {
  const all = await setUp(t);
  const dying = asker(t, all.vfs.handle).learn(FILE);
  const slot = dying.core.threadSlot();
  const [entry] = dying.entries(DIRECTORY.length);
  // As one that was killed in the middle of an entry leaves it: this directory's path with another's dentry.
  const words = new Int32Array(all.vfs.handle.memory.buffer);
  const other = dentryOf(all.vfs, `/other${DIRECTORY}`);
  words[(entry + ENTRY_DIRECTORY) >> 2] = other;
  words[(entry + ENTRY_DIRECTORY + 4) >> 2] = words[other >> 2];
  dying.arena.close();
  const heir = asker(t, all.vfs.handle);
  assert.equal(heir.core.threadSlot(), slot);
  assert.equal(heir.ask(FILE), all.plain.ask(FILE));
  assert.equal(heir.steps, 4);
});

test("memos take a sixteenth of the arena at most; who comes later walks without", async (t) => {
  const vfs = await createVfs({ maxBytes: 2 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync(DIRECTORY, { recursive: true });
  const who = asker(t, vfs.handle);
  assert.equal(who.entries(0), undefined);
  for (let i = 0; i < 5; i++) assert.equal(who.ask(FILE), -ERRNO.ENOENT);
  vfs.fs.writeFileSync(FILE, "");
  assert.ok(who.ask(FILE) > 0);
  const view = new DataView(vfs.handle.memory.buffer);
  assert.equal(view.getUint32(5448, true), 1, "memos given out");
  assert.equal(view.getUint32(65536 + ENTRY_LEN, true), 0, "the first slot shows no epoch after its calls");
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
