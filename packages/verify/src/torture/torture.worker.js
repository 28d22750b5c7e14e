/** One thread of a torture run (torture.js): does its role's turns until it is told to stop or sees what cannot be. */
import { parentPort, workerData } from "node:worker_threads";
import { randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { attachVfs } from "../../../threadfs/dist/src/index.js";
import { ruleDriver } from "./mount-workloads.js";
import { makeFsReader, makeMixer, makeReader, makeRenamer, makeSleeper, makeTracker } from "./roles.js";
import { COUNT, controlOf, countersOf, RESTING, RUNNING, STATE, STOPPED, WAITING } from "./shared-state.js";
import { Thread } from "./thread.js";
import { makeWorkloads } from "./workloads.js";

const { handle, sharedState, index, role, member, among, seed, lookups, renames } = workerData;
const control = controlOf(sharedState);

/** Keeps renames to their share of the lookups where both are to reach a count. */
function share() {
  if (!(lookups > 0 && renames > 0)) return () => true;
  const counters = Array.from({ length: sharedState.threads }, (_, i) => countersOf(sharedState, i));
  const sum = (which) => counters.reduce((total, c) => total + c[which], 0);
  let turn = 0;
  let may = true;
  return () => {
    if (turn++ % 16 === 0) may = sum(COUNT.renames) * lookups <= (sum(COUNT.lookups) + lookups / 100) * renames;
    if (!may) Atomics.wait(control, STATE, RUNNING, 1);
    return may;
  };
}

/** A security hook that allows everything and now and then sleeps for up to a millisecond, in whatever the walk is just doing. */
function sleepyHook() {
  const next = randomBelow(seedOf(seed, index) ^ 0x5eed);
  const word = new Int32Array(new SharedArrayBuffer(4));
  let left = 10;
  return () => {
    if (left-- === 0) {
      left = next(20);
      Atomics.wait(word, 0, 0, next(100) / 100);
    }
    return 0;
  };
}

/** Waits until every thread has made its last turn, at most as long as the parent waits for the end. */
function rest() {
  Atomics.add(control, RESTING, 1);
  Atomics.notify(control, RESTING);
  for (let n = 0; n < 1000; n++) {
    const resting = Atomics.load(control, RESTING);
    if (resting >= sharedState.threads - 1) return;
    Atomics.wait(control, RESTING, resting, 10);
  }
}

function makeTurn(thread, workloads) {
  if (role === "reader") return makeReader(thread, workloads);
  if (role === "tracker") return makeTracker(thread, workloads, handle);
  if (role === "sleeper") return makeSleeper(thread, workloads);
  if (role === "fs") return makeFsReader(thread, workloads);
  if (role === "mixer") return makeMixer(thread, workloads, member, among);
  return makeRenamer(thread, workloads, member, among, share());
}

const clock = { ms: 1000 };
const now = () => clock.ms;
const vfs = await attachVfs(handle, { now });
const arena = Attachment.attach(handle, role === "sleeper" ? { now, security: sleepyHook() } : { now });
vfs.registerDriver(ruleDriver());
arena.drivers.register(ruleDriver());
const thread = new Thread({ arena, vfs, clock, sharedState, index, next: randomBelow(seedOf(seed, index)) });
const workloads = makeWorkloads(thread);
const turn = makeTurn(thread, workloads);
parentPort.postMessage({ ready: true });
Atomics.wait(control, STATE, WAITING);
try {
  while (Atomics.load(control, STATE) !== STOPPED) {
    turn();
    thread.counts[COUNT.turns]++;
  }
  // What is taken down now would be missed by those who still read.
  rest();
  for (const workload of Object.values(workloads)) workload.end?.(thread);
  parentPort.postMessage({ done: true });
} catch (error) {
  Atomics.add(control, RESTING, 1);
  parentPort.postMessage({ failure: `${error.message}`, kind: error.name, code: error.code, stack: `${error.stack}` });
}
arena.close();
vfs.close();
