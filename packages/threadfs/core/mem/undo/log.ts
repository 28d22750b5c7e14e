/**
 * The undo log: a record in each thread's slot of what the thread is doing, from which another thread recovers it when
 * it dies.
 *
 * A *transaction* lasts from the first spin lock taken until the last one is released (lock/lock.ts), or from txBegin()
 * to txEnd(). Shared words that change inside it are written through put32(), put64() or set32(), which first log the
 * old value here; the exception are counts that may be too high for a while. The commit is one store, `entries = 0`.
 * Only after it are the transaction's sequences made even and its locks released. So a transaction either happens, or
 * recovery writes the old values back. Lock-free readers may see uncommitted values; they must validate a sequence,
 * which is odd until the commit, or take the lock.
 *
 *   0   entries u32   4 lock being acquired   8 locks u32   12 sequences u32   16 mutexes u32   20 pending blocks u32
 *   24  24 x lock     spin locks of this transaction
 *   120 16 x sequence counts that this thread has made odd
 *   184 10 x mutex    mutexes that it holds
 *   224 48 x block    pending blocks: allocated, and not linked to anything yet
 *   416 76 x entry    address u32, bytes u32, old value u64
 *   1632              what the owner of a mutex keeps here: the redo record of a file write (fs/tmpfs/data.ts)
 *
 * A transaction that changes many mounts has its further entries in the thread's scratch area, in SCRATCH.IO (logInScratch()).
 *
 * Guarantees: only the thread itself writes its log, and the thread that recovers it when it is dead. Everything is
 * logged before it is done. List entries are hints: recovery checks the owner in the lock word, and whether the
 * sequence is odd. The lists are plain memory: by the time a thread's death is known, all of its stores are visible in
 * their order.
 */
import { PANIC_LOG_FULL } from "../../../abi/host";
import { IO_SIZE } from "../../../abi/limits";
import * as SCRATCH from "../../../abi/scratch";
import { SLOT_SCRATCH, SLOT_UNDO_LOG } from "../layout";
import { panic, slot } from "../thread";

export const LOG_NR_ENTRIES: u32 = 0;
export const LOG_ACQUIRING: u32 = 4;
export const LOG_NR_LOCKS: u32 = 8;
export const LOG_NR_SEQS: u32 = 12;
export const LOG_NR_MUTEXES: u32 = 16;
export const LOG_NR_BLOCKS: u32 = 20;

export const LOCKS_MAX: u32 = 24;
export const SEQS_MAX: u32 = 16;
export const MUTEXES_MAX: u32 = 10;
export const BLOCKS_MAX: u32 = 48;
export const ENTRIES_MAX: u32 = 76;
/** Entries of a transaction that may go on in the scratch area. */
export const LONG_ENTRIES_MAX: u32 = ENTRIES_MAX + (IO_SIZE >> 4);

export const LOG_LOCK: u32 = 24;
export const LOG_SEQ: u32 = LOG_LOCK + (LOCKS_MAX << 2);
export const LOG_MUTEX: u32 = LOG_SEQ + (SEQS_MAX << 2);
export const LOG_BLOCK: u32 = LOG_MUTEX + (MUTEXES_MAX << 2);
export const LOG_ENTRY: u32 = LOG_BLOCK + (BLOCKS_MAX << 2);
export const LOG_END: u32 = LOG_ENTRY + (ENTRIES_MAX << 4);

/** Nesting depth of the transaction: spin locks taken and txBegin() calls; > 0 inside a transaction. */
export let txDepth: i32 = 0;

export function setTxDepth(n: i32): void {
  txDepth = n;
}

export function undoLog(): usize {
  return slot + SLOT_UNDO_LOG;
}

/** Copies of the log's counts, so that they need not be loaded. */
let entries: u32 = 0;
let locks: u32 = 0;
let seqs: u32 = 0;

/** How many entries the transaction may have. */
let entriesMax: u32 = ENTRIES_MAX;

/** Whether entries that have no place in the slot go to the scratch area from here on: for a transaction of a call that has nothing else in SCRATCH.IO. */
export function logInScratch(on: bool): void {
  entriesMax = on ? LONG_ENTRIES_MAX : ENTRIES_MAX;
}

/** The address of entry `n` in the log `j` of a thread. */
export function entryAt(j: usize, n: u32): usize {
  if (n < ENTRIES_MAX) return j + LOG_ENTRY + (n << 4);
  return <usize>load<u32>(j - SLOT_UNDO_LOG + SLOT_SCRATCH) + SCRATCH.IO + ((n - ENTRIES_MAX) << 4);
}

