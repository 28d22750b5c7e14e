/**
 * Attaches the core, instrumented or not, to a memory without the library's bridge: several logical threads on one memory in one
 * JavaScript thread. Each has its own instance and imports and, if the core was built with asyncify, can be suspended.
 *
 *   const core = shippingCore({ accesses: true, asyncify: true });
 *   const memory = createMemory();
 *   const a = attach(memory, core, { access: (site, address) => ..., now: () => 1 }, { init: { seed: 1 } });
 *   const b = attach(memory, core, { ... });
 *   a.begin("sysStat", 0, AT_FDCWD, a.path("/f"), 0);
 *   while (!a.done) a.resume();
 *   a.value
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CoreExports, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { CHUNK, G_PREFIX_CHUNKS, SLOT_PREFIX_CACHE, SLOT_SIZE, SLOTS } from "../arena/layout.js";
import { defined } from "../support/defined.js";
import { type FunctionName, type InstrumentOptions, instrument, type Site } from "./instrument.js";
import { ROOT, SHIPPING, symbolsOf } from "./symbols.js";

export const PAGE = 65536;
/** Size of the area for the stack of a suspended core. These areas lie behind the arena. */
const STACK_BYTES = 16384;

export type DriverCall = (op: number, driver: number, a: number, b: number, c: number, d: number) => number;

/**
 * The host's side of the imports. Each hook is optional and may be replaced between calls. Addresses are >= 0. A core built with
 * asyncify is suspended when access, store or range returns `true`, and when wait returns undefined; without asyncify these results
 * count as false and 2.
 */
export interface Hooks {
  access?(site: number, address: number): boolean | undefined;
  /** `low` and `high` >= 0 */
  store?(site: number, address: number, low: number, high: number): boolean | undefined;
  /** `from`: the byte, for memory.fill. */
  range?(site: number, to: number, from: number, length: number): boolean | undefined;
  /** Not 0: the intercepted function returns 0. */
  enter?: (index: number) => number;
  /** ms since 1970; constant by default, so that runs repeat. */
  now?: () => number;
  /** Monotonic ms; by default those of {@link logicalClock}. */
  clock?: () => number;
  /** 0 woken, 1 not equal, 2 timed out. */
  wait?: (address: number, expected: number, ms: number) => number | undefined;
  /** May throw; the core ends with an error in any case. */
  panic?: (code: number, address: number) => void;
  /** The owner of the word at an address has kept the call waiting for too long. */
  timedOut?: (word: number) => void;
  security?: (ino: number, mask: number, rcu: number) => number;
  audit?: (dentry: number, inode: number) => void;
  driverCall?: DriverCall;
  /** Puts the next bytes of a write that is longer than the scratch area's part for contents at an address. */
  copyFromUser?: (to: number, done: number, bytes: number) => number;
  /** Takes the next bytes of a direct read from an address, 0: zeros. */
  copyToUser?: (from: number, done: number, bytes: number) => number;
}

/** An instrumented core; `module` is set when it is compiled. */
export interface Core {
  bytes: Uint8Array<ArrayBuffer>;
  sites: Site[];
  functions: FunctionName[];
  module?: WebAssembly.Module;
}

/** The instrumented core, and the shipping one that it was made from. */
export type ShippingCore = Core & { shipping: Uint8Array<ArrayBuffer> };

/** The exports of an instance: the core's calls, and the functions of asyncify. */
export interface InstanceExports extends CoreExports {
  asyncify_start_unwind(stack: number): void;
  asyncify_stop_unwind(): void;
  asyncify_start_rewind(stack: number): void;
  asyncify_stop_rewind(): void;
}

export type CallName = keyof CoreExports;
type Call = (...args: number[]) => number;

/** The default time of the core: ms since 1970. */
export const TIME = 1_700_000_000_000;

const made = new Map<string, ShippingCore>();

/**
 * The shipping core, instrumented; made once in a process for the same options.
 * @param options `root`: the repository to take the core from
 */
export function shippingCore(options: InstrumentOptions & { root?: string } = {}): ShippingCore {
  const { root = ROOT, ...rest } = options;
  const key = JSON.stringify([root, rest]);
  const known = made.get(key);
  if (known !== undefined) return known;
  const shipping = readFileSync(join(root, SHIPPING));
  const rewritten = instrument(shipping, { names: symbolsOf(shipping, root), ...rest });
  const core = { ...rewritten, shipping, module: new WebAssembly.Module(rewritten.bytes) };
  made.set(key, core);
  return core;
}

