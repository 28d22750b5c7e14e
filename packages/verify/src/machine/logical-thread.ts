/** A logical thread of a machine: an instance of the program, and how far it has come. */
import { IDLE } from "./constants.js";
import type { CoreCall } from "./machine.js";

/** What an instance of a program exports: functions of numbers, the functions of asyncify, and its mutable globals. */
export interface ProgramExports {
  [name: string]: ProgramFunction;
  asyncify_start_unwind: ProgramFunction;
  asyncify_stop_unwind: ProgramFunction;
  asyncify_start_rewind: ProgramFunction;
  asyncify_stop_rewind: ProgramFunction;
  asyncify_get_state: ProgramFunction;
}
export type ProgramFunction = (...args: number[]) => number;

/** In the place of a read: the thread has not looked at the clock yet. */
const NEVER = -2;

export class LogicalThread {
  readonly id: number;
  readonly core: ProgramExports;
  /** The mutable globals of the instance, and their values in the sealed state. */
  readonly globals: WebAssembly.Global[];
  sealedGlobals: unknown[] = [];
  /** Address of the area in which its stack is kept while it is suspended. */
  readonly stack: number;
  /** Data that the user of the machine keeps with the thread. */
  host: unknown = null;
  /** Whether it may sleep in host.wait(); a page's main thread may not, and looks at the clock instead. */
  mayWait = true;

  state = IDLE;
  calls: Generator<CoreCall, unknown, number> | null = null;
  call: CoreCall | null = null;
  suspended = false;
  rewinding = false;
  /** The result of its operation. */
  result: unknown = undefined;
  /** The result of its last call. */
  returned = 0;
  /** The number of its accesses, not only of those at scheduling points. */
  steps = 0;
  /** Its events at scheduling points. */
  events = 0;
  /** The access before which it stands. */
  site = -1;
  address = 0;
  lastSite = -1;
  lastAddress = -1;
  lastVersion = -1;
  lastStep = -1;
  /** It continues to poll a word that does not change. */
  keepsSpinning = false;
  spinWord = 0;
  waitAddress = 0;
  waitExpected = 0;
  waitMs = 0;
  waitPhase = 0;
  notified = false;
  /** What it had read last when it looked at the clock: a read, and the version of its word. */
  lookSite = NEVER;
  lookAddress = -1;
  lookVersion = -1;
  /** Looks in a row at which it went on without asking the controller. */
  looks = 0;
  /** Looks since its time limit has passed that found nothing new. */
  overdue = 0;
  /** It has left its call, which waited for too long, and takes back what the call had begun. */
  leaving = false;
  /** Calls that it has left. */
  left = 0;
  /** Of the call that it is leaving: the result if the call has happened, else NaN. */
  outcome = Number.NaN;
  /** Calls begun, and whether the present one has made an access at a scheduling point. */
  callNumber = -1;
  begun = false;
  /** It stands before a call, and has made no access of it. */
  atCall = false;

  constructor(id: number, core: ProgramExports, globals: WebAssembly.Global[], stack: number) {
    this.id = id;
    this.core = core;
    this.globals = globals;
    this.stack = stack;
  }

  /** Back to the state before a run. */
  reset(): void {
    this.state = IDLE;
    this.calls = null;
    this.call = null;
    this.suspended = false;
    this.rewinding = false;
    this.result = undefined;
    this.returned = 0;
    this.steps = 0;
    this.events = 0;
    this.site = -1;
    this.address = 0;
    this.lastSite = -1;
    this.lastAddress = -1;
    this.lastVersion = -1;
    this.lastStep = -1;
    this.keepsSpinning = false;
    this.spinWord = 0;
    this.waitAddress = 0;
    this.waitExpected = 0;
    this.waitMs = 0;
    this.waitPhase = 0;
    this.notified = false;
    this.lookSite = NEVER;
    this.lookAddress = -1;
    this.lookVersion = -1;
    this.looks = 0;
    this.overdue = 0;
    this.leaving = false;
    this.left = 0;
    this.callNumber = -1;
    this.begun = false;
    this.atCall = false;
  }

  /** Its call has ended by an exception of the host, because it has waited for too long. */
  leave(): void {
    if (!this.leaving) this.left++;
    this.leaving = true;
    this.suspended = false;
    this.keepsSpinning = false;
    this.lastStep = -1;
    this.lookSite = NEVER;
    this.overdue = 0;
    this.waitPhase = 0;
  }
}
