/**
 * One thread's attachment to an arena: an instance of the core over the shared memory, views of the thread's scratch
 * area, and the functions that the core imports. Calls take numbers and return a number >= 0 or a negative errno.
 *
 * A shared memory that has grown has a new `buffer` object. Views of the old one stay valid for their range, and a
 * scratch area never moves: so the views are created once.
 */

import * as ERRNO from "../../abi/errno.js";
import { HOST_AUDIT, HOST_SECURITY, WAIT_NOT_EQUAL, WAIT_OK, WAIT_TIMED_OUT } from "../../abi/host.js";
import { CHUNK, IO_SIZE, MIN_CHUNKS, PATH_MAX } from "../../abi/limits.js";
import { ABI_VERSION, MAX_THREADS } from "../../abi/memory.js";
import * as SCRATCH from "../../abi/scratch.js";
import type { CoreExports } from "../../generated/core-exports.js";
import { codedError, invalidArgType, systemCallError } from "../errors/errors.js";
import { DriverTable } from "./driver.js";
import type { CoreModule, SharedMemory } from "./wasm.js";

/** Called at a tracepoint of the debug build (`POINT` in abi.ts) with its two numbers. */
export type PointHook = (id: number, a: number, b: number) => void;
/**
 * Called after the mode bits have allowed an access, with the inode number, a mask of MAY_* bits, and whether the walk
 * is in rcu mode. Returns 0 or -errno; after -10 (ECHILD) in rcu mode the walk calls the hook again in ref mode.
 */
export type SecurityHook = (ino: number, mask: number, rcu: boolean) => number;
/** Called with the dentry and the inode (addresses in the arena) of a successful walk. */
export type AuditHook = (dentry: number, inode: number) => void;

/** The host's side of an attachment, besides the memory. All of it belongs to the attaching thread. */
export interface HostOptions {
  /** Called at tracepoints of the debug build; the shipping build has none. */
  point?: PointHook;
  security?: SecurityHook;
  audit?: AuditHook;
  /**
   * The host's id of this thread, by which its death can be reported ({@link Vfs.attachWorker}): 1 to 2^31 - 1, or 0
   * for none. Default: in Node `threadId` of `node:worker_threads` plus one, elsewhere a random one.
   */
  thread?: number;
  /**
   * Whether this thread holds a Web Lock while it is attached, so that {@link Vfs.watchThreads} in another thread
   * notices its death. Default: yes where `navigator.locks` exists, except in Node (possible from 24.5 on). Without
   * `navigator.locks` no lock is held.
   */
  locks?: boolean;
  /**
   * Current time in milliseconds since the epoch, with a fraction, for file times. Default: performance.timeOrigin +
   * performance.now().
   */
  now?: () => number;
}

/** The data that another thread needs to attach; can be cloned. */
export interface VfsHandle {
  readonly module: CoreModule;
  readonly memory: SharedMemory;
  /** `ABI_VERSION` of the thread that created it. */
  readonly version: number;
  /** Number of the context whose `fs` the attaching thread gets. */
  readonly ctx: number;
}

/** Initial pages of the memory; the core grows it. */
const INITIAL_PAGES = 4;
const MIN_BYTES = MIN_CHUNKS * CHUNK;
const MAX_BYTES = 65535 * CHUNK;

/** States of an attachment; all but the first refuse calls ({@link Attachment.state}). */
const STATE_OPEN = 0;
const STATE_CLOSED = 1;
const STATE_IN_HOOK = 2;
export const STATE_PANIC = 3;

/** The core's numbers for results of Atomics.wait. */
const WAIT_RESULT = { ok: WAIT_OK, "not-equal": WAIT_NOT_EQUAL, "timed-out": WAIT_TIMED_OUT } as const;

/** Whether this thread may block in Atomics.wait; a browser's main thread may not. */
function canWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/** Depth of recursion that needs several times the stack that recovering a thread needs. */
const STACK_PROBE_DEPTH = 1000;

/** Whether the stack has room for `levels` more calls. */
function hasStackRoom(levels: number): boolean {
  try {
    return levels === 0 || hasStackRoom(levels - 1);
  } catch {
    return false;
  }
}

const encoder = /* @__PURE__ */ new TextEncoder();

