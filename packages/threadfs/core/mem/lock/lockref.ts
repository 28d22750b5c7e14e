/**
 * A lock and a reference count in one 8-byte word, so that a reference can be taken by one compare-and-swap as long
 * as nobody holds the lock.
 *
 *   bits 0..31   the lock word of lock.ts
 *   bits 32..63  the count, signed; negative: the object is dead
 *
 * Guarantees: lockrefGetNotDead() never revives a dead object and never passes a holder of the lock. The count may be
 * changed by its plain functions only by a holder of the lock; then no compare-and-swap can succeed in between, since
 * it expects a lock word of 0. A compare-and-swap is no part of a section: a thread that dies behind it leaves the count
 * too high, never too low, and the sweep finds that (recount.ts). So inside a section counts go down under the lock only.
 */
import { put32 } from "../undo/log";
import { lock, trySpinLock, unlock } from "./lock";

const DEAD: i32 = -128;
const ONE: u64 = 0x100000000;
const CAS_TRIES: i32 = 100;

export function lockrefCount(p: usize): i32 {
  return <i32>atomic.load<u32>(p + 4);
}

/** Whether the object is dead for good: one whose lock is taken may come back, should the thread that ends it die of it. */
export function lockrefIsDead(p: usize): bool {
  const v = atomic.load<u64>(p);
  return <u32>v == 0 && <i64>v < 0;
}

/** Only for a holder of the lock. */
export function lockrefSet(p: usize, n: i32): void {
  put32(p + 4, <u32>n);
}

export function lockrefMarkDead(p: usize): void {
  put32(p + 4, <u32>DEAD);
}

/** Takes a reference that somebody already holds one of. */
export function lockrefGet(p: usize): void {
  for (let i = 0; i < CAS_TRIES; i++) {
    const v = atomic.load<u64>(p);
    if (<u32>v != 0) break;
    if (atomic.cmpxchg<u64>(p, v, v + ONE) == v) return;
  }
  lock(p);
  put32(p + 4, atomic.load<u32>(p + 4) + 1);
  unlock(p);
}

/** Takes a reference if the object is alive; `mayWait` false: inside a read-side section, gives up instead of sleeping. */
export function lockrefGetNotDead(p: usize, mayWait: bool): bool {
  for (let i = 0; i < CAS_TRIES; i++) {
    const v = atomic.load<u64>(p);
    if (<u32>v != 0) break;
    if (<i64>v < 0) return false;
    if (atomic.cmpxchg<u64>(p, v, v + ONE) == v) return true;
  }
  if (mayWait) lock(p);
  else if (!trySpinLock(p)) return false;
  const n = lockrefCount(p);
  if (n >= 0) put32(p + 4, <u32>(n + 1));
  unlock(p);
  return n >= 0;
}

/** Drops a reference when it is not the last and the lock is free; false: the caller takes the lock and does it there. */
export function lockrefPutNotLast(p: usize): bool {
  for (let i = 0; i < CAS_TRIES; i++) {
    const v = atomic.load<u64>(p);
    if (<u32>v != 0 || <i32>(v >> 32) <= 1) return false;
    if (atomic.cmpxchg<u64>(p, v, v - ONE) == v) return true;
  }
  return false;
}
