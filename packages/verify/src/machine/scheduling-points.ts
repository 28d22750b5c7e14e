/**
 * The events at an access of a logical thread: whether it is a scheduling point, whether the thread gives way there, and the effect of
 * the access on the signature, on the threads that spin on the word, and on those that wait on it. machine.ts extends this with the
 * choice of the thread that runs next.
 *
 * Reads of typed arrays are cast `as number`: their indices are in bounds by construction, and this code runs at each access.
 */
import { Conflicts } from "./conflicts.js";
import {
  ABANDON,
  AT_ACCESS,
  AT_LOOK,
  AT_SPIN,
  AT_WAIT,
  ATOMIC,
  BLOCKED,
  LIMIT_PASSES,
  LOOK_SITE,
  NOTIFY,
  READ,
  READY,
  SPINNING,
  WAIT_SITE,
  WRITE,
} from "./constants.js";
import { MachineFailure } from "./errors.js";
import { Instances, type InstancesOptions } from "./instances.js";
import type { LogicalThread } from "./logical-thread.js";
import type { Program } from "./machine.js";
import type { VectorClocks } from "./vector-clocks.js";

/** An access as a trace shows it. */
export interface LogEntry {
  thread: number;
  step: number;
  site: number;
  kind: number;
  size: number;
  address: number;
  lo: number;
  hi: number;
  /** Whether it is at a scheduling point. */
  point: boolean;
}

export interface SchedulingOptions extends InstancesOptions {
  /** Accesses of one run. */
  maxSteps?: number;
  /** Time that a wait takes which times out while no other thread can run. */
  idleMs?: number;
}

export abstract class SchedulingPoints extends Instances {
  readonly maxSteps: number;
  idleMs: number;
  readonly kinds: Uint8Array;
  readonly sizes: Uint8Array;
  readonly conflicts: Conflicts;
  /** Number of each word that is a scheduling point, 0: none. */
  readonly index: Uint16Array;
  everyAccess = false;
  steps = 0;
  spinners = 0;
  /** Looks at the clock at which a thread could give way. */
  waits = 0;
  /** The thread that runs next when the running one is suspended. */
  next = ABANDON;
  /** The threads that wait, the longest first. */
  readonly waiters: LogicalThread[] = [];
  /** Called for every access, for traces. */
  log: ((entry: LogEntry) => void) | null = null;
  /** Finds data races when set. */
  races: VectorClocks | null = null;
  /** Begins and ends of calls: the thread, the number of its call, "begin" or "end". */
  readonly order: [thread: number, call: number, event: string][] = [];

  constructor(program: Program, { maxSteps = 4_000_000, idleMs = 0, ...options }: SchedulingOptions) {
    super(program, options);
    this.maxSteps = maxSteps;
    this.idleMs = idleMs;
    this.kinds = Uint8Array.from(program.sites, (s) => s.kind);
    this.sizes = Uint8Array.from(program.sites, (s) => s.size);
    this.conflicts = new Conflicts(options.threads, Math.ceil(options.bytes / 4) + 4);
    this.index = this.conflicts.index;
  }

  /** The time limit of a thread passes at its look at the clock. */
  abstract passLimit(t: LogicalThread): void;

  /** Asks for the thread that runs next. */
  abstract ask(t: LogicalThread | null, reason: number): number;

  /** Back to the sealed state, before a run. */
  override restoreSealed(): void {
    super.restoreSealed();
    this.conflicts.begin();
    this.steps = 0;
    this.spinners = 0;
    this.waits = 0;
    this.waiters.length = 0;
    this.order.length = 0;
    this.races?.reset();
  }

  /** A call begins with its first access at a scheduling point: its accesses before could as well have come just then. */
  beginCall(t: LogicalThread): void {
    if (t.begun) return;
    t.begun = true;
    this.conflicts.callBegins(t);
    this.order.push([t.id, t.callNumber, "begin"]);
  }

  /** Notes that a thread reads and changes a state that the hosts of all threads share: part of the signature. */
  external(t: LogicalThread): void {
    if (this.uncontrolled) return;
    this.#perform(t, -3, READ | WRITE, 0, 0, 0);
  }