function logOldValue(p: usize, bytes: u32, old: u64): void {
  if (entries >= entriesMax) panic(PANIC_LOG_FULL, p);
  const j = undoLog();
  const e = entryAt(j, entries);
  store<u32>(e, <u32>p);
  store<u32>(e, bytes, 4);
  store<u64>(e, old, 8);
  store<u32>(j, ++entries);
}

/** A word to notify when the transaction has been committed, 0: none. */
let toNotify: usize = 0;

/** Threads that wait on this word, in the host or here, are woken when this transaction has been committed. Once it has made its first change. */
export function notifyAtCommit(p: usize): void {
  toNotify = p;
}

/** The word to notify, which is then forgotten; 0: none. */
export function takeNotified(): usize {
  const p = toNotify;
  toNotify = 0;
  return p;
}

/** The transaction of this thread has been rolled back, with its lists in the slot: forgets it. */
export function forgetTransaction(): void {
  txDepth = 0;
  entries = 0;
  locks = 0;
  seqs = 0;
  entriesMax = ENTRIES_MAX;
  toNotify = 0;
}

/** Commits: the old values are not needed any more. */
export function discardEntries(): void {
  entries = 0;
  store<u32>(undoLog(), 0);
}

export function pushLock(p: usize): void {
  if (locks == LOCKS_MAX) panic(PANIC_LOG_FULL, p);
  store<u32>(undoLog() + LOG_LOCK + (locks << 2), <u32>p);
  store<u32>(undoLog() + LOG_NR_LOCKS, ++locks);
}

/** The lock taken last, 0: none. It stays on the list until popLock(). */
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

/** The sequence made odd last, 0: none. */
export function lastSeq(): usize {
  return seqs == 0 ? 0 : <usize>load<u32>(undoLog() + LOG_SEQ + ((seqs - 1) << 2));
}

export function popSeq(): void {
  store<u32>(undoLog() + LOG_NR_SEQS, --seqs);
}

/** Stores to a word that readers without the lock load. Logs the old value inside a transaction. */
export function put32(p: usize, v: u32): void {
  if (txDepth != 0) logOldValue(p, 4, atomic.load<u32>(p));
  atomic.store<u32>(p, v);
}

export function put64(p: usize, v: u64): void {
  if (txDepth != 0) logOldValue(p, 8, atomic.load<u64>(p));
  atomic.store<u64>(p, v);
}

/** The same for a word that only owners of its lock access: a plain store. */
export function set32(p: usize, v: u32): void {
  if (txDepth != 0) logOldValue(p, 4, load<u32>(p));
  store<u32>(p, v);
}

/** Adds a mutex that is being held. */
export function pushMutex(p: usize): void {
  const j = undoLog();
  const n = load<u32>(j + LOG_NR_MUTEXES);
  if (n == MUTEXES_MAX) panic(PANIC_LOG_FULL, p);
  store<u32>(j + LOG_MUTEX + (n << 2), <u32>p);
  store<u32>(j + LOG_NR_MUTEXES, n + 1);
}

/** Removes a released mutex from wherever it is on the list. */
export function removeMutex(p: usize): void {
  const j = undoLog();
  const n = load<u32>(j + LOG_NR_MUTEXES);
  for (let k = n; k > 0; k--) {
    const at = j + LOG_MUTEX + ((k - 1) << 2);
    if (load<u32>(at) != <u32>p) continue;
    // Moves the last one into its place. For a moment it is listed twice, which is harmless: list entries are hints.
    store<u32>(at, load<u32>(j + LOG_MUTEX + ((n - 1) << 2)));
    store<u32>(j + LOG_NR_MUTEXES, n - 1);
    return;
  }
}

/** How many blocks are on the pending list. */
export function nrPendingBlocks(): u32 {
  return load<u32>(undoLog() + LOG_NR_BLOCKS);
}

/** The address of a word of the pending list. Blocks that are added and removed again behind it leave it in its place. */
export function pendingBlockAt(n: u32): usize {
  return undoLog() + LOG_BLOCK + (n << 2);
}

/** Adds a block to the pending list: recovery frees it. In the transaction that allocates it. */
export function addPendingBlock(p: usize): void {
  const j = undoLog();
  const n = load<u32>(j + LOG_NR_BLOCKS);
  if (n == BLOCKS_MAX) panic(PANIC_LOG_FULL, p);
  set32(j + LOG_BLOCK + (n << 2), <u32>p);
  set32(j + LOG_NR_BLOCKS, n + 1);
}

/** Removes a block from the pending list, because it is linked now or free again. In the transaction that does that. */
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
