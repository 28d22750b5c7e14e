/**
 * Waiting for another thread that lives: bounded by time, ended by an error after which the same call works. The other thread is a number
 * in the word of a lock: its owner, as the core sees it.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  BUCKET_LOCKS,
  CACHES,
  G_CACHES,
  G_RECOUNT_OWNER,
  G_SLOTS_USED,
  MIN_BUCKETS,
  SLOT_ACTIVE,
} from "../../../../verify/dist/arena/layout.js";
import { check as checkArena } from "../../../../verify/dist/fsck/check-arena.js";
import { MAX_THREADS, SLOT_SIZE, SLOT_STATE, SLOTS } from "../../../dist/abi/abi.js";
import { G_MOUNT_LOCK, LOG_ACQUIRING, SLOT_UNDO_LOG, WAITERS } from "../../../dist/generated/core-layout.js";
import { Attachment } from "../../../dist/src/bridge/attachment.js";
import { attachVfs, createVfs, type Vfs } from "../../../dist/src/index.js";
import { codeOf } from "../../support/errors.js";
import { driver, scene as heldScene, LOCK_LINE, OWNER, type Scene } from "../../support/held-locks.js";

/** How long the calls of these tests wait, in milliseconds. */
const LIMIT_MS = 15;
/** The same where many wait, one after the other. */
const SHORT_LIMIT_MS = 3;
/** Longer than any wake-up takes: a thread that sleeps so long was not woken. */
const HANG_MS = 10_000;

/** The tree of these tests. */
function scene(t: TestContext, mayWait: boolean, lockTimeoutMs = LIMIT_MS, followed = false): Promise<Scene> {
  return heldScene(t, mayWait, lockTimeoutMs, followed);
}

let made = 0;
/** Calls that take between them every lock of the tree above. Each leaves the tree as it was, or adds a name. */
const CALLS: Record<string, (vfs: Vfs) => unknown> = {
  mkdir: ({ fs }) => fs.mkdirSync(`/d/${made++}`),
  rename: ({ fs }) => fs.renameSync("/d/e", "/d/e2") ?? fs.renameSync("/d/e2", "/d/e"),
  symlink: ({ fs }) => fs.symlinkSync("x".repeat(60), `/d/${made++}`),
  write: ({ fs }) => fs.writeFileSync("/d/f", "other contents"),
  append: ({ fs }) => fs.appendFileSync("/d/f", "x".repeat(5000)),
  chmod: ({ fs }) => fs.chmodSync("/d/f", 0o644),
  chdir: (vfs) => vfs.chdir("/d") ?? vfs.chdir("/"),
  "look up by a driver": ({ fs }) => fs.existsSync(`/m/${made++}`),
  mount: (vfs) => vfs.mount(null, "/n", "tmpfs") ?? vfs.umount("/n"),
  context: (vfs) => vfs.context({ groups: [1, 2, 3] }).close(),
  unlink: ({ fs }) => fs.writeFileSync(`/d/${made}`, "") ?? fs.unlinkSync(`/d/${made++}`),
  "write much": ({ fs }) => fs.writeFileSync("/d/f", "x".repeat(400_000)) ?? fs.writeFileSync("/d/f", "contents"),
  "register a driver": (vfs) => {
    vfs.registerDriver({ name: "other", root: driver.root });
    vfs.unregisterDriver("other");
  },
  shrink: (vfs) => vfs.shrink(1),
  "wait for a file lock": (vfs) => {
    const [a = 0, b = 0] = ["/d/f", "/d/f"].map((path) => vfs.fs.openSync(path, "r"));
    try {
      vfs.flockSync(a, "ex");
      vfs.flockSync(b, "ex", { timeoutMs: 1 });
    } catch (error) {
      // The time of the wait for the file lock, and not for one of the core, is over.
      if (!String(error).includes("The lock was not released")) throw error;
    } finally {
      for (const fd of [a, b]) codeOf(() => vfs.fs.closeSync(fd));
    }
  },
  "walk in ref mode": (vfs) => {
    vfs.walkMode({ ref: true });
    try {
      vfs.fs.statSync("/d/f");
    } finally {
      vfs.walkMode({ ref: false });
    }
  },
};

