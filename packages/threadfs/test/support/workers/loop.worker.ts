/** Does a piece of work on a tree again and again until it is told to stop (see startLoop() in threads.ts). */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../../dist/src/index.js";
import type { LoopResult, LoopWorkerData } from "../threads.js";

const { handle, source, shared, maxRounds } = workerData as LoopWorkerData;
const vfs = await attachVfs(handle);
const work = new Function("vfs", "round", source);
let message: string | undefined;
let rounds = 0;
try {
  while (Atomics.load(shared, 0) === 0 && rounds < maxRounds) {
    work(vfs, rounds++);
    if (Atomics.exchange(shared, 1, 1) === 0) Atomics.notify(shared, 1);
  }
} catch (error) {
  message = (error as Error).stack;
}
Atomics.store(shared, 1, 1);
Atomics.notify(shared, 1);
vfs.close();
parentPort?.postMessage({ message, rounds } satisfies LoopResult);
