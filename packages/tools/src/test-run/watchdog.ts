/**
 * Loaded into the process of every test file by run-tests.ts. A thread of its own kills the process when the file takes too
 * long: a timer would not fire while the main thread spins, and newer versions of Node's runner have no timeout for a file.
 */
import { isMainThread, Worker } from "node:worker_threads";
import { CPU_LIMIT_MS, TIMEOUT_MS } from "../limits.js";

/** What the thread is started with. */
export interface WatchdogData {
  /** Longest processor time of the process, in milliseconds. */
  cpuLimitMs: number;
  /** Longest time by the clock, in milliseconds. */
  limitMs: number;
  /** The test file. */
  file: string | undefined;
}

// The runner itself loads this too; only the processes it starts have NODE_TEST_CONTEXT.
if (isMainThread && process.env.NODE_TEST_CONTEXT) {
  const workerData: WatchdogData = { cpuLimitMs: CPU_LIMIT_MS, limitMs: TIMEOUT_MS, file: process.argv[1] };
  new Worker(new URL("./watchdog.worker.js", import.meta.url), { workerData, execArgv: [] }).unref();
}
