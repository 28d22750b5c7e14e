// A thread with programs of its own on one tree, one for each directory and context that it is asked for. It waits for the threads that work at the same
// time, and returns how long its turns took.
import { workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { serveRequests } from "../../../../cli/dist/support/worker-pool.js";
import { type Run, treeProgram } from "./loop.js";

/** What a thread is started with; `arrived` counts the threads that are about to begin. */
export interface WasiStart {
  handle: VfsHandle;
  arrived: Int32Array;
}

/** So many turns in the directory, together with the others of so many threads. */
export interface WasiRequest {
  task: "run";
  dir: string;
  /** Whether the programs of all threads have the descriptors of one context. */
  oneContext: boolean;
  threads: number;
  turns: number;
}

const { handle, arrived } = workerData as WasiStart;
const tree = await attachVfs(handle);
const own = tree.context();
const programs = new Map<string, Run>();

/** Milliseconds. */
function timed({ dir, oneContext, threads, turns }: WasiRequest): number {
  const key = `${dir} ${oneContext}`;
  const run = programs.get(key) ?? treeProgram(oneContext ? tree : own, dir);
  programs.set(key, run);
  Atomics.add(arrived, 0, 1);
  Atomics.notify(arrived, 0);
  for (let seen = Atomics.load(arrived, 0); seen < threads; seen = Atomics.load(arrived, 0))
    Atomics.wait(arrived, 0, seen);
  const began = performance.now();
  if (run(turns) !== 0) throw new Error("the program has failed");
  return performance.now() - began;
}

serveRequests<WasiRequest>(timed);
