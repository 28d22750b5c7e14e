/**
 * From the number of a context to the context, and references on contexts. Numbers never come round, so a number means the
 * same context for ever or, when that has been closed, none.
 *
 * A context that another thread closes during a call keeps its memory, and with it its credentials, until the call has
 * ended. In rcu mode the read-side section ensures that. A thread in ref mode acquires the context, that is, counts as one
 * of its users. Each thread has at most one acquired context, and releases it when it acquires another. The tree's own
 * context, number 0, is never freed.
 *
 * Guarantee: contextRcu() and acquireContext() are the only ways from a number to a context. For one that does not exist they
 * return null, which the compiler lets no caller use as a context: the call is refused (EBADF), and credentials are never
 * read from a null pointer.
 */

import { EAGAIN, EBADF } from "../../../abi/errno";
import * as POINT from "../../../abi/points";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { slot } from "../../mem/thread";
import { spinFor } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { CTX_TABLE, SLOT_CONTEXT } from "../layout";
import { retire } from "../recovery/reclaim";
import { Context, capable, contextPlace, isAlive } from "./cred";

let acquired: Context | null = null;

/**
 * The context with this number, for a walk in rcu mode: inside a read-side section, and valid until it ends. null: it does
 * not exist (any more).
 */
export function contextRcu(n: f64): Context | null {
  const p = <usize>atomic.load<u32>(contextPlace(n));
  if (p == 0) return null;
  const c = changetype<Context>(p);
  return c.number == n ? c : null;
}

/** Whether a context with this number exists. */
export function contextExists(n: f64): bool {
  rcuReadLock();
  const found = contextRcu(n) != null;
  rcuReadUnlock();
  return found;
}

/**
 * Whether the context with this number has a capability, for a call that must not wait for the threads that recount references: 1 or 0;
 * -EBADF: it does not exist; -EAGAIN: this thread was stopped for so long that what it read may be another context's.
 */
export function contextCapable(n: f64, capability: u32): i32 {
  rcuReadLock();
  const c = contextRcu(n);
  tracepoint(POINT.CALL_CONTEXT, changetype<usize>(c), 0);
  const r = c == null ? -EBADF : capable(c, capability) ? 1 : 0;
  return rcuReadUnlock() ? r : -EAGAIN;
}

/** The number of the context at a place of the table, 0: none. `maker` not 0: only one that ends with this thread. */
export function contextNumberAt(i: u32, maker: u32): f64 {
  rcuReadLock();
  const p = <usize>atomic.load<u32>(CTX_TABLE + (i << 2));
  let n: f64 = 0;
  if (p != 0) {
    const c = changetype<Context>(p);
    if (maker == 0 || c.maker == maker) n = c.number;
  }
  rcuReadUnlock();
  return n;
}

/** Acquires the context with this number; null: it does not exist (any more). */
export function acquireContext(n: f64): Context | null {
  // It is never freed, so no section has to protect it.
  if (n == 0) return contextRcu(n);
  const held = acquired;
  if (held != null && held.number == n) return isAlive(held) ? held : null;
  // Inside the section the memory cannot be reused between the look-up and the count.
  rcuReadLock();
  const c = contextRcu(n);
  const ok = c != null && holdContext(c, n);
  rcuReadUnlock();
  return ok ? c : null;
}

/**
 * Acquires a context that the walk has found under this number in its read-side section. False: it has been closed, or the
 * thread was expelled from the section and the memory has been reused.
 */
export function holdContext(c: Context, n: f64): bool {
  if (n == 0) return true;
  if (c == acquired) return c.number == n && isAlive(c);
  if (!contextGetNotZero(c)) return false;
  if (c.number != n) {
    putContext(c);
    return false;
  }
  releaseContext();
  acquired = c;
  store<u32>(slot + SLOT_CONTEXT, <u32>c.at);
  return true;
}

/** refcount_inc_not_zero(): a context without users is about to be retired, and must not be retired twice. */
export function contextGetNotZero(c: Context): bool {
  let deadline: f64 = 0;
  while (true) {
    const n = atomic.load<u32>(c.users);
    if (n == 0) return false;
    if (atomic.cmpxchg<u32>(c.users, n, n + 1) == n) return true;
    deadline = spinFor(deadline, c.users);
  }
}

/** Releases the thread's acquired context. */
export function releaseContext(): void {
  const c = acquired;
  acquired = null;
  store<u32>(slot + SLOT_CONTEXT, 0);
  if (c != null) putContext(c);
}

/** The thread's call has been abandoned: a recount releases its context. */
export function forgetContext(): void {
  acquired = null;
}

/** Takes over the context that the slot says this thread has acquired: another instance of the core has made calls for it. */
export function resumeContext(): void {
  const p = <usize>load<u32>(slot + SLOT_CONTEXT);
  acquired = p == 0 ? null : changetype<Context>(p);
}

/** Releases the context that a dead thread had acquired. */
export function releaseContextOf(s: usize): void {
  const p = <usize>load<u32>(s + SLOT_CONTEXT);
  store<u32>(s + SLOT_CONTEXT, 0);
  if (p != 0) putContext(changetype<Context>(p));
}

export function putContext(c: Context): void {
  if (atomic.sub<u32>(c.users, 1) == 1) retire(c.at);
}