/** Writes a string's UTF-8 to the start of a view. Returns the bytes written, -1 if they do not fit. */
type StringWriter = (text: string, into: Uint8Array) => number;

function writeShared(text: string, into: Uint8Array): number {
  const { read, written } = encoder.encodeInto(text, into);
  return read < text.length ? -1 : written;
}

function writeCopied(text: string, into: Uint8Array): number {
  // A string of n code units has n to 3n bytes, so more units than bytes cannot fit.
  if (text.length > into.length) return -1;
  const bytes = encoder.encode(text);
  if (bytes.length > into.length) return -1;
  into.set(bytes);
  return bytes.length;
}

/** Browsers may refuse views of shared memory in encodeInto. Tried once, on the view that will be used. */
function chooseStringWriter(into: Uint8Array): StringWriter {
  try {
    return writeShared("/", into) === 1 ? writeShared : writeCopied;
  } catch {
    return writeCopied;
  }
}

/** The pages for `maxBytes`. @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE */
function pagesOf(maxBytes: unknown): number {
  if (typeof maxBytes !== "number") {
    throw codedError(TypeError, "ERR_INVALID_ARG_TYPE", `The "maxBytes" property must be of type number`);
  }
  if (!Number.isInteger(maxBytes) || maxBytes < MIN_BYTES || maxBytes > MAX_BYTES) {
    const range = `an integer >= ${MIN_BYTES} && <= ${MAX_BYTES}`;
    const message = `The value of "maxBytes" is out of range. It must be ${range}. Received ${maxBytes}`;
    throw codedError(RangeError, "ERR_OUT_OF_RANGE", message);
  }
  return Math.floor(maxBytes / CHUNK);
}

/** Reserves the address space. @throws RangeError ERR_THREADFS_MEMORY */
function reserve(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: pages, shared: true });
  } catch (cause) {
    const message = `No address space for a tree of ${pages * CHUNK} bytes`;
    throw codedError(RangeError, "ERR_THREADFS_MEMORY", message, { cause });
  }
}

/**
 * @throws TypeError ERR_INVALID_ARG_TYPE for a hook that is not a function; RangeError ERR_OUT_OF_RANGE for a bad
 * thread id
 */
function checkHost(host: HostOptions): void {
  const thread: unknown = host.thread ?? 0;
  if (typeof thread !== "number") throw invalidArgType("options.thread", "of type number", thread);
  if (!Number.isInteger(thread) || thread < 0 || thread > 0xffffffff) {
    const message = `The value of "options.thread" is out of range. It must be an integer >= 0 && <= 4294967295. Received ${thread}`;
    throw codedError(RangeError, "ERR_OUT_OF_RANGE", message);
  }
  for (const name of ["now", "point", "security", "audit"] as const) {
    const hook: unknown = host[name];
    if (hook !== undefined && typeof hook !== "function") {
      throw invalidArgType(`options.${name}`, "of type function", hook);
    }
  }
}

function handleError(reason: string, cause?: unknown): Error {
  const message = `Not a handle of a tree this thread can attach to: ${reason}`;
  return codedError(TypeError, "ERR_THREADFS_HANDLE", message, cause === undefined ? undefined : { cause });
}

/** @throws TypeError ERR_THREADFS_HANDLE */
export function checkHandle(handle: VfsHandle): void {
  const given: Partial<VfsHandle> | null | undefined = handle;
  if (typeof given !== "object" || given === null) throw handleError("it is not an object");
  if (given.version !== ABI_VERSION) throw handleError(`its version is ${given.version}, ours ${ABI_VERSION}`);
  if (!(given.module instanceof WebAssembly.Module)) throw handleError("it has no module");
  if (!(given.memory instanceof WebAssembly.Memory)) throw handleError("it has no memory");
  if (!(given.memory.buffer instanceof SharedArrayBuffer)) throw handleError("its memory is not shared");
  if (!Number.isInteger(given.ctx) || (given.ctx as number) < 0) throw handleError("it has no context number");
}

