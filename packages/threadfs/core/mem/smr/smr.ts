/**
 * Grace periods: safe memory reclamation by epochs (epoch-based reclamation, with RCU's function names).
 *
 * Each thread has a word in a cache line of its own: 0 outside of read-side sections, inside one the global epoch at
 * its start. An object that has been unlinked from every structure is retired with the current epoch. Its memory is
 * reused when the epoch has advanced and no thread shows the object's epoch or an older one. Each slot has a list of the objects
 * that its threads have retired, which stays when a thread ends: its next thread goes on with it, and a thread that finds no memory
 * reclaims from all lists (makeSpace()).
 *
 * Guarantees
 *  - An object that a reader may have found is not reused before that reader's section ends or the reader is expelled.
 *  - Readers store to their own cache line only. Idle threads show 0 and block no thread. If a section stalls for STALL_MS
 *    while a grace period waits for it (its thread is dead or suspended), it is expelled: its word becomes EXPELLED. If
 *    the thread continues, rcuReadUnlock() returns false at the end of the section, and rcuValid() when the thread
 *    wants to take a reference; then the walk starts again. Until then it reads objects of the right type with other
 *    sequence numbers, because typed caches keep their type while any section is open that began before, expelled or not
 *    (allReadersLeft()).
 *  - Ordering: the store in rcuReadLock() precedes the section's loads, and the loads of the slots in oldestReader()
 *    follow the stores that unlinked the object. All four are sequentially consistent, so at least one side sees the
 *    other.
 */
import * as COUNTER from "../../../abi/counters";
import * as host from "../../host";
import { chunkEntry, ENTRY_CACHE } from "../alloc/pages";
import { cacheAddress, KMEM_LINK } from "../alloc/slab";
import {
  CHUNK_SHIFT,
  G_EPOCH,
  G_SLOTS_USED,
  MAX_THREADS,
  SLOT_EPOCH,
  SLOT_LISTS_LOCK,
  SLOT_RCU_COUNT,
  SLOT_RCU_HEAD,
  SLOT_RCU_SINCE,
  SLOT_RCU_TAIL,
  SLOT_SIZE,
  SLOT_STALL_EPOCH,
  SLOT_STALL_SINCE,
  SLOTS,
} from "../layout";
import { lock, unlock } from "../lock/lock";
import { count, slot } from "../thread";
import { put32, set32 } from "../undo/log";
import { isPast, sleepUs, timedOut, waitDeadline } from "../wait";

const EXPELLED: u32 = 1;
/** A retired object keeps the link of the retired list where it keeps its free link, and behind it the epoch. */
const RETIRED_EPOCH: u32 = 4;
/** How long a section may stall while a grace period waits for it. */
const STALL_MS: i64 = 2000;
/** Objects retired between two polls. */
export const POLL_EVERY: u32 = 32;
/** With this many retired objects, every poll expels stalled sections. */
const BACKLOG: u32 = 4096;
/** How long synchronizeRcu() sleeps between two polls. */
const POLL_US: i64 = 100;

let nesting: i32 = 0;
let enteredEpoch: u32 = 0;
/** Objects retired before this epoch may be reclaimed; result of the last scan. */
let safeEpoch: u32 = 0;

export function rcuInit(): void {
  atomic.store<u32>(G_EPOCH, 2);
}

export function rcuReadLock(): void {
  if (nesting++ == 0) {
    enteredEpoch = atomic.load<u32>(G_EPOCH);
    atomic.store<u32>(slot + SLOT_EPOCH, enteredEpoch);
  }
}

/** Ends a read-side section. False: the thread was expelled, so what it read need not be from one moment. */
export function rcuReadUnlock(): bool {
  if (--nesting != 0) return true;
  const ok = atomic.load<u32>(slot + SLOT_EPOCH) == enteredEpoch;
  atomic.store<u32>(slot + SLOT_EPOCH, 0);
  return ok;
}

/** Whether the read-side section still protects what was read in it. */
export function rcuValid(): bool {
  return atomic.load<u32>(slot + SLOT_EPOCH) == enteredEpoch;
}

export function rcuDepth(): i32 {
  return nesting;
}

function linkOf(p: usize): usize {
  return p + load<u32>(cacheAddress(load<u32>(chunkEntry(<u32>p >> CHUNK_SHIFT) + ENTRY_CACHE)) + KMEM_LINK);
}

/**
 * call_rcu(): retires an object of a typed cache that can no longer be found, on the list of this thread's slot. True: the caller
 * should reclaim retired objects (reclaim.ts, which knows what each type owns).
 */
export function callRcu(p: usize): bool {
  const l = linkOf(p);
  lock(slot + SLOT_LISTS_LOCK);
  set32(l, 0);
  set32(l + RETIRED_EPOCH, atomic.load<u32>(G_EPOCH));
  const tail = load<u32>(slot + SLOT_RCU_TAIL);
  if (tail != 0) set32(linkOf(tail), <u32>p);
  else put32(slot + SLOT_RCU_HEAD, <u32>p);
  set32(slot + SLOT_RCU_TAIL, <u32>p);
  put32(slot + SLOT_RCU_COUNT, load<u32>(slot + SLOT_RCU_COUNT) + 1);
  const since = load<u32>(slot + SLOT_RCU_SINCE) + 1;
  set32(slot + SLOT_RCU_SINCE, since == POLL_EVERY ? 0 : since);
  unlock(slot + SLOT_LISTS_LOCK);
  count(COUNTER.deferredFrees);
  return since == POLL_EVERY;
}

/**
 * Advances the epoch, unless another thread does so now; returns the previous one. Neither 0 nor EXPELLED is ever an epoch. Not
 * logged and never rolled back: a reader may have entered at the new epoch.
 */
