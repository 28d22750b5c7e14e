/** Web Locks: where the host reports no deaths, a watching thread finds them; with the host's own locks where Node has them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { defined } from "../../../cli/dist/support/defined.js";
import { check } from "../../../verify/dist/fsck/check-arena.js";
import { HANG_MS, until } from "../../../verify/dist/support/hang.js";
import { attachVfs, createVfs, type Vfs } from "../../dist/src/index.js";
import { codeOf } from "../support/errors.js";
import type { TestScope } from "../support/hooked-vfs.js";
import type { LocksWorkerData } from "./locks.worker.js";

const WORKER = new URL("./locks.worker.js", import.meta.url);
const hasLocks = typeof navigator === "object" && navigator?.locks !== undefined;
const skip = hasLocks ? false : "this Node has no navigator.locks (24.5 and newer do)";

type LockCallback = (lock: { name: string; mode: string } | null) => unknown;

/** A lock manager for one thread: it grants exclusive locks in the order of their requests, as the standard says. */
class FakeLocks {
  readonly held = new Map<string, LockCallback>();
  readonly #waiting: { readonly name: string; readonly granted: () => void }[] = [];

  async request(name: string, ...args: [LockCallback] | [{ ifAvailable?: boolean }, LockCallback]): Promise<unknown> {
    const [options, callback] = args.length === 1 ? [{}, args[0]] : args;
    if (this.held.has(name)) {
      if (options.ifAvailable) return callback(null);
      await new Promise<void>((granted) => this.#waiting.push({ name, granted }));
    }
    this.held.set(name, callback);
    try {
      return await callback({ name, mode: "exclusive" });
    } finally {
      this.free(name);
    }
  }

  /** Releases a lock, as the host does when its thread ends. */
  free(name: string): void {
    this.held.delete(name);
    const at = this.#waiting.findIndex((request) => request.name === name);
    if (at >= 0) for (const { granted } of this.#waiting.splice(at, 1)) granted();
  }
}

/** A tree on a host with fake locks, until the test ends. */
async function withFakeLocks(t: TestScope) {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const locks = new FakeLocks();
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  t.after(() => {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  });
  const vfs = await createVfs({ maxBytes: 8 << 20, locks: true, thread: 1 });
  t.after(() => vfs.close());
  return { locks, vfs };
}

const slotsInUse = (vfs: Vfs) => check(vfs.handle.memory).counts.threads;

test("an attachment holds its lock from before it takes its slot until after it releases the slot", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  assert.equal(locks.held.size, 1);
  const other = await attachVfs(vfs.handle, { locks: true, thread: 2, share: false });
  assert.equal(locks.held.size, 2);
  assert.equal(slotsInUse(vfs), 2);
  other.close();
  await until(() => locks.held.size === 1);
  const none = await attachVfs(vfs.handle, { locks: false, share: false });
  assert.equal(locks.held.size, 1, "a thread whose options say so holds none");
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
  await until(() => locks.held.size === 1);
});

// Fails when watchThreads() does not poll, or takes a thread for dead whose lock is held or that never had one.
test("a watching thread recovers the threads whose locks are free, and no others", async (t) => {
  const { locks, vfs } = await withFakeLocks(t);
  const lives = await attachVfs(vfs.handle, { locks: true, thread: 2, share: false });
  const silent = await attachVfs(vfs.handle, { thread: 3, share: false });
  await attachVfs(vfs.handle, { locks: true, thread: 4, share: false });
  const name = defined([...locks.held.keys()].at(-1), "lock of the last thread");
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
  const name = defined([...locks.held.keys()].at(-1), "lock of the thread");
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
  assert.equal(locks.held.size, 1);
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
