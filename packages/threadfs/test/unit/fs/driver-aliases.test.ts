/** Directories that a driver shows under several names: each has one dentry, which moves to the name that was looked up last. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DENTRY, G_RENAME_LOCK, INODE, SUPER } from "../../../../verify/dist/arena/layout.js";
import { check } from "../../../../verify/dist/fsck/check-arena.js";
import { S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import { attachVfs, createVfs, type Driver, type Vfs } from "../../../dist/src/index.js";
import { treeFor } from "../../support/debug-tree.js";
import { walkCode } from "../../support/drivers/memory-driver.js";
import { codeOf } from "../../support/errors.js";
import type { TestScope } from "../../support/hooked-vfs.js";
import { dentryOf, memoryOf } from "../../support/memory.js";
import { threads } from "../../support/threads.js";

const DIR = S_IFDIR | 0o755;
/** How long two threads race, in milliseconds. */
const RACE_MS = 500;

/** The body of a worker that registers the driver of `shared` and looks `path` up, beside others. */
const LOOK_UP = (path: string) => `
  ${SHARED}
  vfs.registerDriver(shared);
  try { return vfs.fs.statSync(${JSON.stringify(path)}).ino; } catch (error) { return error.code; }
`;
/** A driver as text, for every thread: /p0 to /p7, in each the same directory "x"; /a and /b, each also in the other. */
const SHARED = `const shared = {
  name: "shared",
  root: () => ({ ino: 1, mode: ${DIR} }),
  lookup(dir, name) {
    if (dir === 1 && /^p[0-7]$/.test(name)) return { ino: 10 + Number(name[1]), mode: ${DIR} };
    if (dir >= 10 && dir < 18 && name === "x") return { ino: 100, mode: ${DIR} };
    if (dir === 100 && name === "f") return { ino: 200, mode: ${S_IFREG | 0o644} };
    if (dir === 1 && name === "a" || dir === 31 && name === "toA") return { ino: 30, mode: ${DIR} };
    if (dir === 1 && name === "b" || dir === 30 && name === "toB") return { ino: 31, mode: ${DIR} };
    return null;
  },
};`;

async function sharedTree(t: TestScope): Promise<Vfs> {
  const vfs = await createVfs({ maxBytes: 64 << 20 });
  t.after(() => vfs.close());
  vfs.registerDriver(new Function(`${SHARED} return shared;`)() as Driver);
  vfs.fs.mkdirSync("/m");
  vfs.mount("s", "/m", "shared");
  return vfs;
}

const problemsOf = (...attached: readonly Vfs[]): string[] =>
  attached.slice(0, 1).flatMap(({ handle }) => {
    const live = attached.map(({ threadSlot }) => threadSlot);
    return check(handle.memory, { live }).problems.map(String);
  });

/**
 * Lookups in two threads that both get to the rename lock, which this thread holds meanwhile: so each has read whatever it
 * reads before it takes the lock, and neither has moved anything.
 */
async function bothAtRenameLock(vfs: Vfs, paths: readonly [string, string]): Promise<unknown[]> {
  const words = new Int32Array(vfs.handle.memory.buffer);
  const waiting = () => vfs.counters().lockWaits;
  const before = waiting();
  Atomics.store(words, G_RENAME_LOCK >>> 2, vfs.threadSlot + 1);
  const results = threads(vfs.handle, RACE_MS, paths.map(LOOK_UP));
  while (waiting() < before + 2) await new Promise((resolve) => setTimeout(resolve, 5));
  Atomics.store(words, G_RENAME_LOCK >>> 2, 0);
  Atomics.notify(words, G_RENAME_LOCK >>> 2);
  return await results;
}

