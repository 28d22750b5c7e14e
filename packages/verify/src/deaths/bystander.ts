/** Threads that work while others die: the readers and writers of the torture run, on its stamped files. They pause on command. */
import { parentPort } from "node:worker_threads";
import { randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { attachVfs, type Vfs, type VfsHandle } from "../../../threadfs/dist/src/index.js";
import { defined, stackOf } from "../support/defined.js";
import { registerDrivers } from "../torture/drivers.js";
import { makeMixer, makeReader } from "../torture/roles.js";
import { COUNT, type SharedState } from "../torture/shared-state.js";
import { Thread } from "../torture/thread.js";
import type { Workload } from "../torture/workloads/workload.js";
import { makeWorkloads, type WorkloadName, type Workloads } from "../torture/workloads/workloads.js";
import { statelessDriver } from "./stateless-driver.js";

/** A namespace of its own has copies of the victims' mounts: their directories could not be removed. */
const COPIES_MOUNTS: readonly WorkloadName[] = ["separate"];

/** Words of the control array. */
export const CONTROL = { STATE: 0, PAUSED: 1, FAILED: 2 };
export const STATE = { WORK: 0, PAUSE: 1, STOP: 2 };
/** Turns between short rests. */
const REST_EVERY = 20;

interface ThreadOptions {
  handle: VfsHandle;
  sharedState: SharedState;
  index: number;
  seed: number;
}

export interface BystanderData extends ThreadOptions {
  kind: "reader" | "mixer";
  /** The control array. */
  control: SharedArrayBuffer;
}

/** What a worker posts: its slots when it starts, and what went wrong. */
export interface BystanderMessage {
  slots?: number[];
  failure?: string;
}

/** A thread of the torture run on a tree, with all that it works on. */
export interface Bystander {
  thread: Thread;
  /** The slots that it takes in the memory. */
  slots: number[];
  workloads: Workloads;
  vfs: Vfs;
  close(): void;
}

/** Attaches a thread of the torture run to a tree. */
export async function bystanderThread({ handle, sharedState, index, seed }: ThreadOptions): Promise<Bystander> {
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await attachVfs(handle, { now, share: false });
  const arena = Attachment.attach(handle, { now });
  registerDrivers(vfs, arena, sharedState);
  vfs.registerDriver(statelessDriver());
  arena.drivers.register(statelessDriver(), 0);
  const thread = new Thread({ arena, vfs, clock, sharedState, index, next: randomBelow(seedOf(seed, index)) });
  const close = () => {
    arena.close();
    vfs.close();
  };
  return { thread, slots: [vfs.threadSlot, arena.core.threadSlot()], workloads: makeWorkloads(thread), vfs, close };
}

/** Runs a worker until it is stopped. */
export async function runBystander({ control, kind, ...options }: BystanderData): Promise<void> {
  const words = new Int32Array(control);
  const { thread, slots, workloads, close } = await bystanderThread(options);
  const turn = kind === "reader" ? makeReader(thread, workloads) : makeMixer(thread, workloads, 0, 1, COPIES_MOUNTS);
  const post = (message: BystanderMessage) => defined(parentPort, "parent thread").postMessage(message);
  post({ slots });
  try {
    for (;;) {
      const state = Atomics.load(words, CONTROL.STATE);
      if (state === STATE.STOP) break;
      if (state === STATE.PAUSE) {
        Atomics.add(words, CONTROL.PAUSED, 1);
        Atomics.wait(words, CONTROL.STATE, STATE.PAUSE);
        Atomics.sub(words, CONTROL.PAUSED, 1);
        continue;
      }
      turn();
      // Leave processor time to the threads that start and die.
      if (thread.counts.add(COUNT.turns) % REST_EVERY === 0) Atomics.wait(words, CONTROL.STATE, STATE.WORK, 1);
    }
    for (const workload of Object.values<Workload>(workloads)) workload.end?.(thread);
    close();
  } catch (error) {
    Atomics.store(words, CONTROL.FAILED, 1);
    post({ failure: `the bystander (${kind}): ${stackOf(error)}` });
  }
}
