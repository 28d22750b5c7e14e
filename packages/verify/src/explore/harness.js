/**
 * The core on a machine: a small tree, operations on it, and the judge. One stage serves one tree and any number of sets
 * of operations on it.
 */
import { AT_FDCWD, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { addressOf, numberOf } from "../arena/core-source.js";
import * as L from "../arena/layout.js";
import { DONE, READY } from "../machine/constants.js";
import { Machine } from "../machine/machine.js";
import { dump, judge, trees } from "../scenario/operations.js";
import { explore, Replay, replay, sample } from "./explore.js";
import { traceOf } from "./trace.js";

/** Large enough for five threads and one chunk of every cache. */
const ARENA = 4 << 20;
const SEED = [1, 2];
/** A path asked for so often is in the memo: it gets its place when it misses for the second time running. */
const ASKED = 3;
/** Sleeping is waiting there. */
const SLEEP = addressOf("G_SLEEP");
const SINCE = addressOf("G_RCU_SINCE");
const POLL_EVERY = numberOf("POLL_EVERY");
/** Parts of a scratch area that the host writes: paths, answers it puts there, a driver's exchange. */
const WRITTEN_BY_HOST = [
  [SCRATCH.PATH, 1024],
  [SCRATCH.PATH2, 1024],
  [SCRATCH.STAT, 144],
  [SCRATCH.IO, 2048],
  [SCRATCH.DRIVER, 2048],
];

/** @typedef {import("../machine/machine.js").Outcome} Outcome */

/** Writes a path with its NUL; answers its length. */
function put(t, at, text) {
  t.scratch.set(Buffer.from(`${text}\0`, "latin1"), at);
  return text.length;
}

/** The hash of the one entry that has a short name, as it stands in the memory. */
function hashOfName(words, name) {
  const padded = Buffer.alloc(L.INLINE_NAME);
  padded.write(name, "latin1");
  const wanted = new Uint32Array(padded.buffer, padded.byteOffset, L.INLINE_NAME / 4);
  for (let at = 0; at < ARENA; at += L.DENTRY_SIZE) {
    if (words[(at + L.DENTRY.len) >>> 2] !== name.length) continue;
    const first = (at + L.DENTRY.name) >>> 2;
    if (wanted.every((word, n) => words[first + n] === word)) return words[(at + L.DENTRY.hash) >>> 2] >>> 0;
  }
  throw new Error(`stage: no entry ${name}`);
}

export class Harness {
  /**
   * @param {import("../machine/machine.js").Program} program
   * @param {string} treeName
   * @param {{ threads?: number, polls?: boolean, clocks?: (machine: Machine) => import("../machine/vector-clocks.js").VectorClocks }} [options]
   *   polls: so many objects have been retired that the next but one retirement looks at the slots and frees
   */
  constructor(program, treeName, { threads = 2, polls = false, clocks } = {}) {
    const tree = trees[treeName];
    this.tree = tree;
    /** Whether the driver's state may have changed since the last copy of it. */
    this.driverAsked = true;
    const machine = new Machine(program, {
      threads,
      bytes: ARENA,
      sleepAddresses: [SLEEP],
      clock: tree.clock,
      host: (m, t) => ({
        driverCall: (...args) => {
          this.driverAsked = true;
          m.external(t);
          return tree.driverCall(t, ...args);
        },
      }),
    });
    this.machine = machine;
    /** Looks at the tree when all have ended. */
    this.inspector = machine.all[threads];
    this.#prepare(polls);
    if (clocks) machine.races = clocks(machine);
    /** Verdicts by what was answered, what was left and what was over before what. @type {Map<string, string | null>} */
    this.verdicts = new Map();
  }

  #prepare(polls) {
    const { machine, tree } = this;
    const made = machine.call(this.inspector, "arenaInit", ARENA, ...SEED);
    if (made < 0) throw new Error(`stage: arenaInit answered ${made}`);
    for (const t of machine.all) {
      const r = machine.call(t, "threadAttach", 1);
      if (r < 0) throw new Error(`stage: threadAttach answered ${r}`);
      const base = machine.call(t, "scratchBase") >>> 0;
      t.scratch = new Uint8Array(machine.memory.buffer, base, SCRATCH.SIZE);
      t.clock = tree.clock;
      t.driverState = null;
      for (const [at, length] of WRITTEN_BY_HOST) machine.hostWrittenRanges.push([base + at, length]);
    }
    this.driverState = tree.newDriverState();
    this.#share(this.driverState);
    this.built = machine.callAll(this.inspector, tree.build(this.inspector));
    for (const t of machine.threads) machine.callAll(t, this.#warm(t));
    if (tree.splits !== undefined) machine.callAll(this.inspector, this.#grow(tree.splits));
    // What is made for the next look at the slots would have the table grow on.
    else if (polls) machine.callAll(this.inspector, this.#retireSome());
    machine.seal();
    this.driverState = structuredClone(this.driverState);
    machine.onRestore = () => {
      if (this.driverAsked) this.#share(structuredClone(this.driverState));
      this.driverAsked = false;
    };
  }

  /** Has a thread ask for paths until the directories before their last components are in its memo. */
  *#warm(t) {
    for (const path of this.tree.warm) {
      for (let n = 0; n < ASKED; n++) {
        const r = yield ["sysStat", 0, AT_FDCWD, put(t, SCRATCH.PATH, path), 0];
        if (r < 0) throw new Error(`stage: ${path} answered ${r}`);
      }
    }
  }

  /** Makes and removes a file. */
  *#make(path = "/.made", remove = true) {
    const { inspector } = this;
    const r = yield ["sysMknod", 0, AT_FDCWD, put(inspector, SCRATCH.PATH, path), 0o100644];
    if (r < 0) throw new Error(`stage: mknod answered ${r}`);
    if (remove) yield ["sysUnlink", 0, AT_FDCWD, put(inspector, SCRATCH.PATH, path), 0];
  }

  /**
   * Has the table grow until the bucket of a name is the next to be split or the one behind it, and makes it full: whoever makes
   * an entry then splits two. The count of entries says so without them.
   */
  *#grow(path) {
    const { machine, inspector } = this;
    const { words } = machine;
    const there = (yield ["sysStat", 0, AT_FDCWD, put(inspector, SCRATCH.PATH, path), 0]) === 0;
    if (!there) yield* this.#make(path, false);
    this.bucket = hashOfName(words, path.slice(path.lastIndexOf("/") + 1)) % L.MIN_BUCKETS;
    if (!there) yield ["sysUnlink", 0, AT_FDCWD, put(inspector, SCRATCH.PATH, path), 0];
    const buckets = () => words[L.G_HASH_N >>> 2];
    for (let n = 0; n < L.MIN_BUCKETS && buckets() - L.MIN_BUCKETS + 1 < this.bucket; n++) {
      words[L.G_HASH_COUNT >>> 2] = buckets();
      yield* this.#make();
    }
    words[L.G_HASH_COUNT >>> 2] = buckets();
  }

  /** Makes and removes a file until the next poll is near. */
  *#retireSome() {
    const { machine } = this;
    const since = () => machine.words[SINCE >>> 2];
    for (let n = 0; n < 64 && since() < POLL_EVERY - 3; n++) yield* this.#make();
    if (since() < POLL_EVERY - 3) throw new Error(`stage: ${since()} objects retired since the last poll`);
  }

  #share(state) {
    for (const t of this.machine.all) t.driverState = state;
  }

  /** What is wrong with a run that has ended, or null. */
  #judge(operations, { results }, dead) {
    const { machine, built, inspector } = this;
    const order = machine.order.map((event) => [...event]);
    let final;
    try {
      final = machine.callAll(inspector, dump(inspector, built));
    } catch (error) {
      return `the tree that is left cannot be read: ${error.message}`;
    }
    const key = JSON.stringify([operations.map(({ name }) => name), results, final, order, dead]);
    let verdict = this.verdicts.get(key);
    if (verdict === undefined) {
      verdict = this.#verdict(operations, results, final, { order, dead });
      this.verdicts.set(key, verdict);
    }
    return verdict;
  }

  /** A judge that cannot tell has not found it right. */
  #verdict(operations, results, final, times) {
    try {
      return judge(this.tree, operations, results, final, times);
    } catch (error) {
      return `the judge could not tell: ${error.message}`;
    }
  }

  /** All schedules of these operations within a bound, see explore.js. `races`: only for the machine's clocks, nothing is judged. */
  explore(operations, options = {}) {
    return this.#with(operations, options.races === true, (judgeRun) =>
      explore(this.machine, operations, { ...options, built: this.built, judge: judgeRun }),
    );
  }

  /** Schedules by chance. */
  sample(operations, options) {
    return this.#with(operations, options.races === true, (judgeRun) =>
      sample(this.machine, operations, { ...options, built: this.built, judge: judgeRun }),
    );
  }

  #with(operations, races, run) {
    this.machine.forgetConflicts();
    this.verdicts.clear();
    const outcomes = new Set();
    const found = run((outcome) => {
      if (races) return null;
      const verdict = this.#judge(operations, outcome);
      outcomes.add(JSON.stringify(outcome.results));
      return verdict;
    });
    for (const failure of found.failures) failure.trace = this.trace(operations, failure.replay).text;
    return { ...found, outcomes: outcomes.size };
  }

  /**
   * The first operation's thread is stopped for ever before its n-th access; then the others run, one after the other.
   * @param {number} n 1 for the first access
   * @param {{ idleMs?: number }} [options] how much time passes when nobody can run: the dead are given up by time
   * @returns {{ outcome: Outcome, verdict: () => string | null } | null} null: the operation has fewer accesses; `verdict` looks at
   *   the tree, and is to be asked before the next run
   */
  death(operations, n, { idleMs = 0 } = {}) {
    const { machine } = this;
    const { idleMs: before } = machine;
    machine.everyAccess = true;
    machine.idleMs = idleMs;
    try {
      let failed = machine.begin(operations, this.built);
      const [victim] = machine.threads;
      while (failed === null && victim.state === READY && victim.steps < n) failed = machine.step(0);
      if (failed === null && victim.state === DONE) return null;
      machine.kill(0);
      const outcome = failed ?? machine.finish(new Replay([]));
      const wrong = outcome.status === "done" ? null : `${outcome.status}: ${outcome.message ?? ""}`;
      // A dead thread's answers are those of its calls that have ended: none, as its generator has not.
      return { outcome, verdict: () => wrong ?? this.#judge(operations, outcome, [0]) };
    } finally {
      machine.everyAccess = false;
      machine.idleMs = before;
    }
  }

  /** Runs one schedule again. @returns {{ outcome: Outcome, verdict: string | null, text: string }} */
  trace(operations, schedule) {
    const { machine } = this;
    const tracer = traceOf(machine);
    machine.log = (entry) => tracer.add(entry);
    try {
      const outcome = replay(machine, operations, schedule, this.built);
      machine.log = null;
      const ended = outcome.status === "done";
      const text = tracer.text(operations, outcome);
      const verdict = ended ? this.#judge(operations, outcome) : `${outcome.status}: ${outcome.message ?? ""}`;
      return { outcome, verdict, text };
    } finally {
      machine.log = null;
    }
  }
}
