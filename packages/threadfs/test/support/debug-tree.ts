/**
 * Trees for the tests of the core: the debug build, whose named points a test can hook, and several attachments to one tree.
 *
 * Interleavings are forced in two ways.
 *  - `vfs.at(point, action)`: the action runs once, inside the walk of `vfs`, the next time it passes the point. The action
 *    works through another attachment (`tree.attach()`), in the same thread. Right for points on the read side, where the
 *    walk holds no lock.
 *  - `tree.parked(work, point)`: a worker thread that stops at a point, with the locks that it holds there, until the test
 *    releases it. Right for points inside a writer.
 *
 * With THREADFS_COUNTERS=near-end in the environment all counters of these trees begin close to their end.
 */
import { Worker } from "node:worker_threads";
import { isNearEnd, setCountersNearEnd } from "../../../verify/dist/fsck/near-end.js";
import { HANG_MS } from "../../../verify/dist/support/hang.js";
import type { POINT } from "../../dist/abi/abi.js";
import {
  attachVfs,
  type Counters,
  type CreateOptions,
  createVfs,
  type HostOptions,
  loadCore,
  type Vfs,
} from "../../dist/src/index.js";
import { counterGrowth } from "./counters.js";
import { DEBUG_CORE } from "./debug-core.js";
import { type HookedVfs, PointHooks, type TestScope } from "./hooked-vfs.js";
import { sourceOf, type WorkerBody } from "./worker-body.js";

export type DebugTreeOptions = Partial<Omit<CreateOptions, "core" | "point">>;

/** What a parked worker does: a function that uses nothing but its arguments, or a function's body. */
export type ParkedWork = WorkerBody<[vfs: Vfs, points: typeof POINT]>;

/** The outcome of a parked worker: the value of its work, or the error that the work threw. */
export interface ParkedResult {
  value?: unknown;
  code?: string;
  message?: string;
}

/** A worker that waits at a point of the core. */
export interface ParkedWorker {
  /** Lets the worker go on and waits for its result. */
  release(): Promise<ParkedResult>;
  /** Terminates the worker where it is. */
  kill(): Promise<void>;
  /** Its thread's number. */
  readonly slot: number;
}

/** What a parked worker is started with. */
export interface ParkedWorkerData {
  readonly handle: Vfs["handle"];
  readonly source: string;
  readonly id: number;
  readonly nth: number;
  /** Words: 0 the worker is at the point, 1 it may go on. Behind them its thread's number, a double. */
  readonly shared: Int32Array;
  readonly parkMs: number;
}

export interface DebugTree {
  readonly vfs: HookedVfs;
  /** One more attachment of this thread. */
  attach(host?: HostOptions): Promise<HookedVfs>;
  /** What the counters grew by during a run. */
  counted(run: () => unknown, of?: Vfs): Counters;
  /**
   * A worker that does the work and stops at point `id` the `nth` time it passes it. It goes on when it is released, and after `parkMs`
   * milliseconds where the test's own thread waits for the worker.
   */
  parked(work: ParkedWork, id: number, nth?: number, parkMs?: number): Promise<ParkedWorker>;
  close(): void;
}

/** The thread's number, which the worker has written before it came to the point. */
const numberIn = (shared: Int32Array): Float64Array => new Float64Array(shared.buffer, 8, 1);

async function parkedWorker(
  vfs: Vfs,
  work: ParkedWork,
  id: number,
  nth: number,
  parkMs: number,
): Promise<ParkedWorker> {
  const shared = new Int32Array(new SharedArrayBuffer(16));
  const source = sourceOf(work);
  const workerData: ParkedWorkerData = { handle: vfs.handle, source, id, nth, shared, parkMs };
  const worker = new Worker(new URL("./workers/parked.worker.js", import.meta.url), { workerData });
  const ended = new Promise<ParkedResult>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("the worker ended without a result")));
  });
  ended.catch(() => {});
  const there = Atomics.waitAsync(shared, 0, 0, HANG_MS);
  const how = there.async ? await there.value : there.value;
  if (how === "timed-out") throw new Error("the worker never came to the point");
  // A test that fails before it releases the worker leaves it where it is: the process does not wait for that.
  worker.unref();
  return {
    async release() {
      worker.ref();
      Atomics.store(shared, 1, 1);
      Atomics.notify(shared, 1);
      const result = await ended;
      await worker.terminate();
      return result;
    },
    async kill() {
      await worker.terminate();
    },
    get slot() {
      return numberIn(shared)[0] as number;
    },
  };
}

/** A fresh tree on the debug build. */
export async function debugTree(options: DebugTreeOptions = {}): Promise<DebugTree> {
  const core = await loadCore({ url: DEBUG_CORE });
  const open: Vfs[] = [];
  const withHooks = (vfs: Vfs, hooks: PointHooks): HookedVfs => {
    open.push(vfs);
    return hooks.on(vfs);
  };
  const first = new PointHooks();
  const vfs = withHooks(await createVfs({ maxBytes: 64 << 20, ...options, core, point: first.point }), first);
  if (isNearEnd(process.env.THREADFS_COUNTERS)) setCountersNearEnd(vfs.handle.memory);
  return {
    vfs,
    async attach(host = {}) {
      const hooks = new PointHooks();
      return withHooks(await attachVfs(vfs.handle, { ...host, share: false, point: hooks.point }), hooks);
    },
    counted: (run, of = vfs) => counterGrowth(() => of.counters(), run),
    parked: (work, id, nth = 1, parkMs = HANG_MS) => parkedWorker(vfs, work, id, nth, parkMs),
    close() {
      for (const v of open) v.close();
    },
  };
}

/** A fresh tree that ends with the test. */
export async function treeFor(t: TestScope, options?: DebugTreeOptions): Promise<DebugTree> {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  return tree;
}
