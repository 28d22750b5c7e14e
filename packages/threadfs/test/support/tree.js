/**
 * Trees for the tests of the core: the debug build, whose named points a test can hook, and several attachments to one tree.
 *
 * Interleavings are forced in two ways.
 *  - `vfs.at(point, action)`: the action runs once, inside the walk of `vfs`, the next time it passes the point. The action
 *    works through another attachment (`tree.attach()`), in the same thread. Right for points on the read side, where the
 *    walk holds no lock.
 *  - `tree.parked(file, point)`: a worker thread that stops at a point, holding whatever it holds there, until it is let go.
 *    Right for points inside a writer.
 */
import { Worker } from "node:worker_threads";
import { loadCore } from "../../dist/src/bridge/load.js";
import { attachVfs, createVfs } from "../../dist/src/index.js";
import { DEBUG_CORE } from "./debug-core.js";

/** Longest time a parked worker stays where it is, in milliseconds: nothing hangs. */
const PARK_MS = 2000;

class Hooks {
  #actions = new Map();
  #seen = [];
  recording = false;

  point = (id, a, b) => {
    if (this.recording) this.#seen.push([id, a, b]);
    const action = this.#actions.get(id);
    if (action === undefined) return;
    this.#actions.delete(id);
    action(a, b);
  };

  once(id, action) {
    this.#actions.set(id, action);
  }

  pending(id) {
    return this.#actions.has(id);
  }

  record(run) {
    this.#seen = [];
    this.recording = true;
    try {
      run();
    } finally {
      this.recording = false;
    }
    return this.#seen;
  }
}

/**
 * A fresh tree on the debug build.
 * @returns {Promise<{vfs, attach, at, points, counted, close}>} `vfs` and every `attach()`ed one have `at(point, action)`
 *   and `points(run)`, the points [id, a, b] that a run passes; `counted(run)` is what the counters grew by during a run.
 */
export async function debugTree(options = {}) {
  const core = await loadCore({ url: DEBUG_CORE });
  const open = [];
  const dress = (vfs, hooks) => {
    open.push(vfs);
    vfs.at = (id, action) => hooks.once(id, action);
    /** Whether an action is still waiting for its point: then the interleaving did not happen. */
    vfs.waits = (id) => hooks.pending(id);
    vfs.points = (run) => hooks.record(run);
    return vfs;
  };
  const first = new Hooks();
  const vfs = dress(await createVfs({ maxBytes: 64 << 20, ...options, core, point: first.point }), first);
  return {
    vfs,
    async attach(more = {}) {
      const hooks = new Hooks();
      return dress(await attachVfs(vfs.handle, { ...more, point: hooks.point }), hooks);
    },
    counted(run, of = vfs) {
      const before = of.counters();
      run();
      const after = of.counters();
      return Object.fromEntries(Object.keys(after).map((k) => [k, after[k] - before[k]]));
    },
    /** A worker that runs `source` (the body of a function of `vfs` and `POINT`) and stops at point `id` the `nth` time. */
    async parked(source, id, nth = 1) {
      const shared = new Int32Array(new SharedArrayBuffer(12));
      const worker = new Worker(new URL("./parked.worker.js", import.meta.url), {
        workerData: { handle: vfs.handle, source, id, nth, shared, parkMs: PARK_MS },
      });
      const ended = new Promise((resolve, reject) => {
        worker.on("message", resolve);
        worker.on("error", reject);
        worker.on("exit", () => reject(new Error("the worker ended without an answer")));
      });
      ended.catch(() => {});
      const there = Atomics.waitAsync(shared, 0, 0, 5000);
      const how = there.async ? await there.value : there.value;
      if (how === "timed-out") throw new Error("the worker never came to the point");
      return {
        /** Lets it go on and waits for what it answers. */
        async release() {
          Atomics.store(shared, 1, 1);
          Atomics.notify(shared, 1);
          const answer = await ended;
          await worker.terminate();
          return answer;
        },
        /** Kills it where it is. */
        async kill() {
          await worker.terminate();
        },
        get slot() {
          return Atomics.load(shared, 2);
        },
      };
    },
    close() {
      for (const v of open) v.close();
    },
  };
}

/** The `code` of the error that a call throws, undefined when it throws none. */
export function codeOf(run) {
  try {
    run();
    return undefined;
  } catch (error) {
    return error.code ?? `${error}`;
  }
}

/** A fresh tree that ends with the test. */
export async function treeFor(t, options) {
  const tree = await debugTree(options);
  t.after(() => tree.close());
  return tree;
}

/** The passes of some points among those that `points(run)` answered. */
export const of = (points, ...ids) => points.filter(([id]) => ids.includes(id));
