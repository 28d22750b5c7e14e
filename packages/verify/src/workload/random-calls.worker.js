/** A thread that does random work on somebody's tree beside others, in the order in which they come, and detaches. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../../threadfs/dist/src/index.js";
import { immutableObjectDriver } from "./object-driver.js";
import { RandomCalls } from "./random-calls.js";

const { handle, seed, steps, go } = workerData;
const vfs = await attachVfs(handle);
const driver = immutableObjectDriver();
vfs.registerDriver(driver);
const churn = new RandomCalls(vfs, seed, { driver: driver.name });
parentPort.postMessage({ ready: true });
Atomics.wait(go, 0, 0, 10_000);
try {
  churn.run(steps);
  churn.close();
  vfs.close();
  parentPort.postMessage({ done: steps });
} catch (error) {
  parentPort.postMessage({ error: `${error.stack}\n${churn.trace.slice(-20).join("\n")}` });
}
