/**
 * What a thread is in the middle of, written down in its slot so that another thread can put things right when it dies.
 *
 * A *section* lasts from the first spinning lock taken to the moment when the last one is wanted no more (lock.ts), or from
 * txBegin() to txEnd(). Whatever shared word changes inside it, except counts that may be too high for a while,
 * is written through put32(), put64() or set32(), which first note the old value here. The section's end is one store,
 * `entries = 0`; only then are its sequences made even and its locks released. So a section happened, or recovery writes
 * the old values back and it did not; and nobody but readers of sequences, whom an odd one turns away, has seen it half done.
 *
 *   0   entries u32      4 lock that is being taken   8 locks u32   12 sequences u32   16 mutexes u32   20 blocks u32
 *   24  24 x lock        spinning locks of this section
 *   120 16 x sequence    counts this thread has made odd
 *   184 10 x mutex       sleeping locks it holds
 *   224 48 x block       memory that nothing leads to yet
 *   416 76 x entry       address u32, bytes u32, old value u64
 *   1632                 a write that is under way: inode ptr (0: none), address of the file position that
 *                        moves (0: none), position i64, bytes u32
 *
 * Guarantees: written by its own thread only, and by whoever recovers that thread when it is dead. Everything is noted before
 * it is done. An address in a list means "perhaps": a lock is held only if it names the thread, a sequence is open only if it
 * is odd. The lists are plain memory: a dead thread's stores have all been made, in their order, by the time that its
 * death is known.
 */
import { SLOT_UNDO_LOG } from "../layout";
import { PANIC_LOG_FULL, panic, slot } from "../thread";

export const LOG_NR_ENTRIES: u32 = 0;
export const LOG_ACQUIRING: u32 = 4;
export const LOG_NR_LOCKS: u32 = 8;
export const LOG_NR_SEQS: u32 = 12;
export const LOG_NR_MUTEXES: u32 = 16;
export const LOG_NR_BLOCKS: u32 = 20;
export const LOG_LOCK: u32 = 24;
export const LOG_SEQ: u32 = 120;
export const LOG_MUTEX: u32 = 184;
export const LOG_BLOCK: u32 = 224;
export const LOG_ENTRY: u32 = 416;

export const LOCKS_MAX: u32 = 24;
export const SEQS_MAX: u32 = 16;
export const MUTEXES_MAX: u32 = 10;
export const BLOCKS_MAX: u32 = 48;
export const ENTRIES_MAX: u32 = 76;

/** What a write puts into a file and cannot be undone: it lies in the scratch area of the thread, and recovery puts it there again (data.ts). */
export const LOG_REDO: u32 = 1632;
export const REDO_POS_ADDRESS: u32 = 4;
export const REDO_POS: u32 = 8;
export const REDO_BYTES: u32 = 16;

/** Spinning locks wanted, and explicit sections open: > 0 inside a section. */
export let txDepth: i32 = 0;

export function setTxDepth(n: i32): void {
  txDepth = n;
}

export function undoLog(): usize {
  return slot + SLOT_UNDO_LOG;
}

/** How many entries, locks and sequences there are: the words in the journal again, which so need not be loaded. */
let entries: u32 = 0;
let locks: u32 = 0;
let seqs: u32 = 0;

function logOldValue(p: usize, bytes: u32, old: u64): void {
  if (entries == ENTRIES_MAX) panic(PANIC_LOG_FULL, p);
  const j = undoLog();
  const e = j + LOG_ENTRY + (entries << 4);
  store<u32>(e, <u32>p);
  store<u32>(e, bytes, 4);
  store<u64>(e, old, 8);
  store<u32>(j, ++entries);
}

/** The section has happened: what was noted is not needed any more. */
export function discardEntries(): void {
  entries = 0;
  store<u32>(undoLog(), 0);
}