// Fails when dSpliceAlias() reads the old parent before it holds s_vfs_rename_mutex: the second move puts the first one's parent.
test("two threads that find one directory under two new names at once both move it, and every reference is put once", async (t) => {
  const vfs = await sharedTree(t);
  for (const path of ["/m/p0/x/f", "/m/p1", "/m/p2"]) vfs.fs.statSync(path);
  assert.deepEqual(await bothAtRenameLock(vfs, ["/m/p1/x", "/m/p2/x"]), [100, 100]);
  assert.deepEqual(problemsOf(vfs), []);
  for (let n = 0; n < 3; n++) {
    vfs.shrink(1000);
    for (const p of ["p0", "p1", "p2"]) assert.equal(vfs.fs.statSync(`/m/${p}/x/f`).ino, 200);
  }
  vfs.umount("/m");
  vfs.shrink(1000);
  assert.deepEqual(problemsOf(vfs), []);
});

// Fails when dSpliceAlias() asks for the ancestors before it holds the rename lock: each directory ends up below the other.
test("of two directories that would end up below each other one moves, and the other lookup is ELOOP", async (t) => {
  const vfs = await sharedTree(t);
  for (const path of ["/m/a", "/m/b"]) vfs.fs.statSync(path);
  const results = await bothAtRenameLock(vfs, ["/m/a/toB", "/m/b/toA"]);
  assert.ok(
    [
      [31, "ELOOP"],
      ["ELOOP", 30],
    ].some((right) => JSON.stringify(right) === JSON.stringify(results)),
    JSON.stringify(results),
  );
  assert.deepEqual(problemsOf(vfs), []);
  assert.deepEqual([vfs.fs.statSync("/m/a").ino, vfs.fs.statSync("/m/b").ino], [30, 31]);
  vfs.umount("/m");
  assert.deepEqual(problemsOf(vfs), []);
});

// Fails when two threads may each bind a dentry to a directory that has none.
test("two threads that find a directory for the first time under two names give it one dentry", async (t) => {
  const vfs = await sharedTree(t);
  for (const path of ["/m/p1", "/m/p2"]) vfs.fs.statSync(path);
  const other = await attachVfs(vfs.handle, { share: false });
  t.after(() => other.close());
  const shared = new Function(`${SHARED} return shared;`)() as Driver & { lookup: NonNullable<Driver["lookup"]> };
  let inside = 0;
  const { lookup } = shared;
  other.registerDriver({
    ...shared,
    // The other thread looks it up when this one has been told that it exists.
    lookup(dir, name) {
      if (name === "x" && inside++ === 0) assert.equal(vfs.fs.statSync("/m/p2/x").ino, 100);
      return lookup(dir, name);
    },
  });
  assert.equal(other.fs.statSync("/m/p1/x").ino, 100);
  assert.deepEqual([inside, problemsOf(vfs, other).length], [1, 0]);
});

// Fails when vfsMknod() binds a second dentry to a directory that has one.
test("a new directory that another thread finds under another name before mkdir returns has one dentry", async (t) => {
  const vfs = await createVfs({ maxBytes: 16 << 20 });
  const other = await attachVfs(vfs.handle, { share: false });
  t.after(() => vfs.close());
  t.after(() => other.close());
  const made = new Set<string>();
  let meanwhile = () => {};
  const driver: Driver = {
    name: "twice",
    root: () => ({ ino: 1, mode: DIR }),
    lookup(dir, name) {
      if (dir === 1 && (name === "p" || name === "q")) return { ino: name === "p" ? 2 : 3, mode: DIR };
      return made.has(name) ? { ino: 50, mode: DIR } : null;
    },
    create(_dir, name, mode) {
      made.add(name);
      meanwhile();
      return { ino: 50, mode };
    },
  };
  vfs.registerDriver(driver);
  other.registerDriver({ ...driver });
  vfs.fs.mkdirSync("/m");
  vfs.mount("t", "/m", "twice");
  meanwhile = () => assert.equal(other.fs.statSync("/m/q/x").ino, 50);
  vfs.fs.mkdirSync("/m/p/x");
  assert.deepEqual(problemsOf(vfs, other), []);
  for (const path of ["/m/p/x", "/m/q/x", "/m/p/x"]) assert.equal(vfs.fs.statSync(path).ino, 50);
  assert.deepEqual(problemsOf(vfs, other), []);
  vfs.umount("/m");
});

