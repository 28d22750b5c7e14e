/**
 * Sequence counts (Linux: seqcount): even at rest, odd inside a write section. The writer owns the lock that goes with
 * the count.
 *
 * Guarantees: everything that a reader loaded between readSeqBegin() and a readSeqRetry() that returns false was there
 * at one moment. Ordering: every load and store involved is atomic, hence sequentially consistent in Wasm;
 * readSeqBegin() pairs with the store that makes the count even (makeEven()), readSeqRetry() with writeSeqBegin().
 * Readers store nothing. If a count stays odd for SEQ_SPINS polls (its writer was descheduled or died), readSeqBegin()
 * returns it odd, and it never validates.
 *
 * Inside a transaction (undo/log.ts) a count stays odd until the commit, so that no reader validates what might still
 * be rolled back. The undo log lists the counts that a thread has made odd: recovery makes those of a dead thread even.
 */

import * as COUNTER from "../../../abi/counters";
import * as POINT from "../../../abi/points";
import { tracepoint } from "../../tracepoints";
import { G_SEQ_WRAPS, SLOT_BARRIER } from "../layout";
import { count, slot } from "../thread";
import { popSeq, pushSeq, txDepth } from "../undo/log";

const SEQ_SPINS: i32 = 400;
/**
 * Whenever a count passes a multiple of this, G_SEQ_WRAPS is incremented, for caches that keep counts for long
 * (prefix-cache.ts).
 */
const WRAP: u32 = 1 << 24;

export function readSeqBegin(p: usize): u32 {
  const s = atomic.load<u32>(p);
  if (s & 1) return readSeqSlow(p);
  return s;
}

function readSeqSlow(p: usize): u32 {
  count(COUNTER.seqRetries);
  let s: u32 = 1;
  for (let i = 0; i < SEQ_SPINS; i++) {
    s = atomic.load<u32>(p);
    if (!(s & 1)) break;
  }
  return s;
}

/** True: a writer was active when `s` was taken, or has been since. */
export function readSeqRetry(p: usize, s: u32): bool {
  if (POINTS) tellRetry(p, s);
  return atomic.load<u32>(p) != s || (s & 1) != 0;
}

/** Reports in the debug build what readSeqRetry() is about to return, if that is true. */
function tellRetry(p: usize, s: u32): void {
  if (atomic.load<u32>(p) != s || (s & 1) != 0) tracepoint(POINT.SEQ_CHANGED, p, s);
}

/** Makes a count odd. Inside a transaction it may be odd already and stays so. */
export function writeSeqBegin(p: usize): void {
  const s = load<u32>(p);
  if (s & 1) return;
  pushSeq(p);
  atomic.store<u32>(p, s + 1);
}

/**
 * Makes the count even again: now, or when the transaction commits. Outside of transactions: the count that was made
 * odd last.
 */
export function writeSeqEnd(p: usize): void {
  if (txDepth != 0) return;
  makeEven(p, load<u32>(p) + 1);
  popSeq();
}

/** Makes every reader that has begun fail. Allowed inside a write section. */
export function writeSeqBarrier(p: usize): void {
  if (txDepth != 0) writeSeqBegin(p);
  else makeEven(p, load<u32>(p) + 2);
}

/**
 * smp_mb(): plain accesses stay on their side of it. A read-modify-write of a word that no other thread uses, because AssemblyScript
 * makes an invalid instruction of atomic.fence() (2026-11).
 */
export function smpMb(): void {
  atomic.add<u32>(slot + SLOT_BARRIER, 0);
}

/** Invalidates what caches keep of counts (prefix-cache.ts): the memory of some counts is about to serve otherwise. */
export function forgetCounts(): void {
  atomic.add<u32>(G_SEQ_WRAPS, 1);
}

/** Ends every change: stores the next even count. */
export function makeEven(p: usize, s: u32): void {
  atomic.store<u32>(p, s);
  if ((s & (WRAP - 1)) == 0) atomic.add<u32>(G_SEQ_WRAPS, 1);
}
