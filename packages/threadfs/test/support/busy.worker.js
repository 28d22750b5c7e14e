/** Runs a piece of work on a tree again and again until it is told to stop (see busy() in dentries.js). */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../dist/src/index.js";

const { handle, source, shared, maxRounds } = workerData;
const vfs = await attachVfs(handle);
const work = new Function("vfs", "round", source);
let answer = {};
let round = 0;
try {
  while (Atomics.load(shared, 0) === 0 && round < maxRounds) {
    work(vfs, round++);
    if (Atomics.exchange(shared, 1, 1) === 0) Atomics.notify(shared, 1);
  }
} catch (error) {
  answer = { message: error.stack };
}
Atomics.store(shared, 1, 1);
Atomics.notify(shared, 1);
vfs.close();
parentPort.postMessage({ ...answer, rounds: round });
