/** Web Locks: a death that the host tells nobody of is noticed by whoever watches; with the host's own locks where Node has them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { check } from "../../../verify/dist/fsck/check-arena.js";
import { attachVfs, createVfs } from "../../dist/src/index.js";
import { codeOf } from "../support/errors.js";

const WORKER = new URL("./locks.worker.js", import.meta.url);
const hasLocks = typeof navigator === "object" && navigator?.locks !== undefined;
const skip = hasLocks ? false : "this Node has no navigator.locks (24.5 and newer do)";

/** A lock manager for one thread: exclusive locks in the order of their requests, as the standard has them. */
class FakeLocks {
  held = new Map();
  waiting = [];

  async request(name, options, callback = options) {
    if (this.held.has(name)) {
      if (options.ifAvailable) return callback(null);
      await new Promise((resolve) => this.waiting.push([name, resolve]));
    }
    this.held.set(name, callback);
    try {
      return await callback({ name, mode: "exclusive" });
    } finally {
      this.free(name);
    }
  }

  /** What the host does at a thread's end. */
  free(name) {
    this.held.delete(name);
    const at = this.waiting.findIndex(([wanted]) => wanted === name);
    if (at >= 0) this.waiting.splice(at, 1)[0][1]();
  }
}

async function withFake(t) {
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

async function until(done) {
  for (let n = 0; n < 1000 && !done(); n++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(done());
}

const slots = (vfs) => check(vfs.handle.memory).counts.threads;

test("a lock is held from before the slot is taken until after it is given back", async (t) => {
  const { locks, vfs } = await withFake(t);
  assert.equal(locks.held.size, 1);
  const other = await attachVfs(vfs.handle, { locks: true, thread: 2 });
  assert.equal(locks.held.size, 2);
  assert.equal(slots(vfs), 2);
  other.close();
  await until(() => locks.held.size === 1);
  const none = await attachVfs(vfs.handle);
  assert.equal(locks.held.size, 1, "Node's threads hold none unless they are told to");
  none.close();
  assert.equal(
    codeOf(() => vfs.watchThreads({ everyMs: 5 })),
    "ERR_OUT_OF_RANGE",
  );
});

test("a handle that is refused leaves no lock", async (t) => {
  const { locks, vfs } = await withFake(t);
  const context = vfs.context();
  const { handle } = context;
  context.close();
  await assert.rejects(attachVfs(handle, { locks: true, thread: 5 }), { code: "ERR_THREADFS_HANDLE" });
  await until(() => locks.held.size === 1);
});

// Fails when watchThreads() does not ask, or takes a thread for dead whose lock is held or that never had one.
test("who is gone is buried, who lives is not, whoever watches", async (t) => {
  const { locks, vfs } = await withFake(t);
  const lives = await attachVfs(vfs.handle, { locks: true, thread: 2 });
  const silent = await attachVfs(vfs.handle, { thread: 3 });
  await attachVfs(vfs.handle, { locks: true, thread: 4 });
  const name = [...locks.held.keys()].at(-1);
  const stop = vfs.watchThreads({ everyMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(slots(vfs), 4);
  locks.free(name);
  await until(() => slots(vfs) === 3);
  for (const alive of [lives, silent]) {
    assert.equal(alive.fs.existsSync("/"), true);
    alive.close();
  }
  assert.equal(slots(vfs), 1);
  stop();
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
});

test("threads that have no name from their host get names of their own", async (t) => {
  const { locks, vfs } = await withFake(t);
  const { randomHostId } = await import("../../dist/src/bridge/web-locks.js");
  const names = new Set(Array.from({ length: 1000 }, randomHostId));
  assert.ok(names.size > 995);
  assert.ok([...names].every((name) => Number.isInteger(name) && name > 0 && name < 2 ** 31));
  assert.equal(locks.held.size, 1);
  assert.equal(slots(vfs), 1);
});

test("without navigator.locks nothing is held and nobody can watch", {
  skip: hasLocks && "this Node has navigator.locks",
}, async (t) => {
  const vfs = await createVfs({ maxBytes: 8 << 20, locks: true });
  t.after(() => vfs.close());
  assert.equal(
    codeOf(() => vfs.watchThreads()),
    "ERR_THREADFS_NO_LOCKS",
  );
});

// Fails when Node wakes nobody and only a queued request were made; or when the parent alone were to notice.
test("a second thread notices, while the one that made the workers is kept from its event loop", {
  skip,
}, async (t) => {
  const vfs = await createVfs({ maxBytes: 16 << 20, locks: true });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/d");
  const word = new SharedArrayBuffer(8);
  const start = (what) => new Worker(WORKER, { workerData: { handle: vfs.handle, what, word } });
  const watcher = start("watch");
  await once(watcher, "message");
  const dies = start("stand");
  await once(dies, "message");
  await until(() => Atomics.load(new Int32Array(word), 0) === 1);
  const before = performance.now();
  dies.terminate();
  // Waits for the dead thread's mutex, in this thread, which sees no event meanwhile; alone it would give up after 10 s.
  vfs.fs.writeFileSync("/d/file", "x");
  t.diagnostic(`${Math.round(performance.now() - before)} ms`);
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["file"]);
  await watcher.terminate();
});

test("a lock that is held, and a watch, do not keep the process", { skip }, async () => {
  const { spawnSync } = await import("node:child_process");
  const index = new URL("../../dist/src/index.js", import.meta.url).href;
  const program = `const { createVfs } = await import(${JSON.stringify(index)});
    const vfs = await createVfs({ maxBytes: 4 << 20, locks: true }); vfs.watchThreads(); console.log("done");`;
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });
  assert.equal(`${status} ${stdout}`, "0 done\n");
});

test("a thread's number leaves the upper half to names that stand for a lock", async () => {
  await assert.rejects(createVfs({ maxBytes: 4 << 20, thread: 2 ** 31 }), { code: "ERR_OUT_OF_RANGE" });
});
