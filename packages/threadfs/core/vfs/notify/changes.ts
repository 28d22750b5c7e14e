/**
 * The log of changes (Linux: fsnotify): a ring of records in shared memory, one for each change of a name, of attributes or of
 * contents. The threads that follow it read, each from a position of its own. Writers know of them only whether there are any, so that a
 * change that nobody follows costs one load, and a walk nothing.
 *
 *   G_CHANGES_READERS  how many threads follow the log
 *   G_CHANGES_LOCK     taken last of all locks, for the rest of the transaction of a change
 *   G_CHANGES_SEQ      odd from the first record of a transaction to its commit; readers in the host wait on it
 *   G_CHANGES_TAIL     bytes written so far, u64: position p is in chunk (p / CHUNK) % G_CHANGES_CHUNKS of the ring
 *   CHANGES_RING       addresses of the chunks
 *
 * A record (abi/inotify.ts) does not cross the end of a chunk: one without events fills what is left.
 *
 * Guarantees: a change and its records are one transaction, so that a thread that dies leaves both or neither, and the order of records is
 * that of the changes: two changes of one thing exclude each other by a lock that each holds until its commit. A reader sees a
 * record only after the change can be seen. Ordering: a writer stores G_CHANGES_SEQ (odd) before the record and the tail, and the commit makes it
 * even after them; readChanges() loads it before the tail and again after it has copied. Bytes before the tail are overwritten
 * once the ring has come round: readChanges() checks how far the tail has moved after its copy, which is made by plain loads.
 */
import { EINVAL, EOVERFLOW } from "../../../abi/errno";
import { IO_SIZE, NAME_MAX } from "../../../abi/limits";
import {
  CHANGE_ALIGN,
  CHANGE_BYTES,
  CHANGE_COOKIE,
  CHANGE_DEV,
  CHANGE_DIR,
  CHANGE_INO,
  CHANGE_MASK,
  CHANGE_NAME,
  CHANGE_NAME_LENGTH,
} from "../../../abi/memory";
import * as SCRATCH from "../../../abi/scratch";
import { chunkAddress, chunkAlloc, chunkFree } from "../../mem/alloc/pages";
import { CHUNK, CHUNK_SHIFT, G_SLOT_LOCK, H_MAX_CHUNKS } from "../../mem/layout";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry, writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { scratch, slot } from "../../mem/thread";
import { notifyAtCommit, put32, put64, set32 } from "../../mem/undo/log";
import { waitFor } from "../../mem/wait";
import {
  CHANGES_CHUNKS_MAX,
  CHANGES_RING,
  G_CHANGES_CHUNKS,
  G_CHANGES_COOKIE,
  G_CHANGES_LOCK,
  G_CHANGES_READERS,
  G_CHANGES_SEQ,
  G_CHANGES_TAIL,
  G_RECOUNT_OWNER,
  SLOT_CHANGES,
} from "../layout";
import { admitOthers, excludeOthers } from "../recovery/exclusion";

/** The ring has at most one of this many parts of the arena, and at least two chunks. */
const ARENA_SHARE: u32 = 64;
const CHUNKS_MIN: u32 = 2;
/** Records of the transaction that has the most, an exchange: so far the bytes behind the tail may be in writing. */
const RECORDS_MAX: u64 = 6;
const WRITING_MAX: u64 = RECORDS_MAX * (CHANGE_NAME + NAME_MAX + CHANGE_ALIGN) + CHUNK;
/** How long the other threads are kept from new calls at a time. */
const EXCLUDE_MS: f64 = 100;
const SEQ_TRIES: i32 = 50;

/** Whether any thread follows the log. */
export function isFollowed(): bool {
  return atomic.load<u32>(G_CHANGES_READERS) != 0;
}

function ringAddress(position: u64): usize {
  const chunk = <u32>((position >> CHUNK_SHIFT) % load<u32>(G_CHANGES_CHUNKS));
  return <usize>load<u32>(CHANGES_RING + (chunk << 2)) + <usize>(position & (CHUNK - 1));
}

/** The cookie that the two parts of a rename share. Under the log's lock. */
export function renameCookie(): u32 {
  // 0 is that of no rename: passed over when the number comes round.
  const cookie = max<u32>(load<u32>(G_CHANGES_COOKIE) + 1, 1);
  set32(G_CHANGES_COOKIE, cookie);
  return cookie;
}

