// How long does a program of WASI take to open, read and close a file: on threadfs/wasi, and with node:wasi over the kernel's memory file
// system? And how much more do two threads do than one, each with a program on one tree?

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createVfs, type Vfs } from "threadfs";
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import type { BenchOptions, Question } from "../lib/question.js";
import { Result } from "../lib/result.js";
import { makeTempDirectory, removeTempDirectory } from "../lib/tempdir.js";
import { DEEP, nodeProgram, type Run, treeProgram } from "./wasi/loop.js";
import type { WasiRequest, WasiStart } from "./wasi/worker.js";

/** How many times faster than node:wasi, and than one thread. */
const TARGET = 10;
const THREADS_TARGET = 1.9;
const TURNS = 20_000;
const QUICK_TURNS = 2000;
const TMPFS = "/dev/shm";
const CONTENTS = "x".repeat(100);
/** The directories of the programs of two threads. */
const DIRECTORIES = ["/w0", "/w1"] as const;
const WORKER = new URL("./wasi/worker.js", import.meta.url);
const REQUEST_LIMIT_MS = 600_000;
const WHAT = "open, read 64 bytes, close";

/** The threads of all rounds: the engine compiles in new ones, on the cores that are measured. */
interface Threads {
  pool: WorkerPool<WasiRequest>;
  /** How many of them are about to begin. */
  arrived: Int32Array;
  /** Turns that each makes at a time. */
  turns: number;
}

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

/** Turns a second of threads that work at the same time, the first in the first of these directories, and so on. */
async function together(
  { pool, arrived, turns }: Threads,
  dirs: readonly string[],
  { oneContext = false } = {},
): Promise<number> {
  arrived[0] = 0;
  const times = dirs.map((dir, n) =>
    pool.ask<number>(n, { task: "run", dir, oneContext, threads: dirs.length, turns }, REQUEST_LIMIT_MS),
  );
  return (dirs.length * turns * 1000) / Math.max(...(await Promise.all(times)));
}

async function measureThreads(vfs: Vfs, turns: number, rounds: number, result: Result): Promise<void> {
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const start: WasiStart = { handle: vfs.handle, arrived };
  const threads: Threads = { arrived, turns, pool: new WorkerPool(WORKER, DIRECTORIES.length, "program", start) };
  const [first] = DIRECTORIES;
  const times: Record<"one" | "two" | "file" | "contextOne" | "context", number[]> = {
    one: [],
    two: [],
    file: [],
    contextOne: [],
    context: [],
  };
  try {
    for (let round = -1; round < rounds; round++) {
      const found = {
        one: await together(threads, [first]),
        two: await together(threads, DIRECTORIES),
        file: await together(threads, [first, first]),
        contextOne: await together(threads, [first], { oneContext: true }),
        context: await together(threads, DIRECTORIES, { oneContext: true }),
      };
      // The engine compiles in the first round.
      if (round >= 0) for (const who of Object.keys(times) as (keyof typeof times)[]) times[who].push(found[who]);
    }
  } finally {
    await threads.pool.stop();
  }
  const one = result.measure(WHAT, "threadfs/wasi, 1 thread", "turns/s", times.one);
  const two = result.measure(WHAT, "threadfs/wasi, 2 threads, each its own file", "turns/s", times.two);
  const file = result.measure(WHAT, "threadfs/wasi, 2 threads, one file", "turns/s", times.file);
  const contextOne = result.measure(WHAT, "threadfs/wasi, 1 thread, the tree's context", "turns/s", times.contextOne);
  const context = result.measure(WHAT, "threadfs/wasi, 2 threads, the tree's context", "turns/s", times.context);
  result.ratio(WHAT, two, one, THREADS_TARGET);
  // Both take and put references on one dentry.
  result.ratio(WHAT, file, one);
  // Each takes and gives back descriptors of its own part of one table.
  result.ratio(WHAT, context, contextOne, THREADS_TARGET);
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
  const times = { ours: [] as number[], theirs: [] as number[] };
  for (const program of [ours, theirs]) if (program) timed(program, turns);
  for (let round = 0; round < rounds; round++) {
    times.ours.push(timed(ours, turns));
    if (theirs) times.theirs.push(timed(theirs, turns));
  }
  const mine = result.measure(WHAT, "threadfs/wasi", "ns", times.ours);
  if (theirs) result.ratio(WHAT, result.measure(WHAT, "node:wasi on tmpfs", "ns", times.theirs), mine, TARGET);
  await measureThreads(vfs, turns * 10, rounds, result);
  rmSync(path.join(dir, DEEP));
  removeTempDirectory(dir);
  vfs.close();
  return result;
}

export default { name: "wasi", run } satisfies Question;
