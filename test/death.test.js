/** Threads that die while they work on the tree: real workers, ended in every way there is; and a thread that goes on after a torn call. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createVfs } from "../dist/index.js";
import { loadCore } from "../dist/load.js";
import { check } from "../verify/lib/fsck.js";
import { codeOf } from "./core/lib/tree.js";

const WORKER = new URL("./lib/mortal.worker.js", import.meta.url);

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

// Fails when undoThread() does not release locks, or attachWorker() does not listen: the rename waits 10 s and panics.
test("a worker that dies inside a section: its lock is released, its change undone", async (t) => {
  const core = await loadCore({ debug: true });
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
