/**
 * After a death: what the thread was in the middle of is undone, and what it held alone is given back.
 *
 * Guarantees: afterwards every structure is as some section left it, no sequence is odd and no lock taken because of the
 * dead thread. References that it had taken are still counted: the sweep finds them (recount.ts). Every step may be
 * repeated, so that recovery goes on where another thread died doing it. The dead thread runs no more: that is for the caller to know.
 */

import { slabFree } from "../alloc/slab";
import { txBegin, txEnd, WAITERS } from "../lock/lock";
import { makeEven } from "../lock/seqlock";
import {
  BLOCKS_MAX,
  ENTRIES_MAX,
  LOCKS_MAX,
  LOG_ACQUIRING,
  LOG_BLOCK,
  LOG_ENTRY,
  LOG_LOCK,
  LOG_MUTEX,
  LOG_NR_BLOCKS,
  LOG_NR_LOCKS,
  LOG_NR_MUTEXES,
  LOG_NR_SEQS,
  LOG_SEQ,
  MUTEXES_MAX,
  SEQS_MAX,
  set32,
} from "./log";

function countOf(j: usize, which: u32, max: u32): u32 {
  return min<u32>(load<u32>(j + which), max);
}

/** Writes the old values back, the last one first, and makes the open sequences even. */
function rollBackEntries(j: usize): void {
  for (let n = countOf(j, 0, ENTRIES_MAX); n > 0; n--) {
    const e = j + LOG_ENTRY + ((n - 1) << 4);
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

/** Releases a lock if the dead thread has it. */
function release(p: usize, dead: u32): void {
  if (p == 0) return;
  const v = atomic.load<u32>(p);
  if ((v & ~WAITERS) != dead) return;
  atomic.store<u32>(p, 0);
  if (v & WAITERS) atomic.notify(p, -1);
}

/** The first half: undone, and no spinning lock held any more. `dead`: the name under which the thread took locks. */
export function rollBackThread(j: usize, dead: u32): void {
  rollBackEntries(j);
  for (let n = countOf(j, LOG_NR_LOCKS, LOCKS_MAX); n > 0; n--) {
    release(load<u32>(j + LOG_LOCK + ((n - 1) << 2)), dead);
    store<u32>(j + LOG_NR_LOCKS, n - 1);
  }
  // Taken, and not on a list yet: nothing has been done under it.
  release(load<u32>(j + LOG_ACQUIRING), dead);
  store<u32>(j + LOG_ACQUIRING, 0);
}

/** A mutex that the dead thread holds: the n-th on its list, 0: none, or not any more. */
export function heldMutex(j: usize, n: u32, dead: u32): usize {
  if (n >= countOf(j, LOG_NR_MUTEXES, MUTEXES_MAX)) return 0;
  const p = <usize>load<u32>(j + LOG_MUTEX + (n << 2));
  return (atomic.load<u32>(p) & ~WAITERS) == dead ? p : 0;
}

/** The second half, when what lies under its mutexes has been set right: mutexes and blocks. */
export function releaseThread(j: usize, dead: u32): void {
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
