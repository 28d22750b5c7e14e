/**
 * Poisons freed memory, to detect uses after free: a pointer loaded from a freed object is out of bounds and traps, a
 * number loaded from it is one that no live object has, and a store into it is found when the memory is allocated
 * again.
 *
 * A test sets the word H_POISON before anything has been freed; nothing else in the core sets it. The word is read
 * where memory is freed or allocated again, never in a walk.
 *
 * Guarantee: words of a typed object that readers may rely on after it is freed are kept. Its cache lists them (`keep`:
 * sequences, generations, free locks, dead counts).
 */
import { PANIC_CORRUPT } from "../../../abi/host";
import { H_POISON } from "../layout";
import { panic } from "../thread";

/**
 * Out of bounds for arenas up to 3.4 GiB, and a multiple of eight, so that a hash chain does not take it for its end.
 */
export const POISON: u32 = 0xdeadbee8;
/** Words at the start of a typed object that are poisoned. In a context the descriptor blocks follow them. */
const TYPED_WORDS: u32 = 32;

/** Fills a freed object of `size` bytes, except for the words in `keep` (bit n: word n). */
export function poison(p: usize, size: u32, typed: bool, keep: u32): void {
  if (load<u32>(H_POISON) == 0) return;
  const words = typed ? TYPED_WORDS : size >> 2;
  for (let i: u32 = 0; i < words; i++) {
    if (i >= 32 || ((keep >> i) & 1) == 0) atomic.store<u32>(p + (i << 2), POISON);
  }
}

/** Checks that freed memory is still as poison() left it. */
export function checkPoison(p: usize, size: u32, typed: bool, keep: u32): void {
  if (load<u32>(H_POISON) == 0) return;
  const words = typed ? TYPED_WORDS : size >> 2;
  for (let i: u32 = 0; i < words; i++) {
    const at = p + (i << 2);
    if ((i >= 32 || ((keep >> i) & 1) == 0) && atomic.load<u32>(at) != POISON) panic(PANIC_CORRUPT, at);
  }
}