  /**
   * The host copies bytes of the memory for a thread, inside its call: one read of them. The thread cannot give way before it; where it
   * does at its access before that, which is as good.
   */
  hostReads(t: LogicalThread, from: number, length: number): void {
    if (this.uncontrolled || length === 0) return;
    const last = (from + length - 1) >>> 2;
    for (let w = from >>> 2; w <= last; w++) this.conflicts.touch(t.id, w, READ);
    // In a report it has the name of the thread's last access before it.
    if (this.races) this.races.access(t.id, t.site, READ, length, from);
    this.#perform(t, -3, READ, from, from >>> 2, last);
  }

  // ------------------------------------------------------------------------------------------------ accesses

  access(t: LogicalThread, site: number, address: number, lo: number, hi: number): void {
    const kind = this.kinds[site] as number;
    const size = this.sizes[site] as number;
    // memory.size and memory.grow access no memory.
    if (size === 0) return;
    if (kind & WRITE) this.snapshot.willWrite(address, size);
    if (this.uncontrolled) return;
    if (t.rewinding) {
      this.arrive(t);
    } else {
      t.steps++;
      this.#countStep();
      const { conflicts } = this;
      const word = address >>> 2;
      if (address >= this.bytes) throw new MachineFailure("trap", `an access at ${address}, behind the arena`);
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
      if (this.#yieldsBefore(t, site, address, word, last)) return;
    }
    if (this.log) this.log({ thread: t.id, step: t.steps, site, kind, size, address, lo, hi, point: true });
    if (this.races) this.races.access(t.id, site, kind, size, address);
    if (t.keepsSpinning) return;
    this.#perform(t, site, kind, address, address >>> 2, (address + size - 1) >>> 2);
    if (kind & NOTIFY) this.#notify(t, address);
  }

  #countStep(): void {
    if (++this.steps > this.maxSteps)
      throw new MachineFailure("steps", `more than ${this.maxSteps} accesses in one run`);
  }

  /** A copy or a fill: one access to every word of both ranges. A fill has no source, `from` is its byte. */
  range(t: LogicalThread, site: number, to: number, from: number, length: number): void {
    if (length === 0) return;
    this.snapshot.willWrite(to, length);
    if (this.uncontrolled) return;
    const read = (this.kinds[site] as number) & READ ? length : 0;
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
    t.keepsSpinning = false;
    if (this.races) this.races.range(t.id, site, to, read > 0 ? from : -1, length);
    if (read > 0) this.#perform(t, site, READ, from, from >>> 2, (from + length - 1) >>> 2);
    this.#perform(t, site, WRITE, to, to >>> 2, (to + length - 1) >>> 2);
  }

  /** Whether the thread gives way before this access. */
  #yieldsBefore(t: LogicalThread, site: number, address: number, word: number, last: number): boolean {
    if (
      t.lastStep === t.steps - 1 &&
      site === t.lastSite &&
      address === t.lastAddress &&
      t.lastVersion === this.conflicts.versions(word, last)
    ) {
      // Its last access was this one, and nothing has changed: a loop that waits for a change.
      t.lastStep = t.steps;
      if (t.keepsSpinning) return false;
      t.spinWord = word;
      if (this.#givesWay(t, AT_SPIN)) return true;
      t.keepsSpinning = true;
      this.conflicts.event(t, 2);
      return false;
    }
    t.keepsSpinning = false;
    return this.#givesWay(t, AT_ACCESS);
  }

