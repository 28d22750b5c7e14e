/**
 * Several logical threads of one WebAssembly program on one shared memory, in one JavaScript thread.
 *
 *   const machine = new Machine(program, { threads: 2, bytes: 4 << 20 });
 *   ...                                   set up: machine.call(thread, "export", ...)
 *   machine.seal();                       the state that every run starts from
 *   const outcome = machine.run([operationA, operationB], controller);      as often as wanted
 *
 * Each logical thread is an instance of the instrumented program, whose imports `verify.*` are called before every
 * access to memory. In such a call a thread can be suspended: its WebAssembly stack is unwound (binaryen's asyncify) and
 * wound up again when it is its turn. What a thread is about to do at such a point has not happened yet.
 *
 * Points. Only an access to a word that another logical thread touches too, one of the two writing ("conflicting"), is a
 * point where the controller is asked who goes on. Which words those are is learnt from the runs (`adoptConflicts`);
 * explore.js argues why it is enough. `everyAccess` makes every access a point.
 *
 * Who can run. A thread in host.wait() is blocked until it is notified. One that has looked at the same word twice
 * with the same instruction and found it unwritten is spinning: the controller decides whether it goes on looking (then
 * the bounded loop runs to its end without more points) or gives way until somebody writes the word. When nobody is
 * left who can run, a blocked thread times out; more than `maxTimeouts` of that in one run means that nobody goes on.
 *
 * Time stands still, unless `idleMs` is given: then a wait that times out while nobody else can run takes that long.
 *
 * The signature of a run so far is a sum over its events at points: who, its how-manieth, where, and which write it saw
 * (or followed). Two runs with the same signature are the same partial order of conflicting accesses, so they have led to
 * the same state.
 */
import { Conflicts } from "./conflicts.js";
import { Finding, Panic } from "./findings.js";
import { Instances } from "./instances.js";
import {
  ABANDON,
  AT_ACCESS,
  AT_NOTHING,
  AT_SPIN,
  AT_WAIT,
  ATOMIC,
  BLOCKED,
  DEAD,
  DONE,
  NOTIFY,
  READ,
  READY,
  SPINNING,
  WAIT_SITE,
  WRITE,
} from "./kinds.js";

/**
 * @typedef {object} Program an instrumented, asyncified module
 * @property {WebAssembly.Module} module exports its mutable globals as `verify.global.N`
 * @property {{ kind: number, size: number, func?: string, op?: string }[]} sites kind: READ | WRITE | ATOMIC | NOTIFY; a copy has
 *   READ | WRITE, a fill WRITE; size: bytes, 0 for what touches no memory
 */

/** @typedef {[thread: number, steps: number, waits: boolean]} Segment a stretch of a schedule */
/** @typedef {Generator<[string, ...number[]], any, number>} Calls */
/** @typedef {import("./logical-thread.js").LogicalThread} LogicalThread */
/** @typedef {{ name: string, run(thread: LogicalThread, built: any): Calls }} Operation */

/**
 * @typedef {object} Controller
 * @property {(machine: Machine, thread: LogicalThread | null, reason: number) => number} choose the number of the thread that
 *   goes on, or ABANDON
 */

/**
 * @typedef {object} Outcome
 * @property {"done" | "abandoned" | "stuck" | "panic" | "trap" | "steps" | "lost wake-up"} status
 * @property {any[]} results what the operations answered; undefined where one has not ended
 * @property {string} [message]
 */

