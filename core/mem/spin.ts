/**
 * Locks. A lock is one word: 0 free, otherwise the owner's thread number with WAITERS when somebody sleeps on it.
 *
 * Guarantees: mutual exclusion; everything written before unlock() is seen after the next lock() of the same word
 * (both are sequentially consistent read-modify-writes, the pair of each other). Not fair. An uncontended lock costs
 * one compare-and-swap and one exchange. Waiting is bounded: LOCK_TIMEOUT_MS, then the host's panic.
 * Where a thread may not wait it spins to the same bound.
 */
import * as host from "../host";
import { canWait, countWait, PANIC_LOCK, PANIC_UNLOCK, panic, tid } from "./thread";

const WAITERS: u32 = 0x80000000;
/** Looks at a taken lock before the thread goes to sleep; about 2 us. */
const SPINS: i32 = 200;
/** A lock is never held for longer than a copy of a few pages; after this its owner is taken for dead. */
const LOCK_TIMEOUT_MS: f64 = 20000;

export function lock(p: usize): void {
  if (atomic.cmpxchg<u32>(p, 0, tid) == 0) return;
  lockSlow(p);
}

export function tryLock(p: usize): bool {
  return atomic.load<u32>(p) == 0 && atomic.cmpxchg<u32>(p, 0, tid) == 0;
}

/** Spins without sleeping, for a thread inside a read-side section. False: the bound was reached. */
export function spinLock(p: usize): bool {
  for (let i = 0; i < SPINS * 10; i++) {
    if (tryLock(p)) return true;
  }
  return false;
}

function lockSlow(p: usize): void {
  for (let i = 0; i < SPINS; i++) {
    if (tryLock(p)) return;
  }
  countWait();
  const start = host.now();
  // From here on the lock is taken with WAITERS set: another sleeper may be there, and unlock() must wake it.
  for (;;) {
    const v = atomic.load<u32>(p);
    if (v == 0) {
      if (atomic.cmpxchg<u32>(p, 0, tid | WAITERS) == 0) return;
      continue;
    }
    if (canWait) {
      if (v & WAITERS || atomic.cmpxchg<u32>(p, v, v | WAITERS) == v) atomic.wait<i32>(p, <i32>(v | WAITERS), 2000000);
    } else {
      for (let i = 0; i < SPINS && atomic.load<u32>(p) == v; i++) {}
    }
    if (host.now() - start > LOCK_TIMEOUT_MS) panic(PANIC_LOCK, p);
  }
}

export function unlock(p: usize): void {
  const old = atomic.xchg<u32>(p, 0);
  if (old & WAITERS) atomic.notify(p, 1);
  else if (old != tid) panic(PANIC_UNLOCK, p);
}

export function isLocked(p: usize): bool {
  return atomic.load<u32>(p) != 0;
}
