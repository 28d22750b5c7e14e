/** Runs a piece of work on a tree and stops at a point of the core until it is let go (see tree.js). */
import { parentPort, workerData } from "node:worker_threads";
import { POINT } from "../../dist/abi/abi.js";
import { attachVfs } from "../../dist/src/index.js";

const { handle, source, id, nth, shared, parkMs } = workerData;
let passed = 0;
const vfs = await attachVfs(handle, {
  point(at) {
    if (at !== id || ++passed !== nth) return;
    Atomics.store(shared, 0, 1);
    Atomics.notify(shared, 0);
    Atomics.wait(shared, 1, 0, parkMs);
  },
});
Atomics.store(shared, 2, vfs.threadSlot);
let answer;
try {
  answer = { value: new Function("vfs", "POINT", source)(vfs, POINT) };
} catch (error) {
  answer = { code: error.code, message: error.message };
}
parentPort.postMessage(answer);
vfs.close();
