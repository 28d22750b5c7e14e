/** A worker that will die: makes the steps of its script and ends in the way that its plan says, or is ended. */
import { threadId } from "node:worker_threads";
import { Vfs } from "../../../threadfs/dist/src/api/vfs.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { attachVfs } from "../../../threadfs/dist/src/index.js";
import { SLOT_SIZE, SLOT_UNDO_LOG, SLOTS, UNDO_LOG_COUNTS } from "../arena/layout.js";
import { ProgressRecord, STATES } from "./progress-record.js";
import { statelessDriver } from "./stateless-driver.js";
import { VictimWorkload, WrongResult } from "./victim-workload.js";

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
/** First mutex of a journal (core/mem/undo/log.ts). */
const LOG_MUTEX = 184;
/** A plan that has not come about after so many steps ends with them. */
const STEPS_MAX = 20_000;
const OVERFLOWS = 30;

/** The end of a worker that throws. */
class PlannedEnd extends Error {}

/**
 * @param {{ handle: any, record: SharedArrayBuffer, seed: number, life: number, driver: boolean,
 *   plan: { how: string, at: number } }} data `at`: number of the step, or of the call of a clock or a hook
 */
export async function runVictim({ handle, record: buffer, seed, life, driver, plan }) {
  const record = new ProgressRecord(buffer);
  let arena;
  let armed = false;
  let left = plan.at;
  let step;
  const tick = (where) => {
    const act = armed ? INSIDE[plan.how]?.[where] : undefined;
    if (act === undefined || left-- > 0) return;
    // Otherwise it did not fit here: the next time.
    if (left === -1 && act({ record, arena, step }) === false) left = 0;
  };
  const now = () => {
    tick("clock");
    return performance.timeOrigin + performance.now();
  };
  arena = Attachment.attach(handle, { now, thread: threadId + 1 });
  const vfs = new Vfs(arena, handle.ctx);
  if (driver) vfs.registerDriver(statelessDriver(() => tick("hook")));
  const workload = new VictimWorkload({ seed, life, driver });
  const worker = { fs: vfs.fs, vfs, exchange: exchangeOf(arena, handle.ctx) };
  record.state = STATES.READY;
  armed = true;
  for (let n = 1; n <= STEPS_MAX; n++) {
    if (OUTSIDE[plan.how] && n >= plan.at) return OUTSIDE[plan.how]({ handle, workload });
    step = workload.next();
    record.begin(n);
    try {
      step.run(worker);
    } catch (error) {
      // A planned one; what it has left is looked at by others.
      if (error?.code === "ERR_THREADFS_PANIC" && POISONS.includes(plan.how)) {
        record.state = STATES.POISONED;
        throw error;
      }
      if (error?.code === "EIO" && plan.how === "throw in a hook" && left < 0) return;
      record.wrong(`step ${n}, ${step.text}: ${error instanceof WrongResult ? error.message : error.stack}`);
      return;
    }
    step.apply();
    record.end(n);
  }
}

/** renameat2(2) with RENAME_EXCHANGE, which `fs` has no name for. */
function exchangeOf(arena, ctx) {
  const encoder = new TextEncoder();
  return (from, to) => {
    const [a, b] = [from, to].map((path) => encoder.encode(`${path}\0`));
    arena.path.set(a);
    arena.path2.set(b);
    const answer = arena.core.sysRename(ctx, AT_FDCWD, a.length - 1, AT_FDCWD, b.length - 1, RENAME_EXCHANGE);
    if (answer !== 0) throw new WrongResult(`exchange answers ${answer}`);
  };
}

/** Ends inside a call of the core: where it asks its host for the time, which it does with mutexes held, or in a driver's hook. */
const pauseHere = ({ record }) => record.pauseHere();
const exit = () => process.exit(3);
const INSIDE = {
  "terminate in a wait": { clock: pauseHere, hook: pauseHere },
  "exit in a call": { clock: exit, hook: exit },
  "throw out of the core": {
    clock: () => {
      throw new PlannedEnd("the clock of this worker");
    },
  },
  "throw in a hook": {
    hook: () => {
      throw new PlannedEnd("a hook of this worker");
    },
  },
  panic: { clock: takeAway },
};
const POISONS = ["throw out of the core", "panic"];

/** Steps of which the last mutex taken is that of a file or directory nobody else looks at. */
const ALONE = /^(write|truncate|rename|link|symlink|unlink|mkdir|rmdir) (?!.*\bC\/)/;

/** Frees the mutex that this thread took last behind its back: the core gives up where it wants to release it. */
function takeAway({ arena, step }) {
  if (!ALONE.test(step.text)) return false;
  const journal = SLOTS + arena.core.threadSlot() * SLOT_SIZE + SLOT_UNDO_LOG;
  const words = new Int32Array(arena.memory.buffer);
  const held = words[(journal + UNDO_LOG_COUNTS.mutexes) >>> 2];
  if (held === 0) return false;
  Atomics.store(words, words[(journal + LOG_MUTEX + (held - 1) * 4) >>> 2] >>> 2, 0);
  return true;
}

/** Ends between two steps. */
const OUTSIDE = {
  throw: () => {
    throw new PlannedEnd("the end of this worker");
  },
  exit,
  end: () => undefined,
  overflow: ({ handle, workload }) => overflow(handle, workload),
};

/** Calls at the depth where the stack is nearly full, and goes up a step as long as there is not enough of it to begin. */
function deep(call) {
  try {
    deep(call);
  } catch {
    call();
  }
}

/** Makes calls with less and less stack, each time on a fresh attachment, until one was torn in the core; then dies of it. */
async function overflow(handle, workload) {
  for (let n = 0; n < OVERFLOWS; n++) {
    const { fs } = await attachVfs(handle);
    // Frames of another size, so that the stack ends in another place.
    const frames = n % 3;
    deep(() => {
      if (frames > 0) [0].map(() => [0].map(() => work(fs, n)));
      else work(fs, n);
    });
  }
  function work(fs, n) {
    fs.writeFileSync(workload.full(`over/o${n}`), "x");
    fs.renameSync(workload.full(`over/o${n}`), workload.full(`over/p${n}`));
  }
}
