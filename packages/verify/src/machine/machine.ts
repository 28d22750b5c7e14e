/**
 * Several logical threads of one WebAssembly program on one shared memory, in one JavaScript thread.
 *
 *   const machine = new Machine(program, { threads: 2, bytes: 4 << 20 });
 *   ...                                   set up: machine.call(thread, "export", ...)
 *   machine.seal();                       the state that every run starts from
 *   const outcome = machine.run([operationA, operationB], controller);      as often as wanted
 *
 * Each logical thread is an instance of the instrumented program, whose imports `verify.*` are called before every access to memory.
 * In such a call a thread can be suspended: binaryen's asyncify unwinds its WebAssembly stack, and rewinds it when the thread runs
 * again. The access before which a thread stands has not happened yet.
 *
 * Scheduling points. A word is conflicting if several logical threads access it and one of them writes. Only an access to such a word
 * is a scheduling point, where the controller is asked for the thread that runs next. The conflicting words are collected from the runs
 * (`adoptConflicts`); explore.ts argues why that is enough. `everyAccess` makes every access a scheduling point.
 *
 * Threads that can run. A thread in host.wait() is blocked until it is notified. A thread that has read the same word twice with the
 * same instruction, and found it unwritten, is spinning: the controller decides whether it reads on (then its bounded loop runs to its
 * end without further points) or gives way until a thread writes the word. When no thread can run, a blocked thread times out; more
 * than `maxTimeouts` of that in one run means that the threads are stuck.
 *
 * Threads that may not sleep (`mayWait` false). Such a thread looks at the clock while it waits. A look with nothing new read since the
 * one before is a point where the controller decides: another thread runs, until it writes a word that both use, or the limit of the
 * wait passes. A call that waits for too long is left as the host leaves it: the thread takes back what the call had begun
 * (threadAbandon(), again as long as that times out too), the result is that of the call if it has happened, else TIMED_OUT, and the
 * operation goes on.
 *
 * Time stands still but for these limits, unless `idleMs` is given: then a wait that times out while no other thread can run takes that
 * long.
 *
 * The signature of a run so far is a sum over its events at scheduling points: the thread, the number of the event, the address, and
 * the write that it saw or followed. Two runs with the same signature have the same partial order of conflicting accesses, so they
 * have led to the same state.
 */

import { ABANDON, AT_CALL, AT_NO_THREAD, BLOCKED, DEAD, DONE, LOOK_SITE, READY, SPINNING } from "./constants.js";
import { MachineFailure, Panic, TIMED_OUT, TimedOut } from "./errors.js";
import type { LogicalThread } from "./logical-thread.js";
import { type SchedulingOptions, SchedulingPoints } from "./scheduling-points.js";

/** Stops each thread at its first scheduling point. */
const STOP: Controller = { choose: () => ABANDON };

/** What the clock advances by when a time limit passes: more than any limit of the core. */
const LIMIT_MS = 10_001;
/** The call by which a thread takes back what a call has begun that it has left. */
const TAKE_BACK: CoreCall = ["threadAbandon", 0];

/** An instrumented, asyncified module. */
export interface Program {
  /** Exports its mutable globals as `verify.global.N`. */
  module: WebAssembly.Module;
  sites: ProgramSite[];
}
/** An access in a program. */
export interface ProgramSite {
  /** READ | WRITE | ATOMIC | NOTIFY; a copy has READ | WRITE, a fill WRITE. */
  kind: number;
  /** Bytes; 0 for an instruction that accesses no memory. */
  size: number;
  func?: string;
  op?: string;
  line?: string;
}

/** The end of a stretch: "w": the thread sleeps; "t": its time limit passes, and it goes on. */
export type Mark = "" | "w" | "t";
/** A stretch of a schedule: a thread, its accesses and looks at the clock so far when it ends (0: the thread ends), and how. */
export type Segment = [thread: number, steps: number, mark: Mark];
/** A call of an export: its name and its arguments. */
export type CoreCall = [name: string, ...args: number[]];
/** The operation of one thread: yields calls, is sent their results, and returns its own. */
export interface Operation {
  name: string;
  run(thread: LogicalThread): Generator<CoreCall, unknown, number>;
}

export interface Controller {
  /** @returns the number of the thread that runs next, ABANDON, or LIMIT_PASSES where a thread looks at the clock */
  choose(machine: Machine, thread: LogicalThread | null, reason: number): number;
}

