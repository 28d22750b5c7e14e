/**
 * Recovers a dead thread: rolls back its open transaction and releases what it owned alone.
 *
 * Guarantees: afterwards every structure is as some committed transaction left it, and no sequence is odd and no lock
 * held because of the dead thread. References that it held are still counted; the recount of references drops them
 * (recount.ts). Every step can be repeated: if the recovering thread dies, another one continues. Precondition: the
 * thread has terminated.
 */

import { LOCK_OWNER } from "../../../abi/memory";
import { slabFree } from "../alloc/slab";
import { SLOT_UNDO_LOG } from "../layout";
import { txBegin, txEnd } from "../lock/lock";
import { dropShared, SHARED, WAITERS } from "../lock/rwsem";
import { makeEven } from "../lock/seqlock";
import {
  BLOCKS_MAX,
  entryAt,
  LOCKS_MAX,
  LOG_ACQUIRING,
  LOG_BLOCK,
  LOG_LOCK,
  LOG_MUTEX,
  LOG_NR_BLOCKS,
  LOG_NR_LOCKS,
  LOG_NR_MUTEXES,
  LOG_NR_SEQS,
  LOG_SEQ,
  LONG_ENTRIES_MAX,
  MUTEXES_MAX,
  SEQS_MAX,
  set32,
} from "./log";

function countOf(j: usize, which: u32, max: u32): u32 {
  return min<u32>(load<u32>(j + which), max);
}

/** Writes the old values back, newest first, and makes the open sequences even. */
function rollBackEntries(j: usize): void {
  for (let n = countOf(j, 0, LONG_ENTRIES_MAX); n > 0; n--) {
    const e = entryAt(j, n - 1);
    const p = <usize>load<u32>(e);
    if (load<u32>(e, 4) == 8) atomic.store<u64>(p, load<u64>(e, 8));
    else atomic.store<u32>(p, <u32>load<u64>(e, 8));
    store<u32>(j, n - 1);
  }
  for (let n = countOf(j, LOG_NR_SEQS, SEQS_MAX); n > 0; n--) {
    const p = <usize>load<u32>(j + LOG_SEQ + ((n - 1) << 2));
    const s = atomic.load<u32>(p);
    if (s & 1) makeEven(p, s + 1);
    store<u32>(j + LOG_NR_SEQS, n - 1);
  }
}

/** Releases a lock if the dead thread owns it. If it died before those left that have it shared, they have it still. */
function release(p: usize, dead: u32): void {
  if (p == 0) return;
  const v = atomic.load<u32>(p);
  if ((v & LOCK_OWNER) != dead) return;
  atomic.store<u32>(p, v & SHARED);
  if (v & WAITERS) atomic.notify(p, -1);
}

/** First half: rolls back the transaction and releases the spin locks. `dead`: the thread's number in lock words. */
export function rollBackThread(j: usize, dead: u32): void {
  rollBackEntries(j);
  for (let n = countOf(j, LOG_NR_LOCKS, LOCKS_MAX); n > 0; n--) {
    release(load<u32>(j + LOG_LOCK + ((n - 1) << 2)), dead);
    store<u32>(j + LOG_NR_LOCKS, n - 1);
  }
  // This lock may have been taken without being listed. Nothing has been changed under it.
  release(load<u32>(j + LOG_ACQUIRING), dead);
  store<u32>(j + LOG_ACQUIRING, 0);
}

/** The n-th mutex of the dead thread's list, if it owns it; else 0. */
export function heldMutex(j: usize, n: u32, dead: u32): usize {
  if (n >= countOf(j, LOG_NR_MUTEXES, MUTEXES_MAX)) return 0;
  const p = <usize>load<u32>(j + LOG_MUTEX + (n << 2));
  return (atomic.load<u32>(p) & LOCK_OWNER) == dead ? p : 0;
}

/**
 * Second half, after the data under its mutexes has been repaired: releases the mutexes and frees the pending blocks.
 */
export function releaseThread(j: usize, dead: u32): void {
  dropShared(j - SLOT_UNDO_LOG);
  for (let n = countOf(j, LOG_NR_MUTEXES, MUTEXES_MAX); n > 0; n--) {
    release(load<u32>(j + LOG_MUTEX + ((n - 1) << 2)), dead);
    store<u32>(j + LOG_NR_MUTEXES, n - 1);
  }
  for (let n = countOf(j, LOG_NR_BLOCKS, BLOCKS_MAX); n > 0; n--) {
    const block = load<u32>(j + LOG_BLOCK + ((n - 1) << 2));
    txBegin();
    slabFree(block);
    set32(j + LOG_NR_BLOCKS, n - 1);
    txEnd();
  }
}
