/** A worker of Node, Bun or Deno that runs threads of a program. */
import { parentPort, workerData } from "node:worker_threads";
import { runWasiThreads, type WasiThreads } from "threadfs/wasi";

parentPort?.postMessage("waits");
await runWasiThreads(workerData as WasiThreads);
parentPort?.postMessage("ended");
