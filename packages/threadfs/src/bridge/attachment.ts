/**
 * One thread's attachment to an arena: an instance of the core over the shared memory, views of the thread's scratch
 * area, and the functions that the core imports. Calls take numbers and return a number >= 0 or a negative errno.
 *
 * A shared memory that has grown has a new `buffer` object. Views of the old one stay valid for their range, and a
 * scratch area never moves: so the views are created once.
 */

import * as ERRNO from "../../abi/errno.js";
import { HOST_AUDIT, HOST_SECURITY } from "../../abi/host.js";
import { CHUNK, IO_SIZE, PATH_MAX } from "../../abi/limits.js";
import {
  HOLDS_LOCK,
  MAX_THREADS,
  SLOT_NONCE,
  SLOT_SIZE,
  SLOTS,
  THREAD_CLOSES,
  THREAD_OF_HOST,
} from "../../abi/memory.js";
import * as SCRATCH from "../../abi/scratch.js";
import * as STAT from "../../abi/stat.js";
import type { CoreExports } from "../../generated/core-exports.js";
import { codedError, invalidArgType, systemCallError } from "../errors/errors.js";
import { canWait, hasStackRoom } from "./abilities.js";
import { DriverTable } from "./driver-table.js";
import { checkHandle, handleError, NO_TREE, type VfsHandle } from "./handle.js";
import { checkHost, type HookOwner, type HostOptions, hostImports, waitLimitOf } from "./host-imports.js";
import { type ArenaRoom, pagesOf, reserve } from "./memory.js";
import { chooseStringWriter, type StringWriter } from "./string-writer.js";
import { exitIsProof, unwatchThreads, type Watcher, type WorkerLike, watchThreads, watchWorker } from "./threads.js";
import { sharedBytes } from "./transfer/copy.js";
import { Transfer } from "./transfer/transfer.js";
import { Window } from "./transfer/window.js";
import { attachError, Later, unref, WaitLimit } from "./waiting.js";
import type { CoreModule, SharedMemory } from "./wasm.js";
import { hostLocks, pollLocks } from "./web-locks.js";

/** The numbers of a stat. The core writes all of them, so that each index of STAT has one. */
export type StatNumbers = Float64Array<SharedArrayBuffer> & Record<(typeof STAT)[keyof typeof STAT], number>;
const NR_STAT = STAT.birthtimeNsec + 1;

/** States of an attachment; all but the first refuse calls ({@link Attachment.state}). */
const STATE_OPEN = 0;
const STATE_CLOSED = 1;
const STATE_IN_HOOK = 2;
export const STATE_PANIC = 3;
/** A call was left because it waited too long, and what it has begun is not taken back yet. */
const STATE_ABANDONED = 4;

/** How long taking back may itself wait. */
const ABANDON_WAIT_MS = 100;
/** The interval in which a recovery that was not possible is tried again, and how often locks are asked after an "exit". */
const RECOVER_AGAIN_MS = 200;
const UNLOCK_POLLS = 300;

/** What an attachment needs to know, besides the options of the program. */
export interface AttachmentOptions extends HostOptions {
  /** The id in `thread` is the host's ({@link HostThread}). */
  ofHost?: boolean;
  ancestors?: readonly number[];
  /** The slot of a thread that has ended, to be taken over. */
  takeOver?: number;
  /** What ends with that thread, such as its contexts, stays. */
  keepOwned?: boolean;
  /** The tree is for this thread alone. */
  alone?: boolean;
}

const reentered = (): Error =>
  codedError(Error, "ERR_THREADFS_REENTERED", "A hook or clock may not call the tree that called it");

/** One thread's attachment to a tree. */
export class Attachment implements HookOwner, Watcher {
  readonly module: CoreModule;
  readonly memory: SharedMemory;
  /** The core's calls. A call that throws poisons the attachment, see {@link poison}. */
  readonly core: CoreExports;
  /** The same calls without poisoning, for fast paths that catch exceptions themselves: the engine compiles them in place, {@link core} it calls. */
  readonly unguarded: CoreExports;
  readonly drivers: DriverTable;
  /** Not 0: calls are refused, and {@link refuse} throws the reason. A single number, because it is checked before every call. */
  state: number = STATE_CLOSED;

