/** Does a piece of work on a tree and stops at a point of the core until the test releases it (see debug-tree.ts). */
import { parentPort, threadId, workerData } from "node:worker_threads";
import { POINT } from "../../../dist/abi/abi.js";
import { attachVfs } from "../../../dist/src/index.js";
import type { ParkedResult, ParkedWorkerData } from "../debug-tree.js";

const { handle, source, id, nth, shared, parkMs } = workerData as ParkedWorkerData;
let passed = 0;
const vfs = await attachVfs(handle, {
  // Not the host's number: a test decides when the end of this thread becomes known.
  thread: 1000 + threadId,
  point(at) {
    if (at !== id || ++passed !== nth) return;
    Atomics.store(shared, 0, 1);
    Atomics.notify(shared, 0);
    Atomics.wait(shared, 1, 0, parkMs);
  },
});
new Float64Array(shared.buffer, 8, 1)[0] = vfs.threadSlot;
let result: ParkedResult;
try {
  result = { value: new Function("vfs", "POINT", source)(vfs, POINT) };
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  result = code === undefined ? { message } : { code, message };
}
// First: the test terminates the worker when it has the result, and nobody reports an end in the middle of a detach.
vfs.close();
parentPort?.postMessage(result);
