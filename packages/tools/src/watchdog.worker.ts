/** The watchdog's thread: sleeps, then prints the name of the file and kills the process. */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";
import type { WatchdogData } from "./watchdog.js";

const { limitMs, file } = workerData as WatchdogData;
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, limitMs);
// Not process.stderr, which needs the main thread.
writeSync(2, `stopped after ${limitMs} ms: ${file}\n`);
process.kill(process.pid, "SIGKILL");
