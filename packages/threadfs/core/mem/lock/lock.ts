/**
 * Locks. A lock is one word: 0 free, otherwise the owner's thread number with WAITERS when somebody sleeps on it.
 *
 * Two kinds. *Spinning* locks (lock, tryLock, trySpinLock, unlock) make sections: those taken inside a section are held until the
 * section ends, so that it can be undone as a whole when its thread dies in it (log.ts). To a holder the same lock is
 * open again at once. *Mutexes* (mutexLock, mutexUnlock) are held across sections, for a whole operation; what lies
 * under them alone is changed in sections too, or in an order in which every step leaves it right.
 *
 * Guarantees: mutual exclusion; everything written before a release is seen after the next lock() of the same word
 * (both are sequentially consistent read-modify-writes, the pair of each other). Not fair. Waiting is bounded: after
 * TIMEOUTS_MAX sleeps of NAP_MS that ended by themselves, not by a wake-up, comes the host's panic. Where a thread may not
 * wait it spins, ROUNDS_MAX rounds. A lock is noted in its thread's slot before it is taken, and a dead thread's are released
 * by who recovers it (recover.ts).
 *
 * The host does the waiting, see host.ts for why.
 */
import * as host from "../../host";
import { canWait, countLockWait, PANIC_LOCK, PANIC_UNLOCK, panic, tid } from "../thread";
import {
  discardEntries,
  LOG_ACQUIRING,
  lastLock,
  lastSeq,
  popLock,
  popSeq,
  pushLock,
  pushMutex,
  removeMutex,
  setTxDepth,
  txDepth,
  undoLog,
} from "../undo/log";
import { makeEven } from "./seqlock";

export const WAITERS: u32 = 0x80000000;
/** Looks at a taken lock before the thread goes to sleep; about 2 us. */
const SPINS: i32 = 200;
/** A lock is never held for longer than a copy of a few pages; after 10 s its owner is taken for dead. */
const SLEEP_MS: f64 = 2;
const TIMEOUTS_MAX: i32 = 5000;
const ROUNDS_MAX: i32 = 20000000;
const TIMED_OUT: i32 = 2;

/** Whether this thread holds the lock: wanted or waiting for the section's end. */
function isOwner(p: usize): bool {
  return (atomic.load<u32>(p) & ~WAITERS) == tid;
}

/** Notes a spinning lock that has just been taken. */
function recordLock(p: usize): void {
  pushLock(p);
  store<u32>(undoLog() + LOG_ACQUIRING, 0);
  setTxDepth(txDepth + 1);
}

export function lock(p: usize): void {
  if (txDepth != 0 && isOwner(p)) {
    setTxDepth(txDepth + 1);
    return;
  }
  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);
  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) lockSlow(p);
  recordLock(p);
}

/** Takes the lock if it is free. One that this section holds already is not. */
export function tryLock(p: usize): bool {
  if (atomic.load<u32>(p) != 0) return false;
  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);
  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) {
    store<u32>(undoLog() + LOG_ACQUIRING, 0);
    return false;
  }
  recordLock(p);
  return true;
}

/** Spins without sleeping, for a thread inside a read-side section. False: the bound was reached. */
export function trySpinLock(p: usize): bool {
  if (txDepth != 0 && isOwner(p)) {
    setTxDepth(txDepth + 1);
    return true;
  }
  for (let i = 0; i < SPINS * 10; i++) {
    if (tryLock(p)) return true;
  }
  return false;
}

function lockSlow(p: usize): void {
  for (let i = 0; i < SPINS; i++) {
    if (atomic.load<u32>(p) == 0 && atomic.cmpxchg<u32>(p, 0, tid) == 0) return;
  }
  countLockWait();
  let timeouts = 0;
  // From here on the lock is taken with WAITERS set: another sleeper may be there, and its release must wake it.
  for (let rounds = 0; rounds < ROUNDS_MAX && timeouts < TIMEOUTS_MAX; rounds++) {
    const v = atomic.load<u32>(p);
    if (v == 0) {
      if (atomic.cmpxchg<u32>(p, 0, tid | WAITERS) == 0) return;
    } else if (!canWait) {
      for (let i = 0; i < SPINS && atomic.load<u32>(p) == v; i++) {}
    } else if (v & WAITERS || atomic.cmpxchg<u32>(p, v, v | WAITERS) == v) {
      if (host.wait(p, <i32>(v | WAITERS), SLEEP_MS) == TIMED_OUT) timeouts++;
    }
  }
  panic(PANIC_LOCK, p);
}

function release(p: usize): void {
  const old = atomic.xchg<u32>(p, 0);
  if (old & WAITERS) atomic.notify(p, 1);
  else if (old != tid) panic(PANIC_UNLOCK, p);
}

/** Wants a lock no more. With the last one of a section the section ends, and all of its locks are released. */
export function unlock(p: usize): void {
  if (!isOwner(p)) panic(PANIC_UNLOCK, p);
  txEnd();
}

/** Opens a section, or goes deeper into the one that is open. */
export function txBegin(): void {
  setTxDepth(txDepth + 1);
}

/** Ends a section, or comes back from a deeper place in it. */
export function txEnd(): void {
  if (txDepth > 1) {
    setTxDepth(txDepth - 1);
    return;
  }
  // The section has happened with this store: what follows only shows it, and recovery would do the same.
  discardEntries();
  for (let p = lastSeq(); p != 0; p = lastSeq()) {
    makeEven(p, load<u32>(p) + 1);
    popSeq();
  }
  for (let p = lastLock(); p != 0; p = lastLock()) {
    release(p);
    popLock();
  }
  setTxDepth(0);
}

/** Takes a lock that is held for a whole operation. Not inside a section. */
export function mutexLock(p: usize): void {
  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);
  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) lockSlow(p);
  pushMutex(p);
  store<u32>(undoLog() + LOG_ACQUIRING, 0);
}

export function mutexTryLock(p: usize): bool {
  if (atomic.load<u32>(p) != 0) return false;
  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);
  const got = atomic.cmpxchg<u32>(p, 0, tid) == 0;
  if (got) pushMutex(p);
  store<u32>(undoLog() + LOG_ACQUIRING, 0);
  return got;
}

export function mutexUnlock(p: usize): void {
  release(p);
  removeMutex(p);
}
