/**
 * Bounds for loops over shared memory. Another thread may have written anything there (docs/trust.md): a list that
 * leads back to itself must end in a panic, not in an endless loop.
 */

import { PANIC_CORRUPT } from "../../abi/host";
import { CHUNK_SHIFT } from "./layout";
import { panic } from "./thread";

/** log2 of the size of the smallest typed object. */
const OBJECT_SHIFT: u32 = 7;

/**
 * The largest number of objects that fit into the memory, hence a bound for every list. A thread cannot forge
 * `memory.size`.
 */
export function objectsMax(): u32 {
  return (<u32>memory.size()) << (CHUNK_SHIFT - OBJECT_SHIFT);
}

/** Panics because the memory at `at` is corrupt. Does not return. */
export function corrupt(at: usize): void {
  panic(PANIC_CORRUPT, at);
}
