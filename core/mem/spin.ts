/**
 * Locks. A lock is one word: 0 free, otherwise the owner's thread number with WAITERS when somebody sleeps on it.
 *
 * Guarantees: mutual exclusion; everything written before unlock() is seen after the next lock() of the same word
 * (both are sequentially consistent read-modify-writes, the pair of each other). Not fair. An uncontended lock costs
 * one compare-and-swap and one exchange. Waiting is bounded: after TIMEOUTS_MAX sleeps of NAP_MS that ended by themselves,
 * not by a wake-up, comes the host's panic. Where a thread may not wait it spins, ROUNDS_MAX rounds.
 *
 * The host does the waiting, see host.ts for why.
 */
import * as host from "../host";
import { canWait, countWait, PANIC_LOCK, PANIC_UNLOCK, panic, tid } from "./thread";

const WAITERS: u32 = 0x80000000;
/** Looks at a taken lock before the thread goes to sleep; about 2 us. */
const SPINS: i32 = 200;
/** A lock is never held for longer than a copy of a few pages; after 10 s its owner is taken for dead. */
const NAP_MS: f64 = 2;
const TIMEOUTS_MAX: i32 = 5000;
const ROUNDS_MAX: i32 = 20000000;
const TIMED_OUT: i32 = 2;

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
  let timeouts = 0;
  // From here on the lock is taken with WAITERS set: another sleeper may be there, and unlock() must wake it.
  for (let rounds = 0; rounds < ROUNDS_MAX && timeouts < TIMEOUTS_MAX; rounds++) {
    const v = atomic.load<u32>(p);
    if (v == 0) {
      if (atomic.cmpxchg<u32>(p, 0, tid | WAITERS) == 0) return;
    } else if (!canWait) {
      for (let i = 0; i < SPINS && atomic.load<u32>(p) == v; i++) {}
    } else if (v & WAITERS || atomic.cmpxchg<u32>(p, v, v | WAITERS) == v) {
      if (host.wait(p, <i32>(v | WAITERS), NAP_MS) == TIMED_OUT) timeouts++;
    }
  }
  panic(PANIC_LOCK, p);
}

export function unlock(p: usize): void {
  const old = atomic.xchg<u32>(p, 0);
  if (old & WAITERS) atomic.notify(p, 1);
  else if (old != tid) panic(PANIC_UNLOCK, p);
}
