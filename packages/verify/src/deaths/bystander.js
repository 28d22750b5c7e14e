/** Those who work on while others die: the torture's readers and writers, on its stamped files; they stand still when they are told to. */
import { parentPort } from "node:worker_threads";
import { Arena } from "../../../threadfs/dist/src/bridge/attachment.js";
import { attachVfs } from "../../../threadfs/dist/src/index.js";
import { randomBelow, seedOf } from "../support/random.js";
import { ruleDriver } from "../torture/mount-workloads.js";
import { makeMixer, makeReader } from "../torture/roles.js";
import { COUNT } from "../torture/shared-state.js";
import { Thread } from "../torture/thread.js";
import { makeStations } from "../torture/workloads.js";
import { mortalDriver } from "./stateless-driver.js";

/** Words of the control array. */
export const CONTROL = { STATE: 0, STANDING: 1, FAILED: 2 };
export const STATE = { WORK: 0, STAND: 1, STOP: 2 };
const STAND_MS = 60_000;
/** Turns between short rests. */
const BREATH = 20;

/** A thread of the torture on a tree. The clock is the torture's own. */
export async function steadyThread({ handle, board, index, seed }) {
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await attachVfs(handle, { now });
  const arena = Arena.attach(handle, { now });
  for (const driver of [ruleDriver(), mortalDriver()]) {
    vfs.registerDriver(driver);
    arena.drivers.register(driver);
  }
  const thread = new Thread({ arena, vfs, clock, board, index, next: randomBelow(seedOf(seed, index)) });
  const close = () => {
    arena.close();
    vfs.close();
  };
  return { thread, slots: [vfs.threadSlot, arena.core.threadSlot()], stations: makeStations(thread), vfs, close };
}

/** A worker's whole life. */
export async function goOn({ control, steady, ...options }) {
  const words = new Int32Array(control);
  const { thread, slots, stations, close } = await steadyThread(options);
  const turn = steady === "reader" ? makeReader(thread, stations) : makeMixer(thread, stations, 0, 1);
  parentPort.postMessage({ slots });
  try {
    for (;;) {
      const state = Atomics.load(words, CONTROL.STATE);
      if (state === STATE.STOP) break;
      if (state === STATE.STAND) {
        Atomics.add(words, CONTROL.STANDING, 1);
        Atomics.wait(words, CONTROL.STATE, STATE.STAND, STAND_MS);
        Atomics.sub(words, CONTROL.STANDING, 1);
        continue;
      }
      turn();
      // Those who are born and die need the processors too.
      if (thread.counts[COUNT.turns]++ % BREATH === 0) Atomics.wait(words, CONTROL.STATE, STATE.WORK, 1);
    }
    for (const station of Object.values(stations)) station.end?.(thread);
    close();
  } catch (error) {
    Atomics.store(words, CONTROL.FAILED, 1);
    parentPort.postMessage({ failure: `the ${steady} that works on: ${error.stack}` });
  }
}
