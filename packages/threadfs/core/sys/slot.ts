/** The slots of threads: their states, and how they are freed. */

import * as L from "../mem/layout";
import { lock, unlock } from "../mem/lock/lock";
import { tid } from "../mem/thread";
import { put64 } from "../mem/undo/log";
import { SLOT_OPENS } from "../vfs/layout";

/** State of a slot: in use; its thread has terminated, and the bits above hold the slot number plus one of the recoverer. */
export const SLOT_USED: u32 = 1;
export const SLOT_DEAD: u32 = 2;
/** The bits of a state that hold one of these. */
export const SLOT_STATES: u32 = 3;

export function slotAt(n: u32): usize {
  return L.SLOTS + n * L.SLOT_SIZE;
}

/** Whether slot `n` is in use by another thread that has not been reported dead. */
export function isLiveThread(n: u32): bool {
  return n < L.MAX_THREADS && n != tid - 1 && (atomic.load<u32>(slotAt(n) + L.SLOT_STATE) & SLOT_STATES) == SLOT_USED;
}

/**
 * The number of the thread that has, or will take, slot `n`: the slot plus MAX_THREADS times how many threads have left it. No
 * other thread ever has the same number.
 */
export function threadNumberAt(n: u32): f64 {
  return <f64>(atomic.load<u64>(slotAt(n) + L.SLOT_GENERATION) * L.MAX_THREADS + n);
}

/** Adds the counters of a slot to the totals and frees the slot. */
export function freeSlot(s: usize): void {
  clearSlot(s);
  atomic.store<u64>(s + L.SLOT_STATE, 0);
}

/** Removes what a slot says of its thread but for its state: the slot is about to be free, or to get another thread. */
export function clearSlot(s: usize): void {
  lock(L.G_SLOT_LOCK);
  for (let i: u32 = 0; i < L.NR_COUNTERS; i++) {
    const total = L.G_OLD_COUNTERS + (i << 3);
    const own = s + L.SLOT_COUNTERS + (i << 3);
    put64(total, load<u64>(total) + load<u64>(own));
    put64(own, 0);
  }
  put64(s + L.SLOT_GENERATION, load<u64>(s + L.SLOT_GENERATION) + 1);
  unlock(L.G_SLOT_LOCK);
  atomic.store<u32>(s + L.SLOT_FLAGS, 0);
  atomic.store<u32>(s + SLOT_OPENS, 0);
  for (let i: u32 = 0; i < L.NR_ANCESTORS; i++) atomic.store<u32>(s + L.SLOT_ANCESTORS + (i << 2), 0);
}
