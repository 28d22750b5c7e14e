/**
 * The gate: keeps calls that may hold references out while a sweep counts them (recount.ts).
 *
 *   G_GATE  0 open   a thread's name: that thread sweeps
 *   G_LEAKS  threads that have died holding something that no sweep has looked for: one is due when all are out
 *   SLOT_BUSY  1 while its thread is in a call that may hold references
 *
 * Guarantees: while a sweep runs no other thread holds a reference that no structure holds. A walk in rcu mode holds none and does
 * not come here; the first reference is taken behind tryEnter() or enter(). Ordering: the store of SLOT_BUSY precedes the
 * load of the gate, and the sweeper's store of the gate precedes its loads of the slots; at least one side sees the other.
 */
import { G_GATE, G_LEAKS, SLOT_BUSY } from "../../mem/layout";
import { nap, PANIC_LOCK, panic, slot } from "../../mem/thread";
import { sweep } from "./recount";

/** Looks at a closed gate, 200 us apart: 10 s, as for a lock. */
const GATE_TRIES: i32 = 50000;

/** Whether this thread is in. */
export let busy: bool = false;

/** Goes in unless a sweep is under way. */
export function tryEnter(): bool {
  if (busy) return true;
  atomic.store<u32>(slot + SLOT_BUSY, 1);
  if (atomic.load<u32>(G_GATE) == 0) {
    busy = true;
    return true;
  }
  atomic.store<u32>(slot + SLOT_BUSY, 0);
  return false;
}

/** Goes in, after the sweep that is under way. Not inside a read-side section. */
export function enter(): void {
  if (busy) return;
  if (atomic.load<u32>(G_LEAKS) != 0) sweep(0);
  for (let n = 0; n < GATE_TRIES; n++) {
    if (tryEnter()) return;
    nap(200);
  }
  panic(PANIC_LOCK, G_GATE);
}

export function leave(): void {
  if (!busy) return;
  busy = false;
  atomic.store<u32>(slot + SLOT_BUSY, 0);
}