export class Machine extends Instances {
  /**
   * @param {Program} program
   * @param {object} options those of Instances, and
   * @param {number} options.threads
   * @param {number} options.bytes
   * @param {number} [options.maxSteps] accesses of one run
   * @param {number} [options.maxTimeouts]
   * @param {number} [options.idleMs]
   * @param {number[]} [options.naps] addresses on which waiting is sleeping: nobody ever writes or notifies there
   */
  constructor(program, { maxSteps = 4_000_000, maxTimeouts = 60, naps = [], idleMs = 0, ...options }) {
    super(program, options);
    const { threads, bytes } = options;
    this.maxSteps = maxSteps;
    this.maxTimeouts = maxTimeouts;
    this.idleMs = idleMs;
    this.naps = naps;
    this.kinds = Uint8Array.from(program.sites, (s) => s.kind);
    this.sizes = Uint8Array.from(program.sites, (s) => s.size);
    this.conflicts = new Conflicts(threads, Math.ceil(bytes / 4) + 4);
    /** Number of each word that is a point, 0: none. */
    this.index = this.conflicts.index;
    this.everyAccess = false;
    this.steps = 0;
    this.timeouts = 0;
    this.switches = 0;
    this.spinners = 0;
    this.next = ABANDON;
    this.current = -1;
    /** How many threads have an operation. */
    this.operations = 0;
    /** @type {LogicalThread[]} those who wait, longest first */
    this.waiters = [];
    /** @type {((entry: LogEntry) => void) | null} told of every access, for traces */
    this.log = null;
    /** @type {import("./clocks.js").Clocks | null} judges plain accesses when set */
    this.races = null;
    /** @type {Controller} */
    this.controller = { choose: () => ABANDON };
    /** What begins and ends: [thread, number of its call, "begin" or "end"]. @type {[number, number, string][]} */
    this.order = [];
    /** Who ran, his accesses so far when he gave way (0: he ended), and whether he waits in the last. @type {Segment[]} */
    this.trail = [];
  }

  /** Back to the sealed state, for a new run. */
  restore() {
    this.restoreSealed();
    this.conflicts.begin();
    this.steps = 0;
    this.timeouts = 0;
    this.switches = 0;
    this.spinners = 0;
    this.waiters.length = 0;
    this.trail.length = 0;
    this.order.length = 0;
    this.current = -1;
    this.races?.reset();
  }

  /** Forgets what earlier runs have touched: for another pair of operations. */
  forgetConflicts() {
    this.conflicts.forget();
  }

  /** Makes points of the conflicting words that the last run has found; false: there were none. */
  adoptConflicts() {
    this.races?.settle(this.conflicts.found.size === 0);
    return this.conflicts.adopt();
  }

  // ------------------------------------------------------------------------------------------------ running

  /**
   * Runs operations from the sealed state, one in each thread, until all have ended or the controller gives up.
   * @param {Operation[]} operations
   * @param {Controller} controller
   * @param {any} [built] what the tree's preparation answered, handed to the operations
   * @returns {Outcome}
   */
  run(operations, controller, built) {
    const failed = this.begin(operations, built);
    return failed ?? this.finish(controller);
  }

