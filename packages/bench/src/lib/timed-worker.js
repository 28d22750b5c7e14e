// One thread of a squad. A task is turned into a function that does a batch of turns and answers how many of them found
// something; the thread runs batches until the control word says stop.

import { parentPort, workerData } from "node:worker_threads";
import { loadThreadfs, openCore } from "./rivals.js";
import { median } from "./stats.js";
import { CONTROL } from "./timed-workers.js";
import { fileName, flat } from "./tree.js";

const { handle, control } = workerData;
const { attachVfs } = await loadThreadfs();
const vfs = await attachVfs(handle);
const { fs } = vfs;
const door = await openCore(handle);
const tasks = new Map();

const BATCH = 256;

/** Computation in registers only: what two threads can reach at best on this machine. */
function compute() {
  let state = 1;
  return () => {
    for (let i = 0; i < BATCH; i++) {
      for (let k = 0; k < 64; k++) state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1) | 0;
    }
    return state === 0 ? 1 : 0;
  };
}

/** existsSync of paths one after the other. */
function exists(paths) {
  let at = 0;
  return () => {
    let found = 0;
    for (let i = 0; i < BATCH; i++) {
      if (fs.existsSync(paths[at])) found++;
      if (++at === paths.length) at = 0;
    }
    return found;
  };
}

/** sysAccess of one path that lies in scratch all the time: the walk without the string. */
function access(path) {
  let length = 0;
  return {
    begin() {
      length = door.put(path);
    },
    batch() {
      let found = 0;
      for (let i = 0; i < BATCH; i++) if (door.access(length) === 0) found++;
      return found;
    },
  };
}

/** Renames to and fro between two names. */
function rename(from, to) {
  return () => {
    for (let i = 0; i < BATCH / 2; i++) {
      fs.renameSync(from, to);
      fs.renameSync(to, from);
    }
    return BATCH;
  };
}

function make(task) {
  if (task.kind === "compute") return { batch: compute() };
  if (task.kind === "exists") {
    const paths = task.paths ?? Array.from(task.order, (number) => flat(`/${fileName(number, task.side)}`));
    return { batch: exists(paths) };
  }
  if (task.kind === "access") return access(task.path);
  if (task.kind === "rename") return { batch: rename(task.from, task.to) };
  throw new RangeError(`unknown task ${task.kind}`);
}

/** Waits until all threads of this run have come, at most a second: they are to begin together. */
function awaitAll(threads) {
  if (Atomics.add(control, CONTROL.READY, 1) === threads - 1) {
    Atomics.store(control, CONTROL.GO, 1);
    Atomics.notify(control, CONTROL.GO);
    return;
  }
  if (Atomics.wait(control, CONTROL.GO, 0, 1000) === "timed-out") throw new Error("the other threads did not come");
}

/** The walk mode belongs to an instance of the core, and there are two here. */
function setMode(ref) {
  vfs.walkMode({ ref });
  door.core.walkMode(ref ? 1 : 0);
}

function difference(after, before) {
  return Object.fromEntries(Object.entries(after).map(([key, value]) => [key, value - before[key]]));
}

function run(name, threads) {
  const task = tasks.get(name);
  setMode(task.ref === true);
  task.begin?.();
  const countersBefore = vfs.counters({ own: true });
  awaitAll(threads);
  const batches = [];
  let hits = 0;
  const start = process.hrtime.bigint();
  let before = start;
  while (Atomics.load(control, CONTROL.STOP) === 0) {
    hits += task.batch();
    const after = process.hrtime.bigint();
    batches.push(Number(after - before));
    before = after;
  }
  const count = batches.length * BATCH;
  // The median batch shows the speed while this thread is on a core, whoever else wants it; it does not show waiting.
  const ns = (batches.length === 0 ? Number.POSITIVE_INFINITY : median(batches)) / BATCH;
  const wall = Number(before - start);
  setMode(false);
  return { count, hits, ns, wall, counters: difference(vfs.counters({ own: true }), countersBefore) };
}

parentPort.on("message", ({ prepare, task, run: name, threads }) => {
  try {
    if (prepare) {
      tasks.set(prepare, Object.assign(make(task), { ref: task.ref }));
      parentPort.postMessage({ prepared: prepare });
    } else {
      parentPort.postMessage(run(name, threads));
    }
  } catch (error) {
    parentPort.postMessage({ error: error.stack });
  }
});
parentPort.postMessage({ ready: true });
