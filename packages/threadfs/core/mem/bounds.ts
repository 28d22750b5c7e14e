/**
 * Bounds for loops over what lies in shared memory: another thread may have written anything there (docs/trust.md), and a
 * list that leads back to itself must end in a panic, not in a thread that never comes back.
 */
import { PANIC_CORRUPT, panic } from "./thread";

/** The smallest typed object. */
const OBJECT_SHIFT: u32 = 7;

/** Most objects that the memory has room for: no list of them is longer. `memory.size` is nothing that can be written. */
export function objectsMax(): u32 {
  return (<u32>memory.size()) << (16 - OBJECT_SHIFT);
}

/** What was read cannot be. Does not return. */
export function corrupt(at: usize): void {
  panic(PANIC_CORRUPT, at);
}
