/** Allocation that makes space where the arena is full: what waits for a grace period, what lies on sheaves, chunks without objects. */

import { chunksExhausted } from "../../mem/alloc/pages";
import { flushSheaves, kmalloc, slabAlloc } from "../../mem/alloc/slab";
import { rcuDepth, rcuPending, synchronizeRcu } from "../../mem/smr/smr";
import { reclaimAll, returnEmptyChunks } from "./reclaim";

/**
 * Waits for a grace period, reclaims what any thread has retired and takes what any thread keeps on a sheaf; if the memory is still
 * full, gives empty chunks of names and inodes back. False: nothing could be done.
 */
export function makeSpace(): bool {
  if (rcuDepth() != 0) return false;
  let made = false;
  if (rcuPending()) {
    synchronizeRcu();
    made = reclaimAll() != 0;
  }
  // Behind the reclamation, which fills this thread's own.
  if (flushSheaves()) made = true;
  return (chunksExhausted() && returnEmptyChunks()) || made;
}

/** kmalloc() that makes space if the arena is full. Not inside a transaction. */
export function kmallocSpace(size: u32): usize {
  const p = kmalloc(size, false);
  if (p != 0 || !makeSpace()) return p;
  return kmalloc(size, false);
}

/** slabAlloc() that waits for a grace period if the arena is full. */
export function kalloc(cache: u32, reserve: bool): usize {
  const p = slabAlloc(cache, reserve);
  if (p != 0 || !makeSpace()) return p;
  return slabAlloc(cache, reserve);
}