export interface Outcome {
  status: "done" | "abandoned" | "stuck" | "panic" | "trap" | "steps" | "lost wake-up";
  /** The results of the operations; undefined where one has not ended. */
  results: unknown[];
  message?: string;
}

export interface MachineOptions extends SchedulingOptions {
  maxTimeouts?: number;
  /** Addresses on which threads wait only to sleep: no thread writes or notifies there. */
  sleepAddresses?: number[];
}

export class Machine extends SchedulingPoints {
  readonly maxTimeouts: number;
  readonly sleepAddresses: number[];
  /** Whether the controller is asked before each call too: a call that accesses only words of its own thread has no other point. */
  callByCall = false;
  timeouts = 0;
  switches = 0;
  /** Time limits that have passed. */
  limits = 0;
  /** Calls that were left, by their threads and numbers. */
  readonly leftCalls: [thread: number, call: number][] = [];
  current = -1;
  /** How many threads have an operation. */
  operations = 0;
  controller: Controller = STOP;
  /** The schedule of the run so far. */
  readonly schedule: Segment[] = [];

  constructor(program: Program, { maxTimeouts = 60, sleepAddresses = [], ...options }: MachineOptions) {
    super(program, options);
    this.maxTimeouts = maxTimeouts;
    this.sleepAddresses = sleepAddresses;
  }

  /** Back to the sealed state, for a new run. */
  restore(): void {
    this.restoreSealed();
    this.timeouts = 0;
    this.switches = 0;
    this.limits = 0;
    this.leftCalls.length = 0;
    this.schedule.length = 0;
    this.current = -1;
  }

  /** Forgets the conflicting words of earlier runs, before another set of operations. */
  forgetConflicts(): void {
    this.conflicts.forget();
  }

  /** Makes the conflicting words that the last run has found scheduling points; false: there were none. */
  adoptConflicts(): boolean {
    this.races?.settle(this.conflicts.found.size === 0);
    return this.conflicts.adopt();
  }

  /** The thread of this number, which exists. */
  thread(id: number): LogicalThread {
    const t = this.threads[id];
    if (t === undefined) throw new RangeError(`machine: there is no thread ${id}`);
    return t;
  }

  // ------------------------------------------------------------------------------------------------ running

  /**
   * Runs operations from the sealed state, one in each thread, until all have ended or the controller gives up.
   */
  run(operations: Operation[], controller: Controller): Outcome {
    const failed = this.begin(operations);
    return failed ?? this.finish(controller);
  }

