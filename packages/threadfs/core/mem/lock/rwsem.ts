/**
 * The shared mode of a mutex (Linux: rw_semaphore, down_read()): any number of threads have it shared, or one has it for itself. For the
 * i_mutex of directories: those who list one, or look a name up, exclude those who change it, and not each other.
 *
 * A thread that has a mutex shared says so in its own slot, SLOT_SHARED, and writes no word in common with the others. SHARED in the mutex's
 * word says that there may be such threads: the first one sets it, and who takes the mutex for itself looks through the slots, waits for
 * those that have it, and clears it. So threads that only read store to lines of their own, and a mutex that nobody takes shared costs nothing.
 *
 *   shared   SLOT_SHARED = p, then the word is loaded: no owner, SHARED set: held. Else SLOT_SHARED = 0, and it waits for the owner
 *   alone    the word gets an owner, then the slots are loaded: none has p: held. Else it waits for each that has
 *
 * Guarantees
 *  - Mutual exclusion: each side stores before it loads what the other one stores, all sequentially consistent, so at least one sees the
 *    other. What was written under one hold is visible under the next: the release of a slot, or of the word, pairs with those loads.
 *  - Those who read keep nobody waiting who writes: once the word has an owner no thread gets the mutex shared, and the owner waits for
 *    those that have it at that moment alone.
 *  - Waiting is bounded by time (wait.ts), on both sides.
 *  - The store to the slot is both the hold and its record. The recovery of a dead thread clears it (dropShared()). If an owner dies while
 *    it waits, SHARED stays in the word.
 *  - A thread has one mutex shared at a time, takes no mutex meanwhile, and cannot make it its own.
 */
import { PANIC_UNLOCK } from "../../../abi/host";
import { LOCK_OWNER } from "../../../abi/memory";
import * as host from "../../host";
import { G_SLOTS_USED, MAX_THREADS, SLOT_SHARED, SLOT_SIZE, SLOTS } from "../layout";
import { canWait, countLockWait, panic, slot } from "../thread";
import { isPast, timedOut, waitDeadline } from "../wait";

/** In the word of a lock: another thread sleeps on it. */
export const WAITERS: u32 = 0x80000000;
/** In the word of a mutex: threads may have it shared. */
export const SHARED: u32 = 0x40000000;

/**
 * Polls of a taken lock before the thread sleeps: about 30 us. A change in a directory takes one or two, and a sleep with its wake-up
 * some tens: with a third of the polls two threads that create files in one directory were slower than one in every other run.
 */
export const SPINS: i32 = 3000;
/** A thread that sleeps looks again after this time, because the release may have been missed. */
export const SLEEP_MS: f64 = 2;

/** inode_lock_shared(): takes a mutex shared. Not inside a transaction, nor with another one shared. */
export function mutexLockShared(p: usize): void {
  if (load<u32>(slot + SLOT_SHARED) != 0) panic(PANIC_UNLOCK, p);
  if (!tryShared(p)) lockSharedSlow(p);
}

/** inode_unlock_shared() */
export function mutexUnlockShared(p: usize): void {
  if (load<u32>(slot + SLOT_SHARED) != <u32>p) panic(PANIC_UNLOCK, p);
  leaveShared(p);
}

function tryShared(p: usize): bool {
  atomic.store<u32>(slot + SLOT_SHARED, <u32>p);
  const v = atomic.load<u32>(p);
  if ((v & LOCK_OWNER) == 0 && (v & SHARED || atomic.cmpxchg<u32>(p, v, v | SHARED) == v)) return true;
  leaveShared(p);
  return false;
}

/** Whoever has taken the mutex for itself may sleep on this thread's slot. */
function leaveShared(p: usize): void {
  const mine = slot + SLOT_SHARED;
  atomic.store<u32>(mine, 0);
  if ((atomic.load<u32>(p) & LOCK_OWNER) != 0) atomic.notify(mine, 1);
}

/** Polls a mutex until it has no owner. False: it still has one. */
function pollOwner(p: usize): bool {
  for (let i = 0; i < SPINS; i++) {
    if ((atomic.load<u32>(p) & LOCK_OWNER) == 0) return true;
  }
  return false;
}

function lockSharedSlow(p: usize): void {
  if (pollOwner(p) && tryShared(p)) return;
  countLockWait();
  const deadline = waitDeadline();
  let slept = false;
  for (let late = false; !tryShared(p); late = isPast(deadline)) {
    const v = atomic.load<u32>(p);
    const owned = (v & LOCK_OWNER) != 0;
    if (late) {
      // The release is to wake whoever awaits the lock in the host, as promises do.
      if (owned) atomic.cmpxchg<u32>(p, v, v | WAITERS);
      timedOut(p);
    } else if (!owned || !canWait) {
      pollOwner(p);
    } else if (v & WAITERS || atomic.cmpxchg<u32>(p, v, v | WAITERS) == v) {
      host.wait(p, <i32>(v | WAITERS), SLEEP_MS);
      slept = true;
      pollOwner(p);
    }
  }
  // The release has woken one thread: the others may have the mutex too.
  if (slept) atomic.notify(p, -1);
}

/** How many bytes of slots have been used. A thread that uses another one from now on finds what the caller has stored before. */
function slotsUsed(): usize {
  return min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS) * SLOT_SIZE;
}

/** Waits until no thread has the mutex shared any more. The caller owns it. */
export function awaitHolders(p: usize): void {
  const end = SLOTS + slotsUsed();
  for (let s = SLOTS; s < end; s += SLOT_SIZE) {
    if (atomic.load<u32>(s + SLOT_SHARED) == <u32>p) awaitHolder(s + SLOT_SHARED, p);
  }
  atomic.sub<u32>(p, SHARED);
}

/** Whether a thread has the mutex shared; if none has, SHARED is cleared. The caller owns it. */
export function hasHolders(p: usize): bool {
  const end = SLOTS + slotsUsed();
  for (let s = SLOTS; s < end; s += SLOT_SIZE) {
    if (atomic.load<u32>(s + SLOT_SHARED) == <u32>p) return true;
  }
  atomic.sub<u32>(p, SHARED);
  return false;
}

/** Polls a slot that has a mutex shared. True: it has not any more. */
function pollHolder(held: usize, p: usize): bool {
  for (let i = 0; i < SPINS; i++) {
    if (atomic.load<u32>(held) != <u32>p) return true;
  }
  return false;
}

function awaitHolder(held: usize, p: usize): void {
  if (pollHolder(held, p)) return;
  countLockWait();
  const deadline = waitDeadline();
  for (let late = false; atomic.load<u32>(held) == <u32>p; late = isPast(deadline)) {
    if (late) timedOut(held);
    if (canWait) host.wait(held, <i32>(<u32>p), SLEEP_MS);
    if (pollHolder(held, p)) return;
  }
}

/** A thread that has ended, or has left its call, has nothing shared any more: its slot. May be repeated. */
export function dropShared(s: usize): void {
  if (load<u32>(s + SLOT_SHARED) == 0) return;
  atomic.store<u32>(s + SLOT_SHARED, 0);
  atomic.notify(s + SLOT_SHARED, -1);
}
