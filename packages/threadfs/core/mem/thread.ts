/**
 * The calling thread: its slot, scratch area and counters. Wasm globals belong to the instance, and each instance
 * belongs to one thread: they are private.
 */
import * as COUNTER from "../../abi/counters";
import { PANIC_LOCK } from "../../abi/host";
import * as host from "../host";
import { G_SLEEP, SLOT_COUNTERS, SLOT_SIZE, SLOTS } from "./layout";

/** Slot number + 1: the owner's number in lock words. 0 before the thread is attached. */
export let tid: u32 = 0;
/** Address of the thread's slot. */
export let slot: usize = 0;
/** Address of the thread's scratch area. */
export let scratch: usize = 0;
/** Whether the thread may block (a browser's main thread may not). */
export let canWait: bool = false;
export function setThread(number: u32, scratchAddress: usize, mayWait: bool): void {
  tid = number + 1;
  slot = SLOTS + number * SLOT_SIZE;
  scratch = scratchAddress;
  canWait = mayWait;
}

export function clearThread(): void {
  tid = 0;
}

/** Counts an event in the thread's own cache lines, which no other thread writes. */
export function count(which: u32): void {
  const p = slot + SLOT_COUNTERS + (which << 3);
  store<u64>(p, load<u64>(p) + 1);
}

/** Sleeps for about `us` microseconds where the thread may block. */
export function sleepUs(us: i64): void {
  if (canWait) host.wait(G_SLEEP, 0, <f64>us / 1000.0);
}

export function panic(code: i32, a: usize): void {
  host.panic(code, <i32>a);
}

/**
 * How often a thread polls a lock on which it must not block. With the sleeps in between that is ten seconds, as for
 * other locks.
 */
const LOCK_POLLS_MAX: i32 = 5000;

/** Sleeps before polling the lock again; `n` counts the polls from 0. */
export function sleepAtLock(n: i32, lock: usize): void {
  if (n == LOCK_POLLS_MAX) panic(PANIC_LOCK, lock);
  sleepUs(n < 100 ? 20 : 2000);
}

export function countLockWait(): void {
  count(COUNTER.lockWaits);
}
