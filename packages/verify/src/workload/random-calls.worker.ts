/** A thread that does random work on a tree concurrently with other threads, and detaches. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "../../../threadfs/dist/src/index.js";
import { stackOf } from "../support/defined.js";
import { immutableObjectDriver } from "./object-driver.js";
import { RandomCalls } from "./random-calls.js";

/** What the thread is started with: it begins when `go[0]` is 1. */
export interface RandomCallsData {
  handle: VfsHandle;
  seed: number;
  steps: number;
  go: Int32Array;
}
/** What the thread reports: that it is ready, then that it is done or why not. */
export type RandomCallsReport = { ready: true } | { done: number } | { error: string };

const { handle, seed, steps, go } = workerData as RandomCallsData;
const report = (message: RandomCallsReport) => parentPort?.postMessage(message);
const vfs = await attachVfs(handle);
const driver = immutableObjectDriver();
vfs.registerDriver(driver);
const calls = new RandomCalls(vfs, seed, { driver: driver.name });
report({ ready: true });
Atomics.wait(go, 0, 0, 10_000);
try {
  calls.run(steps);
  calls.close();
  vfs.close();
  report({ done: steps });
} catch (error) {
  report({ error: `${stackOf(error)}\n${calls.trace.slice(-20).join("\n")}` });
}
