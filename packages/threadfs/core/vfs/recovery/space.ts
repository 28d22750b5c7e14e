/**
 * Allocation that makes space where the arena is full: what waits for a grace period, what lies on sheaves, chunks without objects, and the
 * caches, which are unused dentries of drivers with their inodes (Linux: direct reclaim).
 */

import * as COUNTER from "../../../abi/counters";
import { chunksExhausted } from "../../mem/alloc/pages";
import { flushSheaves, kmalloc, slabAlloc } from "../../mem/alloc/slab";
import { rcuDepth, rcuPending, synchronizeRcu } from "../../mem/smr/smr";
import { count } from "../../mem/thread";
import { unusedDentries } from "../dcache/d-lru";
import { shrinkForSpace } from "../dcache/d-shrink";
import { reclaimAll, returnEmptyChunks } from "./reclaim";

/** The rounds in which an allocation that finds no memory is tried again: FIRST frees what no thread uses, the others unused dentries too. */
const FIRST: u32 = 0;
const HALF: u32 = 1;
const ALL: u32 = 2;
const WITH_HOOKS: u32 = 3;

/** Frees unused dentries of drivers: half of them; then all whose end calls no hook; then those too. False: there is nothing more to free. */
function shrink(round: u32): bool {
  if (round == HALF) return shrinkForSpace(2, false) || unusedDentries() != 0;
  if (round == ALL) return shrinkForSpace(1, false) || unusedDentries() != 0;
  return round == WITH_HOOKS && shrinkForSpace(1, true);
}

/**
 * Frees memory for an allocation that found none. It is called with `round` 0, 1 ... before each further try, and returns false when
 * there is nothing more to free: then the call fails with ENOSPC. Each round waits for a grace period, reclaims what any thread has retired
 * and takes what any thread keeps on a sheaf; if the memory is still full, it gives empty chunks of names and inodes back. From the
 * second on unused dentries are freed before that, so that their memory can serve anything. Not inside a transaction, nor in rcu mode; the
 * caller may hold mutexes.
 */
export function makeSpace(round: u32): bool {
  if (rcuDepth() != 0 || (round != FIRST && !shrink(round))) return false;
  let made = round != FIRST;
  if (rcuPending()) {
    synchronizeRcu();
    if (reclaimAll() != 0) made = true;
  }
  // Behind the reclamation, which fills this thread's own.
  if (flushSheaves()) made = true;
  return (chunksExhausted() && returnEmptyChunks()) || made || unusedDentries() != 0;
}

/** kmalloc() that makes space if the arena is full. Not inside a transaction. */
export function kmallocSpace(size: u32): usize {
  let p = kmalloc(size, false);
  for (let round = FIRST; p == 0 && makeSpace(round); round++) p = kmalloc(size, false);
  if (p == 0) count(COUNTER.failedAllocations);
  return p;
}

/** slabAlloc() that makes space if the arena is full. Not inside a transaction. */
export function kalloc(cache: u32, reserve: bool): usize {
  let p = slabAlloc(cache, reserve);
  for (let round = FIRST; p == 0 && makeSpace(round); round++) p = slabAlloc(cache, reserve);
  if (p == 0) count(COUNTER.failedAllocations);
  return p;
}
