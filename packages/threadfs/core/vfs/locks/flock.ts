/** flock_lock_inode() and posix_lock_inode(): whether a request for an advisory lock is granted, and the lists of locks after it. */
import { EAGAIN, ENOLCK } from "../../../abi/errno";
import { F_RDLCK, F_UNLCK, F_WRLCK } from "../../../abi/flags";
import { FILE_LOCKS_MAX } from "../../../abi/limits";
import { corrupt, objectsMax } from "../../mem/bounds";
import { put32, set32 } from "../../mem/undo/log";
import { Inode } from "../inode/inode";
import {
  conflicts,
  countSpares,
  FileLock,
  FL_FLOCK,
  FL_POSIX,
  FL_TYPE,
  lockAt,
  OFFSET_MAX,
  setLock,
  takeSpare,
  unlinkLocks,
  wakeBlocked,
} from "./file-lock";

/** Second return value of both functions when they return -EAGAIN: the owner of a lock that is in the way. */
export let blocker: u64 = 0;

/**
 * flock_lock_inode(): changes the lock that an open file has on an inode, under i_lock and inside a transaction. Returns 0, -EAGAIN or -ENOLCK.
 * As in Linux a lock that is to become the other type is lost if the file cannot have that.
 */
export function flockLockInode(i: Inode, type: u32, owner: u64): i32 {
  let own = changetype<FileLock>(0);
  let ownAt: usize = 0;
  let inTheWay = false;
  let at = i.flctxAt;
  let n: u32 = 0;
  for (let l = lockAt(at); l; l = lockAt(at)) {
    if (n++ > <u32>FILE_LOCKS_MAX) corrupt(i.at);
    if (l.flags & FL_FLOCK) {
      if (l.owner == owner) {
        own = l;
        ownAt = at;
      } else if (type != F_UNLCK && conflicts(type, l.type)) {
        inTheWay = true;
        blocker = l.owner;
      }
    }
    at = l.at;
  }
  if (own && own.type == type) return 0;
  if (own && (type == F_UNLCK || inTheWay)) {
    unlinkLocks(ownAt, own, <usize>own.next);
    wakeBlocked(i);
    return inTheWay ? -EAGAIN : 0;
  }
  if (type == F_UNLCK) return 0;
  if (own) {
    set32(own.at + offsetof<FileLock>("flags"), type | FL_FLOCK);
    if (type == F_RDLCK) wakeBlocked(i);
    return 0;
  }
  if (inTheWay) return -EAGAIN;
  if (n >= <u32>FILE_LOCKS_MAX || countSpares() == 0) return -ENOLCK;
  const l = takeSpare();
  setLock(l, type | FL_FLOCK, owner, 0, OFFSET_MAX);
  set32(l.at, 0);
  put32(at, <u32>l.at);
  return 0;
}

// ------------------------------------------------------------------------------------------------- locks on ranges

/** posix_locks_conflict(): the first lock of another owner that excludes this one; null: none. */
export function posixConflict(i: Inode, type: u32, owner: u64, start: i64, end: i64): FileLock {
  let left = objectsMax();
  for (let l = lockAt(i.flctxAt); l; l = lockAt(l.at)) {
    if (left-- == 0) corrupt(i.at);
    if (!(l.flags & FL_POSIX) || l.owner == owner) continue;
    if (conflicts(type, l.type) && l.start <= end && start <= l.end) return l;
  }
  return changetype<FileLock>(0);
}

/** The owner's locks that a request meets: from the one at which the word at `runAt` points, up to the one before `runEnd`. */
let runAt: usize = 0;
let runEnd: usize = 0;
let runLength: u32 = 0;
/** The locks of all owners. */
let nrLocks: u32 = 0;

function isOf(l: FileLock, owner: u64): bool {
  return (l.flags & FL_POSIX) != 0 && l.owner == owner;
}

