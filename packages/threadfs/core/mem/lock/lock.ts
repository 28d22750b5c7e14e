/**
 * Locks. A lock is one word: 0 when free, else the owner's thread number, with WAITERS set when another thread sleeps
 * on it. A mutex that threads take shared too may have SHARED in its word (rwsem.ts).
 *
 * *Spin locks* (lock, tryLock, trySpinLock, unlock) form transactions (undo/log.ts): a lock taken inside a transaction
 * is held until the transaction commits, so that recovery can undo the transaction as a whole when its thread dies.
 * Spin locks are re-entrant for their owner. *Mutexes* (mutexLock, mutexUnlock) are held for a whole operation, across
 * transactions. Data protected only by a mutex is changed inside transactions, or so that every intermediate state is
 * valid.
 *
 * Guarantees
 *  - Mutual exclusion. Everything written before a release is visible after the next acquisition of the same word: both
 *    are sequentially consistent read-modify-writes, and pair with each other.
 *  - Not fair.
 *  - Waiting is bounded by time (wait.ts), for a thread that sleeps and for one that may not block and spins.
 *  - A lock is recorded in its thread's undo log before it is taken. The thread that recovers a dead thread releases
 *    its locks (undo/recover.ts).
 *
 * The host blocks for the core; host.ts says why.
 */
import { PANIC_UNLOCK } from "../../../abi/host";
import { LOCK_OWNER } from "../../../abi/memory";
import * as host from "../../host";
import { canWait, countLockWait, panic, tid } from "../thread";
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
  takeNotified,
  txDepth,
  undoLog,
} from "../undo/log";
import { isPast, timedOut, waitDeadline } from "../wait";
import { awaitHolders, hasHolders, SHARED, SLEEP_MS, SPINS, WAITERS } from "./rwsem";
import { makeEven } from "./seqlock";

/** Polls of a taken lock by a thread that may not sleep. */
const TRY_SPINS: i32 = 2000;

/** Whether this thread owns the lock. */
export function isOwner(p: usize): bool {
  return (atomic.load<u32>(p) & LOCK_OWNER) == tid;
}

/** Records a spin lock that has just been taken. */
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

/** Takes the lock if it is free. A lock that this thread already owns is not free. */
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

/**
 * Takes the lock by spinning, without sleeping: for a thread inside a read-side section. False: the bound was reached.
 */
export function trySpinLock(p: usize): bool {
  if (txDepth != 0 && isOwner(p)) {
    setTxDepth(txDepth + 1);
    return true;
  }
  for (let i = 0; i < TRY_SPINS; i++) {
    if (tryLock(p)) return true;
  }
  return false;
}

/** Takes a lock whose word without an owner was `v`: 0, or SHARED. */
function takeFrom(p: usize, v: u32, owner: u32): bool {
  return (v & LOCK_OWNER) == 0 && atomic.cmpxchg<u32>(p, v, v | owner) == v;
}

/** Polls a taken lock. True: this thread has it now, with the word `owner`, and SHARED if that was set. */
function pollLock(p: usize, owner: u32): bool {
  for (let i = 0; i < SPINS; i++) {
    if (takeFrom(p, atomic.load<u32>(p), owner)) return true;
  }
  return false;
}

function lockSlow(p: usize): void {
  if (pollLock(p, tid)) return;
  countLockWait();
  const deadline = waitDeadline();
  // From here on the lock is taken with WAITERS set: another thread may sleep on it, and the release must wake that
  // one.
  for (let late = false; ; late = isPast(deadline)) {
    const v = atomic.load<u32>(p);
    if ((v & LOCK_OWNER) == 0) {
      if (takeFrom(p, v, tid | WAITERS)) return;
    } else if (late) {
      // The release is to wake whoever awaits the lock in the host, as promises do.
      atomic.cmpxchg<u32>(p, v, v | WAITERS);
      timedOut(p);
    } else if (!canWait) {
      for (let i = 0; i < SPINS && atomic.load<u32>(p) == v; i++) {}
    } else if (v & WAITERS || atomic.cmpxchg<u32>(p, v, v | WAITERS) == v) {
      host.wait(p, <i32>(v | WAITERS), SLEEP_MS);
      // The owner that woke this thread may have taken the lock again already. To sleep again at once would go on like that.
      if (pollLock(p, tid | WAITERS)) return;
    }
  }
}

/** `free`: the word afterwards, 0, or SHARED if other threads have the mutex shared. */
function release(p: usize, free: u32): void {
  const old = atomic.xchg<u32>(p, free);
  if (old & WAITERS) atomic.notify(p, 1);
  else if (old != (tid | free)) panic(PANIC_UNLOCK, p);
}

/**
 * Releases the lock. Releasing the last lock of a transaction commits it, and only then are its locks really released.
 */
export function unlock(p: usize): void {
  if (!isOwner(p)) panic(PANIC_UNLOCK, p);
  txEnd();
}

/** Begins a transaction, or a nested one. */
export function txBegin(): void {
  setTxDepth(txDepth + 1);
}

/** Ends a transaction: commits it if it is the outermost one. */
export function txEnd(): void {
  if (txDepth > 1) {
    setTxDepth(txDepth - 1);
    return;
  }
  // This store commits the transaction. What follows only publishes it; recovery would do the same.
  discardEntries();
  for (let p = lastSeq(); p != 0; p = lastSeq()) {
    makeEven(p, load<u32>(p) + 1);
    popSeq();
  }
  for (let p = lastLock(); p != 0; p = lastLock()) {
    release(p, 0);
    popLock();
  }
  setTxDepth(0);
  const waited = takeNotified();
  if (waited != 0) atomic.notify(waited, -1);
}

/** Takes a mutex. Not inside a transaction. */
export function mutexLock(p: usize): void {
  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);
  if (atomic.cmpxchg<u32>(p, 0, tid) != 0) {
    lockSlow(p);
    // From here on no thread takes it shared: those that have it so leave.
    if (atomic.load<u32>(p) & SHARED) awaitHolders(p);
  }
  pushMutex(p);
  store<u32>(undoLog() + LOG_ACQUIRING, 0);
}

export function mutexTryLock(p: usize): bool {
  const v = atomic.load<u32>(p);
  if ((v & LOCK_OWNER) != 0) return false;
  store<u32>(undoLog() + LOG_ACQUIRING, <u32>p);
  let got = takeFrom(p, v, tid);
  if (got && v & SHARED && hasHolders(p)) {
    release(p, SHARED);
    got = false;
  }
  if (got) pushMutex(p);
  store<u32>(undoLog() + LOG_ACQUIRING, 0);
  return got;
}

export function mutexUnlock(p: usize): void {
  release(p, 0);
  removeMutex(p);
}
