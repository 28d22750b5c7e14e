/** Threads that die while they work on the tree: real workers, ended in every way there is; and a thread that goes on after a torn call. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { MAX_THREADS, SLOT_SIZE, SLOT_STATE, SLOTS } from "../../../verify/dist/arena/layout.js";
import { check } from "../../../verify/dist/fsck/check-arena.js";
import { Attachment } from "../../dist/src/bridge/attachment.js";
import { loadCore } from "../../dist/src/bridge/load.js";
import { createVfs } from "../../dist/src/index.js";
import { DEBUG_CORE } from "../support/debug-core.js";
import { codeOf } from "../support/errors.js";

const WORKER = new URL("./mortal.worker.js", import.meta.url);

/** A tree, and a worker on it that this thread watches over; it works until it is ended or ends itself in its own way. */
async function mortal(t, how, core) {
  const vfs = await createVfs({ maxBytes: 16 << 20, core });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/d");
  const worker = new Worker(WORKER, { workerData: { handle: vfs.handle, how }, stderr: true });
  vfs.attachWorker(worker);
  worker.on("error", () => {});
  await once(worker, "message");
  return { vfs, worker };
}

function slotsInUse(memory) {
  const words = new Int32Array(memory.buffer);
  const states = Array.from({ length: MAX_THREADS }, (_, n) => words[(SLOTS + n * SLOT_SIZE + SLOT_STATE) >>> 2]);
  return states.filter((state) => state !== 0).length;
}

function whole(vfs) {
  // The first call after a death looks for what the dead one held.
  vfs.shrink(0);
  assert.deepEqual(check(vfs.handle.memory, { live: [vfs.threadSlot] }).problems, []);
}

for (const how of ["terminate", "throw", "exit", "end"]) {
  test(`a worker that is watched over: ${how}`, async (t) => {
    const { vfs, worker } = await mortal(t, how);
    if (how === "terminate") await worker.terminate();
    else await new Promise((resolve) => worker.once("exit", resolve));
    // The event that tells us is told to the tree's listener first, which was there before.
    whole(vfs);
    vfs.fs.rmSync("/d", { recursive: true });
    assert.equal(vfs.fs.existsSync("/d"), false);
    whole(vfs);
  });
}

// Fails when rollBackThread() does not release locks, or attachWorker() does not listen: the rename waits 10 s and panics.
test("a worker that dies inside a section: its lock is released, its change undone", async (t) => {
  const core = await loadCore({ url: DEBUG_CORE });
  const { vfs, worker } = await mortal(t, "stand still in a rename", core);
  await worker.terminate();
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["x"]);
  vfs.fs.renameSync("/d/x", "/d/z");
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["z"]);
  whole(vfs);
});

// Fails when torn() leaves what the call held: the next thread that needs the lock waits 10 s and panics.
test("a call that runs out of stack takes its attachment out of use, and nothing with it", async (t) => {
  const { vfs, worker } = await mortal(t, "overflow");
  const [{ torn, tries }] = await once(worker, "message");
  assert.ok(torn > 0, `none of ${tries} calls was torn`);
  vfs.fs.writeFileSync("/d/after", "x");
  vfs.fs.rmSync("/d", { recursive: true });
  await worker.terminate();
  whole(vfs);
  t.diagnostic(`${torn} of ${tries} calls were torn`);
});

// Fails when a torn attachment is taken over only where it is closed, or by a fresh one that overflows as well.
for (let round = 1; round <= 2; round++) {
  test(`torn attachments that nobody closes hold nothing, round ${round}`, { timeout: 60_000 }, async (t) => {
    const { vfs, worker } = await mortal(t, "overflow, nobody closes");
    const [{ torn, tries }] = await once(worker, "message");
    assert.ok(torn > 0, `none of ${tries} calls was torn`);
    const before = performance.now();
    const attached = Array.from({ length: 3 }, () => Attachment.attach(vfs.handle, {}));
    vfs.fs.rmSync("/d", { recursive: true });
    // As many slots as attachments that still work; of the torn ones none.
    const inUse = slotsInUse(vfs.handle.memory);
    assert.equal(inUse, 2 + 3 + (tries - torn));
    t.diagnostic(`${torn} of ${tries} torn, then ${Math.round(performance.now() - before)} ms`);
    for (const arena of attached) arena.close();
    await worker.terminate();
    whole(vfs);
  });
}

// What docs/deaths.md says to do where the thread that makes workers may be kept from its event loop.
test("a helper that holds the other end of a port notices while this thread waits", async (t) => {
  const vfs = await createVfs({ maxBytes: 16 << 20 });
  t.after(() => vfs.close());
  vfs.fs.mkdirSync("/d");
  const { port1, port2 } = new MessageChannel();
  const word = new Int32Array(new SharedArrayBuffer(8));
  const start = (role, port) => {
    const workerData = { role, handle: vfs.handle, port, word };
    return new Worker(new URL("./port.worker.js", import.meta.url), { workerData, transferList: [port] });
  };
  const helper = start("helper", port1);
  const dies = start("dies", port2);
  t.after(() => helper.terminate());
  await once(helper, "message");
  const before = performance.now();
  dies.terminate();
  // The worker's mutex is needed here; no event comes to this thread before it has it.
  vfs.fs.writeFileSync("/d/file", "x");
  t.diagnostic(`${Math.round(performance.now() - before)} ms`);
  assert.deepEqual(vfs.fs.readdirSync("/d"), ["file"]);
});

test("what attachWorker() takes", async (t) => {
  const vfs = await createVfs({ maxBytes: 4 << 20 });
  t.after(() => vfs.close());
  for (const bad of [undefined, null, {}, { threadId: "1", once: () => {} }, { threadId: 1 }]) {
    assert.equal(
      codeOf(() => vfs.attachWorker(bad)),
      "ERR_INVALID_ARG_TYPE",
    );
  }
});
