/**
 * Advisory locks on a file (Linux: struct file_lock, fs/locks.c): those of flock(2), and of fcntl(2) on ranges. They hang on the inode, as one
 * list. Locks of ranges of one owner stand next to each other, in the order of their ranges, which do not overlap.
 *
 *   file_lock (32 bytes): 0 next ptr  4 flags u32 (F_RDLCK or F_WRLCK, FL_*)  8 owner u64 (flc_owner)  16 start i64  24 end i64, the last byte
 *
 * The owner is the address of an open file or the number of a context, a float64: no number has the bits of an address.
 *
 * Guarantees: the list changes under i_lock, in the transaction that also decides whether the lock may be had. So a request of a thread
 * that dies has happened as a whole, or not at all. A transaction puts the locks that it takes off on a list in the thread's slot
 * (SLOT_FREE_LOCKS); they are freed afterwards, one by one: however many a request removes, the undo log has room for it. The
 * thread that recovers a dead one frees those on its list.
 */
import { F_WRLCK } from "../../../abi/flags";
import { kmalloc, slabFree } from "../../mem/alloc/slab";
import { corrupt, objectsMax } from "../../mem/bounds";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { slot } from "../../mem/thread";
import { notifyAtCommit, put32, put64, removePendingBlock, set32 } from "../../mem/undo/log";
import { Inode } from "../inode/inode";
import { G_BLOCKED_HEAD, LOCK_WAITS, NR_LOCK_WAITS, SLOT_FREE_LOCKS } from "../layout";

export const FILE_LOCK_SIZE: u32 = 32;
/** The bits of the flags that hold F_RDLCK, F_WRLCK or F_UNLCK. */
export const FL_TYPE: u32 = 3;
/** A lock of flock(2); one of fcntl(2); one of fcntl(2) that belongs to the open file description. */
export const FL_FLOCK: u32 = 4;
export const FL_POSIX: u32 = 8;
export const FL_OFDLCK: u32 = 16;
/** The last byte that a file could have. */
export const OFFSET_MAX: i64 = i64.MAX_VALUE;

@unmanaged
export class FileLock {
  /** The first field: the address of a lock is that of the pointer to the next one. */
  next: u32;
  flags: u32;
  owner: u64;
  start: i64;
  end: i64;

  get at(): usize {
    return changetype<usize>(this);
  }
  get type(): u32 {
    return this.flags & FL_TYPE;
  }
}

/** The lock that the word at `at` points to; null: the list ends. */
export function lockAt(at: usize): FileLock {
  return changetype<FileLock>(<usize>load<u32>(at));
}

/** locks_conflict(): whether locks of these types, of different owners, exclude each other. */
export function conflicts(type: u32, other: u32): bool {
  return type == F_WRLCK || other == F_WRLCK;
}

/** Memory for locks that the present request may need, on the thread's pending list; 0: none. */
let spare: usize = 0;
let spare2: usize = 0;

/** Allocates memory for up to two locks, before any lock is taken. */
export function allocSpares(n: u32): void {
  spare = n > 0 ? kmalloc(FILE_LOCK_SIZE, false) : 0;
  spare2 = n > 1 ? kmalloc(FILE_LOCK_SIZE, false) : 0;
}

export function countSpares(): u32 {
  return (spare != 0 ? 1 : 0) + (spare2 != 0 ? 1 : 0);
}

/** Memory for a lock that the present transaction links. There is some. */
export function takeSpare(): FileLock {
  const p = spare != 0 ? spare : spare2;
  if (spare != 0) spare = 0;
  else spare2 = 0;
  removePendingBlock(p);
  return changetype<FileLock>(p);
}

/** Frees what the request did not need. */
export function freeSpares(): void {
  const a = spare;
  const b = spare2;
  spare = 0;
  spare2 = 0;
  if (a != 0) slabFree(a);
  if (b != 0) slabFree(b);
}

/** Writes the fields of a lock, inside a transaction. */
export function setLock(l: FileLock, flags: u32, owner: u64, start: i64, end: i64): void {
  set32(l.at + offsetof<FileLock>("flags"), flags);
  put64(l.at + offsetof<FileLock>("owner"), owner);
  put64(l.at + offsetof<FileLock>("start"), <u64>start);
  put64(l.at + offsetof<FileLock>("end"), <u64>end);
}

/**
 * Takes the locks from `first` on, up to the one before `after` (0: to the end), off the list in which the word at `at` points to the
 * first. They are freed after the transaction, by freeLocks().
 */
export function unlinkLocks(at: usize, first: FileLock, after: usize): void {
  let last = first;
  for (let left = objectsMax(); last.next != <u32>after; left--) {
    if (left == 0 || last.next == 0) corrupt(at);
    last = lockAt(last.at);
  }
  put32(at, <u32>after);
  put32(last.at, load<u32>(slot + SLOT_FREE_LOCKS));
  set32(slot + SLOT_FREE_LOCKS, <u32>first.at);
}

/** Frees the locks that the thread of slot `s`, this one or a dead one, has taken off a file. Not inside a transaction. */
export function freeLocks(s: usize): void {
  for (let left = objectsMax(); ; left--) {
    const p = <usize>load<u32>(s + SLOT_FREE_LOCKS);
    if (p == 0) return;
    if (left == 0) corrupt(p);
    txBegin();
    set32(s + SLOT_FREE_LOCKS, load<u32>(p));
    slabFree(p);
    txEnd();
  }
}

/** The word on which requests for locks on this inode wait. */
export function lockWaitWord(i: Inode): usize {
  return LOCK_WAITS + (((<u32>i.at >> 7) & (NR_LOCK_WAITS - 1)) << 2);
}

/**
 * locks_wake_up_blocks(): the requests that wait for a lock on this inode are made again. Called under i_lock after the change, which
 * happens with its transaction. Not logged: if the thread dies, or the word is another inode's too, they are made once in vain.
 * Ordering: a request is on the list, and has read the word, before its transaction releases i_lock; so one that this load
 * does not see has not found the lock taken.
 */
export function wakeBlocked(i: Inode): void {
  if (atomic.load<u32>(G_BLOCKED_HEAD) == 0) return;
  const word = lockWaitWord(i);
  atomic.add<u32>(word, 1);
  notifyAtCommit(word);
}

/** Wakes all requests that wait: their contexts may have ended, or a thread that has died may have released locks. */
export function wakeAllBlocked(): void {
  if (atomic.load<u32>(G_BLOCKED_HEAD) == 0) return;
  for (let word = LOCK_WAITS; word < LOCK_WAITS + (NR_LOCK_WAITS << 2); word += 4) {
    atomic.add<u32>(word, 1);
    atomic.notify(word, -1);
  }
}
