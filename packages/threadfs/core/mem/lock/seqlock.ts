/**
 * Sequence counts: even at rest, odd inside a write section. A writer holds the lock that goes with the count.
 *
 * Guarantees: what a reader loaded between readSeqBegin() and a readSeqRetry() that answers false was there at one
 * moment. Ordering: every load and store involved is atomic, hence sequentially consistent in Wasm; the reader's
 * begin pairs with the store that makes the count even, its retry with writeSeqBegin(). Readers store nothing. A count
 * that stays odd for SEQ_SPINS looks (its writer was descheduled or died) is handed back odd, and then never validates.
 *
 * Inside a section (log.ts) a count stays odd until the section's end, so that nobody reads what might still be undone.
 * Counts that a thread has made odd stand in its journal: recovery makes a dead thread's even.
 */

import { C_SEQ_RETRIES, G_SEQ_WRAPS } from "../layout";
import { count } from "../thread";
import { popSeq, pushSeq, txDepth } from "../undo/log";

const SEQ_SPINS: i32 = 400;
/** Each time a count passes a multiple of this much, G_SEQ_WRAPS says so to those who keep counts for long (prefix-cache.ts). */
const WRAP: u32 = 1 << 24;

export function readSeqBegin(p: usize): u32 {
  const s = atomic.load<u32>(p);
  if (s & 1) return readSeqSlow(p);
  return s;
}

function readSeqSlow(p: usize): u32 {
  count(C_SEQ_RETRIES);
  let s: u32 = 1;
  for (let i = 0; i < SEQ_SPINS; i++) {
    s = atomic.load<u32>(p);
    if (!(s & 1)) break;
  }
  return s;
}

/** True: something was written since `s` was taken, or a write was under way then. */
export function readSeqRetry(p: usize, s: u32): bool {
  return atomic.load<u32>(p) != s || (s & 1) != 0;
}

/** Makes a count odd; one that this section has made odd already stays so. */
export function writeSeqBegin(p: usize): void {
  const s = load<u32>(p);
  if (s & 1) return;
  pushSeq(p);
  atomic.store<u32>(p, s + 1);
}

/** Makes it even again: now, or at the section's end. Outside of sections the one that was made odd last. */
export function writeSeqEnd(p: usize): void {
  if (txDepth != 0) return;
  makeEven(p, load<u32>(p) + 1);
  popSeq();
}

/** After this every reader that began before must fail; may stand inside a write section. */
export function writeSeqBarrier(p: usize): void {
  if (txDepth != 0) writeSeqBegin(p);
  else makeEven(p, load<u32>(p) + 2);
}

/** The end of every change: the count's next even value. */
export function makeEven(p: usize, s: u32): void {
  atomic.store<u32>(p, s);
  if ((s & (WRAP - 1)) == 0) atomic.add<u32>(G_SEQ_WRAPS, 1);
}
