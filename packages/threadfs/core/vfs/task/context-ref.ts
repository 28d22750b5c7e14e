/**
 * References on contexts: a context that another thread closes during a call keeps its memory until the call has ended.
 * In rcu mode the read-side section ensures that. A thread in ref mode acquires the context, that is, counts as one of
 * its users. Each thread has at most one acquired context, and releases it when it acquires another. The tree's own
 * context, number 0, is never freed.
 */

import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { slot } from "../../mem/thread";
import { spinFor } from "../../mem/wait";
import { SLOT_CONTEXT } from "../layout";
import { retire } from "../recovery/reclaim";
import { Context, getContext } from "./cred";

/** Acquires the context with this number; null: it does not exist (any more). */
export function acquireContext(n: i32): Context {
  const c = getContext(n);
  if (n == 0 || !c || c == acquired) return c;
  releaseContext();
  // Inside the section the memory cannot be reused between the look-up and the count.
  rcuReadLock();
  let again = getContext(n);
  if (again && !contextGetNotZero(again)) again = changetype<Context>(0);
  rcuReadUnlock();
  acquired = again;
  store<u32>(slot + SLOT_CONTEXT, <u32>changetype<usize>(again));
  return again;
}

/** refcount_inc_not_zero(): a context without users is about to be retired, and must not be retired twice. */
function contextGetNotZero(c: Context): bool {
  let deadline: f64 = 0;
  while (true) {
    const n = atomic.load<u32>(c.users);
    if (n == 0) return false;
    if (atomic.cmpxchg<u32>(c.users, n, n + 1) == n) return true;
    deadline = spinFor(deadline, c.users);
  }
}

let acquired: Context = changetype<Context>(0);

/** Releases the thread's acquired context. */
export function releaseContext(): void {
  if (acquired) putContext(acquired);
  acquired = changetype<Context>(0);
  store<u32>(slot + SLOT_CONTEXT, 0);
}

/** The thread's call has been abandoned: a recount releases its context. */
export function forgetContext(): void {
  acquired = changetype<Context>(0);
}

/** Releases the context that a dead thread had acquired. */
export function releaseContextOf(s: usize): void {
  const c = changetype<Context>(<usize>load<u32>(s + SLOT_CONTEXT));
  store<u32>(s + SLOT_CONTEXT, 0);
  if (c) putContext(c);
}

export function putContext(c: Context): void {
  if (atomic.sub<u32>(c.users, 1) == 1) retire(c.at);
}
