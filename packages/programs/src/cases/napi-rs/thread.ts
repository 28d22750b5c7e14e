/** A worker that runs threads of a binding. */
import { workerData } from "node:worker_threads";
import { runBindingThreads } from "threadfs/napi-rs";
import { loadRuntime } from "./runtime.js";

const { runtime, emnapi } = loadRuntime(workerData as string);
runBindingThreads(runtime, { emnapi });