/** Makes a call while another thread owns a lock. @returns the code of its error */
function callAt({ vfs, words }: Scene, address: number, call: (vfs: Vfs) => unknown): string | undefined {
  Atomics.store(words, address >>> 2, OWNER + 1);
  try {
    return codeOf(() => call(vfs));
  } finally {
    Atomics.store(words, address >>> 2, 0);
  }
}

for (const mayWait of [true, false]) {
  describe(mayWait ? "a thread that may block" : "a thread that may not block", () => {
    test("leaves a call that waits too long for a lock of any kind, and makes it again when the lock is free", async (t) => {
      const here = await scene(t, mayWait, LIMIT_MS, true);
      const { vfs, locks } = here;
      // Taken by threads that attach and detach only: below. A thread that finds the split lock taken leaves the split to its owner.
      const others = new Set(["G_SLOT_LOCK", "G_SPLIT_LOCK"]);
      for (const [name, address] of Object.entries(locks)) {
        let waited = 0;
        for (const [what, call] of Object.entries(CALLS)) {
          const { lockWaits } = vfs.counters();
          const code = callAt(here, address, call);
          if (code === "ERR_THREADFS_TIMEOUT" || vfs.counters().lockWaits > lockWaits) waited++;
          if (code !== "ERR_THREADFS_TIMEOUT") assert.equal(code, undefined, `${what} at ${name}`);
          vfs.walkMode({ ref: false });
          if (vfs.fs.existsSync("/d/e2")) vfs.fs.renameSync("/d/e2", "/d/e");
          if (code !== undefined) codeOf(() => vfs.umount("/n"));
          vfs.chdir("/");
          assert.equal(
            codeOf(() => call(vfs)),
            undefined,
            `${what} after ${name} is free`,
          );
        }
        assert.ok(waited > 0 || others.has(name), `no call takes ${name}`);
      }
      assert.deepEqual(checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
      vfs.close();
    });

    test("leaves a call at a table of locks: all buckets of names, all caches of memory", async (t) => {
      const here = await scene(t, mayWait);
      const { vfs, words } = here;
      const tables = {
        buckets: Array.from({ length: MIN_BUCKETS }, (_, i) => BUCKET_LOCKS + i * LOCK_LINE),
        caches: Array.from(CACHES, (_, i) => G_CACHES + i * LOCK_LINE),
      };
      for (const [name, addresses] of Object.entries(tables)) {
        // No sheaf of the thread serves the call.
        vfs.shrink(0);
        for (const address of addresses) Atomics.store(words, address >>> 2, OWNER + 1);
        assert.equal(
          codeOf(() => vfs.fs.mkdirSync("/d/x")),
          "ERR_THREADFS_TIMEOUT",
          name,
        );
        for (const address of addresses) Atomics.store(words, address >>> 2, 0);
        vfs.fs.mkdirSync("/d/x");
        vfs.fs.rmdirSync("/d/x");
      }
      vfs.close();
    });

    test("waits as long as its limit says, and the error names the owner of the lock", async (t) => {
      const { vfs, words, locks } = await scene(t, mayWait);
      const address = locks["i_mutex of a directory"] ?? 0;
      Atomics.store(words, address >>> 2, OWNER + 1);
      const before = performance.now();
      assert.throws(
        () => vfs.fs.mkdirSync("/d/x"),
        (error: NodeJS.ErrnoException & { slot?: number }) =>
          error.code === "ERR_THREADFS_TIMEOUT" &&
          error.slot === OWNER &&
          error.message.includes(`threadDied(${OWNER})`),
      );
      assert.ok(performance.now() - before >= LIMIT_MS - 1);
      Atomics.store(words, address >>> 2, 0);
      vfs.close();
    });

    test("waits at the gate of a recount that ends in time", async (t) => {
      const { vfs, words } = await scene(t, mayWait);
      // The gate opens at a look at the clock: after the wait has begun, whatever the machine does meanwhile.
      let looks = 0;
      t.mock.method(performance, "now", () => {
        if (looks++ === 50) Atomics.store(words, G_RECOUNT_OWNER >>> 2, 0);
        return 1000 + looks / 1000;
      });
      Atomics.store(words, G_RECOUNT_OWNER >>> 2, OWNER + 1);
      vfs.fs.mkdirSync("/late");
      t.mock.restoreAll();
      assert.ok(looks > 50 && vfs.fs.existsSync("/late"));
      vfs.close();
    });
  });
}

/** System calls that change what a program sees, each in a tree of its own: the call, and what it needs to be there before. */
const CHANGES: Record<string, (vfs: Vfs) => () => unknown> = {
  mkdir:
    ({ fs }) =>
    () =>
      fs.mkdirSync("/d/new"),
  symlink:
    ({ fs }) =>
    () =>
      fs.symlinkSync("x".repeat(60), "/d/new"),
  link:
    ({ fs }) =>
    () =>
      fs.linkSync("/d/f", "/d/new"),
  unlink:
    ({ fs }) =>
    () =>
      fs.unlinkSync("/d/f"),
  rmdir:
    ({ fs }) =>
    () =>
      fs.rmdirSync("/d/e"),
  rename:
    ({ fs }) =>
    () =>
      fs.renameSync("/d/e", "/n/e"),
  "rename over": ({ fs }) => fs.writeFileSync("/d/g", "other") ?? (() => fs.renameSync("/d/f", "/d/g")),
  chmod:
    ({ fs }) =>
    () =>
      fs.chmodSync("/d", 0o700),
  chown:
    ({ fs }) =>
    () =>
      fs.chownSync("/d/f", 5, 6),
  utimes:
    ({ fs }) =>
    () =>
      fs.utimesSync("/d/f", 5, 6),
  truncate: ({ fs }) =>
    fs.writeFileSync("/d/f", "x".repeat(400_000)) ?? withFile(fs, "r+", (fd) => fs.ftruncateSync(fd, 3)),
  append: ({ fs }) => withFile(fs, "a", (fd) => fs.writeSync(fd, "and more")),
  "append 9 pages": ({ fs }) => withFile(fs, "a", (fd) => fs.writeSync(fd, "y".repeat(36_864))),
  "write at the position": ({ fs }) => withFile(fs, "r+", (fd) => fs.writeSync(fd, "CON")),
  "read at the position": ({ fs }) => withFile(fs, "r", (fd) => fs.readSync(fd, new Uint8Array(3))),
  "list a directory": ({ fs }) => {
    const dir = fs.opendirSync("/d", { bufferSize: 1 });
    return () => dir.readSync()?.name;
  },
  close: ({ fs }) => withFile(fs, "r", (fd) => fs.closeSync(fd)),
  chdir: (vfs) => () => vfs.chdir("/d"),
  context: (vfs) => () => void vfs.context({ groups: [1, 2, 3] }),
  "close a context": (vfs) => {
    const context = vfs.context({ groups: [1, 2, 3], cwd: "/d" });
    return () => context.close();
  },
  mount: (vfs) => () => vfs.mount(null, "/n", "tmpfs"),
  umount: (vfs) => vfs.mount(null, "/n", "tmpfs") ?? (() => vfs.umount("/n")),
};

/** The descriptors that these calls may use. */
const DESCRIPTORS = [3, 4, 5];

/** A call on an open file, which stays open. */
function withFile({ openSync }: Vfs["fs"], flags: string, call: (fd: number) => unknown): () => unknown {
  const fd = openSync("/d/f", flags);
  return () => call(fd);
}

/** What a program can see of the tree: names, attributes but for times of access, contents; it reads from `descriptors`. */
function seen(vfs: Vfs, descriptors: number[] = []): unknown {
  const { fs } = vfs;
  const below = (dir: string) => fs.readdirSync(dir, { recursive: true }).map((name) => `${dir}/${String(name)}`);
  /** Inode numbers -> the first path that has them: a call that is made again may take another number. */
  const files = new Map<number, string>();
  const entries = ["/", "/d", "/n", ...below("/d"), ...below("/n")].map((path) => {
    const { mode, uid, gid, nlink, size, ino, mtimeMs } = fs.lstatSync(path);
    if (!files.has(ino)) files.set(ino, path);
    const isFile = fs.lstatSync(path).isFile();
    const time = mtimeMs < 10_000 ? mtimeMs : "now";
    return [path, mode, uid, gid, nlink, size, files.get(ino), time, isFile && fs.readFileSync(path, "utf8")];
  });
  const open = descriptors.map((fd) => {
    const buffer = new Uint8Array(1);
    const code = codeOf(() => fs.readSync(fd, buffer));
    return [fd, code ?? buffer[0]];
  });
  return { entries, open, cwd: vfs.getcwd(), contexts: vfs.contexts().length };
}

// Fails when a call that has happened throws, or one that throws has happened: a program that makes it again makes it twice.
for (const mayWait of [true, false]) {
  test(`a call that throws ERR_THREADFS_TIMEOUT has not happened, any other has; the thread may ${mayWait ? "" : "not "}block`, async (t) => {
    let threw = 0;
    let waitedLate = 0;
    for (const [what, prepare] of Object.entries(CHANGES)) {
      const untouched = await scene(t, mayWait, LIMIT_MS, true);
      prepare(untouched.vfs);
      const before = seen(untouched.vfs);
      const changed = await scene(t, mayWait, LIMIT_MS, true);
      const result = prepare(changed.vfs)();
      const after = seen(changed.vfs, DESCRIPTORS);
      for (const name of Object.keys(untouched.locks)) {
        const here = await scene(t, mayWait, SHORT_LIMIT_MS, true);
        const { vfs, locks } = here;
        const call = prepare(vfs);
        const { lockWaits } = vfs.counters();
        let returned: unknown;
        const code = callAt(here, locks[name] ?? 0, () => {
          returned = call();
        });
        if (code === undefined) {
          assert.deepEqual(returned, result, `${what} at ${name}`);
          if (vfs.counters().lockWaits > lockWaits) waitedLate++;
        } else {
          assert.equal(code, "ERR_THREADFS_TIMEOUT", `${what} at ${name}`);
          threw++;
        }
        if (code !== undefined) {
          assert.deepEqual(seen(vfs), before, `${what} at ${name}`);
          assert.deepEqual(call(), result, `${what} after ${name} is free`);
        }
        assert.deepEqual(seen(vfs, DESCRIPTORS), after, `${what} at ${name}: ${code}`);
        assert.deepEqual(checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, [], `${what} at ${name}`);
        vfs.close();
      }
      untouched.vfs.close();
      changed.vfs.close();
    }
    assert.ok(
      threw > 50 && waitedLate > 5,
      `${threw} calls threw, ${waitedLate} returned after a wait that ended at its limit`,
    );
  });
}

/** Pretends that another thread is in a call, so that no recount is possible. Returns the index of the word that says so. */
function activeThread(words: Int32Array): number {
  Atomics.store(words, G_SLOTS_USED >>> 2, OWNER + 1);
  const active = (SLOTS + OWNER * SLOT_SIZE + SLOT_ACTIVE) >>> 2;
  Atomics.store(words, active, 1);
  return active;
}

// Fails when the descriptor stays taken until the references of the left call are counted anew.
for (const mayWait of [true, false]) {
  test(`a call that is left gives its descriptor back though another thread is in a call; it may ${mayWait ? "" : "not "}block`, async (t) => {
    const { vfs, words, locks } = await scene(t, mayWait);
    const { fs } = vfs;
    const lowest = fs.openSync("/d/f");
    fs.closeSync(lowest);
    const active = activeThread(words);
    const mutex = (locks["i_mutex of a directory"] ?? 0) >>> 2;
    Atomics.store(words, mutex, OWNER + 1);
    assert.equal(
      codeOf(() => fs.openSync("/d/new", "w")),
      "ERR_THREADFS_TIMEOUT",
    );
    Atomics.store(words, mutex, 0);
    assert.equal(fs.openSync("/d/f"), lowest);
    fs.closeSync(lowest);
    Atomics.store(words, active, 0);
    vfs.close();
  });
}

// Fails when the context stays in the table, without a root, until the references of the left call are counted anew.
for (const mayWait of [true, false]) {
  test(`a call that is left leaves no unfinished context though another thread is in a call; it may ${mayWait ? "" : "not "}block`, async (t) => {
    const { vfs, words, locks } = await scene(t, mayWait);
    const contexts = () => checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).counts.contexts;
    const before = contexts();
    const active = activeThread(words);
    const lock = (locks["lock of a context"] ?? 0) >>> 2;
    Atomics.store(words, lock, OWNER + 1);
    assert.equal(
      codeOf(() => vfs.context({ groups: [1, 2, 3] })),
      "ERR_THREADFS_TIMEOUT",
    );
    Atomics.store(words, lock, 0);
    assert.equal(contexts(), before);
    Atomics.store(words, active, 0);
    vfs.close();
  });
}

