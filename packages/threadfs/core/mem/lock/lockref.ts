/**
 * A lock and a reference count in one 8-byte word (Linux: lockref), so that one compare-and-swap takes a reference
 * while the lock is free.
 *
 *   bits 0..31   the lock word (lock.ts)
 *   bits 32..63  the count, signed; negative: the object is dead
 *
 * Guarantees: lockrefGetNotDead() never revives a dead object and never bypasses the owner of the lock. The functions
 * that just store the count are for the owner of the lock: no compare-and-swap can succeed meanwhile, because it
 * expects a lock word of 0. A compare-and-swap is not part of a transaction: if the thread dies after it, the count is
 * too high, never too low, and the recount of references corrects it (recount.ts). So inside a transaction counts are
 * only decreased under the lock.
 */
import { put32 } from "../undo/log";
import { lock, trySpinLock, unlock } from "./lock";

export const DEAD: i32 = -128;
const ONE: u64 = 0x100000000;
const CAS_TRIES: i32 = 100;

export function lockrefCount(p: usize): i32 {
  return <i32>atomic.load<u32>(p + 4);
}

/**
 * Whether the object is dead for good. While the lock is held it may still come back, if the thread that kills it dies
 * and is rolled back.
 */
export function lockrefIsDead(p: usize): bool {
  const v = atomic.load<u64>(p);
  return <u32>v == 0 && <i64>v < 0;
}

/** The caller owns the lock. */
export function lockrefSet(p: usize, n: i32): void {
  put32(p + 4, <u32>n);
}

export function lockrefMarkDead(p: usize): void {
  put32(p + 4, <u32>DEAD);
}

/** Takes a reference on an object that the caller already has a reference on. */
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

/** Takes a reference if the object is alive. `mayWait` false, for read-side sections: gives up instead of sleeping. */
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

/**
 * Drops a reference if it is not the last one and the lock is free. False: the caller takes the lock and drops it
 * there.
 */
export function lockrefPutNotLast(p: usize): bool {
  for (let i = 0; i < CAS_TRIES; i++) {
    const v = atomic.load<u64>(p);
    if (<u32>v != 0 || <i32>(v >> 32) <= 1) return false;
    if (atomic.cmpxchg<u64>(p, v, v - ONE) == v) return true;
  }
  return false;
}
