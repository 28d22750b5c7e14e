/** Those who work on while others die: the torture's readers and writers, on its stamped files; they stand still when they are told to. */
import { parentPort } from "node:worker_threads";
import { randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { attachVfs } from "../../../threadfs/dist/src/index.js";
import { makeMixer, makeReader } from "../torture/roles.js";
import { ruleDriver } from "../torture/rule-driver.js";
import { COUNT } from "../torture/shared-state.js";
import { Thread } from "../torture/thread.js";
import { makeWorkloads } from "../torture/workloads.js";
import { statelessDriver } from "./stateless-driver.js";

/** Words of the control array. */
export const CONTROL = { STATE: 0, PAUSED: 1, FAILED: 2 };
export const STATE = { WORK: 0, PAUSE: 1, STOP: 2 };
const PAUSE_MS = 60_000;
/** Turns between short rests. */
const REST_EVERY = 20;

/** A thread of the torture on a tree. The clock is the torture's own. */
export async function bystanderThread({ handle, sharedState, index, seed }) {
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await attachVfs(handle, { now });
  const arena = Attachment.attach(handle, { now });
  for (const driver of [ruleDriver(), statelessDriver()]) {
    vfs.registerDriver(driver);
    arena.drivers.register(driver);
  }
  const thread = new Thread({ arena, vfs, clock, sharedState, index, next: randomBelow(seedOf(seed, index)) });
  const close = () => {
    arena.close();
    vfs.close();
  };
  return { thread, slots: [vfs.threadSlot, arena.core.threadSlot()], workloads: makeWorkloads(thread), vfs, close };
}

/** A worker's whole life. */
export async function runBystander({ control, kind, ...options }) {
  const words = new Int32Array(control);
  const { thread, slots, workloads, close } = await bystanderThread(options);
  const turn = kind === "reader" ? makeReader(thread, workloads) : makeMixer(thread, workloads, 0, 1);
  parentPort.postMessage({ slots });
  try {
    for (;;) {
      const state = Atomics.load(words, CONTROL.STATE);
      if (state === STATE.STOP) break;
      if (state === STATE.PAUSE) {
        Atomics.add(words, CONTROL.PAUSED, 1);
        Atomics.wait(words, CONTROL.STATE, STATE.PAUSE, PAUSE_MS);
        Atomics.sub(words, CONTROL.PAUSED, 1);
        continue;
      }
      turn();
      // Those who are born and die need the processors too.
      if (thread.counts.add(COUNT.turns) % REST_EVERY === 0) Atomics.wait(words, CONTROL.STATE, STATE.WORK, 1);
    }
    for (const workload of Object.values(workloads)) workload.end?.(thread);
    close();
  } catch (error) {
    Atomics.store(words, CONTROL.FAILED, 1);
    parentPort.postMessage({ failure: `the ${kind} that works on: ${error.stack}` });
  }
}
