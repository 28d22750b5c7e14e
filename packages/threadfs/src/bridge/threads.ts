/**
 * The threads of the host: the id by which a thread can be found in a tree's memory, and how its end is noticed without a word
 * from the program.
 *
 *  - Node and Bun: the process tells the thread that makes a worker ("worker"), and the worker tells its end ("exit"). A thread
 *    that ends takes the threads that it made with it, so each slot names them too: workers inherit the ids of the threads above
 *    them (`setEnvironmentData`).
 *  - Web Locks (web-locks.ts), where a thread holds one.
 *  - A thread that ends by itself detaches: "exit" of its own process object.
 *
 * One listener for each worker and two for the thread, however many trees there are. None keeps the process alive.
 */
import {
  HOLDS_LOCK,
  MAX_THREADS,
  NR_ANCESTORS,
  SLOT_FLAGS,
  SLOT_HOST_ID,
  SLOT_SIZE,
  SLOT_STATE,
  SLOTS,
  THREAD_OF_HOST,
} from "../../abi/memory.js";
import { nodeModule, nodeProcess } from "./node.js";
import type { SharedMemory } from "./wasm.js";
import { randomHostId } from "./web-locks.js";

/** The part of a `Worker` of `node:worker_threads` that is used. */
export interface WorkerLike {
  readonly threadId: number;
  once(event: "exit", listener: () => void): unknown;
}

/** Whether the host tells the end of this object's thread; an object of the program's own could emit "exit" while a thread runs. */
export function isWorker(value: unknown): value is WorkerLike {
  const threads = nodeModule("node:worker_threads");
  return threads !== undefined && value instanceof threads.Worker;
}

/** An attachment of this thread, as far as it has to do with the ends of threads. */
export interface Watcher {
  /** The thread of a worker of this thread has ended, and all that it has made. */
  workerEnded(hostId: number): void;
  /** This thread ends. */
  threadEnds(): void;
}

/** A thread for a tree: its id, and those of the threads that it ends with. */
export interface HostThread {
  id: number;
  /** The host has given the id, so that its end can be told by it. */
  ofHost: boolean;
  ancestors: readonly number[];
}

/** Ended workers that are remembered, for trees that this thread attaches to later. */
const ENDED_MAX = 1024;
const ANCESTORS = "threadfs.ancestors";

/** How to get at the attachments of this thread: of one that this thread has created, nothing is left when the program drops it. */
const watchers = /* @__PURE__ */ new Set<() => Watcher | undefined>();
const ended = /* @__PURE__ */ new Set<number>();
const seen = /* @__PURE__ */ new WeakSet<object>();
let watching = false;

/**
 * Whether "exit" of a worker means that it does not run any more. Deno emits it, and settles terminate(), while the thread may
 * still be inside a call.
 */
export function exitIsProof(): boolean {
  return nodeProcess()?.versions?.deno === undefined;
}

/** The id of this thread. Deno gives none to its web workers, so threads there have random ones unless it gives one. */
export function hostThread(): HostThread {
  const threads = nodeModule("node:worker_threads");
  const inWebWorker = typeof (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope === "function";
  if (threads === undefined || (threads.threadId === 0 && inWebWorker)) {
    return { id: randomHostId(), ofHost: false, ancestors: [] };
  }
  const id = threads.threadId + 1;
  const inherited = threads.getEnvironmentData?.(ANCESTORS);
  const above = typeof inherited === "string" ? inherited.split(",").map(Number) : [];
  return { id, ofHost: true, ancestors: above.filter((ancestor) => ancestor !== id).slice(-NR_ANCESTORS) };
}

/** Begins to watch the workers that this thread makes, and its own end, for an attachment. */
export function watchThreads(watcher: Watcher, { weakly }: { weakly: boolean }): void {
  const ref = weakly ? new WeakRef(watcher) : undefined;
  watchers.add(ref ? () => ref.deref() : () => watcher);
  for (const hostId of ended) watcher.workerEnded(hostId);
  if (watching) return;
  watching = true;
  const process = nodeProcess();
  const threads = nodeModule("node:worker_threads");
  if (process?.on === undefined || threads === undefined) return;
  process.on("worker", (worker) => watchWorker(worker as WorkerLike));
  // The memory of the main thread ends with the process.
  if (!threads.isMainThread) {
    process.on("exit", () => {
      for (const each of liveWatchers()) each.threadEnds();
    });
    const { id, ofHost, ancestors } = hostThread();
    if (ofHost) threads.setEnvironmentData?.(ANCESTORS, [...ancestors, id].join(","));
  }
}

export function unwatchThreads(watcher: Watcher): void {
  for (const get of watchers) if (get() === watcher) watchers.delete(get);
}

function liveWatchers(): Watcher[] {
  return [...watchers].flatMap((get) => {
    const watcher = get();
    if (watcher === undefined) watchers.delete(get);
    return watcher ?? [];
  });
}

/** Notices the end of a worker, for all trees. */
export function watchWorker(worker: WorkerLike): void {
  if (seen.has(worker)) return;
  seen.add(worker);
  // At once, because an ended worker's is -1.
  const hostId = worker.threadId + 1;
  if (hostId <= 0) return;
  worker.once("exit", () => {
    ended.add(hostId);
    if (ended.size > ENDED_MAX) for (const oldest of ended) if (ended.delete(oldest)) break;
    for (const each of liveWatchers()) each.workerEnded(hostId);
  });
}

/** A slot that is in use, and its thread's id. */
export interface SlotInUse {
  slot: number;
  hostId: number;
  /** The host has given the id. */
  ofHost: boolean;
}

/** The slots of a tree that are in use. */
export function slotsInUse(memory: SharedMemory): SlotInUse[] {
  const words = new Uint32Array(memory.buffer, SLOTS, (SLOT_SIZE * MAX_THREADS) / 4);
  const found: SlotInUse[] = [];
  for (let slot = 0; slot < MAX_THREADS; slot++) {
    const at = (slot * SLOT_SIZE) / 4;
    if (words[at + SLOT_STATE / 4] === 0) continue;
    const ofHost = ((words[at + SLOT_FLAGS / 4] ?? 0) & THREAD_OF_HOST) !== 0;
    found.push({ slot, hostId: words[at + SLOT_HOST_ID / 4] ?? 0, ofHost });
  }
  return found;
}

/** Whether a worker of this thread with this id has ended, where that is known for certain. */
export function hasEnded(hostId: number): boolean {
  return exitIsProof() && ended.has(hostId % HOLDS_LOCK);
}