// Fails when the library leaves the descriptor open that it could not close.
test("a call of several steps that has written returns, and its descriptor is closed later", async (t) => {
  const { vfs, words, locks } = await scene(t, true);
  const { fs } = vfs;
  const lowest = fs.openSync("/d/f");
  fs.closeSync(lowest);
  // The lock is taken when the truncation has happened: its pages cannot be freed, and the thread makes no further call.
  fs.writeFileSync("/d/f", "x".repeat(400_000));
  const word = (locks.G_PAGE_LOCK ?? 0) >>> 2;
  Atomics.store(words, word, OWNER + 1);
  fs.truncateSync("/d/f", 3);
  assert.equal(
    codeOf(() => fs.mkdirSync("/d/x")),
    "ERR_THREADFS_TIMEOUT",
  );
  Atomics.store(words, word, 0);
  // By a timer; the next call alone would find the descriptor open.
  for (let fd = -1; fd !== lowest; fs.closeSync(fd)) {
    await sleep(10);
    fd = fs.openSync("/d/f");
  }
  assert.equal(fs.readFileSync("/d/f", "utf8"), "xxx");
  assert.deepEqual(checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
  vfs.close();
});

test("a call that was left while more locks are held is taken back later, by the next call or by itself", async (t) => {
  for (const bySelf of [false, true]) {
    const here = await scene(t, true);
    const { vfs, words } = here;
    const before = checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems;
    // Appending allocates a block; then the lock of the inode is missing, and the block cannot be freed either.
    const file = here.locks["i_lock of a file"] ?? 0;
    const caches = Array.from(CACHES, (_, i) => G_CACHES + i * LOCK_LINE);
    let looks = 0;
    Atomics.store(words, file >>> 2, OWNER + 1);
    const clock = performance.now.bind(performance);
    t.mock.method(performance, "now", () => {
      if (looks++ === 2) for (const address of caches) Atomics.store(words, address >>> 2, OWNER + 1);
      return clock();
    });
    const code = codeOf(() => vfs.fs.truncateSync("/d/f", 100_000));
    t.mock.restoreAll();
    assert.equal(code, "ERR_THREADFS_TIMEOUT");
    for (const address of [file, ...caches]) Atomics.store(words, address >>> 2, 0);
    if (bySelf) await sleep(400);
    assert.equal(vfs.fs.readFileSync("/d/f", "utf8").slice(0, 8), "contents");
    vfs.fs.mkdirSync("/d/after");
    vfs.fs.rmdirSync("/d/after");
    assert.deepEqual(checkArena(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, before);
    vfs.close();
  }
});

test("a thread that waits too long while it attaches or detaches leaves no slot, or keeps its own", async (t) => {
  const { vfs, words, locks } = await scene(t, true);
  const address = locks.G_SLOT_LOCK ?? 0;
  const states = () => Array.from({ length: MAX_THREADS }, (_, i) => words[(SLOTS + i * SLOT_SIZE + SLOT_STATE) >>> 2]);
  Atomics.store(words, address >>> 2, OWNER + 1);
  const before = states();
  await assert.rejects(attachVfs(vfs.handle, { lockTimeoutMs: LIMIT_MS, share: false }), {
    code: "ERR_THREADFS_TIMEOUT",
  });
  assert.deepEqual(states(), before);
  assert.equal(
    codeOf(() => vfs.close()),
    "ERR_THREADFS_TIMEOUT",
  );
  assert.equal(vfs.fs.existsSync("/d/f"), true, "still attached");
  Atomics.store(words, address >>> 2, 0);
  vfs.close();
  assert.ok(states().every((state) => state === 0));
});

test("a driver that waits too long for another tree fails the call with ETIMEDOUT, and nothing else", async (t) => {
  const inner = await scene(t, true);
  const outer = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => outer.close());
  outer.registerDriver({
    ...driver,
    lookup: (_dir, name) => {
      inner.vfs.fs.mkdirSync(`/d/${name}`);
      return { ino: 2, mode: 0o100644 };
    },
  });
  outer.fs.mkdirSync("/m");
  outer.mount(null, "/m", driver.name);
  const address = inner.locks["i_mutex of a directory"] ?? 0;
  Atomics.store(inner.words, address >>> 2, OWNER + 1);
  assert.equal(
    codeOf(() => outer.fs.statSync("/m/x")),
    "ETIMEDOUT",
  );
  Atomics.store(inner.words, address >>> 2, 0);
  assert.equal(outer.fs.statSync("/m/x").isFile(), true);
  inner.vfs.close();
});

test("the limit is a number of milliseconds", async () => {
  for (const lockTimeoutMs of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
    await assert.rejects(createVfs({ maxBytes: 4 << 20, lockTimeoutMs }), { code: "ERR_OUT_OF_RANGE" });
  }
  await assert.rejects(createVfs({ maxBytes: 4 << 20, lockTimeoutMs: "1" as unknown as number }), {
    code: "ERR_INVALID_ARG_TYPE",
  });
});

// Fails when a recovery releases a lock without waking all who sleep on it, or only one of them: they would sleep on.
test("the recovery of a dead thread wakes all threads that sleep on its lock", async (t) => {
  const { vfs, words } = await scene(t, true);
  // Not closed: it stands for a thread that was terminated, with a lock that it has taken and not listed yet.
  const { core } = Attachment.attach(vfs.handle, {});
  const slot = core.threadSlot();
  words[(SLOTS + slot * SLOT_SIZE + SLOT_UNDO_LOG + LOG_ACQUIRING) >>> 2] = G_MOUNT_LOCK;
  const held = (slot + 1) | WAITERS | 0;
  Atomics.store(words, G_MOUNT_LOCK >>> 2, held);
  const sleepers = [1, 2, 3].map(() => Atomics.waitAsync(words, G_MOUNT_LOCK >>> 2, held, HANG_MS));
  vfs.threadDied(core.threadNumber());
  assert.equal(Atomics.load(words, G_MOUNT_LOCK >>> 2), 0);
  assert.deepEqual(await Promise.all(sleepers.map(({ value }) => value)), ["ok", "ok", "ok"]);
  vfs.close();
});

// Fails when the report of an end waits, as calls do, at the gate that the dead thread keeps closed.
test("a thread that ends while it recounts, or copies the arena, opens the gate when its end is reported", async (t) => {
  const { vfs, words } = await scene(t, true);
  const { core } = Attachment.attach(vfs.handle, {});
  Atomics.store(words, G_RECOUNT_OWNER >>> 2, core.threadSlot() + 1);
  vfs.threadDied(core.threadNumber());
  assert.equal(Atomics.load(words, G_RECOUNT_OWNER >>> 2), 0);
  vfs.close();
});
