/** A worker that will die: it makes the steps of its workload and ends as its plan says, or is terminated. */
import { threadId } from "node:worker_threads";
import { AT_FDCWD, RENAME_EXCHANGE } from "../../../threadfs/dist/abi/abi.js";
import { Vfs } from "../../../threadfs/dist/src/api/vfs.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { attachVfs, type FsSync, type VfsHandle } from "../../../threadfs/dist/src/index.js";
import { LOG_MUTEX, SLOT_SIZE, SLOT_UNDO_LOG, SLOTS, UNDO_LOG_COUNTS } from "../arena/layout.js";
import { codeOf, stackOf } from "../support/defined.js";
import { ProgressRecord, STATES } from "./progress-record.js";
import { statelessDriver } from "./stateless-driver.js";
import { type Step, type VictimOptions, VictimWorkload, WrongResult } from "./victim-workload.js";

/** A plan that could not be carried out within this many steps ends with them. */
const STEPS_MAX = 20_000;
const OVERFLOWS = 30;

/** How a worker dies. */
export type DeathKind =
  | "terminate"
  | "terminate in a wait"
  | "throw"
  | "exit"
  | "end"
  | "exit in a call"
  | "throw out of the core"
  | "throw in a hook"
  | "overflow"
  | "panic";

export interface Plan {
  how: DeathKind;
  /** Number of the step, or of the call of a clock or a hook. */
  at: number;
}

export interface VictimData extends VictimOptions {
  handle: VfsHandle;
  record: SharedArrayBuffer;
  plan: Plan;
}

/** The end of a worker that throws. */
class PlannedEnd extends Error {}

export async function runVictim({ handle, record: buffer, seed, life, driver, plan }: VictimData): Promise<void> {
  const record = new ProgressRecord(buffer);
  let attachment: Attachment | undefined;
  let armed = false;
  let left = plan.at;
  let step: Step | undefined;
  const tick = (where: keyof Inside) => {
    const act = armed ? INSIDE[plan.how]?.[where] : undefined;
    if (act === undefined || attachment === undefined || step === undefined || left-- > 0) return;
    // An end that is not possible here is tried again at the next step.
    if (left === -1 && act({ record, attachment, step }) === false) left = 0;
  };
  const now = () => {
    tick("clock");
    return performance.timeOrigin + performance.now();
  };
  attachment = Attachment.attach(handle, { now, thread: threadId + 1 });
  const vfs = new Vfs(attachment, handle.ctx);
  if (driver) vfs.registerDriver(statelessDriver(() => tick("hook")));
  const workload = new VictimWorkload({ seed, life, driver });
  const worker = { fs: vfs.fs, vfs, exchange: exchangeOf(attachment, handle.ctx) };
  record.state = STATES.READY;
  armed = true;
  for (let n = 1; n <= STEPS_MAX; n++) {
    const end = OUTSIDE[plan.how];
    if (end && n >= plan.at) return end({ handle, workload });
    step = workload.next();
    record.begin(n);
    try {
      step.run(worker);
    } catch (error) {
      // A planned end; another thread examines what is left.
      if (codeOf(error) === "ERR_THREADFS_PANIC" && POISONS.includes(plan.how)) {
        record.state = STATES.POISONED;
        throw error;
      }
      if (codeOf(error) === "EIO" && plan.how === "throw in a hook" && left < 0) return;
      record.wrong(`step ${n}, ${step.text}: ${error instanceof WrongResult ? error.message : stackOf(error)}`);
      return;
    }
    step.apply();
    record.end(n);
  }
}

/** renameat2(2) with RENAME_EXCHANGE, which `fs` has no name for. */
function exchangeOf(attachment: Attachment, ctx: number): (from: string, to: string) => void {
  const encoder = new TextEncoder();
  return (from, to) => {
    const a = encoder.encode(`${from}\0`);
    const b = encoder.encode(`${to}\0`);
    attachment.path.set(a);
    attachment.path2.set(b);
    const result = attachment.core.sysRename(ctx, AT_FDCWD, a.length - 1, AT_FDCWD, b.length - 1, RENAME_EXCHANGE);
    if (result !== 0) throw new WrongResult(`exchange returns ${result}`);
  };
}

/** The values that an end inside a call may use: `step` is the one in progress. */
interface InCall {
  record: ProgressRecord;
  attachment: Attachment;
  step: Step;
}

/** Ends inside a call of the core: where the core reads the host's clock, which it does with mutexes held, and in a driver's hook. */
interface Inside {
  clock?: (where: InCall) => boolean | undefined;
  hook?: (where: InCall) => undefined;
}

const pauseHere = ({ record }: InCall): undefined => {
  record.pauseHere();
};
const exit = () => process.exit(3);
const INSIDE: Partial<Record<DeathKind, Inside>> = {
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
  panic: { clock: freeMutex },
};
const POISONS: DeathKind[] = ["throw out of the core", "panic"];

/** Steps of which the last mutex taken is that of a file or directory that no other thread uses. */
const ALONE = /^(write|truncate|rename|link|symlink|unlink|mkdir|rmdir) (?!.*\bC\/)/;

/** Clears the word of the mutex that this thread took last: the core panics when it releases the mutex. */
function freeMutex({ attachment, step }: InCall): boolean {
  if (!ALONE.test(step.text)) return false;
  const log = SLOTS + attachment.core.threadSlot() * SLOT_SIZE + SLOT_UNDO_LOG;
  const words = new Int32Array(attachment.memory.buffer);
  const held = Atomics.load(words, (log + UNDO_LOG_COUNTS.mutexes) >>> 2);
  if (held === 0) return false;
  const mutex = Atomics.load(words, (log + LOG_MUTEX + (held - 1) * 4) >>> 2);
  Atomics.store(words, mutex >>> 2, 0);
  return true;
}

interface BetweenSteps {
  handle: VfsHandle;
  workload: VictimWorkload;
}

/** Ends between two steps. */
const OUTSIDE: Partial<Record<DeathKind, (where: BetweenSteps) => Promise<void> | undefined>> = {
  throw: () => {
    throw new PlannedEnd("the end of this worker");
  },
  exit,
  end: () => undefined,
  overflow: ({ handle, workload }) => overflow(handle, workload),
};

/** Calls at the depth where the stack is nearly full, and one frame higher each time until there is enough stack to begin. */
function deep(call: () => void): void {
  try {
    deep(call);
  } catch {
    call();
  }
}

/** Makes calls with less and less stack, each time on a fresh attachment, until one overflows inside the core; then dies of it. */
async function overflow(handle: VfsHandle, workload: VictimWorkload): Promise<void> {
  for (let n = 0; n < OVERFLOWS; n++) {
    const { fs } = await attachVfs(handle, { share: false });
    // Frames of another size, so that the stack ends in another place.
    const frames = n % 3;
    deep(() => {
      if (frames > 0) [0].map(() => [0].map(() => work(fs, n)));
      else work(fs, n);
    });
  }
  function work(fs: FsSync, n: number): void {
    fs.writeFileSync(workload.full(`over/o${n}`), "x");
    fs.renameSync(workload.full(`over/o${n}`), workload.full(`over/p${n}`));
  }
}
