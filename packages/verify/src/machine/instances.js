/**
 * Instances of an instrumented program on one shared memory: made, called, suspended in the middle of a call, taken back to a
 * sealed state. What happens at an access is for points.js, which extends this.
 */
import { Panic } from "./errors.js";
import { LogicalThread } from "./logical-thread.js";
import { MemorySnapshot } from "./memory-snapshot.js";

/** Room for a suspended stack. */
const STACK_BYTES = 65536;
const PAGE = 65536;
const EPOCH_MS = 1.6e12;

/** States of asyncify. */
const NORMAL = 0;

/** @typedef {import("./machine.js").Program} Program */
/** @typedef {import("./machine.js").Calls} Calls */

export class Instances {
  /**
   * @param {Program} program
   * @param {object} options
   * @param {number} options.threads logical threads that run operations
   * @param {number} options.bytes length of the memory that the program sees
   * @param {number} [options.helpers] further instances, which only serve call()
   * @param {number} [options.clock] the time, ms since 1970
   * @param {(machine: any, thread: LogicalThread) => WebAssembly.ModuleImports} [options.host] further functions of `host`
   */
  constructor(program, { threads, bytes, helpers = 1, clock = EPOCH_MS, host }) {
    this.program = program;
    this.bytes = bytes;
    this.startClock = clock;
    this.clock = clock;
    const count = threads + helpers;
    const pages = Math.ceil(bytes / PAGE) + (count * STACK_BYTES) / PAGE;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const buffer = this.memory.buffer;
    this.bytesView = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.snapshot = new MemorySnapshot(this.bytesView, bytes);
    /** Accesses happen without further ado. */
    this.uncontrolled = true;
    /** Ranges that JavaScript writes to without telling: restored every time. @type {[number, number][]} */
    this.hostWrittenRanges = [];
    /** Called when the sealed state is there again. @type {(() => void) | null} */
    this.onRestore = null;
    /** @type {LogicalThread[]} */
    this.all = [];
    for (let id = 0; id < count; id++) this.all.push(this.#instantiate(id, bytes + id * STACK_BYTES, host));
    /** Those that run operations. */
    this.threads = this.all.slice(0, threads);
  }

  #instantiate(id, stack, host) {
    const t = new LogicalThread(this, id);
    t.stack = stack;
    const imports = {
      env: { memory: this.memory },
      verify: {
        access: (site, address) => this.access(t, site, address >>> 0, 0, 0),
        store: (site, address, lo, hi) => this.access(t, site, address >>> 0, lo, hi),
        range: (site, to, from, length) => this.range(t, site, to >>> 0, from >>> 0, length >>> 0),
      },
      host: {
        now: () => this.clock,
        clock: () => this.clock,
        wait: (p, expected, ms) => this.wait(t, p >>> 0, expected, ms),
        panic: (code, a) => {
          throw new Panic(code, a >>> 0);
        },
        audit: () => undefined,
        security: () => 0,
        driverCall: () => -38,
        ...(host ? host(this, t) : {}),
      },
    };
    t.core = new WebAssembly.Instance(this.program.module, imports).exports;
    t.globals = Object.keys(t.core)
      .filter((name) => name.startsWith("verify.global."))
      .map((name) => t.core[name]);
    const words = new Int32Array(this.memory.buffer, stack, 2);
    words[0] = stack + 16;
    words[1] = stack + STACK_BYTES;
    return t;
  }

  /** Calls an export in a thread at once, without points. For setting up and for looking at the end. */
  call(thread, name, ...args) {
    const before = this.uncontrolled;
    this.uncontrolled = true;
    try {
      return thread.core[name](...args);
    } finally {
      this.uncontrolled = before;
    }
  }

  /** Runs a generator of calls at once, without points. @param {LogicalThread} thread @param {Calls} calls */
  callAll(thread, calls) {
    let step = calls.next();
    while (!step.done) {
      const [name, ...args] = step.value;
      step = calls.next(this.call(thread, name, ...args));
    }
    return step.value;
  }

  /** From here on every run starts from the present state of the memory and of all instances. */
  seal() {
    this.snapshot.take();
    for (const t of this.all) t.sealedGlobals = t.globals.map((g) => g.value);
  }

  /** Back to the sealed state. */
  restoreSealed() {
    for (const [address, length] of this.hostWrittenRanges) this.snapshot.willWrite(address, length);
    this.snapshot.restore();
    for (const t of this.all) {
      const { globals, sealedGlobals } = t;
      for (let i = 0; i < globals.length; i++)
        if (globals[i].value !== sealedGlobals[i]) globals[i].value = sealedGlobals[i];
      t.reset();
    }
    this.clock = this.startClock;
    this.onRestore?.();
  }

  /** Notes that JavaScript is about to write there, so that it is restored. */
  willWrite(address, length) {
    this.snapshot.willWrite(address, length);
  }

  /** Enters the present call, or goes on in it. False: it is suspended (again); else its answer is in `t.answer`. */
  enter(t) {
    if (t.suspended) {
      t.suspended = false;
      t.rewinding = true;
      t.core.asyncify_start_rewind(t.stack);
    }
    const [name, ...args] = t.call;
    const answer = t.core[name](...args);
    if (t.core.asyncify_get_state() !== NORMAL) {
      t.core.asyncify_stop_unwind();
      t.suspended = true;
      return false;
    }
    t.answer = answer;
    return true;
  }

  /** In an import: the thread's stack is to be unwound as soon as the import returns. */
  suspend(t) {
    const words = this.words;
    words[t.stack >>> 2] = t.stack + 16;
    words[(t.stack >>> 2) + 1] = t.stack + STACK_BYTES;
    t.core.asyncify_start_unwind(t.stack);
  }

  /** In an import: the place where the thread was suspended is reached again. */
  arrive(t) {
    t.rewinding = false;
    t.core.asyncify_stop_rewind();
  }
}
