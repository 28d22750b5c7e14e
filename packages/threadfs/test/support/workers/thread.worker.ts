/** One thread of a test with real threads (see threads() in threads.ts): does its work until it is told to stop. */
import { threadId, workerData } from "node:worker_threads";
import { serveRequests } from "../../../../cli/dist/support/worker-pool.js";
import { Context } from "../../../dist/src/api/context.js";
import { attachVfs } from "../../../dist/src/index.js";
import { objectDriver } from "../drivers/object-driver.js";
import { walkerOf } from "../hooked-vfs.js";
import { rawCore } from "../raw-core.js";
import type { ThreadRequest, ThreadTools, ThreadWorkerData } from "../threads.js";

const { handle, data, shared } = workerData as ThreadWorkerData;
const vfs = await attachVfs(handle, { thread: 1000 + threadId });
const raw = rawCore({ after: () => {} }, handle);
const tools: ThreadTools = { Context, objectDriver, walkerOf };
let index = 0;
/** Counts a round; false when the race is over. */
const running = () => {
  Atomics.add(shared, 1 + index, 1);
  return Atomics.load(shared, 0) === 0;
};
let body = new Function();

serveRequests<ThreadRequest>(async (request) => {
  if (request.task === "prepare") {
    index = request.index;
    body = new Function("vfs", "raw", "running", "data", "tools", request.source);
    return undefined;
  }
  try {
    return await body(vfs, raw, running, data, tools);
  } finally {
    raw.arena.close();
    vfs.close();
  }
});