// Fails when a call that finds a directory in use elsewhere does not look again, or keeps a mutex meanwhile.
test("a directory under eight names that two threads move all the time is found by each of their lookups", async (t) => {
  const vfs = await sharedTree(t);
  const body = (k: number) => `
    ${SHARED}
    vfs.registerDriver(shared);
    let n = 0;
    do {
      const ino = vfs.fs.statSync("/m/p" + ((n++ * 2 + ${k}) % 8) + "/x").ino;
      if (ino !== 100) throw new Error("found " + ino);
    } while (running());
    return n;
  `;
  const rounds = await threads<number[]>(vfs.handle, RACE_MS, [body(1), body(2)]);
  assert.ok(rounds.every((n) => n > 0));
  assert.deepEqual(problemsOf(vfs), []);
  for (let n = 0; n < 8; n++) vfs.fs.statSync(`/m/p${n}/x/f`);
  vfs.umount("/m");
  assert.deepEqual(problemsOf(vfs), []);
});

// Fails when dInvalidate() does not compare the sequence with that of the dentry that the driver was asked about.
test("revalidate: a verdict about a name that the dentry has lost meanwhile drops nothing", async (t) => {
  const vfs = await createVfs({ maxBytes: 16 << 20 });
  const other = await attachVfs(vfs.handle, { share: false });
  t.after(() => vfs.close());
  t.after(() => other.close());
  let meanwhile = () => {};
  let lookups = 0;
  const driver: Driver = {
    name: "moody",
    root: () => ({ ino: 1, mode: DIR }),
    lookup(dir, name) {
      lookups++;
      return dir === 1 && (name === "old" || name === "new") ? { ino: 2, mode: DIR } : null;
    },
    revalidate(_dir, _node, name) {
      if (name !== "old") return true;
      const run = meanwhile;
      meanwhile = () => {};
      run();
      return false;
    },
  };
  vfs.registerDriver(driver);
  other.registerDriver({ ...driver });
  vfs.fs.mkdirSync("/m");
  vfs.mount("t", "/m", "moody");
  vfs.fs.statSync("/m/old");
  // The directory moves to the other name, which is valid, while "old" is being called stale.
  meanwhile = () => {
    other.fs.statSync("/m/new");
    other.mount("t", "/m/new", "tmpfs");
    other.fs.writeFileSync("/m/new/f", "kept");
    lookups = 0;
  };
  assert.equal(
    codeOf(() => vfs.fs.statSync("/m/old")),
    undefined,
  );
  assert.equal(lookups, 1);
  assert.equal(vfs.fs.readFileSync("/m/new/f", "utf8"), "kept");
  // The next call recounts the references of those that were left.
  vfs.shrink(0);
  assert.deepEqual(problemsOf(vfs, other), []);
});

// Fails when a directory moves under the mutex of its new parent alone: a change of its old parent's entries goes on beside the move.
test("a lookup moves a directory only when it has its old parent's mutex and that of renames", async (t) => {
  const tree = await treeFor(t, { lockTimeoutMs: 15 });
  const { vfs } = tree;
  const other = await tree.attach();
  vfs.registerDriver(new Function(`${SHARED} return shared;`)() as Driver);
  vfs.fs.mkdirSync("/m");
  vfs.mount("s", "/m", "shared");
  const memory = memoryOf(vfs);
  const words = new Int32Array(vfs.handle.memory.buffer);
  const old = dentryOf(vfs, "/m/p0");
  for (const held of [memory.inode(old) + INODE.mutex, memory.word(old + DENTRY.sb) + SUPER.renameMutex]) {
    for (const path of ["/m/p1", "/m/p0/x"]) vfs.fs.statSync(path);
    Atomics.store(words, held >>> 2, other.threadSlot + 1);
    assert.equal(walkCode(vfs, "/m/p1/x"), "ERR_THREADFS_TIMEOUT");
    Atomics.store(words, held >>> 2, 0);
    assert.equal(vfs.fs.statSync("/m/p1/x").ino, 100);
  }
  // The next call recounts the references of those that were left.
  vfs.shrink(0);
  assert.deepEqual(problemsOf(vfs, other), []);
});
