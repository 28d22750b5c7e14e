/** Web Locks: where the host reports no deaths, a watching thread finds them; with the host's own locks where Node has them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { defined } from "../../../cli/dist/support/defined.js";
import { oracleNode } from "../../../tools/dist/oracle.js";
import { check } from "../../../verify/dist/fsck/check-arena.js";
import { HANG_MS, until } from "../../../verify/dist/support/hang.js";
import { attachVfs, createVfs, type Vfs } from "../../dist/src/index.js";
import { codeOf } from "../support/errors.js";
import type { TestScope } from "../support/hooked-vfs.js";
import { FakeLocks } from "./fake-locks.js";
import type { LocksWorkerData } from "./locks.worker.js";

const WORKER = new URL("./locks.worker.js", import.meta.url);
const hasLocks = typeof navigator === "object" && navigator?.locks !== undefined;
const skip = hasLocks ? false : "this Node has no navigator.locks (24.5 and newer do)";

/** A tree on a host with fake locks, until the test ends. */
async function withFakeLocks(t: TestScope) {
  const locks = new FakeLocks();
  locks.install(t);
  const vfs = await createVfs({ maxBytes: 8 << 20, locks: true, thread: 1 });
  t.after(() => vfs.close());
  return { locks, vfs };
}

const slotsInUse = (vfs: Vfs) => check(vfs.handle.memory).counts.threads;

test("an attachment holds its lock from before it takes its slot until after it releases the slot", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  assert.equal(locks.names.size, 1);
  const other = await attachVfs(vfs.handle, { locks: true, thread: 2, share: false });
  assert.equal(locks.names.size, 2);
  assert.equal(slotsInUse(vfs), 2);
  other.close();
  await until(() => locks.names.size === 1);
  const none = await attachVfs(vfs.handle, { locks: false, share: false });
  assert.equal(locks.names.size, 1, "a thread whose options say so holds none");
  none.close();
  assert.equal(
    codeOf(() => vfs.watchThreads({ everyMs: 5 })),
    "ERR_OUT_OF_RANGE",
  );
});

test("attachVfs with a refused handle leaves no lock", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  const context = vfs.context();
  const { handle } = context;
  context.close();
  await assert.rejects(attachVfs(handle, { locks: true, thread: 5, share: false }), { code: "ERR_THREADFS_HANDLE" });
  await until(() => locks.names.size === 1);
});

// Fails when a thread waits for its own lock.
test("a second attachment of a thread holds the same lock, which is free after the last one is closed", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  const [second, third] = await Promise.all(
    [1, 2].map(() => attachVfs(vfs.handle, { locks: true, thread: 1, share: false })),
  );
  const stop = vfs.watchThreads({ everyMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(slotsInUse(vfs), 3, "the watch takes none of them for dead");
  stop();
  assert.equal(locks.names.size, 1);
  second?.close();
  third?.close();
  await attachVfs(vfs.handle, { locks: true, thread: 1, share: false }).then((fourth) => fourth.close());
  assert.equal(locks.names.size, 1);
  vfs.close();
  await until(() => locks.names.size === 0);
});

test("an id that another thread has is refused, and free again when that thread has ended", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  const name = defined([...locks.names].at(-1), "lock of the thread");
  locks.thread = "second";
  const attach = () => attachVfs(vfs.handle, { locks: true, thread: 1, share: false, lockTimeoutMs: 100 });
  await assert.rejects(attach(), { code: "ERR_THREADFS_THREAD", message: /the id 1\b.*options\.thread/ });
  assert.equal(slotsInUse(vfs), 1);
  locks.free(name);
  const other = await attach();
  // A thread that watches holds the lock for as long as it recovers the thread.
  locks.free(name);
  const watching = await new Promise<() => void>((held) =>
    locks.request(name, () => new Promise<void>((free) => held(free))),
  );
  await assert.rejects(attach(), { code: "ERR_THREADFS_TIMEOUT" });
  watching();
  (await attach()).close();
  other.close();
});

// Fails when a thread waits for its own lock: the host's own locks.
test("in Node 26 a thread attaches twice, and another thread with its id is refused", async () => {
  const { spawnSync } = await import("node:child_process");
  const program = fileURLToPath(new URL("./same-thread.js", import.meta.url));
  const { stdout, stderr } = spawnSync(oracleNode(), [program], { encoding: "utf8", timeout: HANG_MS });
  assert.equal(stdout, "main true\nworker true\nanother thread: ERR_THREADFS_THREAD\nafter its end: true\n", stderr);
});