  /** Asks for the thread that runs next; true: it is another one, and this thread will be suspended. */
  #givesWay(t: LogicalThread, reason: number): boolean {
    const next = this.ask(t, reason);
    if (next === t.id) return false;
    if (next === LIMIT_PASSES) {
      this.passLimit(t);
      return false;
    }
    if (reason === AT_SPIN && next !== ABANDON) {
      t.state = SPINNING;
      this.spinners++;
    }
    if (reason === AT_LOOK && next !== ABANDON) {
      t.state = SPINNING;
      t.spinWord = ANY_WORD;
      this.spinners++;
    }
    this.next = next;
    this.suspend(t);
    return true;
  }

  /** The access happens: it is part of the signature, and a write wakes the threads that spin on the word. */
  #perform(t: LogicalThread, site: number, kind: number, address: number, word: number, last: number): void {
    this.beginCall(t);
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

  #written(word: number): void {
    for (const t of this.threads) {
      if (t.state !== SPINNING) continue;
      if (t.spinWord !== ANY_WORD && (word < t.spinWord || word > t.spinWord + 1)) continue;
      t.state = READY;
      this.spinners--;
    }
  }

  // ------------------------------------------------------------------------------------------------ waiting

  /**
   * host.clock(). A thread that may not sleep looks at the clock while it waits. Where it has read nothing new since its last look it
   * gives way: until another thread writes a word that both use, or until its time limit passes.
   */
  look(t: LogicalThread): number {
    if (this.uncontrolled) {
      // No other thread runs that could end the wait.
      if (!t.mayWait) this.waitedMs += ALONE_MS;
    } else if (t.rewinding) {
      this.arrive(t);
    } else if (!t.mayWait) {
      this.#looks(t);
    }
    return this.clock + this.waitedMs;
  }

  #looks(t: LogicalThread): void {
    t.steps++;
    this.#countStep();
    const again = t.lookSite === t.lastSite && t.lookAddress === t.lastAddress && t.lookVersion === t.lastVersion;
    t.lookSite = t.lastSite;
    t.lookAddress = t.lastAddress;
    t.lookVersion = t.lastVersion;
    if (!again) t.overdue = 0;
    // A thread whose limit has passed leaves its call without another thread's help.
    const late = t.overdue > 0;
    if (late && ++t.overdue > OVERDUE_MAX)
      throw new MachineFailure("stuck", `thread ${t.id} waits on although its time limit has passed`);
    t.site = LOOK_SITE;
    t.address = Math.max(t.lastAddress, 0);
    if (this.log)
      this.log({
        thread: t.id,
        step: t.steps,
        site: LOOK_SITE,
        kind: READ,
        size: 1,
        address: t.address,
        lo: 0,
        hi: 0,
        point: true,
      });
    if ((late || (!again && ++t.looks < LOOKS_MAX)) && !this.everyAccess) return;
    t.looks = 0;
    this.waits++;
    this.#givesWay(t, AT_LOOK);
  }

  wait(t: LogicalThread, p: number, expected: number, ms: number): number {
    if (!t.mayWait) throw new MachineFailure("trap", `thread ${t.id} sleeps on ${p}, and may not`);
    if (this.uncontrolled) {
      // No other thread runs that could notify: the wait times out at once.
      if (this.idleMs > 0) this.clock += Math.max(ms, this.idleMs);
      else this.waitedMs += ms;
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
    t.keepsSpinning = false;
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
    this.next = this.ask(t, AT_WAIT);
    this.suspend(t);
    return 0;
  }

  /** memory.atomic.notify: the thread that waits longest on this word can run. */
  #notify(by: LogicalThread, address: number): void {
    const at = this.waiters.findIndex((t) => t.waitAddress === address);
    if (at < 0) return;
    const [t] = this.waiters.splice(at, 1);
    if (t === undefined) return;
    t.state = READY;
    t.notified = true;
    this.conflicts.event(t, 3, address >>> 2);
    if (this.races) this.races.wake(by.id, t.id);
  }
}

/** The word on which a thread spins that waits for a write to any. */
const ANY_WORD = -1;
/** After this many looks in a row the controller is asked although something new was read between them. */
const LOOKS_MAX = 16;
/** Looks after which a thread whose limit has passed must have left its call: a wait has at most two in each round. */
const OVERDUE_MAX = 6;
/** Time that passes between two looks of a thread that runs alone. */
const ALONE_MS = 100;

const WOKEN = 0;
const NOT_EQUAL = 1;
const TIMED_OUT = 2;
const BEFORE_WAIT = 1;
const WAITED = 2;
