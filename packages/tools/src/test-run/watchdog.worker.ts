/** The watchdog's thread: sleeps, then prints the name of the file and the limit that it passed, and kills the process. */
import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";
import type { WatchdogData } from "./watchdog.js";

const POLL_MS = 250;

const { cpuLimitMs, limitMs, file } = workerData as WatchdogData;
const word = new Int32Array(new SharedArrayBuffer(4));
const begin = performance.now();

/** The limit that the process has passed. */
function passedLimit(): string | undefined {
  const { user, system } = process.cpuUsage();
  if ((user + system) / 1000 >= cpuLimitMs) return `${cpuLimitMs} ms of processor time`;
  if (performance.now() - begin >= limitMs) return `${limitMs} ms`;
  return undefined;
}

let passed: string | undefined;
while (passed === undefined) {
  Atomics.wait(word, 0, 0, Math.min(POLL_MS, cpuLimitMs, limitMs));
  passed = passedLimit();
}
// Not process.stderr, which needs the main thread.
writeSync(2, `stopped after ${passed}: ${file}\n`);
process.kill(process.pid, "SIGKILL");
