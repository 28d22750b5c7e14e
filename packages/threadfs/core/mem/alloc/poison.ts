/**
 * Poison in freed memory, so that a use after free shows: whoever follows a pointer out of a freed object leaves the
 * memory and traps, whoever reads a number out of it gets one that nothing living has, and a store into it is found when
 * the memory is given out again.
 *
 * A tester sets the word H_POISON before anything was freed; nothing else in the core knows of it. The word is looked at
 * where memory is freed and where freed memory is given out, never in a walk.
 *
 * Guarantee: what a reader may still rely on in the memory of a typed object stays: its cache names those words (`keep`:
 * sequences, generations, locks that are free, counts that are dead).
 */
import { H_POISON } from "../layout";
import { PANIC_CORRUPT, panic } from "../thread";

/** An address beyond any arena below 3.4 GiB, a multiple of eight, so that a chain does not take it for its end. */
export const POISON: u32 = 0xdeadbee8;
/** Words at the start of a typed object that are poisoned; behind them are the blocks of descriptors of a context. */
const TYPED_WORDS: u32 = 32;

/** Fills a freed object of `size` bytes but for the words in `keep` (bit n: word n). */
export function poison(p: usize, size: u32, typed: bool, keep: u32): void {
  if (load<u32>(H_POISON) == 0) return;
  const words = typed ? TYPED_WORDS : size >> 2;
  for (let i: u32 = 0; i < words; i++) {
    if (i >= 32 || ((keep >> i) & 1) == 0) atomic.store<u32>(p + (i << 2), POISON);
  }
}

/** Freed memory that is given out again must be as poison() left it. */
export function checkPoison(p: usize, size: u32, typed: bool, keep: u32): void {
  if (load<u32>(H_POISON) == 0) return;
  const words = typed ? TYPED_WORDS : size >> 2;
  for (let i: u32 = 0; i < words; i++) {
    const at = p + (i << 2);
    if ((i >= 32 || ((keep >> i) & 1) == 0) && atomic.load<u32>(at) != POISON) panic(PANIC_CORRUPT, at);
  }
}