  /**
   * Brings everyone to its first point: what comes before it is nobody else's concern. null, or what went wrong.
   * @param {Operation[]} operations @param {any} [built] @returns {Outcome | null}
   */
  begin(operations, built) {
    this.restore();
    this.operations = operations.length;
    return this.#guarded(STOP, () => {
      for (let id = 0; id < operations.length; id++) {
        const t = this.threads[id];
        t.calls = operations[id].run(t, built);
        t.state = READY;
        this.current = id;
        this.#resume(t);
        if (t.state !== READY) this.#note(t);
      }
      return null;
    });
  }

  /**
   * Lets a thread make the access it stands before, and brings it before its next one: `everyAccess` makes that each one.
   * @returns {Outcome | null} what went wrong; `threads[id].state` tells whether it has ended, waits, or stands before
   *   `threads[id].site`
   */
  step(id) {
    const t = this.threads[id];
    if (t.state === DONE || t.state === DEAD) throw new Error(`machine: thread ${id} cannot go on`);
    return this.#guarded(STOP, () => {
      this.current = id;
      this.#wakeByTime(t);
      this.#resume(t);
      this.#note(t);
      return null;
    });
  }

  /** From wherever the threads stand until all have ended or the controller gives up. @param {Controller} controller @returns {Outcome} */
  finish(controller) {
    return this.#guarded(controller, () => this.#turns(this.operations));
  }

  /** Where a thread that ran has got to. */
  #note(t) {
    this.trail.push([t.id, t.state === DONE ? 0 : t.steps, t.state === BLOCKED]);
  }

  #guarded(controller, work) {
    this.controller = controller;
    this.quiet = false;
    try {
      return work();
    } catch (error) {
      return this.#broken(error, this.operations);
    } finally {
      this.quiet = true;
    }
  }

  /** Never resumes this thread: it stands before its access for ever, holding what it holds. */
  kill(id) {
    const t = this.threads[id];
    if (t.state === SPINNING) this.spinners--;
    t.state = DEAD;
    const at = this.waiters.indexOf(t);
    if (at >= 0) this.waiters.splice(at, 1);
  }

  #outcome(status, n, message) {
    return { status, results: this.threads.slice(0, n).map((t) => t.result), message };
  }

  #broken(error, n) {
    if (this.current >= 0) this.trail.push([this.current, 0, false]);
    if (error instanceof Panic) return this.#outcome("panic", n, error.message);
    if (error instanceof Finding) return this.#outcome(error.status, n, error.message);
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      return this.#outcome("trap", n, `thread ${this.current}: ${error.message}`);
    }
    throw error;
  }

  #turns(n) {
    this.current = -1;
    this.next = this.#ask(null, AT_NOTHING);
    for (;;) {
      if (this.next === ABANDON) return this.#outcome(this.#allEnded(n) ? "done" : "abandoned", n);
      const t = this.threads[this.next];
      this.next = ABANDON;
      if (this.current !== t.id) this.switches++;
      this.current = t.id;
      this.#wakeByTime(t);
      this.#resume(t);
      this.#note(t);
      if (t.state === DONE || t.state === DEAD) this.next = this.#ask(t, AT_NOTHING);
    }
  }

  #allEnded(n) {
    for (let id = 0; id < n; id++) if (this.threads[id].state !== DONE && this.threads[id].state !== DEAD) return false;
    return true;
  }

  /** Asks the controller who goes on; ABANDON without asking when nobody is left. */
  #ask(t, reason) {
    if (reason === AT_NOTHING && this.#allEnded(this.threads.length)) return ABANDON;
    return this.controller.choose(this, t, reason);
  }

  /** Whether somebody other than `but` can go on by himself. */
  anyReady(but = -1) {
    for (const t of this.threads) if (t.state === READY && t.id !== but) return true;
    return false;
  }

  /** A thread chosen although it waits or spins goes on as one whose time is over. */
  #wakeByTime(t) {
    if (t.state === BLOCKED) {
      const alone = !this.anyReady();
      if (alone && this.idleMs > 0) this.clock += Math.max(t.waitMs, this.idleMs);
      this.waiters.splice(this.waiters.indexOf(t), 1);
      t.state = READY;
      t.notified = false;
      if (!this.naps.includes(t.waitAddress)) {
        if (this.words[t.waitAddress >>> 2] !== t.waitExpected && alone) {
          throw new Finding("lost wake-up", `thread ${t.id} sleeps on ${t.waitAddress}, which has changed`);
        }
      }
      this.conflicts.event(t, 1);
      this.#countTimeout();
    } else if (t.state === SPINNING) {
      this.spinners--;
      t.state = READY;
      t.burning = true;
      this.conflicts.event(t, 2);
      if (!this.anyReady(t.id)) this.#countTimeout();
    }
  }

  #countTimeout() {
    if (++this.timeouts > this.maxTimeouts)
      throw new Finding("stuck", "nobody goes on: every thread waits for another");
  }

  /** Lets a thread run until it is suspended or its operation has ended. */
  #resume(t) {
    for (;;) {
      if (!t.suspended) {
        const step = t.call === null ? t.calls.next() : t.calls.next(t.answer);
        if (step.done) {
          t.result = step.value;
          t.state = DONE;
          return;
        }
        t.call = step.value;
        t.callNumber++;
        t.begun = false;
      }
      if (!this.enter(t)) return;
      this.#begin(t);
      this.conflicts.callEnds(t);
      this.order.push([t.id, t.callNumber, "end"]);
    }
  }

  /** A call counts as begun with its first access at a point: what comes before could as well have come just then. */
  #begin(t) {
    if (t.begun) return;
    t.begun = true;
    this.conflicts.callBegins(t);
    this.order.push([t.id, t.callNumber, "begin"]);
  }

  /** Notes that a thread reads and changes a state of the host's that all threads share: part of the signature. */
  external(t) {
    if (this.quiet) return;
    this.#perform(t, -3, READ | WRITE, 0, 0, 0);
  }

  // ------------------------------------------------------------------------------------------------ accesses

  access(t, site, address, lo, hi) {
    const kind = this.kinds[site];
    const size = this.sizes[site];
    // memory.size and memory.grow touch nothing.
    if (size === 0) return;
    if (kind & WRITE) this.snapshot.willWrite(address, size);
    if (this.quiet) return;
    if (t.rewinding) {
      this.arrive(t);
    } else {
      t.steps++;
      if (++this.steps > this.maxSteps) throw new Finding("steps", `more than ${this.maxSteps} accesses in one run`);
      const { conflicts } = this;
      const word = address >>> 2;
      if (address >= this.bytes) throw new Finding("trap", `an access at ${address}, behind the arena`);
      conflicts.touch(t.id, word, kind);
      const last = (address + size - 1) >>> 2;
      if (last !== word) conflicts.touch(t.id, last, kind);
      if (this.index[word] === 0 && this.index[last] === 0 && !this.everyAccess) {
        if (this.log) this.log({ thread: t.id, step: t.steps, site, kind, size, address, lo, hi, point: false });
        if (kind & NOTIFY) this.#notify(t, address);
        return;
      }
      t.site = site;
      t.address = address;
      if (this.#stopsAt(t, site, address, word, last)) return;
    }
    if (this.log) this.log({ thread: t.id, step: t.steps, site, kind, size, address, lo, hi, point: true });
    if (this.races) this.races.access(t.id, site, kind, size, address);
    if (t.burning) return;
    this.#perform(t, site, kind, address, address >>> 2, (address + size - 1) >>> 2);
    if (kind & NOTIFY) this.#notify(t, address);
  }

  /** A copy or a fill: one access to every word of both ranges. A fill has no source, `from` is its byte. */
  range(t, site, to, from, length) {
    if (length === 0) return;
    this.snapshot.willWrite(to, length);
    if (this.quiet) return;
    const read = this.kinds[site] & READ ? length : 0;
    if (t.rewinding) {
      this.arrive(t);
    } else {
      t.steps++;
      this.steps++;
      let point = this.everyAccess;
      for (let w = to >>> 2; w <= (to + length - 1) >>> 2; w++) {
        this.conflicts.touch(t.id, w, WRITE);
        if (this.index[w] !== 0) point = true;
      }
      for (let w = from >>> 2; read > 0 && w <= (from + length - 1) >>> 2; w++) {
        this.conflicts.touch(t.id, w, READ);
        if (this.index[w] !== 0) point = true;
      }
      if (this.log)
        this.log({ thread: t.id, step: t.steps, site, kind: WRITE, size: length, address: to, lo: from, hi: 0, point });
      if (!point) return;
      t.site = site;
      t.address = to;
      if (this.#givesWay(t, AT_ACCESS)) return;
    }
    t.burning = false;
    if (this.races) this.races.range(t.id, site, to, read > 0 ? from : -1, length);
    if (read > 0) this.#perform(t, site, READ, from, from >>> 2, (from + length - 1) >>> 2);
    this.#perform(t, site, WRITE, to, to >>> 2, (to + length - 1) >>> 2);
  }

  /** Whether the thread gives way before this access. */
  #stopsAt(t, site, address, word, last) {
    if (
      t.lastStep === t.steps - 1 &&
      site === t.lastSite &&
      address === t.lastAddress &&
      t.lastVersion === this.conflicts.versions(word, last)
    ) {
      // Its last access was this one, and nothing has changed: a loop that waits for a change.
      t.lastStep = t.steps;
      if (t.burning) return false;
      t.spinWord = word;
      if (this.#givesWay(t, AT_SPIN)) return true;
      t.burning = true;
      this.conflicts.event(t, 2);
      return false;
    }
    t.burning = false;
    return this.#givesWay(t, AT_ACCESS);
  }

  /** Asks who goes on; true: somebody else, and this thread is on its way to being suspended. */
  #givesWay(t, reason) {
    const next = this.#ask(t, reason);
    if (next === t.id) return false;
    if (reason === AT_SPIN && next !== ABANDON) {
      t.state = SPINNING;
      this.spinners++;
    }
    this.next = next;
    this.suspend(t);
    return true;
  }

  /** The access happens: it is part of the signature, and those who look at a word hear that it was written. */
  #perform(t, site, kind, address, word, last) {
    this.#begin(t);
    this.conflicts.access(t, kind, address, word, last);
    if (kind & (WRITE | NOTIFY)) {
      if (this.spinners > 0) for (let w = word; w <= last; w++) if (this.index[w] !== 0) this.#written(w);
      t.lastStep = -1;
    } else {
      t.lastSite = site;
      t.lastStep = t.steps;
      t.lastAddress = address;
      t.lastVersion = this.conflicts.versions(word, last);
    }
  }

  #written(word) {
    for (const t of this.threads) {
      if (t.state !== SPINNING || word < t.spinWord || word > t.spinWord + 1) continue;
      t.state = READY;
      this.spinners--;
    }
  }

  // ------------------------------------------------------------------------------------------------ waiting

  wait(t, p, expected, ms) {
    if (this.quiet) {
      // Alone, nobody will answer: the time is over at once.
      if (this.idleMs > 0) this.clock += Math.max(ms, this.idleMs);
      return this.words[p >>> 2] === expected ? TIMED_OUT : NOT_EQUAL;
    }
    if (t.rewinding) {
      this.arrive(t);
      if (t.waitPhase === WAITED) {
        t.waitPhase = 0;
        return t.notified ? WOKEN : TIMED_OUT;
      }
    } else {
      t.steps++;
      this.steps++;
      this.conflicts.touch(t.id, p >>> 2, READ);
      t.site = -1;
      t.address = p;
      if ((this.index[p >>> 2] !== 0 || this.everyAccess) && this.#givesWay(t, AT_ACCESS)) {
        t.waitPhase = BEFORE_WAIT;
        return 0;
      }
    }
    t.burning = false;
    if (this.log)
      this.log({
        thread: t.id,
        step: t.steps,
        site: WAIT_SITE,
        kind: READ | ATOMIC,
        size: 4,
        address: p,
        lo: expected,
        hi: ms,
        point: true,
      });
    if (this.index[p >>> 2] !== 0) this.#perform(t, -2, READ | ATOMIC, p, p >>> 2, p >>> 2);
    if (this.races) this.races.access(t.id, -1, READ | ATOMIC, 4, p);
    t.lastStep = -1;
    t.waitPhase = 0;
    if (this.words[p >>> 2] !== expected) return NOT_EQUAL;
    t.state = BLOCKED;
    t.waitAddress = p;
    t.waitExpected = expected;
    t.waitMs = ms;
    t.notified = false;
    t.waitPhase = WAITED;
    this.waiters.push(t);
    this.conflicts.event(t, 4);
    this.next = this.#ask(t, AT_WAIT);
    this.suspend(t);
    return 0;
  }

  /** memory.atomic.notify: the one that waits longest on this word goes on. */
  #notify(by, address) {
    const at = this.waiters.findIndex((t) => t.waitAddress === address);
    if (at < 0) return;
    const [t] = this.waiters.splice(at, 1);
    t.state = READY;
    t.notified = true;
    this.conflicts.event(t, 3, address >>> 2);
    if (this.races) this.races.wake(by.id, t.id);
  }
}

/** @typedef {{ thread: number, step: number, site: number, kind: number, size: number, address: number, lo: number, hi: number, point: boolean }} LogEntry */

const WOKEN = 0;
const NOT_EQUAL = 1;
const TIMED_OUT = 2;
const BEFORE_WAIT = 1;
const WAITED = 2;

/** @type {Controller} stops everyone at its first point */
const STOP = { choose: () => ABANDON };
