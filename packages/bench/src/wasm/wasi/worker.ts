// A thread with a program of its own on one tree: says that it is ready, waits for the start, and returns how long its turns took.
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { treeProgram } from "./loop.js";

/** What a thread is started with; `dir` is the directory of its program. */
export interface WasiWorkerData {
  handle: VfsHandle;
  dir: string;
  start: Int32Array;
  turns: number;
}

const { handle, dir, start, turns } = workerData as WasiWorkerData;
const run = treeProgram(await attachVfs(handle), dir);
// The engine compiles the loop first.
run(turns / 10);
parentPort?.postMessage("ready");
Atomics.wait(start, 0, 0);
const began = performance.now();
const failed = run(turns);
parentPort?.postMessage(failed === 0 ? performance.now() - began : Number.NaN);
