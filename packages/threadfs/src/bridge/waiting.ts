/** Waiting for other threads, as the host sees it: the error of a call that waited too long, and timers. */

import { ENOSPC, EUSERS } from "../../abi/errno.js";
import {
  G_EPOCH,
  LOCK_OWNER,
  LOCK_WAITS,
  MAX_THREADS,
  NR_LOCK_WAITS,
  NR_PIPE_WORDS,
  PIPE_WORDS,
  SLOT_GENERATION,
  SLOT_SHARED,
  SLOT_SIZE,
  SLOTS,
} from "../../abi/memory.js";
import { codedError, systemCallError } from "../errors/errors.js";
import type { SharedMemory } from "./wasm.js";

/**
 * The slot of the thread whose number a word of a lock holds, or that has a lock shared, where the word is that of its slot which says so; -1:
 * none, or a word of another kind.
 */
export function slotOfOwner(memory: SharedMemory, word: number): number {
  if (word === G_EPOCH) return -1;
  const slot = (word - SLOT_SHARED - SLOTS) / SLOT_SIZE;
  if (Number.isInteger(slot) && slot >= 0 && slot < MAX_THREADS) return slot;
  const number = Atomics.load(new Uint32Array(memory.buffer as SharedArrayBuffer, word, 1), 0) & LOCK_OWNER;
  return number >= 1 && number <= MAX_THREADS ? number - 1 : -1;
}

/** The number of the thread in a slot, as `Vfs.threadSlot` has it and `Vfs.threadDied` takes it. */
export function threadNumberAt(memory: SharedMemory, slot: number): number {
  const at = SLOTS + slot * SLOT_SIZE + SLOT_GENERATION;
  return Number(new BigUint64Array(memory.buffer, at, 1)[0]) * MAX_THREADS + slot;
}

/**
 * The error of a call that has waited `limitMs` for the thread with this number, -1 if that is not known.
 */
export function timeoutError(limitMs: number, thread: number): Error & { code: string; slot: number } {
  const owner = thread < 0 ? "another thread" : `the thread in slot ${thread % MAX_THREADS}`;
  const died = thread < 0 ? "with attachWorker() or threadDied()" : `with attachWorker() or threadDied(${thread})`;
  const message = `The call waited ${limitMs} ms for ${owner}. Try again; if that thread has ended, report it ${died}`;
  return Object.assign(codedError(Error, "ERR_THREADFS_TIMEOUT", message), { slot: thread });
}

/** The error of a call that has waited for an advisory lock, which another open file or context has, for so long. */
export function lockTimeoutError(limitMs: number): Error & { code: string } {
  const message = `The lock was not released within ${limitMs} ms. Try again, with a longer timeoutMs (a synchronous call: lockTimeoutMs) if its owner needs it for longer`;
  return codedError(Error, "ERR_THREADFS_TIMEOUT", message);
}

/** The error of a call that has waited for the other end of a pipe for so long. */
export function pipeTimeoutError(limitMs: number): Error & { code: string } {
  const message = `The other end of the pipe was not ready within ${limitMs} ms. Try again, with a longer lockTimeoutMs if it needs longer; promises and callbacks wait without a limit`;
  return codedError(Error, "ERR_THREADFS_TIMEOUT", message);
}

/** Whether a word is one on which threads wait for pipes. */
const isPipeWord = (word: number): boolean => word >= PIPE_WORDS && word < PIPE_WORDS + NR_PIPE_WORDS * 4;

/** Whether a word is one on which requests for advisory locks wait. */
const isLockWait = (word: number): boolean => word >= LOCK_WAITS && word < LOCK_WAITS + NR_LOCK_WAITS * 4;

