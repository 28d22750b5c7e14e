/**
 * The tree of the death check: threads that stop for ever at one of their accesses, threads that survive, and the verdict on what the
 * dead ones leave.
 */
import { SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { G_SLEEP, LOG_NR_ENTRIES, SLOT_UNDO_LOG } from "../arena/layout.js";
import {
  type AttachOptions,
  attach,
  type CallName,
  type Core,
  createMemory,
  type Hooks,
  shippingCore,
  type Thread,
} from "../binary/core.js";
import { check as checkArena, namesIn } from "../fsck/check-arena.js";
import { setCountersNearEnd } from "../fsck/near-end.js";
import { TIMED_OUT } from "../machine/errors.js";
import type { Result } from "../model/call.js";
import { resolveCall } from "../model/call-sequence.js";
import type { BuiltTree } from "../scenario/build.js";
import { begin, type CoreCall, type CoreCalls, copyFromUser, copyToUser, finish } from "../scenario/core-calls.js";
import type { DriverState, DriverThread } from "../scenario/driver.js";
import { judgeBystander } from "../scenario/linearizability.js";
import { dump, judge, type TreeFixture, type TreeOperation, trees } from "../scenario/operations.js";
import { defined } from "../support/defined.js";

const ARENA = 3 << 20;
const PROBLEMS_SHOWN = 6;
/** Time between two looks of a waiter at the clock, and the look at which it has waited for a while. */
const LOOK_MS = 1000;
const LOOKS_BEFORE = 6;
/** The builder, a victim, the thread that recovers it, and one that recovers both; more than there are. */
const THREADS_AT_ONCE = 5;
/** A descriptor that is not open. */
const NO_DESCRIPTOR = 1000;

/** Thrown at the access before which a thread dies. */
export class ThreadDeath extends Error {}

/** Thrown where a thread would have to wait for the dead one. */
export class WouldWait extends Error {}

/** Thrown where the call of a waiter has waited for too long. */
class LimitPassed extends Error {}

/** A thread of the core, with the part of it that the calls and the driver need. */
export interface TreeThread {
  thread: Thread;
  t: DriverThread;
}

/** The progress of a thread that will die: the accesses it has made since it began, and the one before which it died. */
export interface CrashPoint {
  accesses: number;
  site: number;
  address: number;
}

/**
 * The commit of a transaction: before its n-th access, the commit, the undo log of the thread has all entries of the transaction.
 * Transactions that access the memory from the same places of the core have the same name.
 */
export interface Commit {
  n: number;
  transaction: string;
}

export interface VictimThread extends TreeThread {
  crash: CrashPoint;
  /** The commits of transactions with entries, in order. */
  commits: Commit[];
  /** From here on accesses count. */
  start(): void;
}

/** Makes a call, whose name the scenarios have as a string. */
function call({ thread }: TreeThread, [name, ...args]: CoreCall): number {
  return thread.call(name as CallName, ...args);
}

/** Runs calls to their end. */
function runAll<T>(thread: TreeThread, calls: CoreCalls<T>): T {
  for (let next = calls.next(); ; next = calls.next(call(thread, next.value))) if (next.done) return next.value;
}

/** What an operation on a waiter returned, and the numbers of its calls that were left. */
interface Waited {
  results: Result[];
  left: number[];
}

/** A tree: built once, restored before every death. */
export class DeathFixture {
  readonly tree: TreeFixture;
  readonly built: BuiltTree;
  readonly #watched = shippingCore({ accesses: true });
  readonly #plain = new WebAssembly.Module(this.#watched.shipping);
  readonly #memory = createMemory({ maxBytes: ARENA, threads: 1 });
  readonly #image: Uint8Array;
  readonly #driverImage: DriverState;
  /** The slot of the thread that follows the log of changes, if one does, and the names when the log was empty. */
  readonly #follower: number[] = [];
  readonly #names: ReadonlyMap<string, number> | undefined;
  #driverState: DriverState;
  #clock = 1;

  constructor(treeName: string, nearEnd: boolean) {
    this.tree = defined(trees[treeName], `tree ${treeName}`);
    this.#driverState = this.tree.newDriverState();
    const builder = this.#attach(this.#plain, {}, { init: { seed: 1 } });
    // Slots keep their scratch areas.
    const first = Array.from({ length: this.tree.full ? THREADS_AT_ONCE : 0 }, () => this.#attach(this.#plain, {}));
    for (const { thread } of first) thread.call("threadDetach");
    this.built = runAll(builder, this.tree.build(builder.t));
    // It follows the log of changes, and does nothing else.
    if (this.tree.followed) this.#follower.push(builder.thread.slot);
    else builder.thread.call("threadDetach");
    if (this.tree.followed) this.#names = namesIn(this.#memory);
    if (nearEnd) setCountersNearEnd(this.#memory);
    this.#image = new Uint8Array(this.#memory.buffer).slice();
    this.#driverImage = structuredClone(this.#driverState);
  }

  /** A logical thread with an instance and a slot of its own. */
  #attach(core: Core | WebAssembly.Module, hooks: Hooks, options: AttachOptions = {}): TreeThread {
    let t: DriverThread | undefined;
    const thread = attach(
      this.#memory,
      core,
      {
        now: () => this.tree.clock,
        clock: () => this.#clock++,
        wait: () => 2,
        driverCall: (...args) => this.tree.driverCall(defined(t, "attached thread"), ...args),
        copyFromUser: (to, done, bytes) => copyFromUser(defined(t, "attached thread"), to, done, bytes),
        copyToUser: (from, done, bytes) => copyToUser(defined(t, "attached thread"), from, done, bytes),
        ...hooks,
      },
      options,
    );
    t = {
      scratch: new Uint8Array(this.#memory.buffer, thread.scratch, SCRATCH.SIZE),
      clock: this.tree.clock,
      driverState: this.#driverState,
    };
    return { thread, t };
  }

  restore(): void {
    new Uint8Array(this.#memory.buffer).set(this.#image);
    this.#driverState = structuredClone(this.#driverImage);
    this.#clock = 1;
  }

  /** A thread that dies before its n-th access; Infinity: it never dies, and its accesses are counted. */
  victim(n: number): VictimThread {
    const crash: CrashPoint = { accesses: 0, site: -1, address: 0 };
    const commits: Commit[] = [];
    const words = new Uint32Array(this.#memory.buffer);
    let scratch = 0;
    let nrEntries = 0;
    let started = false;
    const sites = new Set<number>();
    let entries = 0;
    const own = (address: number) => address >= scratch && address < scratch + SCRATCH.SIZE;
    /** Called before an access: notes whether the one before it was a commit. */
    const noteCommit = (site: number) => {
      const now = words[nrEntries] ?? 0;
      if (entries !== 0 && now === 0) {
        commits.push({ n: crash.accesses - 1, transaction: [...sites].sort((a, b) => a - b).join() });
        sites.clear();
      }
      entries = now;
      if (now !== 0) sites.add(site);
    };
    const hit = (site: number, address: number): undefined => {
      if (!started || own(address)) return;
      noteCommit(site);
      if (crash.accesses++ !== n) return;
      crash.site = site;
      crash.address = address;
      throw new ThreadDeath();
    };
    const victim = this.#attach(this.#watched, { access: hit, store: hit, range: hit });
    scratch = victim.thread.scratch;
    nrEntries = (victim.thread.slotAddress + SLOT_UNDO_LOG + LOG_NR_ENTRIES) >>> 2;
    const start = () => {
      started = true;
    };
    return { ...victim, crash, commits, start };
  }

  survivor(): TreeThread {
    return this.#attach(this.#plain, {});
  }

  /** A thread that does not wait for locks: it neither sleeps on one, nor reads it again and again until its time is over. */
  nonBlockingSurvivor(): TreeThread {
    const wait = (address: number) => {
      // G_SLEEP is where threads sleep for a while: no thread waits for another there.
      if (address !== G_SLEEP) throw new WouldWait();
      return 2;
    };
    const timedOut = () => {
      throw new WouldWait();
    };
    return this.#attach(this.#plain, { wait, timedOut });
  }

  /**
   * A thread that may not sleep: it looks at the clock while it waits.
   * @param onLook called at its n-th look, if it makes so many
   */
  waiter(onLook: () => void): TreeThread {
    let looks = 0;
    const clock = () => {
      if (++looks === LOOKS_BEFORE) onLook();
      this.#clock += LOOK_MS;
      return this.#clock;
    };
    const timedOut = () => {
      throw new LimitPassed();
    };
    return this.#attach(this.#plain, { clock, timedOut }, { canWait: false });
  }

  /**
   * Runs an operation on a waiter. A call whose limit passes is left and taken back, once more after the recovery if that waits for too
   * long as well, and made again if it has not happened.
   * @param recover recovers the dead thread, if that has not been done
   */
  runWaiter(waiter: TreeThread, operation: TreeOperation, recover: () => void): Waited {
    const calls = operation.run(waiter.t, this.built);
    const left: number[] = [];
    let n = 0;
    for (let next = calls.next(); ; n++) {
      if (next.done) return { results: next.value, left };
      let returned = TIMED_OUT;
      try {
        returned = call(waiter, next.value);
      } catch (error) {
        if (!(error instanceof LimitPassed)) throw error;
        left.push(n);
        const outcome = waiter.thread.call("callOutcome");
        if (!Number.isNaN(outcome)) returned = outcome;
        const done = this.#takeBack(waiter);
        recover();
        if (!done && !this.#takeBack(waiter))
          throw new Error("the waiter cannot take its call back after the recovery");
      }
      next = calls.next(returned);
    }
  }

  /** False: to take the call back waits for too long as well. */
  #takeBack({ thread }: TreeThread): boolean {
    try {
      return thread.call("threadAbandon", 0) === 0;
    } catch (error) {
      if (!(error instanceof LimitPassed)) throw error;
      return false;
    }
  }

  /** What is wrong after the recovery, where a waiter did `other` meanwhile; the waiter reads the tree. */
  verdictWithWaiter(
    { waiter, survivor }: { waiter: TreeThread; survivor: TreeThread },
    operation: TreeOperation,
    ended: Result[],
    other: TreeOperation,
    { results, left }: Waited,
  ): string | null {
    // A call by descriptor counts the references anew that a left call has taken.
    call(waiter, ["sysFstat", 0, NO_DESCRIPTOR]);
    const problems = this.#problems(waiter, survivor);
    if (problems !== null) return `the arena is not whole:${problems}`;
    const final = runAll(waiter, dump(waiter.t, this.built));
    const calls = left.map((call) => [1, call] as const);
    return judge(this.tree, [operation, other], [ended, results], final, { dead: [0], left: calls });
  }

  /** Runs the calls of an operation; their results go into `results` as they return. */
  calls(thread: TreeThread, operation: TreeOperation, results: Result[] = []): Result[] {
    for (const given of operation.calls) {
      const resolved = resolveCall(given, results);
      const returned = call(thread, begin(thread.t, resolved, this.built.contexts));
      results.push(finish(thread.t, resolved, returned));
    }
    return results;
  }

  /** Runs an operation on a victim. @returns the results of the calls that ended, and whether the thread died */
  runVictim(victim: VictimThread, operation: TreeOperation): { results: Result[]; died: boolean } {
    const results: Result[] = [];
    victim.start();
    try {
      this.calls(victim, operation, results);
    } catch (error) {
      if (!(error instanceof ThreadDeath)) throw error;
      return { results, died: true };
    }
    return { results, died: false };
  }

  /** What is wrong after the recovery, or null. @param results of the dead thread's calls that ended */
  verdict(survivor: TreeThread, operation: TreeOperation, results: Result[]): string | null {
    const before = this.#problems(survivor);
    if (before !== null) return `the arena is not whole:${before}`;
    const final = runAll(survivor, dump(survivor.t, this.built));
    const wrong = judge(this.tree, [operation], [results], final, { dead: [0] });
    if (wrong !== null) return wrong;
    const after = this.#problems(survivor);
    return after === null ? null : `the arena is not whole after more calls:${after}`;
  }

  /** The same where a bystander did `other` before the recovery. */
  verdictWithBystander(
    survivor: TreeThread,
    operation: TreeOperation,
    ended: Result[],
    other: TreeOperation,
    results: Result[],
  ): string | null {
    const problems = this.#problems(survivor);
    if (problems !== null) return `the arena is not whole:${problems}`;
    const final = runAll(survivor, dump(survivor.t, this.built));
    return judgeBystander(this.tree, operation, ended, other, results, final);
  }

  /** What the checker of the arena finds, or null. */
  #problems(...living: TreeThread[]): string | null {
    const { problems } = checkArena(this.#memory, {
      live: [...this.#follower, ...living.map(({ thread }) => thread.slot)],
      before: this.#names,
    });
    if (problems.length === 0) return null;
    return problems
      .slice(0, PROBLEMS_SHOWN)
      .map((problem) => `\n    ${problem}`)
      .join("");
  }

  /** Function, instruction, line and address of a crash point. */
  crashPointName({ site, address }: CrashPoint): string {
    const { func, op, line } = defined(this.#watched.sites[site], `site ${site}`);
    return `${func} ${op}${line ? ` (${line})` : ""} at 0x${address.toString(16)}`;
  }
}

const fixtures = new Map<string, DeathFixture>();

/** The fixture of a tree; `nearEnd`: with all counters close to their end. */
export function fixtureOf(tree: string, nearEnd = false): DeathFixture {
  const key = `${tree} ${nearEnd}`;
  const fixture = fixtures.get(key) ?? new DeathFixture(tree, nearEnd);
  fixtures.set(key, fixture);
  return fixture;
}
