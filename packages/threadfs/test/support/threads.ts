/**
 * Real threads on one tree: bodies that run against each other, and a loop beside the test's own thread. Threads that share a busy
 * machine run in turns of unknown length, so that a race lasts a time and at least some rounds of each thread.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { defined } from "../../../cli/dist/support/defined.js";
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import { HANG_MS } from "../../../verify/dist/support/hang.js";
import type { Context } from "../../dist/src/api/context.js";
import type { Vfs, VfsHandle } from "../../dist/src/index.js";
import type { objectDriver } from "./drivers/object-driver.js";
import type { TestScope, walkerOf } from "./hooked-vfs.js";
import type { RawCore } from "./raw-core.js";
import { sourceOf, type WorkerBody } from "./worker-body.js";

/** What bodies find under `tools`, beside the tree. */
export interface ThreadTools {
  readonly Context: typeof Context;
  readonly objectDriver: typeof objectDriver;
  readonly walkerOf: typeof walkerOf;
}

/** A body of threads(). It asks `running` once a round, and ends when that is false; `data` is a copy of what the test gave. */
export type ThreadBody<Data> = WorkerBody<
  [vfs: Vfs, raw: RawCore, running: () => boolean, data: Data, tools: ThreadTools]
>;

/** What a thread of threads() is started with. */
export interface ThreadWorkerData {
  readonly handle: VfsHandle;
  readonly data: unknown;
  /** Words: 0 the race is over, 1 + i how often body i has asked whether it is. */
  readonly shared: Int32Array;
}

/** "prepare" returns when the thread can run a body with this text; "run" returns what the body returns. */
export type ThreadRequest = { task: "prepare"; source: string; index: number } | { task: "run" };

/** A race lasts until each of its threads has begun this many rounds. */
const MIN_ROUNDS = 25;

/** How often a race looks whether it is over, in milliseconds. */
const POLL_MS = 10;

/**
 * Each body runs in a worker of its own on the tree of `handle`, all at a time, for `ms` milliseconds and at least {@link MIN_ROUNDS}
 * rounds. Returns what the bodies returned, in their order; the caller names the types.
 */
export async function threads<Results extends unknown[] = unknown[], Data = unknown>(
  handle: VfsHandle,
  ms: number,
  bodies: readonly ThreadBody<Data>[],
  data?: Data,
): Promise<Results> {
  const shared = new Int32Array(new SharedArrayBuffer(4 * (1 + bodies.length)));
  const workerData: ThreadWorkerData = { handle, data: data ?? {}, shared };
  const sources = bodies.map((body) => sourceOf(body));
  const script = new URL("./workers/thread.worker.js", import.meta.url);
  const pool = new WorkerPool<ThreadRequest>(script, bodies.length, "thread", workerData);
  try {
    await pool.askAll((i) => ({ task: "prepare", source: defined(sources[i], `body ${i}`), index: i }), HANG_MS);
    let ended = false;
    const runs = pool
      .settleAll(() => ({ task: "run" }), HANG_MS)
      .finally(() => {
        ended = true;
      });
    await sleep(ms);
    // A body that asks seldom ends by itself.
    while (!ended && shared.subarray(1).some((_, i) => Atomics.load(shared, 1 + i) < MIN_ROUNDS)) await sleep(POLL_MS);
    Atomics.store(shared, 0, 1);
    const values: unknown[] = [];
    for (const run of await runs) {
      if (run.status === "rejected") throw run.reason;
      values.push(run.value);
    }
    return values as Results;
  } finally {
    Atomics.store(shared, 0, 1);
    await pool.stop();
  }
}

/** What a loop's thread is started with. */
export interface LoopWorkerData {
  readonly handle: VfsHandle;
  /** Words: 0 stop, 1 the first round is done, 2 how many rounds are done. */
  readonly shared: Int32Array;
}

/** Does the rounds; returns how many there were. */
export interface LoopRequest {
  readonly task: "loop";
  readonly source: string;
  readonly maxRounds: number;
}

export interface Loop {
  /** Ends the loop; returns how many rounds there were. */
  stop(): Promise<number>;
  /** Waits until it has done its rounds. */
  done(): Promise<number>;
  /** How many rounds it has done so far. */
  readonly rounds: number;
  readonly maxRounds: number;
}

/** A thread that does its work over and over. Returns once it has begun. */
export async function startLoop(
  t: TestScope,
  vfs: Vfs,
  work: WorkerBody<[vfs: Vfs, round: number]>,
  maxRounds = 1e9,
): Promise<Loop> {
  const shared = new Int32Array(new SharedArrayBuffer(12));
  const workerData: LoopWorkerData = { handle: vfs.handle, shared };
  const pool = new WorkerPool<LoopRequest>(new URL("./workers/loop.worker.js", import.meta.url), 1, "loop", workerData);
  t.after(() => {
    Atomics.store(shared, 0, 1);
    return pool.stop();
  });
  const ended = pool.ask<number>(0, { task: "loop", source: sourceOf(work), maxRounds }, HANG_MS);
  ended.catch(() => {});
  const begun = Atomics.waitAsync(shared, 1, 0, HANG_MS);
  if ((begun.async ? await begun.value : begun.value) === "timed-out") throw new Error("the worker never began");
  return {
    stop() {
      Atomics.store(shared, 0, 1);
      return ended;
    },
    done: () => ended,
    get rounds() {
      return Atomics.load(shared, 2);
    },
    maxRounds,
  };
}

/** A thread that renames a file to another name and back, over and over. */
export function startRenaming(t: TestScope, vfs: Vfs, from: string, to: string): Promise<Loop> {
  const [a, b] = [JSON.stringify(from), JSON.stringify(to)];
  return startLoop(t, vfs, `vfs.fs.renameSync(${a}, ${b}); vfs.fs.renameSync(${b}, ${a});`);
}

/**
 * Does something again and again for `ms` milliseconds, and until the loop beside it has done {@link MIN_ROUNDS} more rounds; returns
 * how often.
 */
export function during(ms: number, beside: Loop, run: (round: number) => void): number {
  const until = performance.now() + ms;
  const enough = Math.min(beside.rounds + MIN_ROUNDS, beside.maxRounds);
  let rounds = 0;
  do {
    for (let i = 0; i < 100; i++) run(rounds++);
  } while (performance.now() < until || beside.rounds < enough);
  return rounds;
}
