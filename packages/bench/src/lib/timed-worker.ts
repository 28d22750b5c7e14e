// One of the timed workers. It turns a task into a function that does a batch of turns and returns how many of them found
// something; it runs batches until the STOP word is set.

import { workerData } from "node:worker_threads";
import { attachVfs } from "threadfs";
import { counterDelta } from "../../../cli/dist/support/counters.js";
import { defined } from "../../../cli/dist/support/defined.js";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import { openCore } from "./rivals.js";
import { median } from "./stats.js";
import { CONTROL, type Task, type TimedRequest, type TimedRun, type TimedWorkerStart } from "./timed-workers.js";
import { fileName, flat } from "./tree.js";

const { handle, control } = workerData as TimedWorkerStart;
const vfs = await attachVfs(handle);
const { fs } = vfs;
const core = await openCore(handle);

/** A prepared task. */
interface Turns {
  ref: boolean;
  /** Prepares a run. */
  begin?(): void;
  /** Does BATCH turns; returns how many found something. */
  batch(): number;
}

const prepared = new Map<string, Turns>();

const BATCH = 256;

function compute(): () => number {
  let state = 1;
  return () => {
    for (let i = 0; i < BATCH; i++) {
      for (let k = 0; k < 64; k++) state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1) | 0;
    }
    return state === 0 ? 1 : 0;
  };
}

function exists(paths: string[]): () => number {
  let at = 0;
  return () => {
    let found = 0;
    for (let i = 0; i < BATCH; i++) {
      if (fs.existsSync(paths[at] as string)) found++; // `at` is below the length
      if (++at === paths.length) at = 0;
    }
    return found;
  };
}

function access(path: string): Pick<Turns, "begin" | "batch"> {
  let length = 0;
  return {
    begin() {
      length = core.put(path);
    },
    batch() {
      let found = 0;
      for (let i = 0; i < BATCH; i++) if (core.access(length) === 0) found++;
      return found;
    },
  };
}

function list(path: string): Pick<Turns, "begin" | "batch"> {
  let length = 0;
  return {
    begin() {
      length = core.put(path);
    },
    batch() {
      let found = 0;
      for (let i = 0; i < BATCH; i++) if (core.list(length) > 0) found++;
      return found;
    },
  };
}

function rename(from: string, to: string): () => number {
  return () => {
    for (let i = 0; i < BATCH / 2; i++) {
      fs.renameSync(from, to);
      fs.renameSync(to, from);
    }
    return BATCH;
  };
}

function make(task: Task): Pick<Turns, "begin" | "batch"> {
  switch (task.kind) {
    case "compute":
      return { batch: compute() };
    case "exists": {
      if ("paths" in task) return { batch: exists(task.paths) };
      return { batch: exists(Array.from(task.order, (number) => flat(`/${fileName(number, task.side)}`))) };
    }
    case "access":
      return access(task.path);
    case "list":
      return list(task.path);
    case "rename":
      return { batch: rename(task.from, task.to) };
  }
}

/** Waits until all threads of this run are here, at most a second: they begin together. */
function awaitAll(threads: number): void {
  if (Atomics.add(control, CONTROL.READY, 1) === threads - 1) {
    Atomics.store(control, CONTROL.GO, 1);
    Atomics.notify(control, CONTROL.GO);
    return;
  }
  if (Atomics.wait(control, CONTROL.GO, 0, 1000) === "timed-out") throw new Error("the other threads did not come");
}

/** The walk mode belongs to an instance of the core, and this thread has two. */
function setMode(ref: boolean): void {
  vfs.walkMode({ ref });
  core.core.walkMode(ref ? 1 : 0);
}

function run(name: string, threads: number): TimedRun {
  const turns = defined(prepared.get(name), `the task ${name}`);
  setMode(turns.ref);
  turns.begin?.();
  const countersBefore = vfs.counters({ own: true });
  awaitAll(threads);
  const batches: number[] = [];
  let hits = 0;
  const start = process.hrtime.bigint();
  let before = start;
  while (Atomics.load(control, CONTROL.STOP) === 0) {
    hits += turns.batch();
    const after = process.hrtime.bigint();
    batches.push(Number(after - before));
    before = after;
  }
  const count = batches.length * BATCH;
  // The median batch shows the speed while this thread is on a core; waiting for a core does not show.
  const ns = (batches.length === 0 ? Number.POSITIVE_INFINITY : median(batches)) / BATCH;
  const wall = Number(before - start);
  setMode(false);
  return { count, hits, ns, wall, counters: counterDelta(countersBefore, vfs.counters({ own: true })) };
}

serveRequests<TimedRequest>(
  (request) => {
    switch (request.task) {
      case "hello":
        return undefined;
      case "prepare":
        prepared.set(request.name, { ...make(request.turns), ref: request.turns.ref === true });
        return undefined;
      case "run":
        return run(request.name, request.threads);
    }
  },
  () => vfs.close(),
);
