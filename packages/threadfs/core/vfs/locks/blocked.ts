/**
 * Requests for advisory locks that wait (Linux: blocked_hash, flc_blocked_requests): one list of the tree, under blocked_lock_lock.
 *
 *   blocked request (64 bytes): 0 next ptr  4 flags u32  8 owner u64  16 start i64  24 end i64, as the lock that it asks for
 *     32 blocker u64, owner of the lock that was in the way  40 file ptr  44 thread u32, the one that made it, as in lock words
 *     48 word ptr, on which it waits  52 seen u32, that word's value  56 fd i32
 *
 * A request counts as a reference on its open file, and belongs to the thread that has made it: that thread alone makes it again, and
 * gives it up. When the thread ends, its end or its recovery does so.
 *
 * Guarantees: a request is put on the list by the transaction, under i_lock, that has found a lock in its way. It reads the word
 * there too. A release changes the word under i_lock and notifies those who wait at its commit: so either the request sees
 * the release, or its word differs from the one that it has seen, and its thread does not sleep, or wakes up.
 * A request whose word has changed is about to be made again, and waits for nobody.
 */
import { EDEADLK, ENOLCK } from "../../../abi/errno";
import { BLOCKED_LOCKS_MAX } from "../../../abi/limits";
import { corrupt } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { slot, tid } from "../../mem/thread";
import { put32, put64, removePendingBlock, set32 } from "../../mem/undo/log";
import { File } from "../file/file";
import { G_BLOCKED_COUNT, G_BLOCKED_HEAD, G_BLOCKED_LOCK, SLOT_FREE_LOCKS } from "../layout";
import { FL_OFDLCK, FL_POSIX, lockWaitWord } from "./file-lock";

export const BLOCKED_SIZE: u32 = 64;
/** Owners that are followed from one to the one that it waits for, as in Linux: a longer circle is not found. */
const MAX_DEADLK_ITERATIONS: i32 = 10;

@unmanaged
export class BlockedLock {
  /** The first field, as of a lock: both are freed by freeLocks(). */
  next: u32;
  flags: u32;
  owner: u64;
  start: i64;
  end: i64;
  blocker: u64;
  file: u32;
  thread: u32;
  word: u32;
  seen: u32;
  fd: i32;

  get at(): usize {
    return changetype<usize>(this);
  }
}

/** The next request of the list whose head or `next` is at `at`; null: none. Under the lock of the list. */
function requestAt(at: usize): BlockedLock {
  return changetype<BlockedLock>(<usize>load<u32>(at));
}

/** A request that is not on the list, in memory from kmalloc(). */
export function initRequest(p: usize, f: File, fd: i32, flags: u32, owner: u64, start: i64, end: i64): BlockedLock {
  const r = changetype<BlockedLock>(p);
  r.next = 0;
  r.flags = flags;
  r.owner = owner;
  r.start = start;
  r.end = end;
  r.file = <u32>f.at;
  r.thread = tid;
  r.word = <u32>lockWaitWord(f.inode);
  r.fd = fd;
  return r;
}

/**
 * locks_insert_block(): a request waits for the owner of a lock, the first time or again. Under i_lock, in the transaction that has
 * found the lock. 0, -ENOLCK if too many wait, or -EDEADLK if that owner, or one that it waits for, waits for this one.
 */
export function insertBlock(r: BlockedLock, blocker: u64, isNew: bool): i32 {
  let err = 0;
  lock(G_BLOCKED_LOCK);
  const n = load<u32>(G_BLOCKED_COUNT);
  if ((r.flags & (FL_POSIX | FL_OFDLCK)) == FL_POSIX && posixLocksDeadlock(r.owner, blocker)) err = -EDEADLK;
  else if (isNew && n >= <u32>BLOCKED_LOCKS_MAX) err = -ENOLCK;
  else {
    put64(r.at + offsetof<BlockedLock>("blocker"), blocker);
    set32(r.at + offsetof<BlockedLock>("seen"), atomic.load<u32>(r.word));
    if (isNew) {
      set32(r.at, load<u32>(G_BLOCKED_HEAD));
      put32(G_BLOCKED_HEAD, <u32>r.at);
      put32(G_BLOCKED_COUNT, n + 1);
      removePendingBlock(r.at);
    }
  }
  unlock(G_BLOCKED_LOCK);
  return err;
}

/** posix_locks_deadlock(): whether `blocker` waits for `owner`, itself or by those that it waits for. */
function posixLocksDeadlock(owner: u64, blocker: u64): bool {
  let from = blocker;
  for (let i = 0; i <= MAX_DEADLK_ITERATIONS; i++) {
    const r = whatOwnerIsWaitingFor(from);
    if (!r) return false;
    from = r.blocker;
    if (from == owner) return true;
  }
  return false;
}

/** what_owner_is_waiting_for(): a request of a context that waits; null: there is none. */
function whatOwnerIsWaitingFor(owner: u64): BlockedLock {
  let left: u32 = BLOCKED_LOCKS_MAX;
  for (let r = requestAt(G_BLOCKED_HEAD); r; r = requestAt(r.at)) {
    if (left-- == 0) corrupt(r.at);
    const isPosix = (r.flags & (FL_POSIX | FL_OFDLCK)) == FL_POSIX;
    if (isPosix && r.owner == owner && atomic.load<u32>(r.word) == r.seen) return r;
  }
  return changetype<BlockedLock>(0);
}

/**
 * locks_delete_block(): takes a request off the list, in a transaction; freeLocks() frees it. The caller has its reference on
 * the file now. False: it was not there.
 */
export function deleteBlock(r: BlockedLock): bool {
  let found = false;
  lock(G_BLOCKED_LOCK);
  let left: u32 = BLOCKED_LOCKS_MAX;
  for (let at = G_BLOCKED_HEAD, p = requestAt(at); p; at = p.at, p = requestAt(at)) {
    if (left-- == 0) corrupt(p.at);
    if (p != r) continue;
    put32(at, r.next);
    put32(G_BLOCKED_COUNT, load<u32>(G_BLOCKED_COUNT) - 1);
    set32(r.at, load<u32>(slot + SLOT_FREE_LOCKS));
    set32(slot + SLOT_FREE_LOCKS, <u32>r.at);
    found = true;
    break;
  }
  unlock(G_BLOCKED_LOCK);
  return found;
}

/** A request of a thread, as in lock words: the one at `p`, with 0 any. null: there is none. It stays while the thread does not run. */
export function requestOf(thread: u32, p: usize): BlockedLock {
  lock(G_BLOCKED_LOCK);
  let left: u32 = BLOCKED_LOCKS_MAX;
  let r = requestAt(G_BLOCKED_HEAD);
  while (r && !(r.thread == thread && (p == 0 || r.at == p))) {
    if (left-- == 0) corrupt(r.at);
    r = requestAt(r.at);
  }
  unlock(G_BLOCKED_LOCK);
  return r;
}

/** The request after `r`, with null the first one: for the recount, while no other thread has references. */
export function nextRequest(r: BlockedLock): BlockedLock {
  return requestAt(r ? r.at : G_BLOCKED_HEAD);
}
