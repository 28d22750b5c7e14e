/** Threads that die while they work on the tree: real workers, ended in every way; and a thread that goes on after a call was cut short. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { MAX_THREADS, SLOT_SIZE, SLOT_STATE, SLOTS } from "../../../verify/dist/arena/layout.js";
import { check } from "../../../verify/dist/fsck/check-arena.js";
import { HANG_MS } from "../../../verify/dist/support/hang.js";
import { Attachment } from "../../dist/src/bridge/attachment.js";
import {
  type CreateOptions,
  createVfs,
  loadCore,
  type SharedMemory,
  type Vfs,
  type WorkerLike,
} from "../../dist/src/index.js";
import { DEBUG_CORE } from "../support/debug-core.js";
import { codeOf } from "../support/errors.js";
import type { TestScope } from "../support/hooked-vfs.js";
import type { DyingWorkerData, Overflowed } from "./dying.worker.js";
import type { PortWorkerData } from "./port.worker.js";

const WORKER = new URL("./dying.worker.js", import.meta.url);

/** A tree, and a worker on it that this thread watches; the worker works until it is terminated or ends itself. */
async function dyingWorker(t: TestScope, how: DyingWorkerData["how"], options: Partial<CreateOptions> = {}) {
  const vfs = await createVfs({ maxBytes: 16 << 20, ...options });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/d");
  const workerData: DyingWorkerData = { handle: vfs.handle, how };
  const worker = new Worker(WORKER, { workerData, stderr: true });
  vfs.attachWorker(worker);
  worker.on("error", () => {});
  // Listened for from here on: a worker that ends itself may have ended before its message is read.
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  // once() of node:events would take the worker's own error, which may arrive first, for a failure.
  await Promise.race([new Promise((resolve) => worker.once("message", resolve)), exited]);
  return { vfs, worker, exited };
}

function slotsInUse(memory: SharedMemory): number {
  const words = new Int32Array(memory.buffer);
  const states = Array.from({ length: MAX_THREADS }, (_, n) => words[(SLOTS + n * SLOT_SIZE + SLOT_STATE) >>> 2]);
  return states.filter((state) => state !== 0).length;
}

/** The arena is intact. */
function checkWhole(vfs: Vfs): void {
  // The first call after a death recovers the dead thread.
  vfs.shrink(0);
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
}

/** The next message of a worker that makes calls without enough stack. */
async function overflowed(worker: Worker): Promise<Overflowed> {
  const [message] = await once(worker, "message");
  const result = message as Overflowed;
  assert.ok(result.poisoned > 0, `none of ${result.tries} attachments was poisoned`);
  return result;
}

for (const how of ["terminate", "throw", "exit", "end"] as const) {
  test(`the tree recovers a worker that its parent watches: ${how}`, async (t) => {
    const { vfs, worker, exited } = await dyingWorker(t, how);
    if (how === "terminate") await worker.terminate();
    await exited;
    // The tree's listener was there before this one, so that it has run already.
    checkWhole(vfs);
    vfs.fs.rmSync("/d", { recursive: true });
    assert.equal(vfs.fs.existsSync("/d"), false);
    checkWhole(vfs);
  });
}

// Fails when rollBackThread() does not release locks, or attachWorker() does not listen: the rename waits 10 s and panics.
test("a worker that dies inside a transaction has its lock released and its change undone", async (t) => {
  const core = await loadCore({ url: DEBUG_CORE });
  const { vfs, worker } = await dyingWorker(t, "stop in a rename", { core });
  await worker.terminate();
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["x"]);
  vfs.fs.renameSync("/d/x", "/d/z");
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["z"]);
  checkWhole(vfs);
});

// Fails when poison() keeps what the call held: the next thread that needs the lock waits 10 s and panics.
test("a call that runs out of stack poisons its own attachment alone", async (t) => {
  const { vfs, worker } = await dyingWorker(t, "overflow");
  const { poisoned, tries } = await overflowed(worker);
  vfs.fs.writeFileSync("/d/after", "x");
  vfs.fs.rmSync("/d", { recursive: true });
  await worker.terminate();
  checkWhole(vfs);
  t.diagnostic(`${poisoned} of ${tries} attachments were poisoned`);
});

// Fails when a poisoned attachment is recovered only where it is closed, or by a fresh one that overflows as well.
for (let round = 1; round <= 2; round++) {
  test(`poisoned attachments that no thread closes hold nothing, round ${round}`, async (t) => {
    const { vfs, worker } = await dyingWorker(t, "overflow unclosed");
    const { poisoned, tries } = await overflowed(worker);
    const before = performance.now();
    const attached = Array.from({ length: 3 }, () => Attachment.attach(vfs.handle, {}));
    vfs.fs.rmSync("/d", { recursive: true });
    // As many slots as attachments that still work, and none of the poisoned ones.
    const inUse = slotsInUse(vfs.handle.memory);
    assert.equal(inUse, 2 + 3 + (tries - poisoned));
    t.diagnostic(`${poisoned} of ${tries} poisoned, then ${Math.round(performance.now() - before)} ms`);
    for (const arena of attached) arena.close();
    await worker.terminate();
    checkWhole(vfs);
  });
}

// docs/deaths.md recommends this where the parent of the workers may not reach its event loop.
test("a helper at the other end of a port recovers a dead worker while this thread waits for its mutex", async (t) => {
  const vfs = await createVfs({ maxBytes: 16 << 20, lockTimeoutMs: HANG_MS });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/d");
  const { port1, port2 } = new MessageChannel();
  const word = new Int32Array(new SharedArrayBuffer(8));
  const start = (role: PortWorkerData["role"], port: MessagePort) => {
    const workerData: PortWorkerData = { role, handle: vfs.handle, port, word };
    return new Worker(new URL("./port.worker.js", import.meta.url), { workerData, transferList: [port] });
  };
  const helper = start("helper", port1);
  const dies = start("dies", port2);
  t.after(() => helper.terminate());
  await once(helper, "message");
  const before = performance.now();
  dies.terminate();
  // This call needs the dead worker's mutex; no event reaches this thread before the call has it.
  vfs.fs.writeFileSync("/d/file", "x");
  t.diagnostic(`${Math.round(performance.now() - before)} ms`);
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["file"]);
});

// Fails when an object that has the members of a worker passes for one.
test("attachWorker() refuses what is no worker", async (t) => {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => vfs.close());
  // The last one could report the end of a thread that runs.
  const like = Object.assign(new EventEmitter(), { threadId: 1 });
  for (const bad of [undefined, null, {}, { threadId: 1 }, { threadId: 1, once: () => {} }, like]) {
    assert.equal(
      codeOf(() => vfs.attachWorker(bad as unknown as WorkerLike)),
      "ERR_INVALID_ARG_TYPE",
    );
  }
});
