/** One thread of a torture run (torture.ts): makes its role's turns until the run stops or an invariant does not hold. */
import { workerData } from "node:worker_threads";
import { randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { attachVfs, type SecurityHook } from "../../../threadfs/dist/src/index.js";
import { codeOf, defined, messageOf, stackOf } from "../support/defined.js";
import { registerDrivers } from "./drivers.js";
import { makeFsReader, makeMixer, makeReader, makeRenamer, makeSleeper, makeTracker, type Turn } from "./roles.js";
import { COUNT, type CountIndex, Counts, controlOf, RESTING, RUNNING, STATE, STOPPED } from "./shared-state.js";
import type { Part, TortureRequest, TortureWorkerData } from "./supervisor.js";
import { InvariantViolation, Thread } from "./thread.js";
import type { Workload } from "./workloads/workload.js";
import { makeWorkloads, type Workloads } from "./workloads/workloads.js";

const { handle, sharedState, seed, lookups, renames } = workerData as TortureWorkerData;
const control = controlOf(sharedState);

/** Keeps renames to their share of the lookups where both are to reach a count. */
function renameShare(): () => boolean {
  if (!(lookups > 0 && renames > 0)) return () => true;
  const counters = Array.from({ length: sharedState.threads }, (_, i) => new Counts(sharedState, i));
  const sum = (which: CountIndex) => counters.reduce((total, counts) => total + counts.get(which), 0);
  let turn = 0;
  let may = true;
  return () => {
    if (turn++ % 16 === 0) may = sum(COUNT.renames) * lookups <= (sum(COUNT.lookups) + lookups / 100) * renames;
    if (!may) Atomics.wait(control, STATE, RUNNING, 1);
    return may;
  };
}

/** A security hook that allows every access and now and then sleeps for up to a millisecond, at whichever step the walk is. */
function sleepyHook(index: number): SecurityHook {
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

/** Waits until every thread has made its last turn; the parent counts those that will not. */
function rest(): void {
  Atomics.add(control, RESTING, 1);
  Atomics.notify(control, RESTING);
  for (;;) {
    const resting = Atomics.load(control, RESTING);
    if (resting >= sharedState.threads - 1) return;
    Atomics.wait(control, RESTING, resting);
  }
}

function makeTurn({ role, member, among }: Part, thread: Thread, workloads: Workloads): Turn {
  switch (role) {
    case "reader":
      return makeReader(thread, workloads);
    case "tracker":
      return makeTracker(thread, workloads, handle);
    case "sleeper":
      return makeSleeper(thread, workloads);
    case "fs":
      return makeFsReader(thread, workloads);
    case "mixer":
      return makeMixer(thread, workloads, member, among);
    case "renamer":
      return makeRenamer(thread, workloads, member, among, renameShare());
  }
}

/** An attached thread that is ready to make turns. */
interface Prepared {
  readonly thread: Thread;
  readonly workloads: Workloads;
  readonly turn: Turn;
  close(): void;
}

async function prepare(part: Part): Promise<Prepared> {
  const { index, role } = part;
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await attachVfs(handle, { now, share: false });
  const arena = Attachment.attach(handle, role === "sleeper" ? { now, security: sleepyHook(index) } : { now });
  registerDrivers(vfs, arena, sharedState);
  const thread = new Thread({ arena, vfs, clock, sharedState, index, next: randomBelow(seedOf(seed, index)) });
  const workloads = makeWorkloads(thread);
  return {
    thread,
    workloads,
    turn: makeTurn(part, thread, workloads),
    close() {
      arena.close();
      vfs.close();
    },
  };
}

/** Makes turns until the run stops. Returns the failure, if there is one. */
function run({ thread, workloads, turn, close }: Prepared): string | undefined {
  try {
    while (Atomics.load(control, STATE) !== STOPPED) {
      turn();
      thread.counts.add(COUNT.turns);
    }
    // Threads that still read would miss the files that end() takes down.
    rest();
    for (const workload of Object.values<Workload>(workloads)) workload.end?.(thread);
    return undefined;
  } catch (error) {
    Atomics.add(control, RESTING, 1);
    // The message of a violation is enough; other errors need their stack.
    if (error instanceof InvariantViolation) return error.message;
    const code = codeOf(error) ?? (error instanceof Error ? error.name : typeof error);
    return `${code}: ${messageOf(error)}\n${stackOf(error)}`;
  } finally {
    close();
  }
}

let prepared: Prepared | undefined;
serveRequests<TortureRequest>(async (request) => {
  if (request.task === "run") return run(defined(prepared, "prepared thread"));
  prepared = await prepare(request.part);
  return undefined;
});
