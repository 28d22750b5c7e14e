// Worker threads that repeat a task for as long as the clock runs; each counts its own turns.

import type { VfsHandle } from "threadfs";
import { defined } from "../../../cli/dist/support/defined.js";
import { type Request, WorkerPool } from "../../../cli/dist/support/worker-pool.js";

const WORKER = new URL("./timed-worker.js", import.meta.url);

/** Indices into the shared control words. */
export const CONTROL = { GO: 0, STOP: 1, READY: 2 } as const;

/** No request to a worker takes longer than this. */
const REQUEST_LIMIT_MS = 10 * 60 * 1000;

/**
 * A task, which a thread turns into a function that does a batch of turns.
 *   compute  computation in registers only: the most that threads reach on this machine
 *   exists   existsSync of paths one after the other, given or by their numbers in the tree of lib/tree.ts
 *   access   sysAccess of one path that stays in scratch: the walk without the string
 *   list     sysScandir of one directory: the listing without the strings
 *   rename   renames between two names, there and back
 */
export type Task = { ref?: boolean } & (
  | { kind: "compute" }
  | { kind: "exists"; paths: string[] }
  | { kind: "exists"; order: Uint32Array; side: number }
  | { kind: "access" | "list"; path: string }
  | { kind: "rename"; from: string; to: string }
);

/** What every worker is started with. */
export interface TimedWorkerStart {
  handle: VfsHandle;
  control: Int32Array;
}

export type TimedRequest =
  | { task: "hello" }
  | { task: "prepare"; name: string; turns: Task }
  | { task: "run"; name: string; threads: number };

/** How much one thread did in a run. */
export interface Turns {
  count: number;
  /** Nanoseconds in all. */
  wall: number;
}

/** What one thread did in a run. */
export interface TimedRun extends Turns {
  /** Turns that found something. */
  hits: number;
  /** Nanoseconds a turn in the median batch. */
  ns: number;
  /** The events that the thread's core counted. */
  counters: Record<string, number>;
}

/** A group of threads that attach to one tree. */
export class TimedWorkers {
  readonly #pool: WorkerPool<TimedRequest & Request>;
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * 16));

  private constructor(count: number, handle: VfsHandle) {
    this.#pool = new WorkerPool(WORKER, count, "timed worker", {
      handle,
      control: this.#control,
    } satisfies TimedWorkerStart);
  }

  static async start(count: number, handle: VfsHandle): Promise<TimedWorkers> {
    const workers = new TimedWorkers(count, handle);
    await workers.#pool.askAll(() => ({ task: "hello" }), REQUEST_LIMIT_MS);
    return workers;
  }

  /** Has one thread prepare a task under a name. */
  async prepare(index: number, name: string, turns: Task): Promise<void> {
    await this.#pool.ask(index, { task: "prepare", name, turns }, REQUEST_LIMIT_MS);
  }

  /**
   * Runs prepared tasks at the same time for `ms`; all begin together. Returns what the threads that ran did.
   * @param names the task of each thread; a thread without one sleeps
   */
  async run(names: (string | undefined)[], ms: number): Promise<TimedRun[]> {
    const control = this.#control;
    for (const word of Object.values(CONTROL)) Atomics.store(control, word, 0);
    const busy = [...names.entries()].filter((entry): entry is [number, string] => entry[1] !== undefined);
    const runs = busy.map(([index, name]) =>
      this.#pool.ask<TimedRun>(index, { task: "run", name, threads: busy.length }, REQUEST_LIMIT_MS),
    );
    // This thread sleeps, so that it takes no core from those that are measured.
    await new Promise((resolve) => setTimeout(resolve, ms));
    Atomics.store(control, CONTROL.STOP, 1);
    return Promise.all(runs);
  }

  /** Runs one task of one thread. */
  async runAlone(index: number, name: string, ms: number): Promise<TimedRun> {
    const names = new Array<string | undefined>(index).fill(undefined);
    const [run] = await this.run([...names, name], ms);
    return defined(run, "the run");
  }

  async stop(): Promise<void> {
    await this.#pool.stop();
  }
}

/** Turns a second in all, with all waiting and all disturbance in it. */
export function rate(runs: readonly Turns[]): number {
  return runs.reduce((sum, { count, wall }) => sum + (count * 1e9) / wall, 0);
}

/** Turns a second in all by each thread's median batch: neither other work on the machine shows, nor waiting. */
export function undisturbedRate(runs: TimedRun[]): number {
  return runs.reduce((sum, { ns }) => sum + 1e9 / ns, 0);
}
