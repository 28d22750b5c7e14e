/**
 * The calling thread: its slot, scratch area and counters. Wasm globals belong to the instance, and each instance
 * belongs to one thread: they are private.
 */
import * as COUNTER from "../../abi/counters";
import * as host from "../host";
import { SLOT_COUNTERS, SLOT_SIZE, SLOTS } from "./layout";

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

export function panic(code: i32, a: usize): void {
  host.panic(code, <i32>a);
}

export function countLockWait(): void {
  count(COUNTER.lockWaits);
}
