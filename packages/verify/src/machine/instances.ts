/**
 * Instances of an instrumented program on one shared memory: made, called, suspended in the middle of a call, restored to a sealed
 * state. scheduling-points.ts extends this with the events at an access.
 *
 * Reads of typed arrays in these files are cast `as number`: their indices are in bounds by construction, and a check in the loop
 * that runs billions of times would cost.
 */
import { Panic, TimedOut } from "./errors.js";
import { LogicalThread, type ProgramExports, type ProgramFunction } from "./logical-thread.js";
import type { CoreCall, Program } from "./machine.js";
import { MemorySnapshot } from "./memory-snapshot.js";

/** Room for a suspended stack. */
const STACK_BYTES = 65536;
const PAGE = 65536;
const EPOCH_MS = 1.6e12;

/** States of asyncify. */
const NORMAL = 0;

export interface InstancesOptions {
  /** Logical threads that run operations. */
  threads: number;
  /** Length of the memory that the program sees. */
  bytes: number;
  /** Further instances, which only serve call(). */
  helpers?: number;
  /** The time, ms since 1970. */
  clock?: number;
  /** Further functions of `host`. @param thread returns the thread that calls them */
  host?(thread: () => LogicalThread): WebAssembly.ModuleImports;
}

export abstract class Instances {
  readonly program: Program;
  readonly bytes: number;
  readonly startClock: number;
  clock: number;
  /** What the clock of timeouts is ahead of it: time limits that have passed, and time spent waiting outside of a schedule. */
  waitedMs = 0;
  readonly memory: WebAssembly.Memory;
  readonly bytesView: Uint8Array;
  readonly words: Int32Array;
  readonly snapshot: MemorySnapshot;
  /** Accesses happen at once, and the controller is not asked. */
  uncontrolled = true;
  /** Ranges that JavaScript writes to without a report: restored every time. */
  readonly hostWrittenRanges: [address: number, length: number][] = [];
  /** Called when the sealed state is restored. */
  onRestore: (() => void) | null = null;
  readonly all: LogicalThread[];
  /** The threads that run operations. */
  readonly threads: LogicalThread[];

  constructor(program: Program, { threads, bytes, helpers = 1, clock = EPOCH_MS, host }: InstancesOptions) {
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
    this.all = Array.from({ length: count }, (_, id) => this.#instantiate(id, bytes + id * STACK_BYTES, host));
    this.threads = this.all.slice(0, threads);
  }

  #instantiate(id: number, stack: number, host: InstancesOptions["host"]): LogicalThread {
    let made: LogicalThread | undefined;
    const thread = (): LogicalThread => {
      if (made === undefined) throw new Error("machine: the program calls its host while it is instantiated");
      return made;
    };
    // The imports are called once the thread exists.
    const imports = {
      env: { memory: this.memory },
      verify: {
        access: (site: number, address: number) => this.access(t, site, address >>> 0, 0, 0),
        store: (site: number, address: number, lo: number, hi: number) => this.access(t, site, address >>> 0, lo, hi),
        range: (site: number, to: number, from: number, length: number) =>
          this.range(t, site, to >>> 0, from >>> 0, length >>> 0),
      },
      host: {
        now: () => this.clock,
        clock: () => this.look(t),
        wait: (p: number, expected: number, ms: number) => this.wait(t, p >>> 0, expected, ms),
        panic: (code: number, address: number) => {
          throw new Panic(code, address >>> 0);
        },
        timedOut: (word: number) => {
          throw new TimedOut(word >>> 0);
        },
        audit: () => undefined,
        security: () => 0,
        driverCall: () => -38,
        copyFromUser: () => 0,
        copyToUser: () => 0,
        ...(host ? host(thread) : {}),
      },
    };
    const { exports } = new WebAssembly.Instance(this.program.module, imports);
    const globals = Object.entries(exports).flatMap(([name, value]) =>
      name.startsWith("verify.global.") && value instanceof WebAssembly.Global ? [value] : [],
    );
    // All other exports of a program are functions of numbers.
    const t = new LogicalThread(id, exports as unknown as ProgramExports, globals, stack);
    made = t;
    const words = new Int32Array(this.memory.buffer, stack, 2);
    words[0] = stack + 16;
    words[1] = stack + STACK_BYTES;
    return t;
  }

  /** An access of a thread, before it happens. `lo` and `hi` are the words of a stored value. */
  abstract access(t: LogicalThread, site: number, address: number, lo: number, hi: number): void;
  /** A copy or a fill. */
  abstract range(t: LogicalThread, site: number, to: number, from: number, length: number): void;
  /** host.clock() */
  abstract look(t: LogicalThread): number;
  /** host.wait() */
  abstract wait(t: LogicalThread, p: number, expected: number, ms: number): number;

  /** Calls an export in a thread at once, without scheduling points: for setting up, and for reading the end. */
  call(thread: LogicalThread, name: string, ...args: number[]): number {
    const before = this.uncontrolled;
    this.uncontrolled = true;
    try {
      return (thread.core[name] as ProgramFunction)(...args);
    } finally {
      this.uncontrolled = before;
    }
  }

  /** Runs a generator of calls at once, without scheduling points. */
  callAll<T>(thread: LogicalThread, calls: Generator<CoreCall, T, number>): T {
    for (let step = calls.next(); ; ) {
      if (step.done) return step.value;
      const [name, ...args] = step.value;
      step = calls.next(this.call(thread, name, ...args));
    }
  }

  /** From here on every run starts from the present state of the memory and of all instances. */
  seal(): void {
    this.snapshot.take();
    for (const t of this.all) t.sealedGlobals = t.globals.map((g): unknown => g.value);
  }

  /** Back to the sealed state. */
  restoreSealed(): void {
    for (const [address, length] of this.hostWrittenRanges) this.snapshot.willWrite(address, length);
    this.snapshot.restore();
    for (const t of this.all) {
      const { sealedGlobals } = t;
      for (let i = 0; i < t.globals.length; i++) {
        const global = t.globals[i] as WebAssembly.Global;
        if (global.value !== sealedGlobals[i]) global.value = sealedGlobals[i];
      }
      t.reset();
    }
    this.clock = this.startClock;
    this.waitedMs = 0;
    this.onRestore?.();
  }

  /** Notes that JavaScript is about to write there, so that it is restored. */
  willWrite(address: number, length: number): void {
    this.snapshot.willWrite(address, length);
  }

  /** Enters or resumes the present call. False: it is suspended (again); otherwise its result is in `t.returned`. */
  enter(t: LogicalThread, [name, ...args]: CoreCall): boolean {
    if (t.suspended) {
      t.suspended = false;
      t.rewinding = true;
      t.core.asyncify_start_rewind(t.stack);
    }
    const returned = (t.core[name] as ProgramFunction)(...args);
    if (t.core.asyncify_get_state() !== NORMAL) {
      t.core.asyncify_stop_unwind();
      t.suspended = true;
      return false;
    }
    t.returned = returned;
    return true;
  }

  /** In an import: asyncify unwinds the stack of the thread as soon as the import returns. */
  suspend(t: LogicalThread): void {
    const words = this.words;
    words[t.stack >>> 2] = t.stack + 16;
    words[(t.stack >>> 2) + 1] = t.stack + STACK_BYTES;
    t.core.asyncify_start_unwind(t.stack);
  }

  /** In an import: the thread has reached the place where it was suspended. */
  arrive(t: LogicalThread): void {
    t.rewinding = false;
    t.core.asyncify_stop_rewind();
  }
}