/** Where the owner's locks begin; the end of the list if it has none. Counts all. */
function ownersLocks(i: Inode, owner: u64): usize {
  let first: usize = 0;
  let at = i.flctxAt;
  nrLocks = 0;
  for (let l = lockAt(at); l; l = lockAt(at)) {
    if (nrLocks++ > <u32>FILE_LOCKS_MAX) corrupt(i.at);
    if (first == 0 && isOf(l, owner)) first = at;
    at = l.at;
  }
  return first != 0 ? first : at;
}

/** Finds what the request meets: own locks that overlap its range, and those of its own type that touch it. */
function findRun(i: Inode, type: u32, owner: u64, start: i64, end: i64): void {
  runAt = ownersLocks(i, owner);
  let l = lockAt(runAt);
  while (l && isOf(l, owner) && (l.type == type ? l.end < start - 1 : l.end < start)) {
    runAt = l.at;
    l = lockAt(runAt);
  }
  runLength = 0;
  while (l && isOf(l, owner) && (l.type == type ? l.start - 1 <= end : l.start <= end)) {
    runLength++;
    l = lockAt(l.at);
  }
  runEnd = l ? l.at : 0;
}

/** Where the next lock goes, and the next one that it may take the place of: at the end of a run, memory that is new. */
let placeAt: usize = 0;
let placeOf: usize = 0;

function place(flags: u32, owner: u64, start: i64, end: i64): void {
  let l: FileLock;
  if (placeOf != runEnd) {
    l = changetype<FileLock>(placeOf);
    placeOf = <usize>l.next;
  } else l = takeSpare();
  setLock(l, flags, owner, start, end);
  put32(placeAt, <u32>l.at);
  placeAt = l.at;
}

/**
 * posix_lock_inode(): changes the locks of an owner on a range of an inode, under i_lock and inside a transaction. `flags`: the type and FL_*.
 * Locks are split where the range ends in them, and those of one type that touch become one. Returns 0, -EAGAIN or -ENOLCK.
 */
export function posixLockInode(i: Inode, flags: u32, owner: u64, start: i64, end: i64): i32 {
  const type = flags & FL_TYPE;
  if (type != F_UNLCK) {
    const other = posixConflict(i, type, owner, start, end);
    if (other) {
      blocker = other.owner;
      return -EAGAIN;
    }
  }
  findRun(i, type, owner, start, end);
  if (type == F_UNLCK && runLength == 0) return 0;
  let from = start;
  let to = end;
  // What is left of locks of the other type before and behind the range: their flags, 0 for none.
  let before: u32 = 0;
  let behind: u32 = 0;
  let beforeStart: i64 = 0;
  let behindEnd: i64 = 0;
  const first = lockAt(runAt);
  let last = first;
  for (let n = runLength, l = first; n > 0; n--, l = lockAt(l.at)) {
    last = l;
    if (l.type == type) {
      from = min(from, l.start);
      to = max(to, l.end);
    } else {
      if (l.start < start) {
        before = l.flags;
        beforeStart = l.start;
      }
      if (l.end > end) {
        behind = l.flags;
        behindEnd = l.end;
      }
    }
  }
  if (runLength == 1 && last.type == type && last.start <= start && last.end >= end) return 0;
  const needed: u32 = (before != 0 ? 1 : 0) + (type != F_UNLCK ? 1 : 0) + (behind != 0 ? 1 : 0);
  if (needed > runLength) {
    const more = needed - runLength;
    if (more > countSpares() || nrLocks + more > <u32>FILE_LOCKS_MAX) return -ENOLCK;
  }
  const head = runAt;
  placeAt = head;
  placeOf = runLength != 0 ? first.at : runEnd;
  if (before != 0) place(before, owner, beforeStart, start - 1);
  if (type != F_UNLCK) place(flags, owner, from, to);
  if (behind != 0) place(behind, owner, end + 1, behindEnd);
  if (placeOf != runEnd) unlinkLocks(placeAt, changetype<FileLock>(placeOf), runEnd);
  else put32(placeAt, <u32>runEnd);
  // A write lock that grows lets no other in.
  if (type != F_WRLCK && runLength != 0) wakeBlocked(i);
  return 0;
}