/** One thread's attachment to a tree. */
export class Attachment {
  readonly module: CoreModule;
  readonly memory: SharedMemory;
  /** The core's calls. A call that throws poisons the attachment, see {@link poison}. */
  readonly core: CoreExports;
  /** The same calls without poisoning, for fast paths that catch exceptions themselves. */
  readonly unguarded: CoreExports;
  readonly drivers: DriverTable;
  /**
   * Not 0: calls are refused, and {@link refuse} throws the reason. A single number, because it is checked before every call.
   */
  state: number = STATE_CLOSED;

  /** This thread's scratch area, and its parts (SCRATCH in abi.ts). */
  readonly scratch: Uint8Array<SharedArrayBuffer>;
  readonly path: Uint8Array<SharedArrayBuffer>;
  readonly path2: Uint8Array<SharedArrayBuffer>;
  readonly io: Uint8Array<SharedArrayBuffer>;
  readonly stat: Float64Array<SharedArrayBuffer>;
  /** The bytes of {@link io}, for results that are numbers. */
  readonly ioNumbers: Float64Array<SharedArrayBuffer>;
  readonly writeString: StringWriter;

  readonly #host: HostOptions;
  /** The thread's slot; -1 after another attachment has recovered it. */
  #slot = -1;
  /** 1: the core trapped. */
  #trapped = 0;
  /**
   * Starts the recovery as soon as the stack is empty. Created in advance, because there may be no stack for it when it
   * is needed.
   */
  readonly #startRecovery: () => void;
  #recoveryStarted = false;