/** Adds a record, inside the transaction of the change, when all its other locks have been taken. `dir` 0: no directory knows of it. */
export function appendChange(mask: u32, dev: u64, dir: f64, ino: f64, cookie: u32, name: usize, length: u32): void {
  lock(G_CHANGES_LOCK);
  // Odd already: the transaction has a record, and the undo log the tail before it.
  const isFirst = !(load<u32>(G_CHANGES_SEQ) & 1);
  writeSeqBegin(G_CHANGES_SEQ);
  let at = load<u64>(G_CHANGES_TAIL);
  const bytes = (<u32>CHANGE_NAME + length + CHANGE_ALIGN - 1) & ~(<u32>CHANGE_ALIGN - 1);
  const left = CHUNK - <u32>(at & (CHUNK - 1));
  if (bytes > left) {
    putHead(ringAddress(at), at, left, 0);
    at += left;
  }
  const p = ringAddress(at);
  putHead(p, at, bytes, mask);
  store<f64>(p, <f64>dev, CHANGE_DEV);
  store<f64>(p, dir, CHANGE_DIR);
  store<f64>(p, ino, CHANGE_INO);
  store<u32>(p, cookie, CHANGE_COOKIE);
  store<u32>(p, length, CHANGE_NAME_LENGTH);
  memory.copy(p + CHANGE_NAME, name, length);
  if (isFirst) put64(G_CHANGES_TAIL, at + bytes);
  else atomic.store<u64>(G_CHANGES_TAIL, at + bytes);
  notifyAtCommit(G_CHANGES_SEQ);
  writeSeqEnd(G_CHANGES_SEQ);
  unlock(G_CHANGES_LOCK);
}

/** The first bytes of a record, which one that only fills has too: the smallest has 8. */
function putHead(p: usize, position: u64, bytes: u32, mask: u32): void {
  store<f64>(p, <f64>position);
  if (bytes < <u32>CHANGE_DEV) return;
  store<u32>(p, bytes, CHANGE_BYTES);
  store<u32>(p, mask, CHANGE_MASK);
}

/** The calling thread, which is not active, follows the log from now on. False: the arena has no room for the ring. */
export function followChanges(): bool {
  if (load<u32>(slot + SLOT_CHANGES) != 0) return true;
  lock(G_SLOT_LOCK);
  const room = makeRing();
  if (room) {
    set32(slot + SLOT_CHANGES, 1);
    put32(G_CHANGES_READERS, load<u32>(G_CHANGES_READERS) + 1);
  }
  unlock(G_SLOT_LOCK);
  if (!room) return false;
  // A call under way may have found that nobody follows: it ends first. Pairs with isFollowed(), which only active threads ask.
  for (let deadline: f64 = 0; !excludeOthers(EXCLUDE_MS); ) deadline = waitFor(deadline, G_RECOUNT_OWNER);
  admitOthers();
  return true;
}

/** The thread of a slot does not follow the log any more. */
export function leaveChanges(s: usize): void {
  if (load<u32>(s + SLOT_CHANGES) == 0) return;
  lock(G_SLOT_LOCK);
  set32(s + SLOT_CHANGES, 0);
  put32(G_CHANGES_READERS, load<u32>(G_CHANGES_READERS) - 1);
  unlock(G_SLOT_LOCK);
}

/** Allocates the ring when the log is followed for the first time; it stays. Under the slot lock. False: the arena is full. */
function makeRing(): bool {
  if (load<u32>(G_CHANGES_CHUNKS) != 0) return true;
  const n = max<u32>(CHUNKS_MIN, min<u32>(CHANGES_CHUNKS_MAX, load<u32>(H_MAX_CHUNKS) / ARENA_SHARE));
  for (let k: u32 = 0; k < n; k++) {
    const chunk = chunkAlloc(false);
    if (chunk == 0) {
      while (k > 0) chunkFree(<u32>(load<u32>(CHANGES_RING + (--k << 2)) >> CHUNK_SHIFT));
      return false;
    }
    set32(CHANGES_RING + (k << 2), <u32>chunkAddress(chunk));
  }
  put32(G_CHANGES_CHUNKS, n);
  return true;
}

/** The position behind the last record that is committed. */
export function changesTail(): u64 {
  for (let n = 0; n < SEQ_TRIES; n++) {
    const seq = readSeqBegin(G_CHANGES_SEQ);
    const tail = atomic.load<u64>(G_CHANGES_TAIL);
    if (!readSeqRetry(G_CHANGES_SEQ, seq)) return tail;
  }
  lock(G_CHANGES_LOCK);
  const tail = load<u64>(G_CHANGES_TAIL);
  unlock(G_CHANGES_LOCK);
  return tail;
}

/** Bytes of the ring of which the writers are sure not to overwrite any while the tail stays. */
function kept(): u64 {
  return ((<u64>load<u32>(G_CHANGES_CHUNKS)) << CHUNK_SHIFT) - WRITING_MAX;
}

/**
 * Copies the records from a position on to SCRATCH.IO, at most those up to the end of a chunk. Returns their bytes, 0: there are no more,
 * -EOVERFLOW: they have been overwritten, or -EINVAL: no record begins there.
 */
export function readChanges(from: u64): i32 {
  const tail = changesTail();
  if (from > tail || from % CHANGE_ALIGN != 0) return -EINVAL;
  if (from == tail) return 0;
  if (tail - from > kept()) return -EOVERFLOW;
  const left = CHUNK - <u32>(from & (CHUNK - 1));
  const n = min<u32>(min<u32>(left, IO_SIZE), tail - from > CHUNK ? CHUNK : <u32>(tail - from));
  const to = scratch + SCRATCH.IO;
  memory.copy(to, ringAddress(from), n);
  if (changesTail() - from > kept()) return -EOVERFLOW;
  return load<f64>(to) == <f64>from ? <i32>n : -EINVAL;
}