  /** This thread's scratch area, and its parts (SCRATCH in abi.ts). */
  readonly scratch: Uint8Array<SharedArrayBuffer>;
  readonly path: Uint8Array<SharedArrayBuffer>;
  readonly path2: Uint8Array<SharedArrayBuffer>;
  readonly io: Uint8Array<SharedArrayBuffer>;
  /** Copies to and from {@link io}. */
  readonly window: Window;
  /** What does not go through {@link io}. */
  readonly transfer: Transfer;
  readonly stat: StatNumbers;
  /** The bytes of {@link io}, for results that are numbers. */
  readonly ioNumbers: Float64Array<SharedArrayBuffer>;
  readonly writeString: StringWriter;
  readonly limit: WaitLimit;
  /** Whether the tree is for this thread alone. */
  readonly alone: boolean;
  /** The module of streams that the program has given. */
  readonly streamModule: HostOptions["stream"];

  readonly host: HostOptions;
  /** The thread's slot; -1 after another attachment has recovered it. */
  #slot = -1;
  /** 1: the core trapped. */
  #trapped = 0;
  /** Starts the recovery as soon as the stack is empty. Created in advance: when it is needed there may be no stack for it. */
  readonly #startRecovery: () => void;
  #recoveryStarted = false;
  /** The taking back of a call that had to wait for too long, and the calls of {@link nowOrLater} after it. */
  readonly #later = new Later(
    () => this.state !== STATE_ABANDONED || this.#abandon(),
    (call) => this.nowOrLater(call),
  );
  /** Ids of workers whose end the program has asked to notice. */
  readonly #expected = new Set<number>();
  #asking = false;

  private constructor(
    module: CoreModule,
    memory: SharedMemory,
    host: AttachmentOptions,
    prepare: (core: CoreExports) => void,
    weakly: boolean,
  ) {
    checkHost(host);
    this.host = host;
    this.streamModule = host.stream;
    this.alone = host.alone === true;
    let startRecovery = () => {};
    const recoveryStarted = new Promise<void>((resolve) => {
      startRecovery = resolve;
    });
    this.#startRecovery = startRecovery;
    recoveryStarted.then(() => this.#recoverSelf());
    this.module = module;
    this.memory = memory;
    this.drivers = new DriverTable(memory);
    this.unguarded = this.instantiate();
    this.core = this.#guardCalls(this.unguarded);
    this.limit = new WaitLimit(memory, waitLimitOf(host), (ms) => this.unguarded.waitLimit(ms));
    this.core.waitLimit(this.limit.ms);
    prepare(this.core);
    const { thread = 0, takeOver } = host;
    const mayWait = canWait() ? 1 : 0;
    const attached =
      takeOver === undefined
        ? this.core.threadAttach(mayWait, thread)
        : this.core.threadTakeOver(takeOver, mayWait, thread, host.keepOwned ? 1 : 0);
    if (attached < 0) throw attachError(attached);
    this.#slot = this.core.threadSlot();
    const flags = (host.ofHost ? THREAD_OF_HOST : 0) | (host.closeOnExit ? THREAD_CLOSES : 0);
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = host.ancestors ?? [];
    this.core.threadFamily(flags, a, b, c, d, e);

    this.core.hostHooks((host.security ? HOST_SECURITY : 0) | (host.audit ? HOST_AUDIT : 0));
    const base = this.core.scratchBase() >>> 0;
    // If another thread has grown the memory, this thread's buffer object may be outdated. Growing by 0 updates it.
    if (memory.buffer.byteLength < base + SCRATCH.SIZE) memory.grow(0);
    const buffer = memory.buffer as SharedArrayBuffer;
    this.scratch = new Uint8Array(buffer, base, SCRATCH.SIZE);
    this.path = new Uint8Array(buffer, base + SCRATCH.PATH, PATH_MAX + 1);
    this.path2 = new Uint8Array(buffer, base + SCRATCH.PATH2, PATH_MAX + 1);
    this.io = new Uint8Array(buffer, base + SCRATCH.IO, IO_SIZE);
    const shared = sharedBytes(memory);
    this.transfer = new Transfer(shared);
    this.window = new Window(shared, memory, base + SCRATCH.IO, IO_SIZE);
    this.stat = new Float64Array(buffer, base + SCRATCH.STAT, NR_STAT) as StatNumbers;
    this.ioNumbers = new Float64Array(buffer, base + SCRATCH.IO, IO_SIZE / 8);
    this.writeString = chooseStringWriter(this.path);
    this.drivers.attach(this.core);
    this.state = STATE_OPEN;
    watchThreads(this, { weakly });
  }

  /**
   * Creates a new arena with a tmpfs at "/".
   */
  static create(module: CoreModule, room: ArenaRoom, host: AttachmentOptions): Attachment {
    const pages = pagesOf(room.maxBytes);
    if (!(module instanceof WebAssembly.Module)) {
      throw invalidArgType("options.core", "an instance of WebAssembly.Module", module);
    }
    const memory = reserve(pages);
    // The hash keys of names are random, so that names that collide cannot be chosen in advance.
    const [seedLow = 0, seedHigh = 0] = crypto.getRandomValues(new Int32Array(2));
    const prepare = (core: CoreExports) => {
      const { size = 0, nrInodes = 0, protect = 0, positive = -1, negative = -1 } = room;
      const made = core.arenaInit(pages * CHUNK, seedLow, seedHigh, size, nrInodes, protect, positive, negative);
      if (made < 0) throw systemCallError(made, "arena");
    };
    return new Attachment(module, memory, host, prepare, true);
  }

  /** Attaches to another thread's arena; `weakly`: to one that ends with this attachment. @throws TypeError ERR_THREADFS_HANDLE */
  static attach(handle: VfsHandle, host: AttachmentOptions, weakly = false): Attachment {
    const { module, memory } = checkHandle(handle);
    const prepare = (core: CoreExports) => {
      if (core.arenaCheck() < 0) throw handleError(NO_TREE);
    };
    return new Attachment(module, memory, host, prepare, weakly);
  }

  /**
   * Recovers a thread that has ended, in all of its slots. `family`: the id is the one that the host gave it, and threads
   * that it has made have ended too. If this thread cannot do it now, because it has to wait too long, it does it later.
   */
  recover(hostId: number, family = false): void {
    try {
      for (let tries = 0; tries < MAX_THREADS && this.state === STATE_OPEN; tries++) {
        const slot = this.core.threadFind(hostId, family ? 1 : 0);
        // Another thread, which has noticed the death too, is recovering it.
        if (slot < 0 || this.core.threadRecover(slot, 0) < 0) return;
      }
    } catch (error) {
      if (!this.limit.isPassed(error)) throw error;
    }
    if (this.state === STATE_CLOSED || this.state === STATE_PANIC) return;
    unref(setTimeout(() => this.recover(hostId, family), RECOVER_AGAIN_MS));
  }

  /** {@link Vfs.attachWorker}: the worker's end is that of the threads with its id too, whichever way they got it. */
  expectEnd(worker: WorkerLike): void {
    this.#expected.add(worker.threadId + 1);
    watchWorker(worker);
  }

  /** A worker of this thread has ended, or does so soon where "exit" is no proof. */
  workerEnded(hostId: number): void {
    if (!exitIsProof()) {
      this.#recoverUnlocked();
      return;
    }
    this.recover(hostId, true);
    // Threads that it has made without attaching itself are found by their locks alone.
    this.#recoverUnlocked(1).catch(() => {});
    if (!this.#expected.delete(hostId)) return;
    this.recover(hostId);
    this.recover(hostId + HOLDS_LOCK);
  }

  /** This thread ends: gives its slot back, if it is not in the middle of a call. */
  threadEnds(): void {
    if (this.state !== STATE_OPEN) return;
    try {
      this.unguarded.waitLimit(ABANDON_WAIT_MS);
      // Refused in the middle of a call: the clock may end the thread.
      if (this.unguarded.threadDetach() >= 0) this.state = STATE_CLOSED;
    } catch {
      // The thread that made this one recovers the slot.
    }
  }

  /** Recovers the threads whose Web Locks are free, now and, where a worker is about to end, until all of its kind are gone. */
  async #recoverUnlocked(again = UNLOCK_POLLS): Promise<void> {
    const locks = hostLocks();
    if (locks === undefined || this.#asking) return;
    this.#asking = true;
    try {
      await pollLocks(locks, this.memory, (hostId) => this.recover(hostId));
    } finally {
      this.#asking = false;
    }
    if (again <= 1 || this.state === STATE_CLOSED) return;
    unref(setTimeout(() => this.#recoverUnlocked(again - 1), RECOVER_AGAIN_MS));
  }

  get closed(): boolean {
    return this.state === STATE_CLOSED;
  }

  /** Whether a memory object is this attachment's memory: a clone of its own object is, a copy of its contents is not. */
  isIn(memory: SharedMemory): boolean {
    const at = (SLOTS + this.#slot * SLOT_SIZE + SLOT_NONCE) / 4;
    const [mine, theirs] = [this.memory, memory].map(({ buffer }) => new Uint32Array(buffer as SharedArrayBuffer));
    for (const nonce of crypto.getRandomValues(new Uint32Array(2))) {
      if (mine !== undefined) Atomics.store(mine, at, nonce);
      if (theirs === undefined || Atomics.load(theirs, at) !== nonce) return false;
    }
    return true;
  }

  /** Whether another user in this thread can share it: not after a panic. */
  get sharable(): boolean {
    return this.state !== STATE_CLOSED && this.state !== STATE_PANIC;
  }

  /** Detaches the thread. Later calls are refused. Idempotent. @throws Error ERR_THREADFS_TIMEOUT: still attached */
  close(): void {
    if (this.state === STATE_CLOSED) return;
    if (this.state === STATE_IN_HOOK) this.refuse();
    if (this.state === STATE_ABANDONED) this.refuse();
    this.#later.makeUp();
    if (this.state !== STATE_OPEN) this.#recoverSelf();
    else if (this.core.threadDetach() < 0) throw reentered();
    this.state = STATE_CLOSED;
    unwatchThreads(this);
  }

  /** Throws if calls are refused. Fast paths check {@link state} themselves. */
  check(): void {
    if (this.state !== STATE_OPEN) this.refuse();
  }

  /**
   * Returns if calls are possible again.
   * @throws Error ERR_THREADFS_CLOSED, ERR_THREADFS_REENTERED, ERR_THREADFS_TIMEOUT or ERR_THREADFS_PANIC
   */
  refuse(): void {
    if (this.state === STATE_ABANDONED) {
      if (this.#abandon()) return;
      throw this.limit.error;
    }
    if (this.state === STATE_IN_HOOK) throw reentered();
    if (this.state === STATE_PANIC) {
      this.#recoverLater();
      this.#recoverSelf();
      throw codedError(Error, "ERR_THREADFS_PANIC", "The core panicked in this thread");
    }
    this.refuseClosed();
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
   *
   * A call that was left because it waited too long poisons nothing: what it has begun is taken back at once.
   * @throws Error ERR_THREADFS_PANIC, ERR_THREADFS_TIMEOUT
   */
  poison(cause: unknown): never {
    if (this.limit.isPassed(cause)) {
      this.#abandon();
      throw cause;
    }
    this.state = STATE_PANIC;
    this.#recoverLater();
    if (cause instanceof WebAssembly.RuntimeError) this.#trapped = 1;
    this.#recoverSelf();
    // A panic of the core itself has a message already.
    if ((cause as { code?: unknown } | null)?.code === "ERR_THREADFS_PANIC") throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw codedError(Error, "ERR_THREADFS_PANIC", `The core panicked in this thread: ${message}`, { cause });
  }

  /** {@link poison} for a call that may have happened, and only the rest of it waited too long: then its result. @throws Error as poison() */
  leave(cause: unknown): number {
    const outcome = this.limit.isPassed(cause) ? this.unguarded.callOutcome() : Number.NaN;
    if (Number.isNaN(outcome)) return this.poison(cause);
    this.#abandon();
    return outcome;
  }

  /**
   * Takes back what a call has begun that waited too long. That takes locks too: false if one of them was not to be had.
   * Then calls are refused until a later attempt has succeeded, at the next call or by a timer.
   * @throws Error ERR_THREADFS_PANIC
   */
  #abandon(): boolean {
    this.state = STATE_ABANDONED;
    try {
      this.limit.within(ABANDON_WAIT_MS, () => this.unguarded.threadAbandon(this.#slot < 0 ? 1 : 0));
    } catch (error) {
      if (!this.limit.isPassed(error)) {
        this.state = STATE_PANIC;
        return this.poison(error);
      }
      this.#later.start();
      return false;
    }
    // A call that was to take a slot leaves none.
    this.state = this.#slot < 0 ? STATE_CLOSED : STATE_OPEN;
    return true;
  }

  /**
   * Makes a call whose result nobody asks for: now or, if it has to wait for too long or an earlier call still does, later.
   * Never for an attachment that makes no calls any more.
   */
  nowOrLater(call: () => void): void {
    if (this.state === STATE_OPEN) {
      try {
        call();
        return;
      } catch (error) {
        if (!this.limit.isPassed(error)) throw error;
      }
    } else if (this.state !== STATE_ABANDONED) return;
    this.#later.add(call);
  }

  /**
   * The host's `timedOut`.
   * @param word the address of the word whose owner has kept this thread waiting
   */
  timedOut(word: number): never {
    const error = this.limit.passed(word);
    // The owner may have ended without a word.
    this.#recoverUnlocked(1).catch(() => {});
    throw error;
  }

  /**
   * Recovers this attachment's slot through a new attachment. Not while the stack is nearly full, because the new
   * attachment would overflow it too, with locks of its own. If it fails (corrupt memory), the slot remains, like that
   * of a dead thread.
   */
  #recoverSelf(): void {
    if (this.#slot < 0 || !hasStackRoom()) return;
    const slot = this.#slot;
    try {
      const fresh = this.instantiate();
      if (fresh.threadAttach(canWait() ? 1 : 0, this.host.thread ?? 0) < 0) return;
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
      let result: number;
      try {
        result = call(a, b, c, d, e, f, g, h);
      } catch (error) {
        this.state = STATE_PANIC;
        return this.leave(error);
      }
      if (result === -ERRNO.ENXIO) this.drivers.checkRegistered();
      return result;
    };
  }

  /**
   * Runs a hook of the host, inside a call of the core. Meanwhile other calls are refused, because they would overwrite
   * the scratch area.
   */
  runHook<T>(hook: () => T): T {
    const before = this.state;
    this.state = STATE_IN_HOOK;
    try {
      return hook();
    } finally {
      if (this.state === STATE_IN_HOOK) this.state = before;
    }
  }

  /** @param a the address of a lock, whose word names its owner, or of a structure */
  panic(code: number, a: number): never {
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
  instantiate(owner: HookOwner = this, host = this.host): CoreExports {
    let exports: WebAssembly.Exports;
    try {
      const imports = hostImports(owner, host) as WebAssembly.Imports;
      exports = new WebAssembly.Instance(owner.module as WebAssembly.Module, imports).exports;
    } catch (cause) {
      throw handleError("its module cannot be instantiated with its memory", cause);
    }
    if (typeof exports.arenaCheck !== "function") throw handleError("its module is not the core");
    return exports as unknown as CoreExports;
  }
}
