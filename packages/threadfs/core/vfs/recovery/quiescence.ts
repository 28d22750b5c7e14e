/**
 * Active and quiescent threads. A thread is *active* from before its first reference until the end of the call, and
 * quiescent otherwise. The recount of references (recount.ts) runs only while all other threads are quiescent.
 *
 *   G_RECOUNT_OWNER  0, or the number (as in lock words) of the thread that recounts
 *   G_LEAKS          threads that have died with references that no recount has dropped yet: a recount is due
 *   SLOT_ACTIVE      1 while the slot's thread is active
 *
 * Guarantees: during a recount no other thread holds a reference that is not in a structure. A walk in rcu mode holds
 * none, so it stays quiescent; the first reference is taken after tryEnterActive() or enterActive(). Ordering: the
 * store to SLOT_ACTIVE precedes the load of G_RECOUNT_OWNER, and the recounting thread's store to G_RECOUNT_OWNER
 * precedes its loads of SLOT_ACTIVE; at least one side sees the other.
 */

import { slot } from "../../mem/thread";
import { waitFor } from "../../mem/wait";
import { G_LEAKS, G_RECOUNT_OWNER, SLOT_ACTIVE } from "../layout";
import { forgetOutcome } from "./outcome";
import { recountReferences } from "./recount";

/** Whether this thread is active. */
export let active: bool = false;

/** Becomes active unless a recount is running. */
export function tryEnterActive(): bool {
  if (active) return true;
  atomic.store<u32>(slot + SLOT_ACTIVE, 1);
  if (atomic.load<u32>(G_RECOUNT_OWNER) == 0) {
    active = true;
    return true;
  }
  atomic.store<u32>(slot + SLOT_ACTIVE, 0);
  return false;
}

/** Becomes active, after waiting for a running recount. Not inside a read-side section. */
export function enterActive(): void {
  if (active) return;
  if (atomic.load<u32>(G_LEAKS) != 0) recountReferences(0);
  let deadline: f64 = 0;
  while (!tryEnterActive()) deadline = waitFor(deadline, G_RECOUNT_OWNER);
}

/** The thread's call has been abandoned, and its slot says so already. */
export function forgetActive(): void {
  active = false;
  forgetOutcome();
}

export function leaveActive(): void {
  if (!active) return;
  active = false;
  forgetOutcome();
  atomic.store<u32>(slot + SLOT_ACTIVE, 0);
}
