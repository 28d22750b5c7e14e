/** A worker that runs threads of a program. */
import { parentPort, workerData } from "node:worker_threads";
import { runWasiThreads, type WasiThreads } from "../../../dist/src/wasi.js";

parentPort?.postMessage("waits");
await runWasiThreads(workerData as WasiThreads, { stdout: "ignore" });
