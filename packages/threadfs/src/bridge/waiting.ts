/** Waiting for other threads, as the host sees it: the error of a call that waited too long, and timers. */

import { G_EPOCH, LOCK_OWNER, MAX_THREADS } from "../../abi/memory.js";
import { codedError } from "../errors/errors.js";
import type { SharedMemory } from "./wasm.js";

/** The slot of the thread whose number a word of a lock holds; -1: none, or a word of another kind. */
export function slotOfOwner(memory: SharedMemory, word: number): number {
  if (word === G_EPOCH) return -1;
  const number = Atomics.load(new Uint32Array(memory.buffer as SharedArrayBuffer, word, 1), 0) & LOCK_OWNER;
  return number >= 1 && number <= MAX_THREADS ? number - 1 : -1;
}

/** The error of a call that has waited `limitMs` for the thread of a slot, -1 if that is not known. */
export function timeoutError(limitMs: number, slot: number): Error & { code: string; slot: number } {
  const owner = slot < 0 ? "another thread" : `the thread in slot ${slot}`;
  const died = slot < 0 ? "with attachWorker() or threadDied()" : `with attachWorker() or threadDied(${slot})`;
  const message = `The call waited ${limitMs} ms for ${owner}. Try again; if that thread has ended, report it ${died}`;
  return Object.assign(codedError(Error, "ERR_THREADFS_TIMEOUT", message), { slot });
}

/** Lets the process end although a timer runs, where the host's timers keep it alive. */
export function unref<T>(timer: T): T {
  if (typeof timer === "object") (timer as { unref?: () => void } | null)?.unref?.();
  return timer;
}
