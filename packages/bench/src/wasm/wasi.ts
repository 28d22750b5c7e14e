// How long does a program of WASI take to open, read and close a file: on threadfs/wasi, and with node:wasi over the kernel's memory file
// system? And how much more do two threads do than one, each with a program on one tree?

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { createVfs, type Vfs } from "threadfs";
import type { BenchOptions, Question } from "../lib/question.js";
import { Result } from "../lib/result.js";
import { makeTempDirectory, removeTempDirectory } from "../lib/tempdir.js";
import { DEEP, nodeProgram, type Run, treeProgram } from "./wasi/loop.js";
import type { WasiWorkerData } from "./wasi/worker.js";

/** How many times faster than node:wasi, and than one thread. */
const TARGET = 10;
const THREADS_TARGET = 1.9;
const TURNS = 20_000;
const QUICK_TURNS = 2000;
const TMPFS = "/dev/shm";
const CONTENTS = "x".repeat(100);
/** The directories of the programs of two threads. */
const DIRECTORIES = ["/w0", "/w1"] as const;

/** Nanoseconds a turn of one run. */
function timed(run: Run, turns: number): number {
  const began = performance.now();
  if (run(turns) !== 0) throw new Error("the program has failed");
  return ((performance.now() - began) * 1e6) / turns;
}

function fill(vfs: Vfs): void {
  for (const dir of DIRECTORIES) {
    vfs.fs.mkdirSync(`${dir}/${path.dirname(DEEP)}`, { recursive: true });
    vfs.fs.writeFileSync(`${dir}/${DEEP}`, CONTENTS);
  }
}

/** Turns a second of threads that work at the same time, each with a program of its own in one of these directories. */
async function together(vfs: Vfs, dirs: readonly string[], turns: number): Promise<number> {
  const start = new Int32Array(new SharedArrayBuffer(4));
  const workers = dirs.map((dir) => {
    const workerData: WasiWorkerData = { handle: vfs.context().handle, dir, start, turns };
    return new Worker(new URL("./wasi/worker.js", import.meta.url), { workerData });
  });
  // All listen before any of them is awaited: a message that nobody listens for is lost.
  const next = (worker: Worker) =>
    new Promise<unknown>((resolve, reject) => {
      worker.once("error", reject);
      worker.once("message", resolve);
    });
  await Promise.all(workers.map(next));
  const results = Promise.all(workers.map(next)) as Promise<number[]>;
  Atomics.store(start, 0, 1);
  Atomics.notify(start, 0);
  const milliseconds = Math.max(...(await results));
  await Promise.all(workers.map((worker) => worker.terminate()));
  return (dirs.length * turns * 1000) / milliseconds;
}

async function run({ quick, rounds, skip }: BenchOptions): Promise<Result> {
  const result = new Result("wasi", "What do path_open, fd_read and fd_close cost a program of WASI?");
  const turns = quick ? QUICK_TURNS : TURNS;
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  fill(vfs);
  const dir = makeTempDirectory(TMPFS);
  mkdirSync(path.join(dir, path.dirname(DEEP)), { recursive: true });
  writeFileSync(path.join(dir, DEEP), CONTENTS);
  const ours = treeProgram(vfs, DIRECTORIES[0]);
  const theirs = skip.includes("node") ? undefined : await nodeProgram(dir);
  const times = {
    ours: [] as number[],
    theirs: [] as number[],
    one: [] as number[],
    two: [] as number[],
    same: [] as number[],
  };
  for (const program of [ours, theirs]) if (program) timed(program, turns);
  for (let round = 0; round < rounds; round++) {
    times.ours.push(timed(ours, turns));
    if (theirs) times.theirs.push(timed(theirs, turns));
  }
  for (let round = 0; round < rounds; round++) {
    times.one.push(await together(vfs, DIRECTORIES.slice(0, 1), turns * 10));
    times.two.push(await together(vfs, DIRECTORIES, turns * 10));
    times.same.push(await together(vfs, [DIRECTORIES[0], DIRECTORIES[0]], turns * 10));
  }
  const what = "open, read 64 bytes, close";
  const mine = result.measure(what, "threadfs/wasi", "ns", times.ours);
  if (theirs) result.ratio(what, result.measure(what, "node:wasi on tmpfs", "ns", times.theirs), mine, TARGET);
  const one = result.measure(what, "threadfs/wasi, 1 thread", "turns/s", times.one);
  const two = result.measure(what, "threadfs/wasi, 2 threads, each its own file", "turns/s", times.two);
  const same = result.measure(what, "threadfs/wasi, 2 threads, one file", "turns/s", times.same);
  result.ratio(what, two, one, THREADS_TARGET);
  // Both take and put references on one dentry.
  result.ratio(what, same, one);
  rmSync(path.join(dir, DEEP));
  removeTempDirectory(dir);
  vfs.close();
  return result;
}

export default { name: "wasi", run } satisfies Question;