  private constructor(
    module: CoreModule,
    memory: SharedMemory,
    host: HostOptions,
    prepare: (core: CoreExports) => void,
  ) {
    checkHost(host);
    this.#host = host;
    let startRecovery = () => {};
    const recoveryStarted = new Promise<void>((resolve) => {
      startRecovery = resolve;
    });
    this.#startRecovery = startRecovery;
    recoveryStarted.then(() => this.#recoverSelf());
    this.module = module;
    this.memory = memory;
    this.drivers = new DriverTable(memory);
    this.unguarded = this.#instantiate(host);
    this.core = this.#guardCalls(this.unguarded);
    prepare(this.core);
    const attached = this.core.threadAttach(canWait() ? 1 : 0, host.thread ?? 0);
    if (attached < 0) throw systemCallError(attached, "attach");
    this.#slot = this.core.threadSlot();

    this.core.hostHooks((host.security ? HOST_SECURITY : 0) | (host.audit ? HOST_AUDIT : 0));
    const base = this.core.scratchBase() >>> 0;
    // If another thread has grown the memory, this thread's buffer object may be outdated. Growing by 0 updates it.
    if (memory.buffer.byteLength < base + SCRATCH.SIZE) memory.grow(0);
    const buffer = memory.buffer as SharedArrayBuffer;
    this.scratch = new Uint8Array(buffer, base, SCRATCH.SIZE);
    this.path = new Uint8Array(buffer, base + SCRATCH.PATH, PATH_MAX + 1);
    this.path2 = new Uint8Array(buffer, base + SCRATCH.PATH2, PATH_MAX + 1);
    this.io = new Uint8Array(buffer, base + SCRATCH.IO, IO_SIZE);
    this.stat = new Float64Array(buffer, base + SCRATCH.STAT, 18);
    this.ioNumbers = new Float64Array(buffer, base + SCRATCH.IO, IO_SIZE / 8);
    this.writeString = chooseStringWriter(this.path);
    this.drivers.attach(this.core);
    this.state = STATE_OPEN;
  }

  /**
   * Creates a new arena with a tmpfs at "/".
   * @param maxBytes the size that the arena may grow to: 2 MiB to 4 GiB - 64 KiB
   */
  static create(module: CoreModule, maxBytes: number, host: HostOptions): Attachment {
    const pages = pagesOf(maxBytes);
    if (!(module instanceof WebAssembly.Module)) {
      throw invalidArgType("options.core", "an instance of WebAssembly.Module", module);
    }
    const memory = reserve(pages);
    // The hash keys of names are random, so that names that collide cannot be chosen in advance.
    const seed = crypto.getRandomValues(new Int32Array(2));
    return new Attachment(module, memory, host, (core) => {
      const made = core.arenaInit(pages * CHUNK, seed[0], seed[1]);
      if (made < 0) throw systemCallError(made, "arena");
    });
  }

  /** Attaches to another thread's arena. @throws TypeError ERR_THREADFS_HANDLE */
  static attach(handle: VfsHandle, host: HostOptions): Attachment {
    checkHandle(handle);
    return new Attachment(handle.module, handle.memory, host, (core) => {
      if (core.arenaCheck() < 0) throw handleError("its memory does not contain a tree of this version");
    });
  }

  /** Recovers a thread that has ended, in all of its slots. Does nothing if this attachment is not open. */
  recover(hostId: number): void {
    for (let tries = 0; tries < MAX_THREADS && this.state === STATE_OPEN; tries++) {
      const slot = this.core.threadFind(hostId);
      // Another thread, which has noticed the death too, is recovering it.
      if (slot < 0 || this.core.threadRecover(slot, 0) < 0) return;
    }
  }

  get closed(): boolean {
    return this.state === STATE_CLOSED;
  }

  /** Detaches the thread. Later calls are refused. Idempotent. */
  close(): void {
    if (this.state === STATE_CLOSED) return;
    if (this.state === STATE_IN_HOOK) this.refuse();
    if (this.state === STATE_OPEN) this.core.threadDetach();
    else this.#recoverSelf();
    this.state = STATE_CLOSED;
  }

  /** Throws if calls are refused. Fast paths check {@link state} themselves. */
  check(): void {
    if (this.state !== STATE_OPEN) this.refuse();
  }

  /** @throws Error ERR_THREADFS_CLOSED, ERR_THREADFS_REENTERED or ERR_THREADFS_PANIC */
  refuse(): never {
    if (this.state === STATE_IN_HOOK) {
      throw codedError(Error, "ERR_THREADFS_REENTERED", "A hook may not call the tree that called it");
    }
    if (this.state === STATE_PANIC) {
      this.#recoverLater();
      this.#recoverSelf();
      throw codedError(Error, "ERR_THREADFS_PANIC", "The core panicked in this thread");
    }
    return this.refuseClosed();
  }

  /** @throws Error ERR_THREADFS_CLOSED */
  refuseClosed(): never {
    throw codedError(Error, "ERR_THREADFS_CLOSED", "The tree or the context is closed");
  }

  /**
   * Poisons the attachment after an exception in the core: a trap (corrupt memory), a stack overflow, or a clock that
   * throws. The core stopped between two instructions and still holds its locks, so this attachment can no longer be
   * trusted. Its slot is recovered like that of a dead thread. `cause` is the exception. The caller sets {@link state}
   * to {@link STATE_PANIC} first, because there may be no stack left for this call.
   * @throws Error ERR_THREADFS_PANIC
   */
  poison(cause: unknown): never {
    this.state = STATE_PANIC;
    this.#recoverLater();
    if (cause instanceof WebAssembly.RuntimeError) this.#trapped = 1;
    this.#recoverSelf();
    // A panic of the core itself has a message already.
    if ((cause as { code?: unknown } | null)?.code === "ERR_THREADFS_PANIC") throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw codedError(Error, "ERR_THREADFS_PANIC", `The core panicked in this thread: ${message}`, { cause });
  }

  /**
   * Recovers this attachment's slot through a new attachment. Not while the stack is nearly full, because the new
   * attachment would overflow it too, with locks of its own. If it fails (corrupt memory), the slot remains, like that
   * of a dead thread.
   */
  #recoverSelf(): void {
    if (this.#slot < 0 || !hasStackRoom(STACK_PROBE_DEPTH)) return;
    const slot = this.#slot;
    try {
      const fresh = this.#instantiate(this.#host);
      if (fresh.threadAttach(canWait() ? 1 : 0, this.#host.thread ?? 0) < 0) return;
      if (fresh.threadRecover(slot, this.#trapped) >= 0) this.#slot = -1;
      fresh.threadDetach();
    } catch {
      // Nothing more can be done here.
    }
  }

  /**
   * At most once: Node reports a promise that is resolved twice to its host, for which there may be no stack. @throws
   * RangeError without stack
   */
  #recoverLater(): void {
    if (this.#recoveryStarted) return;
    this.#startRecovery();
    this.#recoveryStarted = true;
  }

  #guardCalls(unguarded: CoreExports): CoreExports {
    const guarded = Object.entries(unguarded).map(([name, call]) => [
      name,
      typeof call === "function" ? this.#guardCall(call) : call,
    ]);
    return Object.fromEntries(guarded) as CoreExports;
  }

  /** No call takes more than eight numbers, and WebAssembly ignores surplus arguments. */
  #guardCall(call: (...numbers: number[]) => number): (...numbers: number[]) => number {
    return (a, b, c, d, e, f, g, h) => {
      try {
        return call(a, b, c, d, e, f, g, h);
      } catch (error) {
        this.state = STATE_PANIC;
        return this.poison(error);
      }
    };
  }

  /**
   * Runs a hook of the host, inside a call of the core. Meanwhile other calls are refused, because they would overwrite
   * the scratch area.
   */
  #runHook<T>(hook: () => T): T {
    const before = this.state;
    this.state = STATE_IN_HOOK;
    try {
      return hook();
    } finally {
      if (this.state === STATE_IN_HOOK) this.state = before;
    }
  }

  /**
   * Runs a hook that may throw. An exception must not unwind the core in the middle of a walk: the access fails with
   * EIO, and the exception is thrown again as an uncaught one.
   */
  #guardHook(hook: () => number): number {
    try {
      return this.#runHook(hook);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
      return -ERRNO.EIO;
    }
  }

  /** @param a the address of a lock, whose word names its owner, or of a structure */
  #panic(code: number, a: number): never {
    this.state = STATE_PANIC;
    const words = new Uint32Array(this.memory.buffer);
    const word = a / 4 < words.length ? `, which holds ${Atomics.load(words, a >>> 2).toString(16)}` : "";
    throw codedError(
      Error,
      "ERR_THREADFS_PANIC",
      `An invariant of the core is broken: code ${code}, address ${a}${word}`,
    );
  }

