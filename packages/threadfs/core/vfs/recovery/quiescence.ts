/**
 * The gate: keeps calls that may hold references out while a sweep counts them (recount.ts).
 *
 *   G_RECOUNT_OWNER  0 open   a thread's name: that thread sweeps
 *   G_LEAKS  threads that have died holding something that no sweep has looked for: one is due when all are out
 *   SLOT_ACTIVE  1 while its thread is in a call that may hold references
 *
 * Guarantees: while a sweep runs no other thread holds a reference that no structure holds. A walk in rcu mode holds none and does
 * not come here; the first reference is taken behind tryEnterActive() or enterActive(). Ordering: the store of SLOT_ACTIVE precedes the
 * load of the gate, and the sweeper's store of the gate precedes its loads of the slots; at least one side sees the other.
 */
import { G_LEAKS, G_RECOUNT_OWNER, SLOT_ACTIVE } from "../../mem/layout";
import { PANIC_LOCK, panic, sleepUs, slot } from "../../mem/thread";
import { recountReferences } from "./recount";

/** Looks at a closed gate, 200 us apart: 10 s, as for a lock. */
const RECOUNT_WAIT_TRIES: i32 = 50000;

/** Whether this thread is in. */
export let active: bool = false;

/** Goes in unless a sweep is under way. */
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

/** Goes in, after the sweep that is under way. Not inside a read-side section. */
export function enterActive(): void {
  if (active) return;
  if (atomic.load<u32>(G_LEAKS) != 0) recountReferences(0);
  for (let n = 0; n < RECOUNT_WAIT_TRIES; n++) {
    if (tryEnterActive()) return;
    sleepUs(200);
  }
  panic(PANIC_LOCK, G_RECOUNT_OWNER);
}

export function leaveActive(): void {
  if (!active) return;
  active = false;
  atomic.store<u32>(slot + SLOT_ACTIVE, 0);
}
