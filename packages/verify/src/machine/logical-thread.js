/** A logical thread of machine.js: an instance of the program and where it stands. */
import { IDLE } from "./constants.js";

/** @typedef {import("./machine.js").Machine} Machine */
/** @typedef {import("./machine.js").Calls} Calls */

export class LogicalThread {
  /** @param {Machine} machine @param {number} id */
  constructor(machine, id) {
    this.machine = machine;
    this.id = id;
    this.memory = machine.memory;
    this.state = IDLE;
    /** @type {any} */
    this.core = null;
    /** @type {WebAssembly.Global[]} */
    this.globals = [];
    /** @type {any[]} */
    this.sealedGlobals = [];
    /** Address of the area in which its stack is kept while it is suspended. */
    this.stack = 0;
    /** @type {any} room for whoever prepares the threads: scratch views and the like */
    this.extra = null;
    this.reset();
  }

  reset() {
    this.state = IDLE;
    /** @type {Calls | null} */
    this.calls = null;
    /** @type {[string, ...number[]] | null} */
    this.call = null;
    this.suspended = false;
    this.rewinding = false;
    this.result = undefined;
    /** What the last call answered. */
    this.answer = 0;
    /** Accesses made (everyone's, not only those at points). */
    this.steps = 0;
    /** Events at points. */
    this.events = 0;
    /** The access it stands before. */
    this.site = -1;
    this.address = 0;
    this.lastSite = -1;
    this.lastAddress = -1;
    this.lastVersion = -1;
    this.lastStep = -1;
    /** It has decided to look on at a word that does not change. */
    this.keepsSpinning = false;
    this.spinWord = 0;
    this.waitAddress = 0;
    this.waitExpected = 0;
    this.waitMs = 0;
    this.waitPhase = 0;
    this.notified = false;
    /** Calls begun, and whether the present one has made an access at a point. */
    this.callNumber = -1;
    this.begun = false;
    /** It stands before a call, with no access of it made. */
    this.atCall = false;
  }
}
