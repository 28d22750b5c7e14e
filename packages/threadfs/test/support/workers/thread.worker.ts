/** One thread of a test with real threads (see threads() in threads.ts): does its work until it is told to stop. */
import { parentPort, workerData } from "node:worker_threads";
import { Context } from "../../../dist/src/api/context.js";
import { attachVfs } from "../../../dist/src/index.js";
import { objectDriver } from "../drivers/object-driver.js";
import { walkerOf } from "../hooked-vfs.js";
import { rawCore } from "../raw-core.js";
import type { ThreadMessage, ThreadTools, ThreadWorkerData } from "../threads.js";

const { handle, source, data, flags } = workerData as ThreadWorkerData;
const vfs = await attachVfs(handle);
const raw = rawCore({ after: () => {} }, handle);
const tools: ThreadTools = { Context, objectDriver, walkerOf };
const post = (message: ThreadMessage) => parentPort?.postMessage(message);
post({});
Atomics.wait(flags, 0, 0);
/** True until the test's time is over. */
const running = () => Atomics.load(flags, 0) === 1;
try {
  const run = new Function("vfs", "raw", "running", "data", "tools", source);
  post({ value: await run(vfs, raw, running, data, tools) });
} catch (error) {
  const { code, stack } = error as NodeJS.ErrnoException;
  post({ error: `${code ?? ""} ${stack}` });
}
raw.arena.close();
vfs.close();