// Fails when watchThreads() does not poll, or takes a thread for dead whose lock is held or that never had one.
test("a watching thread recovers the threads whose locks are free, and no others", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  const lives = await attachVfs(vfs.handle, { locks: true, thread: 2, share: false });
  const silent = await attachVfs(vfs.handle, { thread: 3, share: false });
  await attachVfs(vfs.handle, { locks: true, thread: 4, share: false });
  const name = defined([...locks.names].at(-1), "lock of the last thread");
  const stop = vfs.watchThreads({ everyMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(slotsInUse(vfs), 4);
  locks.free(name);
  await until(() => slotsInUse(vfs) === 3);
  for (const alive of [lives, silent]) {
    assert.equal(alive.fs.existsSync("/"), true);
    alive.close();
  }
  assert.equal(slotsInUse(vfs), 1);
  stop();
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
});

// Fails when the end of a worker recovers only the threads that say they belong to it.
test("when a worker ends, a thread that it has made without attaching itself is recovered by its lock", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  await attachVfs(vfs.handle, { locks: true, thread: 9, share: false });
  const name = defined([...locks.names].at(-1), "lock of the thread");
  const between = new Worker("", { eval: true });
  assert.equal(slotsInUse(vfs), 2);
  locks.free(name);
  await once(between, "exit");
  await until(() => slotsInUse(vfs) === 1);
});

test("threads without a number from their host get random numbers", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  const { randomHostId } = await import("../../dist/src/bridge/web-locks.js");
  const names = new Set(Array.from({ length: 1000 }, randomHostId));
  assert.ok(names.size > 995);
  assert.ok([...names].every((name) => Number.isInteger(name) && name > 0 && name < 2 ** 31));
  assert.equal(locks.names.size, 1);
  assert.equal(slotsInUse(vfs), 1);
});

test("without navigator.locks an attachment holds no lock and watchThreads() throws", {
  skip: hasLocks && "this Node has navigator.locks",
}, async (t) => {
  const vfs = await createVfs({ maxBytes: 8 << 20, locks: true });
  t.after(() => vfs.close());
  assert.equal(
    codeOf(() => vfs.watchThreads()),
    "ERR_THREADFS_NO_LOCKS",
  );
});

// Fails when the watch only queues a request, which Node never grants for a dead thread, or when only the parent watches.
test("a second thread recovers a dead worker while the worker's parent does not reach its event loop", {
  skip,
}, async (t) => {
  const vfs = await createVfs({ maxBytes: 16 << 20, locks: true, lockTimeoutMs: HANG_MS });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/d");
  const word = new SharedArrayBuffer(8);
  const start = (role: LocksWorkerData["role"]) => {
    const workerData: LocksWorkerData = { handle: vfs.handle, role, word };
    return new Worker(WORKER, { workerData });
  };
  const watcher = start("watch");
  await once(watcher, "message");
  const dies = start("stop");
  await once(dies, "message");
  await until(() => Atomics.load(new Int32Array(word), 0) === 1);
  const before = performance.now();
  dies.terminate();
  // This thread waits for the dead thread's mutex and sees no event meanwhile; without the watcher it would time out.
  vfs.fs.writeFileSync("/d/file", "x");
  t.diagnostic(`${Math.round(performance.now() - before)} ms`);
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["file"]);
  await watcher.terminate();
});

test("a held lock and a watch do not keep the process alive", { skip }, async () => {
  const { spawnSync } = await import("node:child_process");
  const index = new URL("../../dist/src/index.js", import.meta.url).href;
  const program = `const { createVfs } = await import(${JSON.stringify(index)});
    const vfs = await createVfs({ maxBytes: 4 << 20, locks: true }); vfs.watchThreads(); console.log("done");`;
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program]);
  assert.equal(`${status} ${stdout}`, "0 done\n");
});

test("the number of a thread is below 2^31, where the names of locks begin", async () => {
  await assert.rejects(createVfs({ maxBytes: 4 << 20, thread: 2 ** 31 }), { code: "ERR_OUT_OF_RANGE" });
});
