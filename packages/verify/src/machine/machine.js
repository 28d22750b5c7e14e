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

import { ABANDON, AT_CALL, AT_NO_THREAD, BLOCKED, DEAD, DONE, READY, SPINNING } from "./constants.js";
import { MachineFailure, Panic } from "./errors.js";
import { SchedulingPoints } from "./scheduling-points.js";

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

export class Machine extends SchedulingPoints {
  /**
   * @param {Program} program
   * @param {object} options those of Points, and
   * @param {number} options.threads
   * @param {number} options.bytes
   * @param {number} [options.clock]
   * @param {(machine: any, thread: LogicalThread) => WebAssembly.ModuleImports} [options.host]
   * @param {number} [options.maxTimeouts]
   * @param {number[]} [options.sleepAddresses] addresses on which waiting is sleeping: nobody ever writes or notifies there
   */
  constructor(program, { maxTimeouts = 60, sleepAddresses = [], ...options }) {
    super(program, options);
    this.maxTimeouts = maxTimeouts;
    this.sleepAddresses = sleepAddresses;
    /** Whether the controller is asked before each call too: one that touches nothing of anybody else's has no other point. */
    this.callByCall = false;
    this.timeouts = 0;
    this.switches = 0;
    this.current = -1;
    /** How many threads have an operation. */
    this.operations = 0;
    /** @type {Controller} */
    this.controller = { choose: () => ABANDON };
    /** Who ran, his accesses so far when he gave way (0: he ended), and whether he waits in the last. @type {Segment[]} */
    this.schedule = [];
  }

  /** Back to the sealed state, for a new run. */
  restore() {
    this.restoreSealed();
    this.timeouts = 0;
    this.switches = 0;
    this.schedule.length = 0;
    this.current = -1;
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
      this.#timeOut(t);
      this.#resume(t);
      this.#note(t);
      return null;
    });
  }

  /** From wherever the threads stand until all have ended or the controller gives up. @param {Controller} controller @returns {Outcome} */
  finish(controller) {
    return this.#guarded(controller, () => this.#schedule(this.operations));
  }

  /** Where a thread that ran has got to. */
  #note(t) {
    const steps = t.atCall ? t.steps + 1 : t.steps;
    this.schedule.push([t.id, t.state === DONE ? 0 : steps, t.state === BLOCKED]);
  }

  #guarded(controller, work) {
    this.controller = controller;
    this.uncontrolled = false;
    try {
      return work();
    } catch (error) {
      return this.#broken(error, this.operations);
    } finally {
      this.uncontrolled = true;
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
    if (this.current >= 0) this.schedule.push([this.current, 0, false]);
    if (error instanceof Panic) return this.#outcome("panic", n, error.message);
    if (error instanceof MachineFailure) return this.#outcome(error.status, n, error.message);
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      return this.#outcome("trap", n, `thread ${this.current}: ${error.message}`);
    }
    throw error;
  }

  #schedule(n) {
    this.current = -1;
    this.next = this.ask(null, AT_NO_THREAD);
    for (;;) {
      if (this.next === ABANDON) return this.#outcome(this.#allEnded(n) ? "done" : "abandoned", n);
      const t = this.threads[this.next];
      this.next = ABANDON;
      if (this.current !== t.id) this.switches++;
      this.current = t.id;
      this.#timeOut(t);
      this.#resume(t);
      this.#note(t);
      if (t.state === DONE || t.state === DEAD) this.next = this.ask(t, AT_NO_THREAD);
      else if (t.atCall) this.next = this.ask(t, AT_CALL);
    }
  }

  #allEnded(n) {
    for (let id = 0; id < n; id++) if (this.threads[id].state !== DONE && this.threads[id].state !== DEAD) return false;
    return true;
  }

  /** Asks the controller who goes on; ABANDON without asking when nobody is left. */
  ask(t, reason) {
    if (reason === AT_NO_THREAD && this.#allEnded(this.threads.length)) return ABANDON;
    return this.controller.choose(this, t, reason);
  }

  /** Whether somebody other than `but` can go on by himself. */
  anyReady(but = -1) {
    for (const t of this.threads) if (t.state === READY && t.id !== but) return true;
    return false;
  }

  /** A thread chosen although it waits or spins goes on as one whose time is over. */
  #timeOut(t) {
    if (t.state === BLOCKED) {
      const alone = !this.anyReady();
      if (alone && this.idleMs > 0) this.clock += Math.max(t.waitMs, this.idleMs);
      this.waiters.splice(this.waiters.indexOf(t), 1);
      t.state = READY;
      t.notified = false;
      if (!this.sleepAddresses.includes(t.waitAddress)) {
        if (this.words[t.waitAddress >>> 2] !== t.waitExpected && alone) {
          throw new MachineFailure("lost wake-up", `thread ${t.id} sleeps on ${t.waitAddress}, which has changed`);
        }
      }
      this.conflicts.event(t, 1);
      this.#countTimeout();
    } else if (t.state === SPINNING) {
      this.spinners--;
      t.state = READY;
      t.keepsSpinning = true;
      this.conflicts.event(t, 2);
      if (!this.anyReady(t.id)) this.#countTimeout();
    }
  }

  #countTimeout() {
    if (++this.timeouts > this.maxTimeouts)
      throw new MachineFailure("stuck", "nobody goes on: every thread waits for another");
  }

  /** Lets a thread run until it is suspended or its operation has ended. */
  #resume(t) {
    for (;;) {
      if (!t.suspended && !t.atCall) {
        const step = t.call === null ? t.calls.next() : t.calls.next(t.answer);
        if (step.done) {
          t.result = step.value;
          t.state = DONE;
          return;
        }
        t.call = step.value;
        t.callNumber++;
        t.begun = false;
        t.atCall = this.callByCall;
        if (t.atCall) return;
      }
      t.atCall = false;
      if (!this.enter(t)) return;
      this.beginCall(t);
      this.conflicts.callEnds(t);
      this.order.push([t.id, t.callNumber, "end"]);
    }
  }
}

/** @type {Controller} stops everyone at its first point */
const STOP = { choose: () => ABANDON };
