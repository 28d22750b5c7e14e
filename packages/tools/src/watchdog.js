/**
 * Loaded into every test file's process by run.js. A thread of its own ends the process when the file takes too long:
 * a timer would not fire while the main thread spins, and newer versions of Node's runner have no timeout for a file.
 */
import { isMainThread, Worker } from "node:worker_threads";

const LIMIT_MS = Number(process.env.TEST_TIMEOUT_MS ?? 120_000);

/** Runs in the thread: sleeps, then says which file it was, and ends the process for good. */
const BODY = `
const { workerData } = require("node:worker_threads");
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData.limit);
require("node:fs").writeSync(2, "stopped after " + workerData.limit + " ms: " + workerData.file + "\\n");
process.kill(process.pid, "SIGKILL");
`;

// The runner itself loads this too; only the processes it starts carry NODE_TEST_CONTEXT.
if (isMainThread && process.env.NODE_TEST_CONTEXT) {
  const workerData = { limit: LIMIT_MS, file: process.argv[1] };
  new Worker(BODY, { eval: true, workerData, execArgv: [] }).unref();
}
