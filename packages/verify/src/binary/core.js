/**
 * Attaches the core, instrumented or not, to a memory without src/bridge/attachment.ts: several logical threads on one memory in one JavaScript
 * thread, each with an instance of its own, its own imports, and (built with asyncify) a place to be suspended at.
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
import { SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { CHUNK, PREFIX_CACHE_CHUNKS, SLOT_PREFIX_CACHE, SLOT_SIZE, SLOTS } from "../arena/layout.js";
import { instrument } from "./instrument.js";
import { ROOT, SHIPPING, symbolsOf } from "./symbols.js";

export const PAGE = 65536;
/** Where each suspended core's stack of frames lies: behind the arena, where nothing of the tree is. */
const STACK_BYTES = 16384;

/**
 * @typedef {object} Hooks what the core tells and asks; any may be left out and may be exchanged between calls. Addresses are >= 0.
 *   A suspending core (asyncify) is suspended when access, store or range answers `true`, and when wait answers undefined; without
 *   asyncify those answers count as false and 2.
 * @property {(site: number, address: number) => boolean | void} [access]
 * @property {(site: number, address: number, low: number, high: number) => boolean | void} [store] `low` and `high` >= 0
 * @property {(site: number, to: number, from: number, length: number) => boolean | void} [range] `from`: the byte, for memory.fill
 * @property {(index: number) => number} [enter] not 0: the intercepted function returns 0
 * @property {() => number} [now] ms since 1970; constant unless given, so that runs repeat
 * @property {() => number} [clock] ms that only go forward; the real ones unless given
 * @property {(address: number, expected: number, ms: number) => number | undefined} [wait] 0 woken, 1 not equal, 2 timed out
 * @property {(code: number, address: number) => void} [panic] must throw; so does the one used where none is given
 * @property {(ino: number, mask: number, rcu: number) => number} [security]
 * @property {(dentry: number, inode: number) => void} [audit]
 * @property {(op: number, driver: number, a: number, b: number, c: number, d: number) => number} [driverCall]
 */

/** @typedef {{ bytes: Uint8Array, sites: import("./instrument.js").Site[], functions: import("./instrument.js").FunctionName[], module?: WebAssembly.Module }} Core */

/** The time that the core sees unless the hooks tell another: ms since 1970. */
export const TIME = 1_700_000_000_000;

const made = new Map();

/**
 * The shipping core, instrumented; made once a process for the same options.
 * @param {Parameters<typeof instrument>[1] & { root?: string }} options `root`: the repository to take the core from
 * @returns {Core & { shipping: Uint8Array }}
 */
export function shippingCore(options = {}) {
  const { root = ROOT, ...rest } = options;
  const key = JSON.stringify([root, rest]);
  let core = made.get(key);
  if (core === undefined) {
    const shipping = readFileSync(join(root, SHIPPING));
    core = { ...instrument(shipping, { names: symbolsOf(shipping, root), ...rest }), shipping };
    core.module = new WebAssembly.Module(core.bytes);
    made.set(key, core);
  }
  return core;
}

/**
 * What lies behind the arena of a memory made here: where the next stack goes, and the stacks given back.
 * @type {WeakMap<WebAssembly.Memory, { maxBytes: number, next: number, free: number[] }>}
 */
const behind = new WeakMap();

/**
 * A shared memory with room for an arena and, behind it, for the stacks of suspended cores.
 * @param {object} options
 * @param {number} [options.maxBytes] size of the arena, default 4 MiB; arenas below 2 MiB are allowed as far as the core allows them
 * @param {number} [options.threads] cores that can be suspended; 0: the memory begins small, and the core has to grow it
 */
export function createMemory({ maxBytes = 4 << 20, threads = 8 } = {}) {
  const arena = Math.floor(maxBytes / PAGE);
  const pages = arena + Math.ceil((threads * STACK_BYTES) / PAGE);
  const memory = new WebAssembly.Memory({ initial: threads === 0 ? 4 : pages, maximum: pages, shared: true });
  behind.set(memory, { maxBytes: arena * PAGE, next: arena * PAGE, free: [] });
  return memory;
}

/**
 * @param {WebAssembly.Memory} memory from createMemory()
 * @param {Core | WebAssembly.Module | Uint8Array} core
 * @param {Hooks} hooks
 * @param {object} options
 * @param {{ seed?: number }} [options.init] makes the arena first: the first attachment of a memory
 * @param {boolean} [options.canWait] whether the thread may sleep, default true
 * @param {boolean} [options.watching] whether attaching is reported too, default false; from then on everything is
 * @returns {Thread}
 */