function advanceEpoch(): u32 {
  const e = atomic.load<u32>(G_EPOCH);
  atomic.cmpxchg<u32>(G_EPOCH, e, e + 2 == 0 ? 2 : e + 2);
  return e;
}

/**
 * Scans all slots. Returns the oldest epoch of an open section, `goal` + 2 when all are newer than `goal`. `expel`:
 * expels stalled sections.
 */
function oldestReader(goal: u32, expel: bool): u32 {
  let oldest: u32 = goal + 2;
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let i: u32 = 0; i < used; i++) {
    const s = SLOTS + i * SLOT_SIZE;
    const e = atomic.load<u32>(s + SLOT_EPOCH);
    if (e <= EXPELLED || s == slot) continue;
    if (<i32>(e - oldest) >= 0) continue;
    if (expel && isStalled(s, e)) continue;
    oldest = e;
  }
  if (nesting > 0 && <i32>(enteredEpoch - oldest) < 0) oldest = enteredEpoch;
  return oldest;
}

/** Whether a slot has shown the same epoch for STALL_MS. If so, its section is expelled. */
function isStalled(s: usize, e: u32): bool {
  // An integer, because the compiler turns an atomic load of a float into a plain one.
  const t = <i64>host.clock();
  if (atomic.load<u32>(s + SLOT_STALL_EPOCH) != e) {
    atomic.store<i64>(s + SLOT_STALL_SINCE, t);
    atomic.store<u32>(s + SLOT_STALL_EPOCH, e);
    return false;
  }
  if (t - atomic.load<i64>(s + SLOT_STALL_SINCE) < STALL_MS) return false;
  if (atomic.cmpxchg<u32>(s + SLOT_EPOCH, e, EXPELLED) != e) return true;
  count(COUNTER.expelledReaders);
  return true;
}

/** Advances the epoch and finds out what may be reclaimed. Does not wait. */
export function rcuPoll(): void {
  const goal = advanceEpoch();
  safeEpoch = oldestReader(goal, atomic.load<u32>(slot + SLOT_RCU_COUNT) > BACKLOG);
}

/**
 * Whether the grace period of an object that was retired in this epoch is over. Under the lock of its list, so that the object was
 * retired before this load of G_EPOCH: ages are compared, and an object may wait for any number of epochs.
 */
function isOver(retired: u32): bool {
  const now = atomic.load<u32>(G_EPOCH);
  return now - retired > now - safeEpoch;
}

/** Second return value of rcuTake(): how many objects. */
export let rcuTaken: u32 = 0;

/**
 * At most `n` retired objects of a slot's list whose grace period is over, each linked to the next, or 0. If the thread dies, a
 * recount finds what it had not freed yet.
 */
export function rcuTake(s: usize, n: u32): usize {
  rcuTaken = 0;
  if (atomic.load<u32>(s + SLOT_RCU_HEAD) == 0) return 0;
  lock(s + SLOT_LISTS_LOCK);
  const first = <usize>load<u32>(s + SLOT_RCU_HEAD);
  let p = first;
  while (p != 0 && rcuTaken < n && isOver(load<u32>(linkOf(p) + RETIRED_EPOCH))) {
    p = <usize>load<u32>(linkOf(p));
    rcuTaken++;
  }
  if (rcuTaken != 0) {
    put32(s + SLOT_RCU_HEAD, <u32>p);
    if (p == 0) set32(s + SLOT_RCU_TAIL, 0);
    put32(s + SLOT_RCU_COUNT, load<u32>(s + SLOT_RCU_COUNT) - rcuTaken);
  }
  unlock(s + SLOT_LISTS_LOCK);
  return rcuTaken != 0 ? first : 0;
}

/** The object behind one that rcuTake() has taken. */
export function rcuNext(p: usize): usize {
  return <usize>load<u32>(linkOf(p));
}

/** Whether objects of any slot wait for a grace period. */
export function rcuPending(): bool {
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) {
    if (atomic.load<u32>(s + SLOT_RCU_HEAD) != 0) return true;
  }
  return false;
}

/** Waits until every section that was open at the call has ended or been expelled. Not inside a section. */
export function synchronizeRcu(): void {
  const goal = advanceEpoch();
  let deadline: f64 = 0;
  for (let late = false; ; late = isPast(deadline)) {
    safeEpoch = oldestReader(goal, true);
    if (<i32>(safeEpoch - goal) > 0) break;
    if (late) timedOut(G_EPOCH);
    if (deadline == 0) deadline = waitDeadline();
    sleepUs(POLL_US);
  }
  count(COUNTER.gracePeriods);
}

/**
 * Whether all sections of other threads that were open at the call end within `waitMs`. Unlike synchronizeRcu() it does
 * not expel them, and waits for expelled ones too: afterwards no thread uses a pointer that it found before.
 */
export function allReadersLeft(waitMs: f64): bool {
  const goal = advanceEpoch();
  const until = host.clock() + waitMs;
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) {
    while (s != slot) {
      const e = atomic.load<u32>(s + SLOT_EPOCH);
      if (e == 0 || (e != EXPELLED && <i32>(e - goal) > 0)) break;
      if (host.clock() >= until) return false;
      sleepUs(POLL_US);
    }
  }
  return true;
}

/** Ends this thread's section, however it is nested, without a result: its call has been abandoned. */
export function rcuAbandon(): void {
  nesting = 0;
  atomic.store<u32>(slot + SLOT_EPOCH, 0);
}

/** Ends a dead thread's section. */
export function rcuClear(s: usize): void {
  atomic.store<u32>(s + SLOT_EPOCH, 0);
}