/** The space behind the arena of a memory made here: the address of the next stack, and the stacks that were released. */
interface StackSpace {
  maxBytes: number;
  next: number;
  free: number[];
}
const stackSpaces = new WeakMap<WebAssembly.Memory, StackSpace>();

/** A shared memory with room for an arena and, behind it, for the stacks of suspended cores. */
export function createMemory({
  maxBytes = 4 << 20,
  threads = 8,
}: {
  /** Size of the arena, default 4 MiB; arenas below 2 MiB are allowed as far as the core allows them. */
  maxBytes?: number;
  /** How many cores can be suspended; 0: the memory is small at first, and the core has to grow it. */
  threads?: number;
} = {}): WebAssembly.Memory {
  const arena = Math.floor(maxBytes / PAGE);
  const pages = arena + Math.ceil((threads * STACK_BYTES) / PAGE);
  const memory = new WebAssembly.Memory({ initial: threads === 0 ? 4 : pages, maximum: pages, shared: true });
  stackSpaces.set(memory, { maxBytes: arena * PAGE, next: arena * PAGE, free: [] });
  return memory;
}

type AnyCore = Core | WebAssembly.Module | Uint8Array<ArrayBuffer>;

export interface AttachOptions {
  /** Formats the arena first: for the first thread of a memory. */
  init?: { seed?: number };
  /** Makes it a second instance of the thread in this slot (threadShare()) instead of a thread of its own. */
  sharing?: number;
  /** Whether the thread may sleep, default true. */
  canWait?: boolean;
  /** Whether the accesses of attaching are reported too, default false; all later ones are. */
  watching?: boolean;
}

/** @param memory from createMemory() */
export function attach(
  memory: WebAssembly.Memory,
  core: AnyCore,
  hooks: Hooks = {},
  options: AttachOptions = {},
): Thread {
  return new Thread(memory, core, hooks, options);
}

/** What a look at the default clock takes, in milliseconds: the time of a check is that of its work. */
const CLOCK_TICK_MS = 2 ** -10;
let clockMs = 0;