export function attach(memory, core, hooks = {}, options = {}) {
  return new Thread(memory, core, hooks, options);
}

const WAIT_ANSWER = { ok: 0, "not-equal": 1, "timed-out": 2 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param {Core | WebAssembly.Module | Uint8Array} core */
function moduleOf(core) {
  if (core instanceof WebAssembly.Module) return core;
  if (core instanceof Uint8Array) return new WebAssembly.Module(core);
  core.module ??= new WebAssembly.Module(core.bytes);
  return core.module;
}

/** One logical thread: an instance of the core and its hooks. */
export class Thread {
  /** Whether hooks are told of accesses. Own work of the host between calls (a look at the tree) may turn it off. */
  watching = false;
  /** Result of the last call that ended. @type {number} */
  value = 0;
  /** Whether no call is suspended. */
  done = true;
  /** Why the call is suspended: the hook that asked for it. @type {"access" | "wait" | ""} */
  reason = "";
  #rewinding = false;
  #unwinding = false;
  #answer = 2;
  #entry = undefined;
  #args = [];
  #stack = 0;

  constructor(memory, core, hooks, { init, canWait = true, watching = false }) {
    this.memory = memory;
    this.hooks = hooks;
    this.watching = watching;
    const module = moduleOf(core);
    this.exports = new WebAssembly.Instance(module, this.#imports(module)).exports;
    const room = behind.get(memory);
    if (room === undefined) throw new Error("core: this memory was not made by createMemory()");
    if (init !== undefined) this.check("arenaInit", room.maxBytes, init.seed ?? 1, 0);
    this.check("threadAttach", canWait ? 1 : 0, 0);
    if (hooks.security || hooks.audit) this.exports.hostHooks((hooks.security ? 1 : 0) | (hooks.audit ? 2 : 0));
    this.slot = this.exports.threadSlot();
    this.slotAddress = SLOTS + this.slot * SLOT_SIZE;
    this.scratch = this.exports.scratchBase() >>> 0;
    this.refresh();
    this.memo = this.words[(this.slotAddress + SLOT_PREFIX_CACHE) >>> 2];
    this.asyncify = "asyncify_start_unwind" in this.exports;
    if (this.asyncify) this.#placeStack(room);
    this.watching = true;
  }

  #placeStack(room) {
    this.#stack = room.free.pop() ?? room.next;
    const end = this.#stack + STACK_BYTES;
    room.next = Math.max(room.next, end);
    if (end > this.memory.buffer.byteLength) throw new Error("core: createMemory() left no room for this thread");
    const words = new Uint32Array(this.memory.buffer, this.#stack, 2);
    words[0] = this.#stack + 8;
    words[1] = end;
  }

  /** Gives the place of the stack back to the memory. The thread can make no call afterwards; it is not detached. */
  release() {
    if (this.#stack !== 0) behind.get(this.memory).free.push(this.#stack);
    this.#stack = 0;
    this.asyncify = false;
    this.exports = {};
  }

  #imports(module) {
    const hooks = this.hooks;
    const verify = {
      access: (site, address) => {
        if (this.#rewinding) return this.#rewound();
        if (this.watching && hooks.access?.(site, address >>> 0) === true) this.#suspend("access");
      },
      store: (site, address, low, high) => {
        if (this.#rewinding) return this.#rewound();
        if (this.watching && hooks.store?.(site, address >>> 0, low >>> 0, high >>> 0) === true)
          this.#suspend("access");
      },
      range: (site, to, from, length) => {
        if (this.#rewinding) return this.#rewound();
        if (this.watching && hooks.range?.(site, to >>> 0, from >>> 0, length >>> 0) === true) this.#suspend("access");
      },
      enter: (index) => (this.watching ? (hooks.enter?.(index) ?? 0) : 0),
    };
    const host = {
      now: () => (hooks.now ? hooks.now() : TIME),
      clock: () => (hooks.clock ? hooks.clock() : performance.now()),
      wait: (p, expected, ms) => this.#wait(p >>> 0, expected, ms),
      panic: (code, a) => {
        hooks.panic?.(code, a >>> 0);
        throw new Error(`core: panic ${code} (${a >>> 0})`);
      },
      driverCall: (...args) => hooks.driverCall?.(...args) ?? -38,
      security: (ino, mask, rcu) => hooks.security?.(ino, mask, rcu) ?? 0,
      audit: (dentry, inode) => hooks.audit?.(dentry >>> 0, inode >>> 0),
      point: () => undefined,
    };
    const all = { verify, host, env: { memory: this.memory } };
    const needed = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      if (!(name in (all[from] ?? {}))) throw new Error(`core: the module imports ${from}.${name}, which nobody gives`);
      needed[from] = all[from];
    }
    return needed;
  }

  #wait(address, expected, ms) {
    if (this.#rewinding) {
      this.#rewound();
      return this.#answer;
    }
    if (this.hooks.wait === undefined) {
      return WAIT_ANSWER[Atomics.wait(new Int32Array(this.memory.buffer), address >>> 2, expected, ms)];
    }
    const answer = this.hooks.wait(address, expected, ms);
    if (answer !== undefined) return answer;
    this.#suspend("wait");
    return 2;
  }

  #suspend(reason) {
    if (!this.asyncify || this.#entry === undefined) {
      if (!this.asyncify && reason === "wait") return;
      throw new Error("core: only a call made with begin() on a core built with asyncify can be suspended");
    }
    this.reason = reason;
    this.#unwinding = true;
    this.exports.asyncify_start_unwind(this.#stack);
  }

  /** The instruction before which the call was suspended has been reached again. */
  #rewound() {
    this.#rewinding = false;
    this.exports.asyncify_stop_rewind();
  }

  #run() {
    let value;
    try {
      value = this.#entry(...this.#args);
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

  #end() {
    this.#entry = undefined;
    this.done = true;
    this.reason = "";
  }

  /**
   * Starts a call; afterwards either `done` is set and `value` is the answer, or the call is suspended.
   * @param {string} name export of the core
   * @param {...number} args
   * @returns {boolean} done
   */
  begin(name, ...args) {
    if (!this.done) throw new Error("core: a suspended call has to end first");
    this.#entry = this.exports[name];
    this.#args = args;
    return this.#run();
  }

  /**
   * Goes on with a suspended call: the access it stands before happens now.
   * @param {number} answer of the wait, if it was suspended there
   * @returns {boolean} done
   */
  resume(answer = 2) {
    if (this.done) throw new Error("core: nothing is suspended");
    this.#answer = answer;
    this.#rewinding = true;
    this.exports.asyncify_start_rewind(this.#stack);
    return this.#run();
  }

  /** Calls an export to its end, resuming it wherever it is suspended. */
  call(name, ...args) {
    if (!this.asyncify) return this.exports[name](...args);
    this.begin(name, ...args);
    while (!this.done) this.resume();
    return this.value;
  }

  /** The same, where an error is not expected. @throws Error with the errno */
  check(name, ...args) {
    const value = this.call(name, ...args);
    if (value < 0) throw new Error(`core: ${name} answered ${value}`);
    return value;
  }

  /** Makes the views anew; the old ones stay valid for what they cover. */
  refresh() {
    const { buffer } = this.memory;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.io = new Uint8Array(buffer, this.scratch + SCRATCH.IO, 65536);
    this.stat = new Float64Array(buffer, this.scratch + SCRATCH.STAT, 18);
    this.numbers = new Float64Array(buffer, this.scratch + SCRATCH.IO, 8192);
  }

  #put(at, text) {
    const bytes = encoder.encode(text);
    if (bytes.length > 4095) throw new RangeError("core: the path is too long for the scratch area");
    this.bytes.set(bytes, at);
    this.bytes[at + bytes.length] = 0;
    return bytes.length;
  }

  /** Puts a path where a call expects its first; answers its length. */
  path(text) {
    return this.#put(this.scratch + SCRATCH.PATH, text);
  }

  /** The second path of rename, link, symlink, mount. */
  path2(text) {
    return this.#put(this.scratch + SCRATCH.PATH2, text);
  }

  /** Puts bytes or a string to where sysWrite takes them; answers their number. */
  put(data) {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    this.io.set(bytes);
    return bytes.length;
  }

  /** The first `length` bytes of the answer area as text. */
  text(length) {
    return decoder.decode(this.io.slice(0, length));
  }

  /** Whether an address is the thread's own: its slot, its scratch area or its memo. */
  owns(address) {
    return (
      (this.memo !== 0 && address >= this.memo && address < this.memo + PREFIX_CACHE_CHUNKS * CHUNK) ||
      (address >= this.slotAddress && address < this.slotAddress + SLOT_SIZE) ||
      (address >= this.scratch && address < this.scratch + SCRATCH.SIZE)
    );
  }
}