  /** @throws TypeError ERR_THREADFS_HANDLE if module and memory do not belong together or are not threadfs' */
  #instantiate(host: HostOptions): CoreExports {
    let exports: WebAssembly.Exports;
    try {
      exports = new WebAssembly.Instance(this.module as WebAssembly.Module, this.#imports(host)).exports;
    } catch (cause) {
      throw handleError("its module cannot be instantiated with its memory", cause);
    }
    if (typeof exports.arenaCheck !== "function") throw handleError("its module is not the core");
    return exports as unknown as CoreExports;
  }

  /** The word at an address, in a new view, because the memory may have grown. */
  #words(address: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.memory.buffer as SharedArrayBuffer, address >>> 0, 1);
  }

  #imports(host: HostOptions) {
    const { security, audit, point } = host;
    // Read once, because the global and its origin are getters in Node, and the core asks for the time at every change.
    const clock = performance;
    const origin = clock.timeOrigin;
    const time = () => origin + clock.now();
    const functions: Record<string, WebAssembly.ImportValue> = {
      now: host.now ?? time,
      clock: time,
      wait: (p: number, expected: number, ms: number) => WAIT_RESULT[Atomics.wait(this.#words(p), 0, expected, ms)],
      panic: (code: number, a: number) => this.#panic(code, a >>> 0),
      driverCall: (op: number, driver: number, a: number, b: number, c: number, d: number) =>
        this.#runHook(() => this.drivers.call(op, driver, a, b, c, d)),
      security: security
        ? (ino: number, mask: number, rcu: number) => this.#guardHook(() => security(ino, mask, rcu !== 0))
        : () => 0,
      audit: audit
        ? (dentry: number, inode: number) => {
            this.#guardHook(() => {
              audit(dentry >>> 0, inode >>> 0);
              return 0;
            });
          }
        : () => undefined,
      point: point
        ? (id: number, a: number, b: number) => this.#runHook(() => point(id, a >>> 0, b >>> 0))
        : () => undefined,
    };
    // Only what this build of the core imports: the shipping build has no `point`.
    const needed: Record<string, WebAssembly.ImportValue> = {};
    for (const { module, name } of WebAssembly.Module.imports(this.module as WebAssembly.Module)) {
      if (module === "host" && name in functions) needed[name] = functions[name];
    }
    return { env: { memory: this.memory as WebAssembly.Memory }, host: needed };
  }
}