/** The clock of cores without another: it goes on with each look, and by `ms` where a thread waits that long. */
export function logicalClock(ms = CLOCK_TICK_MS): number {
  clockMs += ms;
  return clockMs;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function moduleOf(core: AnyCore): WebAssembly.Module {
  if (core instanceof WebAssembly.Module) return core;
  if (core instanceof Uint8Array) return new WebAssembly.Module(core);
  core.module ??= new WebAssembly.Module(core.bytes);
  return core.module;
}

/** One logical thread: an instance of the core and its hooks. */
export class Thread {
  readonly memory: WebAssembly.Memory;
  readonly hooks: Hooks;
  exports: InstanceExports;
  readonly slot: number;
  readonly slotAddress: number;
  /** Address of the scratch area. */
  readonly scratch: number;
  /** Address of the prefix cache, or 0. */
  readonly prefixCache: number;
  readonly prefixCacheSize: number;
  asyncify: boolean;
  /** Views of the whole memory; {@link refresh} makes new ones. */
  bytes: Uint8Array;
  words: Uint32Array;
  /** Parts of the scratch area. */
  io: Uint8Array;
  stat: Float64Array;
  numbers: Float64Array;
  /** Whether accesses are reported to the hooks. The host turns it off to read the tree between calls. */
  watching = false;
  /** Result of the last call that ended. */
  value = 0;
  /** Whether no call is suspended. */
  done = true;
  /** Why the call is suspended: the hook that asked for it. */
  reason: "access" | "wait" | "" = "";
  #rewinding = false;
  #unwinding = false;
  #waitResult = 2;
  #entry: Call | undefined;
  #args: number[] = [];
  #stack = 0;

  constructor(
    memory: WebAssembly.Memory,
    core: AnyCore,
    hooks: Hooks,
    { init, sharing, canWait = true, watching = false }: AttachOptions,
  ) {
    this.memory = memory;
    this.hooks = hooks;
    this.watching = watching;
    const module = moduleOf(core);
    // The compiler cannot know the exports of an instance; these are the core's.
    this.exports = new WebAssembly.Instance(module, this.#imports(module)).exports as unknown as InstanceExports;
    const space = stackSpaces.get(memory);
    if (space === undefined) throw new Error("core: this memory was not made by createMemory()");
    if (init !== undefined) this.check("arenaInit", space.maxBytes, init.seed ?? 1, 0);
    if (sharing === undefined) this.check("threadAttach", canWait ? 1 : 0, 0);
    else this.check("threadShare", sharing, canWait ? 1 : 0);
    if (hooks.security || hooks.audit) this.exports.hostHooks((hooks.security ? 1 : 0) | (hooks.audit ? 2 : 0));
    this.slot = this.exports.threadSlot();
    this.slotAddress = SLOTS + this.slot * SLOT_SIZE;
    this.scratch = this.exports.scratchBase() >>> 0;
    const { buffer } = memory;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.io = new Uint8Array(buffer, this.scratch + SCRATCH.IO, 65536);
    this.stat = new Float64Array(buffer, this.scratch + SCRATCH.STAT, 18);
    this.numbers = new Float64Array(buffer, this.scratch + SCRATCH.IO, 8192);
    this.prefixCache = this.words[(this.slotAddress + SLOT_PREFIX_CACHE) >>> 2] as number;
    this.prefixCacheSize = (this.words[G_PREFIX_CHUNKS >>> 2] as number) * CHUNK;
    this.asyncify = "asyncify_start_unwind" in this.exports;
    if (this.asyncify) this.#placeStack(space);
    this.watching = true;
  }

  #placeStack(space: StackSpace): void {
    this.#stack = space.free.pop() ?? space.next;
    const end = this.#stack + STACK_BYTES;
    space.next = Math.max(space.next, end);
    if (end > this.memory.buffer.byteLength) throw new Error("core: createMemory() left no room for this thread");
    const words = new Uint32Array(this.memory.buffer, this.#stack, 2);
    words[0] = this.#stack + 8;
    words[1] = end;
  }

  /** Returns the space of the stack to the memory. The thread can make no call afterwards; it is not detached. */
  release(): void {
    if (this.#stack !== 0) stackSpaces.get(this.memory)?.free.push(this.#stack);
    this.#stack = 0;
    this.asyncify = false;
    // Without exports each further call is a TypeError.
    this.exports = {} as InstanceExports;
  }

  #imports(module: WebAssembly.Module): WebAssembly.Imports {
    const hooks = this.hooks;
    const verify = {
      access: (site: number, address: number) => {
        if (this.#rewinding) return this.#rewound();
        if (this.watching && hooks.access?.(site, address >>> 0) === true) this.#suspend("access");
      },
      store: (site: number, address: number, low: number, high: number) => {
        if (this.#rewinding) return this.#rewound();
        if (this.watching && hooks.store?.(site, address >>> 0, low >>> 0, high >>> 0) === true)
          this.#suspend("access");
      },
      range: (site: number, to: number, from: number, length: number) => {
        if (this.#rewinding) return this.#rewound();
        if (this.watching && hooks.range?.(site, to >>> 0, from >>> 0, length >>> 0) === true) this.#suspend("access");
      },
      enter: (index: number) => (this.watching ? (hooks.enter?.(index) ?? 0) : 0),
    };
    const host = {
      now: () => (hooks.now ? hooks.now() : TIME),
      clock: () => (hooks.clock ? hooks.clock() : logicalClock()),
      wait: (p: number, expected: number, ms: number) => this.#wait(p >>> 0, expected, ms),
      panic: (code: number, a: number) => {
        hooks.panic?.(code, a >>> 0);
        throw new Error(`core: panic ${code} (${a >>> 0})`);
      },
      timedOut: (word: number) => {
        hooks.timedOut?.(word >>> 0);
        throw new Error(`core: the call waited too long (${word >>> 0})`);
      },
      driverCall: (...args: Parameters<DriverCall>) => hooks.driverCall?.(...args) ?? -38,
      copyFromUser: (to: number, done: number, bytes: number) => hooks.copyFromUser?.(to >>> 0, done, bytes) ?? 0,
      copyToUser: (from: number, done: number, bytes: number) => hooks.copyToUser?.(from >>> 0, done, bytes) ?? 0,
      security: (ino: number, mask: number, rcu: number) => hooks.security?.(ino, mask, rcu) ?? 0,
      audit: (dentry: number, inode: number) => hooks.audit?.(dentry >>> 0, inode >>> 0),
      point: () => undefined,
    };
    const all: WebAssembly.Imports = { verify, host, env: { memory: this.memory } };
    const needed: WebAssembly.Imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      const functions = all[from];
      if (functions === undefined || !(name in functions)) throw new Error(`core: unknown import ${from}.${name}`);
      needed[from] = functions;
    }
    return needed;
  }

  #wait(address: number, expected: number, ms: number): number {
    if (this.#rewinding) {
      this.#rewound();
      return this.#waitResult;
    }
    if (this.hooks.wait === undefined) {
      // No other thread runs that could wake it.
      logicalClock(ms);
      return 2;
    }
    const result = this.hooks.wait(address, expected, ms);
    if (result !== undefined) return result;
    this.#suspend("wait");
    return 2;
  }

  #suspend(reason: "access" | "wait"): void {
    if (!this.asyncify || this.#entry === undefined) {
      if (!this.asyncify && reason === "wait") return;
      throw new Error("core: only a call made with begin() on a core built with asyncify can be suspended");
    }
    this.reason = reason;
    this.#unwinding = true;
    this.exports.asyncify_start_unwind(this.#stack);
  }

  /** The call has reached the instruction again before which it was suspended. */
  #rewound(): void {
    this.#rewinding = false;
    this.exports.asyncify_stop_rewind();
  }

  #run(): boolean {
    let value: number;
    try {
      value = defined(this.#entry, "call")(...this.#args);
    } catch (error) {
      this.#end();
      throw error;
    }
    if (this.#unwinding) {
      this.#unwinding = false;
      this.exports.asyncify_stop_unwind();
      this.done = false;
      return false;
    }
    this.value = value;
    this.#end();
    return true;
  }

  #end(): void {
    this.#entry = undefined;
    this.done = true;
    this.reason = "";
  }

  /**
   * Starts a call; afterwards either `done` is set and `value` is its result, or the call is suspended.
   * @param name export of the core
   * @returns done
   */
  begin(name: CallName, ...args: number[]): boolean {
    if (!this.done) throw new Error("core: a suspended call has to end first");
    this.#entry = this.exports[name] as Call;
    this.#args = args;
    return this.#run();
  }

  /**
   * Continues a suspended call: the access before which it was suspended happens now.
   * @param waitResult result of the wait, if the call was suspended in one
   * @returns done
   */
  resume(waitResult = 2): boolean {
    if (this.done) throw new Error("core: nothing is suspended");
    this.#waitResult = waitResult;
    this.#rewinding = true;
    this.exports.asyncify_start_rewind(this.#stack);
    return this.#run();
  }

  /** Calls an export to its end, resuming it wherever it is suspended. */
  call(name: CallName, ...args: number[]): number {
    if (!this.asyncify) return (this.exports[name] as Call)(...args);
    this.begin(name, ...args);
    while (!this.done) this.resume();
    return this.value;
  }

  /** Calls an export that must succeed. @throws Error with the errno */
  check(name: CallName, ...args: number[]): number {
    const value = this.call(name, ...args);
    if (value < 0) throw new Error(`core: ${name} returned ${value}`);
    return value;
  }

  /** Makes new views after the memory has grown; the old ones remain valid for the part that they cover. */
  refresh(): void {
    const { buffer } = this.memory;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.io = new Uint8Array(buffer, this.scratch + SCRATCH.IO, 65536);
    this.stat = new Float64Array(buffer, this.scratch + SCRATCH.STAT, 18);
    this.numbers = new Float64Array(buffer, this.scratch + SCRATCH.IO, 8192);
  }

  #put(at: number, text: string): number {
    const bytes = encoder.encode(text);
    if (bytes.length > 4095) throw new RangeError("core: the path is too long for the scratch area");
    this.bytes.set(bytes, at);
    this.bytes[at + bytes.length] = 0;
    return bytes.length;
  }

  /** Writes the first path of a call; returns its length. */
  path(text: string): number {
    return this.#put(this.scratch + SCRATCH.PATH, text);
  }

  /** Writes the second path of rename, link, symlink, mount; returns its length. */
  path2(text: string): number {
    return this.#put(this.scratch + SCRATCH.PATH2, text);
  }

  /** Writes the data of a sysWrite; returns the number of bytes. */
  put(data: string | Uint8Array): number {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    this.io.set(bytes);
    return bytes.length;
  }

  /** The first `length` bytes of SCRATCH.IO as text. */
  text(length: number): string {
    return decoder.decode(this.io.slice(0, length));
  }

  /** Whether an address is the thread's own: its slot, its scratch area or its prefix cache. */
  owns(address: number): boolean {
    return (
      (this.prefixCache !== 0 && address >= this.prefixCache && address < this.prefixCache + this.prefixCacheSize) ||
      (address >= this.slotAddress && address < this.slotAddress + SLOT_SIZE) ||
      (address >= this.scratch && address < this.scratch + SCRATCH.SIZE)
    );
  }
}