export function pushLock(p: usize): void {
  if (locks == LOCKS_MAX) panic(PANIC_LOG_FULL, p);
  store<u32>(undoLog() + LOG_LOCK + (locks << 2), <u32>p);
  store<u32>(undoLog() + LOG_NR_LOCKS, ++locks);
}

/** The lock that was taken last, 0: none is left. It stays on the list until popLock(). */
export function lastLock(): usize {
  return locks == 0 ? 0 : <usize>load<u32>(undoLog() + LOG_LOCK + ((locks - 1) << 2));
}

export function popLock(): void {
  store<u32>(undoLog() + LOG_NR_LOCKS, --locks);
}

export function pushSeq(p: usize): void {
  if (seqs == SEQS_MAX) panic(PANIC_LOG_FULL, p);
  store<u32>(undoLog() + LOG_SEQ + (seqs << 2), <u32>p);
  store<u32>(undoLog() + LOG_NR_SEQS, ++seqs);
}

/** The sequence that was made odd last, 0: none is left. */
export function lastSeq(): usize {
  return seqs == 0 ? 0 : <usize>load<u32>(undoLog() + LOG_SEQ + ((seqs - 1) << 2));
}

export function popSeq(): void {
  store<u32>(undoLog() + LOG_NR_SEQS, --seqs);
}

/** Changes a word that readers without the lock load. */
export function put32(p: usize, v: u32): void {
  if (txDepth != 0) logOldValue(p, 4, atomic.load<u32>(p));
  atomic.store<u32>(p, v);
}

export function put64(p: usize, v: u64): void {
  if (txDepth != 0) logOldValue(p, 8, atomic.load<u64>(p));
  atomic.store<u64>(p, v);
}

/** Changes a word that only holders of its lock look at. */
export function set32(p: usize, v: u32): void {
  if (txDepth != 0) logOldValue(p, 4, load<u32>(p));
  store<u32>(p, v);
}

/** A mutex that is taken. */
export function pushMutex(p: usize): void {
  const j = undoLog();
  const n = load<u32>(j + LOG_NR_MUTEXES);
  if (n == MUTEXES_MAX) panic(PANIC_LOG_FULL, p);
  store<u32>(j + LOG_MUTEX + (n << 2), <u32>p);
  store<u32>(j + LOG_NR_MUTEXES, n + 1);
}

/** A mutex that is released, wherever it stands on the list. */
export function removeMutex(p: usize): void {
  const j = undoLog();
  const n = load<u32>(j + LOG_NR_MUTEXES);
  for (let k = n; k > 0; k--) {
    const at = j + LOG_MUTEX + ((k - 1) << 2);
    if (load<u32>(at) != <u32>p) continue;
    // The last one takes its place; for a moment it stands twice, which is harmless in a list that says "perhaps".
    store<u32>(at, load<u32>(j + LOG_MUTEX + ((n - 1) << 2)));
    store<u32>(j + LOG_NR_MUTEXES, n - 1);
    return;
  }
}

/** Memory that has been allocated and hangs on nothing yet: recovery frees it. Inside the section that allocates it. */
export function addPendingBlock(p: usize): void {
  const j = undoLog();
  const n = load<u32>(j + LOG_NR_BLOCKS);
  if (n == BLOCKS_MAX) panic(PANIC_LOG_FULL, p);
  set32(j + LOG_BLOCK + (n << 2), <u32>p);
  set32(j + LOG_NR_BLOCKS, n + 1);
}

/** It hangs on something now, or is free again. Inside the section that makes it so. */
export function removePendingBlock(p: usize): void {
  const j = undoLog();
  const n = load<u32>(j + LOG_NR_BLOCKS);
  for (let k = n; k > 0; k--) {
    const at = j + LOG_BLOCK + ((k - 1) << 2);
    if (load<u32>(at) != <u32>p) continue;
    set32(at, load<u32>(j + LOG_BLOCK + ((n - 1) << 2)));
    set32(j + LOG_NR_BLOCKS, n - 1);
    return;
  }
}
