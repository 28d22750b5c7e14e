/**
 * thread-loader starts processes, which share no memory. Here it starts threads, which have the tree for `node:fs`, and talks with them over
 * their standard streams.
 */
import childProcess from "node:child_process";
import { Worker, workerData } from "node:worker_threads";
import type { WorkerSetup } from "../support/worker.js";

const WORKER = new URL("./loader-thread.js", import.meta.url);

/** Has what thread-loader starts in this thread be threads with the tree of this one; on the disk's side nothing changes. */
export function startThreads(): void {
  const { handle } = workerData as WorkerSetup;
  if (handle === undefined) return;
  const spawn = (_node: string, [program, jobs]: readonly [string, number]) => {
    const thread = new Worker(WORKER, { workerData: { handle, program }, argv: [jobs], stdin: true, stdout: true });
    // A thread has no descriptors 3 and 4 to talk by, which is where thread-loader looks for them.
    const { stdin, stdout, stderr } = thread;
    return { stderr, stdio: [null, null, stderr, stdout, stdin], unref: () => thread.unref() };
  };
  Object.assign(childProcess, { spawn });
}
