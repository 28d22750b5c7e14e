/**
 * Holding contexts: a context that another thread closes in the middle of a call must keep its memory until the call has
 * ended. In rcu mode the section does that. Whoever goes on with references holds the context: a count in it, and one
 * context a thread, given back when the thread holds another one. The tree's own context, number 0, never ends.
 */
import { SLOT_CONTEXT } from "../../mem/layout";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { slot } from "../../mem/thread";
import { retire } from "../recovery/reclaim";
import { Context, getContext } from "./cred";

/** Rounds against others at the same count; each of them got on. */
const COUNT_TRIES: i32 = 1000;

/** The context with this number, held; null: there is none (any more). */
export function acquireContext(n: i32): Context {
  const c = getContext(n);
  if (n == 0 || !c || c == acquired) return c;
  releaseContext();
  // Inside the section the memory cannot go between the look and the count.
  rcuReadLock();
  let again = getContext(n);
  if (again && !contextGetNotZero(again)) again = changetype<Context>(0);
  rcuReadUnlock();
  acquired = again;
  store<u32>(slot + SLOT_CONTEXT, <u32>changetype<usize>(again));
  return again;
}

/** A user more, unless the last has gone: then the context is on its way out, and must not be retired twice. */
function contextGetNotZero(c: Context): bool {
  for (let tries = 0; tries < COUNT_TRIES; tries++) {
    const n = atomic.load<u32>(c.users);
    if (n == 0) return false;
    if (atomic.cmpxchg<u32>(c.users, n, n + 1) == n) return true;
  }
  return false;
}

let acquired: Context = changetype<Context>(0);

/** Gives back the context this thread holds. */
export function releaseContext(): void {
  if (acquired) putContext(acquired);
  acquired = changetype<Context>(0);
  store<u32>(slot + SLOT_CONTEXT, 0);
}

/** Gives back what a dead thread's slot held. */
export function releaseContextOf(s: usize): void {
  const c = changetype<Context>(<usize>load<u32>(s + SLOT_CONTEXT));
  store<u32>(s + SLOT_CONTEXT, 0);
  if (c) putContext(c);
}

export function putContext(c: Context): void {
  if (atomic.sub<u32>(c.users, 1) == 1) retire(c.at);
}