/** The error of a thread that gets no slot. @param errno negative error number from the core */
export function attachError(errno: number): Error {
  const error = systemCallError(errno, "attach");
  if (errno === -ENOSPC) error.message += ": the tree is full, and a thread needs 130 KiB of its maxBytes";
  if (errno !== -EUSERS) return error;
  error.message += `: all ${MAX_THREADS} slots of the tree are in use. A slot comes back when its thread calls close() or ends. Attach to a tree before you create the workers that use it, or report their ends with attachWorker(); attach with { locks: true } where the host has Web Locks`;
  return error;
}

/**
 * How long calls of the asynchronous forms wait for another thread before what is left of their work is awaited, in milliseconds. Less than a program can set: so the core knows
 * that the host waits for what may take long.
 */
const GENTLE_MS = 0.999;

/** How work goes on that was left because it has to wait. */
export interface Left {
  /** The word of the pipe for which it waits, and the value that this has until then; undefined: it waits for a lock. */
  readonly pipe: { readonly word: number; readonly seen: number } | undefined;
  /** Goes on where it was left; undefined: it has not begun, and is made again. */
  goOn?: (() => unknown) | undefined;
  /** Takes back what it has begun, if it does not go on. */
  giveUp?: (() => void) | undefined;
}

/** How long the calls of an attachment wait for other threads, and the exceptions of those that waited too long. */
export class WaitLimit {
  readonly #memory: SharedMemory;
  readonly #set: (ms: number) => unknown;
  /** The limit that the program has set, in milliseconds. */
  readonly ms: number;
  /** The limit of the call that is under way. */
  #now: number;
  readonly #errors = new WeakSet<Error>();
  readonly #left = new WeakMap<Error, Left>();
  #last: Error | undefined;
  /** The address of the word whose owner kept the last such call waiting. */
  #word = 0;

  /** @param set tells the core */
  constructor(memory: SharedMemory, ms: number, set: (ms: number) => unknown) {
    this.#memory = memory;
    this.ms = ms;
    this.#now = ms;
    this.#set = set;
  }

  /** Makes calls that wait for `ms` at most, and no longer than they may without this. */
  within<R>(ms: number, calls: () => R): R {
    const before = this.begin(ms);
    try {
      return calls();
    } finally {
      this.end(before);
    }
  }

  /** Begins such calls, for callers to which a function of its own is too slow. Returns what {@link end} takes. */
  begin(ms = GENTLE_MS): number {
    const before = this.#now;
    this.#now = Math.min(ms, before);
    this.#set(this.#now);
    return before;
  }

  /** Ends such calls. */
  end(before: number): void {
    this.#now = before;
    this.#set(before);
  }

