/**
 * The core on a machine: a small tree, operations on it, and the judge. One harness serves one tree and any number of sets of
 * operations on it.
 */
import { AT_FDCWD, AT_REMOVEDIR, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import * as L from "../arena/layout.js";
import { check as checkArena, namesIn } from "../fsck/check-arena.js";
import { setCountersNearEnd } from "../fsck/near-end.js";
import { DONE, READY } from "../machine/constants.js";
import type { LogicalThread } from "../machine/logical-thread.js";
import { Machine, type Operation, type Outcome, type Program } from "../machine/machine.js";
import type { VectorClocks } from "../machine/vector-clocks.js";
import type { Result } from "../model/call.js";
import type { BuiltTree } from "../scenario/build.js";
import { type CoreCalls, copyToUser } from "../scenario/core-calls.js";
import type { DriverState, DriverThread } from "../scenario/driver.js";
import { dump, judge, type LabelledDump, type TreeFixture, type TreeOperation, trees } from "../scenario/operations.js";
import { defined, messageOf } from "../support/defined.js";
import { type ExploreOptions, explore } from "./explore.js";
import type { Explored, Judge } from "./run.js";
import { type SampleOptions, sample } from "./sample.js";
import { Replay, replay } from "./schedule.js";
import { traceOf } from "./trace.js";

/** Large enough for five threads and one chunk of every cache. */
const ARENA = 4 << 20;
const SEED = [1, 2];
/** Lookups after which a path is in the prefix cache: the second miss in a row enters it. */
const LOOKUPS_TO_CACHE = 3;
/** A descriptor that is not open. */
const NO_DESCRIPTOR = 1000;
/** Problems of an arena that a verdict shows. */
const PROBLEMS_SHOWN = 6;
/** Parts of a scratch area that the host writes: paths, results that it leaves there, a driver's exchange. */
const WRITTEN_BY_HOST: [offset: number, length: number][] = [
  [SCRATCH.PATH, 1024],
  [SCRATCH.PATH2, 1024],
  [SCRATCH.STAT, 144],
  [SCRATCH.IO, 2048],
  [SCRATCH.DRIVER, 2048],
];

/** What the harness keeps with a logical thread: its scratch area, its clock, the driver of its host. */
export function hostOf(t: LogicalThread): DriverThread {
  // The harness has set it for each thread of its machine.
  return t.host as DriverThread;
}

/** Writes a path with its NUL. @returns its length */
function put(t: LogicalThread, at: number, text: string): number {
  hostOf(t).scratch.set(Buffer.from(`${text}\0`, "latin1"), at);
  return text.length;
}

/** The hash of the only entry that has a short name, read from the memory. */
function hashOfName(words: Int32Array, name: string): number {
  const padded = Buffer.alloc(L.INLINE_NAME);
  padded.write(name, "latin1");
  const wanted = new Int32Array(padded.buffer, padded.byteOffset, L.INLINE_NAME / 4);
  for (let at = 0; at < ARENA; at += L.DENTRY_SIZE) {
    if (words[(at + L.DENTRY.len) >>> 2] !== name.length) continue;
    const first = (at + L.DENTRY.name) >>> 2;
    if (wanted.every((word, n) => words[first + n] === word))
      return (words[(at + L.DENTRY.hash) >>> 2] as number) >>> 0;
  }
  throw new Error(`harness: no entry ${name}`);
}

export interface HarnessOptions {
  threads?: number;
  /** So many objects have been retired that the next retirement but one polls the slots and frees. */
  polls?: boolean;
  /** All counters are close to their end. */
  nearEnd?: boolean;
  /** The last thread may not sleep. */
  spins?: boolean;
  /** Vector clocks of the machine, to find data races. */
  clocks?: (machine: Machine) => VectorClocks;
}

/**
 * An exploration with its number of distinct results, and of judged runs in which a thread that may not sleep has waited, and has left a
 * call; each failure has a trace.
 */
export type HarnessExplored = Explored & { outcomes: number; waits: number; left: number };
/** Without the judge, which the harness provides. `races`: nothing is judged, the runs are for the machine's clocks. */
type Unjudged<T> = Omit<T, "judge"> & { races?: boolean };

export class Harness {
  readonly tree: TreeFixture;
  readonly machine: Machine;
  /** Reads the tree when all operations have ended. */
  readonly inspector: LogicalThread;
  readonly built: BuiltTree;
  /** The bucket that is split next, of a tree that says so. */
  bucket = 0;
  /** By how much the count of the table's entries is too high, on a tree whose table is made to seem full. */
  #entriesTooMany = 0;
  /** A recount in this run has set that count right. */
  #countedAnew = false;
  /** Verdicts by results, final tree, and order of calls. */
  readonly verdicts = new Map<string, string | null>();
  /** Whether the driver's state may have changed since the last copy of it. */
  #driverCalled = true;
  /** The driver's state in the sealed state. */
  readonly #driverState: DriverState;
  /** The names when the log of changes was empty, of a tree where it is followed. */
  readonly #names: ReadonlyMap<string, number> | undefined;

  constructor(program: Program, treeName: string, options: HarnessOptions = {}) {
    const { threads = 2, polls = false, nearEnd = false, spins = false, clocks } = options;
    const tree = defined(trees[treeName], `tree ${treeName}`);
    this.tree = tree;
    const machine: Machine = new Machine(program, {
      threads,
      bytes: ARENA,
      sleepAddresses: [L.G_SLEEP],
      clock: tree.clock,
      host: (thread) => ({
        driverCall: (op: number, driver: number, a: number, b: number, c: number, d: number) => {
          this.#driverCalled = true;
          machine.external(thread());
          return tree.driverCall(hostOf(thread()), op, driver, a, b, c, d);
        },
        copyToUser: (from: number, done: number, bytes: number) => {
          if (from !== 0) machine.hostReads(thread(), from >>> 0, bytes);
          return copyToUser(hostOf(thread()), from, done, bytes);
        },
      }),
    });
    this.machine = machine;
    machine.thread(threads - 1).mayWait = !spins;
    this.inspector = defined(machine.all[threads], "helper thread");
    const state = tree.newDriverState();
    this.#attach(state);
    this.built = machine.callAll(this.inspector, tree.build(hostOf(this.inspector)));
    if (tree.followed) this.#names = namesIn(machine.memory);
    if (nearEnd) setCountersNearEnd(machine.memory);
    for (const t of machine.threads) machine.callAll(t, this.#warm(t));
    if (tree.splits !== undefined) machine.callAll(this.inspector, this.#grow(tree.splits));
    // The files made for the next poll would make a growing table grow further.
    else if (polls) for (const t of machine.all) machine.callAll(t, this.#retireSome(t));
    machine.seal();
    this.#driverState = structuredClone(state);
    machine.onRestore = () => {
      this.#countedAnew = false;
      if (this.#driverCalled) this.#share(structuredClone(this.#driverState));
      this.#driverCalled = false;
    };
    if (clocks) machine.races = clocks(machine);
  }

  /** Makes the arena, and attaches all threads. */
  #attach(driverState: DriverState): void {
    const { machine, tree } = this;
    const made = machine.call(this.inspector, "arenaInit", ARENA, ...SEED);
    if (made < 0) throw new Error(`harness: arenaInit returned ${made}`);
    for (const t of machine.all) {
      const r = machine.call(t, "threadAttach", t.mayWait ? 1 : 0);
      if (r < 0) throw new Error(`harness: threadAttach returned ${r}`);
      const base = machine.call(t, "scratchBase") >>> 0;
      const scratch = new Uint8Array(machine.memory.buffer, base, SCRATCH.SIZE);
      t.host = { scratch, clock: tree.clock, driverState } satisfies DriverThread;
      for (const [at, length] of WRITTEN_BY_HOST) machine.hostWrittenRanges.push([base + at, length]);
    }
  }

  /** The operations in the form that the machine runs. */
  operations(operations: readonly TreeOperation[]): Operation[] {
    return operations.map(({ name, run }) => ({ name, run: (t) => run(hostOf(t), this.built) }));
  }

  /** Looks paths up until the directories before their last components are in the thread's prefix cache. */
  *#warm(t: LogicalThread): CoreCalls<void> {
    const by = defined(this.built.contexts[this.tree.warmBy], "context");
    for (const path of this.tree.warm) {
      for (let n = 0; n < LOOKUPS_TO_CACHE; n++) {
        const r = yield ["sysStat", by, AT_FDCWD, put(t, SCRATCH.PATH, path), 0];
        if (r < 0) throw new Error(`harness: ${path} returned ${r}`);
      }
    }
  }

  /** Makes and removes a file. */
  *#make(path = "/.made", remove = true, t = this.inspector): CoreCalls<void> {
    const r = yield ["sysMknod", 0, AT_FDCWD, put(t, SCRATCH.PATH, path), 0o100644, 0];
    if (r < 0) throw new Error(`harness: mknod returned ${r}`);
    if (remove) yield ["sysUnlink", 0, AT_FDCWD, put(t, SCRATCH.PATH, path), 0];
  }

  /**
   * Lets the table grow until the bucket of a name, or the one before it, is split next, and sets the count of entries so that the
   * table is full: the next call that makes an entry splits two buckets.
   */
  *#grow(path: string): CoreCalls<void> {
    const { machine, inspector } = this;
    const { words } = machine;
    const there = (yield ["sysStat", 0, AT_FDCWD, put(inspector, SCRATCH.PATH, path), 0]) === 0;
    if (!there) yield* this.#make(path, false);
    this.bucket = hashOfName(words, path.slice(path.lastIndexOf("/") + 1)) % L.MIN_BUCKETS;
    if (!there) yield ["sysUnlink", 0, AT_FDCWD, put(inspector, SCRATCH.PATH, path), 0];
    const buckets = () => words[L.G_HASH_N >>> 2] as number;
    for (let n = 0; n < L.MIN_BUCKETS && buckets() - L.MIN_BUCKETS + 1 < this.bucket; n++) {
      const count = words[L.G_HASH_COUNT >>> 2] as number;
      words[L.G_HASH_COUNT >>> 2] = buckets();
      yield* this.#make();
      words[L.G_HASH_COUNT >>> 2] = count;
    }
    this.#entriesTooMany = buckets() - (words[L.G_HASH_COUNT >>> 2] as number);
    words[L.G_HASH_COUNT >>> 2] = buckets();
  }

  /** Makes and removes a file until the thread's next poll is near. */
  *#retireSome(t: LogicalThread): CoreCalls<void> {
    const { words } = this.machine;
    const since = () => words[(L.SLOTS + t.id * L.SLOT_SIZE + L.SLOT_RCU_SINCE) >>> 2] as number;
    for (let n = 0; n < 64 && since() < L.POLL_EVERY - 3; n++) yield* this.#make("/.made", true, t);
    if (since() < L.POLL_EVERY - 3) throw new Error(`harness: ${since()} objects retired since the last poll`);
  }

  #share(state: DriverState): void {
    for (const t of this.machine.all) hostOf(t).driverState = state;
  }

  /** Judges a run that has ended. @returns null, or what is wrong */
  #judge(operations: readonly TreeOperation[], { results }: Outcome, dead?: number[]): string | null {
    const { machine, built, inspector } = this;
    const stuck = this.#nextCalls();
    if (stuck !== null) return stuck;
    // What a dead thread leaves is whole only after its recovery.
    const damage = dead === undefined ? this.#damage() : null;
    if (damage !== null) return damage;
    const order = machine.order.map(([t, call, event]) => [t, call, event] as const);
    // A thread that has left a call makes all further ones.
    const reader = machine.threads.find(({ left }) => left > 0) ?? inspector;
    let final: LabelledDump;
    try {
      final = machine.callAll(reader, dump(hostOf(reader), built));
    } catch (error) {
      return `the tree that is left cannot be read: ${messageOf(error)}`;
    }
    const left = machine.leftCalls.map(([t, call]) => [t, call] as const);
    const key = JSON.stringify([operations.map(({ name }) => name), results, final, order, dead, left]);
    let verdict = this.verdicts.get(key);
    if (verdict === undefined) {
      // The operations of a tree return the results of their calls.
      const lists = results as (Result[] | undefined)[];
      verdict = this.#verdict(operations, lists, final, { order, left, ...(dead ? { dead } : {}) });
      this.verdicts.set(key, verdict);
    }
    return verdict;
  }

  /** The next calls of the threads that have left a call. @returns what fails, or null */
  #nextCalls(): string | null {
    for (const t of this.machine.threads) {
      if (t.left === 0) continue;
      try {
        // A call by descriptor, which counts the references anew that the thread's calls have left, and one by path.
        this.machine.call(t, "sysFstat", 0, NO_DESCRIPTOR);
        this.machine.callAll(t, this.#makeDirectory(t));
      } catch (error) {
        return `thread ${t.id} can make no further call: ${messageOf(error)}`;
      }
      // The recount has set the number of the table's entries.
      this.#countedAnew = true;
    }
    return null;
  }

  *#makeDirectory(t: LogicalThread): CoreCalls<void> {
    const path = "/.next";
    const made = yield ["sysMkdir", 0, AT_FDCWD, put(t, SCRATCH.PATH, path), 0o755];
    const removed = yield ["sysUnlink", 0, AT_FDCWD, put(t, SCRATCH.PATH, path), AT_REMOVEDIR];
    if (made !== 0 || removed !== 0) throw new Error(`mkdir and rmdir return ${made} and ${removed}`);
  }

  /** What the checker of the arena finds, or null. All threads are at rest. */
  #damage(): string | null {
    const { machine } = this;
    const count = L.G_HASH_COUNT >>> 2;
    const all = machine.words[count] as number;
    if (!this.#countedAnew) machine.words[count] = all - this.#entriesTooMany;
    const { problems } = checkArena(machine.memory, {
      live: machine.all.map((_thread, slot) => slot),
      before: this.#names,
    });
    machine.words[count] = all;
    if (problems.length === 0) return null;
    const shown = problems.slice(0, PROBLEMS_SHOWN).map((problem) => `\n    ${problem}`);
    return `the arena is not whole:${shown.join("")}`;
  }

  /** An outcome that cannot be judged is a failure. */
  #verdict(
    operations: readonly TreeOperation[],
    results: (Result[] | undefined)[],
    final: LabelledDump,
    times: Parameters<typeof judge>[4],
  ): string | null {
    try {
      return judge(this.tree, operations, results, final, times);
    } catch (error) {
      return `the judge could not tell: ${messageOf(error)}`;
    }
  }

  /** All schedules of these operations within a bound, see explore.ts. */
  explore(operations: TreeOperation[], options: Unjudged<ExploreOptions> = {}): HarnessExplored {
    return this.#with(operations, options.races === true, (judgeRun) =>
      explore(this.machine, this.operations(operations), { ...options, judge: judgeRun }),
    );
  }

  /** Random schedules. */
  sample(operations: TreeOperation[], options: Unjudged<SampleOptions>): HarnessExplored {
    return this.#with(operations, options.races === true, (judgeRun) =>
      sample(this.machine, this.operations(operations), { ...options, judge: judgeRun }),
    );
  }

  #with(operations: TreeOperation[], races: boolean, run: (judgeRun: Judge) => Explored): HarnessExplored {
    this.machine.forgetConflicts();
    this.verdicts.clear();
    const outcomes = new Set<string>();
    let waits = 0;
    let left = 0;
    const found = run((outcome) => {
      if (races) return null;
      if (this.machine.waits > 0) waits++;
      if (this.machine.threads.some((t) => t.left > 0)) left++;
      const verdict = this.#judge(operations, outcome);
      outcomes.add(JSON.stringify(outcome.results));
      return verdict;
    });
    for (const failure of found.failures) failure.trace = this.trace(operations, failure.replay).text;
    return { ...found, outcomes: outcomes.size, waits, left };
  }

  /**
   * Stops the thread of the first operation for ever before its n-th access; then the others run, one after the other.
   * @param n 1 for the first access
   * @param options `idleMs`: the time that passes when no thread can run, so that the other threads recover the dead one in time
   * @returns null: the operation has fewer accesses; `verdict` reads the tree, and must be called before the next run
   */
  death(
    operations: TreeOperation[],
    n: number,
    { idleMs = 0 } = {},
  ): { outcome: Outcome; verdict: () => string | null } | null {
    const { machine } = this;
    const { idleMs: before } = machine;
    machine.everyAccess = true;
    machine.idleMs = idleMs;
    try {
      let failed = machine.begin(this.operations(operations));
      const victim = machine.thread(0);
      while (failed === null && victim.state === READY && victim.steps < n) failed = machine.step(0);
      if (failed === null && victim.state === DONE) return null;
      machine.kill(0);
      const outcome = failed ?? machine.finish(new Replay([]));
      const wrong = outcome.status === "done" ? null : `${outcome.status}: ${outcome.message ?? ""}`;
      // The results of a dead thread are those of its calls that have ended: none, as its generator has not returned.
      return { outcome, verdict: () => wrong ?? this.#judge(operations, outcome, [0]) };
    } finally {
      machine.everyAccess = false;
      machine.idleMs = before;
    }
  }

  /** Repeats one schedule. */
  repeat(operations: TreeOperation[], schedule: string): { outcome: Outcome; verdict: string | null } {
    const outcome = replay(this.machine, this.operations(operations), schedule);
    return { outcome, verdict: this.#verdictOf(operations, outcome) };
  }

  /** The same, with the accesses to shared memory as a text, which takes most of the time. */
  trace(operations: TreeOperation[], schedule: string): { outcome: Outcome; verdict: string | null; text: string } {
    const { machine } = this;
    const tracer = traceOf(machine);
    machine.log = (entry) => tracer.add(entry);
    try {
      const outcome = replay(machine, this.operations(operations), schedule);
      machine.log = null;
      const text = tracer.text(operations, outcome);
      return { outcome, verdict: this.#verdictOf(operations, outcome), text };
    } finally {
      machine.log = null;
    }
  }

  #verdictOf(operations: TreeOperation[], outcome: Outcome): string | null {
    return outcome.status === "done" ? this.#judge(operations, outcome) : `${outcome.status}: ${outcome.message ?? ""}`;
  }
}
