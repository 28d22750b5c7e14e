/** One thread of a test with real threads (see threads() in forced.js): runs a function's body until it is told to stop. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../dist/src/index.js";
import * as tools from "./forced.js";

const { handle, body, data, flags } = workerData;
const vfs = await attachVfs(handle);
const raw = tools.rawCore({ after: () => {} }, handle);
parentPort.postMessage({ ready: true });
Atomics.wait(flags, 0, 0);
/** True until the test's time is over. */
const running = () => Atomics.load(flags, 0) === 1;
try {
  const run = new Function("vfs", "raw", "running", "data", "tools", body);
  parentPort.postMessage({ value: await run(vfs, raw, running, data, tools) });
} catch (error) {
  parentPort.postMessage({ error: `${error.code ?? ""} ${error.stack}` });
}
raw.arena.close();
vfs.close();