  /** Brings each thread to its first scheduling point: no other thread depends on its accesses before. @returns a failure, or null */
  begin(operations: Operation[]): Outcome | null {
    this.restore();
    this.operations = operations.length;
    return this.#guarded(STOP, () => {
      for (const [id, operation] of operations.entries()) {
        const t = this.thread(id);
        t.calls = operation.run(t);
        t.state = READY;
        this.current = id;
        this.#resume(t);
        if (t.state !== READY) this.#note(t);
      }
      return null;
    });
  }

  /**
   * Lets a thread make the access before which it stands, and brings it to its next scheduling point: with `everyAccess` that is its
   * next access. `state` of the thread says whether it has ended, waits, or stands before the access `site`.
   * @returns a failure, or null
   */
  step(id: number): Outcome | null {
    const t = this.thread(id);
    if (t.state === DONE || t.state === DEAD) throw new Error(`machine: thread ${id} cannot go on`);
    return this.#guarded(STOP, () => {
      this.current = id;
      this.#timeOut(t);
      this.#resume(t);
      this.#note(t);
      return null;
    });
  }

  /** Runs the threads from where they stand until all have ended or the controller gives up. */
  finish(controller: Controller): Outcome {
    return this.#guarded(controller, () => this.#schedule(this.operations));
  }

  /** Adds the stretch of a thread that ran to the schedule. */
  #note(t: LogicalThread): void {
    const steps = t.atCall ? t.steps + 1 : t.steps;
    this.schedule.push([t.id, t.state === DONE ? 0 : steps, t.state === BLOCKED ? "w" : ""]);
  }

  #guarded<T>(controller: Controller, work: () => T): T | Outcome {
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

  /** Never resumes this thread: it stays before its access for ever, with its locks and references. */
  kill(id: number): void {
    const t = this.thread(id);
    if (t.state === SPINNING) this.spinners--;
    t.state = DEAD;
    const at = this.waiters.indexOf(t);
    if (at >= 0) this.waiters.splice(at, 1);
  }

  #outcome(status: Outcome["status"], n: number, message?: string): Outcome {
    return {
      status,
      results: this.threads.slice(0, n).map((t) => t.result),
      ...(message === undefined ? {} : { message }),
    };
  }

  #broken(error: unknown, n: number): Outcome {
    if (this.current >= 0) this.schedule.push([this.current, 0, ""]);
    if (error instanceof Panic) return this.#outcome("panic", n, error.message);
    if (error instanceof MachineFailure) return this.#outcome(error.status, n, error.message);
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      return this.#outcome("trap", n, `thread ${this.current}: ${error.message}`);
    }
    throw error;
  }

  #schedule(n: number): Outcome {
    this.current = -1;
    this.next = this.ask(null, AT_NO_THREAD);
    for (;;) {
      if (this.next === ABANDON) return this.#outcome(this.#allEnded(n) ? "done" : "abandoned", n);
      const t = this.thread(this.next);
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

  #allEnded(n: number): boolean {
    for (let id = 0; id < n; id++) {
      const { state } = this.thread(id);
      if (state !== DONE && state !== DEAD) return false;
    }
    return true;
  }

  /** Asks the controller for the thread that runs next; ABANDON without asking when all have ended. */
  ask(t: LogicalThread | null, reason: number): number {
    if (reason === AT_NO_THREAD && this.#allEnded(this.threads.length)) return ABANDON;
    return this.controller.choose(this, t, reason);
  }

  /** Whether a thread other than `but` can run without a time-out. */
  anyReady(but = -1): boolean {
    for (const t of this.threads) if (t.state === READY && t.id !== but) return true;
    return false;
  }

  /** A thread that is chosen although it waits or spins has timed out. */
  #timeOut(t: LogicalThread): void {
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
      if (t.site !== LOOK_SITE) t.keepsSpinning = true;
      this.conflicts.event(t, 2);
      if (!this.anyReady(t.id)) this.#countTimeout();
    }
  }

  /** The clock passes the limit of every wait that has begun. */
  passLimit(t: LogicalThread): void {
    this.schedule.push([t.id, t.steps, "t"]);
    this.waitedMs += LIMIT_MS;
    this.limits++;
    t.overdue = 1;
    this.conflicts.event(t, 5);
    if (!this.anyReady(t.id)) this.#countTimeout();
  }

  #countTimeout(): void {
    if (++this.timeouts > this.maxTimeouts)
      throw new MachineFailure("stuck", "no thread can continue: every thread waits for another");
  }

  /** Lets a thread run until it is suspended or its operation has ended. */
  #resume(t: LogicalThread): void {
    for (;;) {
      if (!t.suspended && !t.atCall) {
        const { calls } = t;
        if (calls === null) throw new Error(`machine: thread ${t.id} has no operation`);
        // The value sent with the first next() is ignored.
        const step = calls.next(t.returned);
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
      if (t.call === null || !this.#enterOrLeave(t, t.call)) return;
      this.beginCall(t);
      this.conflicts.callEnds(t);
      this.order.push([t.id, t.callNumber, "end"]);
    }
  }

  /**
   * Enters or resumes the present call, or the taking back of one that has waited for too long, which is repeated where it has to wait
   * for too long itself. False: the thread is suspended.
   */
  #enterOrLeave(t: LogicalThread, call: CoreCall): boolean {
    for (;;) {
      try {
        if (!this.enter(t, t.leaving ? TAKE_BACK : call)) return false;
      } catch (error) {
        if (!(error instanceof TimedOut)) throw error;
        if (!t.leaving) {
          t.outcome = this.call(t, "callOutcome");
          this.leftCalls.push([t.id, t.callNumber]);
        }
        t.leave();
        continue;
      }
      if (!t.leaving) return true;
      if (t.returned !== 0)
        throw new MachineFailure("trap", `threadAbandon() of thread ${t.id} returned ${t.returned}`);
      t.leaving = false;
      t.returned = Number.isNaN(t.outcome) ? TIMED_OUT : t.outcome;
      return true;
    }
  }
}