  /** Remembers the exception of a call that has waited too long. @param word what it waited for */
  passed(word: number): Error {
    const slot = slotOfOwner(this.#memory, word);
    this.#word = word;
    if (isLockWait(word) || isPipeWord(word)) {
      this.#last = isPipeWord(word) ? pipeTimeoutError(this.#now) : lockTimeoutError(this.#now);
      this.#errors.add(this.#last);
      return this.#last;
    }
    this.#last = timeoutError(this.ms, slot < 0 ? slot : threadNumberAt(this.#memory, slot));
    this.#errors.add(this.#last);
    return this.#last;
  }

  /** Whether an exception says that a call has waited too long for another thread. Such a call has not happened. */
  isPassed(error: unknown): error is Error {
    return error instanceof Error && this.#errors.has(error);
  }

  /** Whether calls are left as soon as another thread keeps them waiting. */
  get isGentle(): boolean {
    return this.#now === GENTLE_MS;
  }

  /** An exception that says how work goes on which another thread keeps waiting. */
  leave(left: Left): Error {
    const error = pipeTimeoutError(this.ms);
    this.#errors.add(error);
    this.#left.set(error, left);
    return error;
  }

  /** How the work goes on that has thrown an exception; undefined: it says nothing of that. */
  leftOf(error: unknown): Left | undefined {
    return error instanceof Error ? this.#left.get(error) : undefined;
  }

  /** Says of an exception of a call that waited too long how its work goes on. */
  setLeft(error: Error, left: Left): void {
    this.#left.set(error, left);
  }

  /** The exception of the last call that waited too long. */
  get error(): Error | undefined {
    return this.#last;
  }

  /** Makes calls that are left as soon as another thread keeps them waiting: {@link released} then tells when to make them again. */
  gently<R>(calls: () => R): R {
    return this.within(GENTLE_MS, calls);
  }

  /**
   * Settles when the word for which the last call waited may have changed, after a few milliseconds at the latest. The core has marked the
   * word, if it is a lock, so that its release wakes this thread too.
   */
  released(): Promise<void> {
    const at = new Int32Array(this.#memory.buffer as SharedArrayBuffer, this.#word, 1);
    const { waitAsync } = Atomics as { waitAsync?: typeof Atomics.waitAsync };
    return new Promise((resolve) => {
      // A timer also keeps the process alive, which a wait of Atomics does not.
      const timer = setTimeout(resolve, LOOK_AGAIN_MS);
      const waited = waitAsync?.(at, 0, Atomics.load(at, 0), LOOK_AGAIN_MS);
      if (!waited?.async) return;
      waited.value.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** How long a pipe is awaited before the call looks at it in any case: a thread may have died that another one can only recover then. */
const PIPE_MS = 1000;
/** The same where the host has no Atomics.waitAsync. */
const PIPE_POLL_MS = 10;

/** Calls when a word of a pipe has changed, after a while in any case, or when the function that it returns is called. Once. */
export function afterPipe(memory: SharedMemory, { word, seen }: { word: number; seen: number }, call: () => void) {
  const { waitAsync } = Atomics as { waitAsync?: typeof Atomics.waitAsync };
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    call();
  };
  // A timer also keeps the process alive, which a wait of Atomics does not.
  const timer = setTimeout(end, waitAsync === undefined ? PIPE_POLL_MS : PIPE_MS);
  const at = new Int32Array(memory.buffer as SharedArrayBuffer, word, 1);
  const waited = waitAsync?.(at, 0, seen, PIPE_MS);
  if (waited?.async) waited.value.then(end);
  // It has changed already.
  else if (waited !== undefined) Promise.resolve().then(end);
  return end;
}

/** The interval in which a thread that awaits a word looks at it: as often as one that sleeps. */
const LOOK_AGAIN_MS = 2;

/** Lets the process end although a timer runs, where the host's timers keep it alive. */
export function unref<T>(timer: T): T {
  if (typeof timer === "object") (timer as { unref?: () => void } | null)?.unref?.();
  else (globalThis as { Deno?: { unrefTimer?(timer: unknown): void } }).Deno?.unrefTimer?.(timer);
  return timer;
}

/** Takes {@link unref} back. */
export function ref(timer: unknown): void {
  if (typeof timer === "object") (timer as { ref?: () => void } | null)?.ref?.();
  else (globalThis as { Deno?: { refTimer?(timer: unknown): void } }).Deno?.refTimer?.(timer);
}

/** The interval in which what had to wait for too long is tried again. */
const AGAIN_MS = 250;

/** What is tried again from time to time until it need not wait for too long: first to go on at all, then calls in their order. */
export class Later {
  readonly #goOn: () => boolean;
  readonly #make: (call: () => void) => void;
  readonly #calls: (() => void)[] = [];
  #timer: unknown;

  /**
   * @param goOn whether calls can be made (again)
   * @param make makes a call, or adds it once more
   */
  constructor(goOn: () => boolean, make: (call: () => void) => void) {
    this.#goOn = goOn;
    this.#make = make;
  }

  add(call: () => void): void {
    this.#calls.push(call);
    this.start();
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = unref(
      setTimeout(() => {
        this.#timer = undefined;
        if (this.#goOn()) this.makeUp();
      }, AGAIN_MS),
    );
  }

  makeUp(): void {
    for (const call of this.#calls.splice(0)) this.#make(call);
  }
}
