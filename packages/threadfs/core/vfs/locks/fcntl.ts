/**
 * flock(2), and the locks of ranges of fcntl(2): arguments, owners, waiting.
 *
 * A request that finds a lock in its way and may wait becomes one that waits (blocked.ts). Its thread sleeps outside of all that other threads
 * wait for: it is quiescent, and has no lock. Or the host awaits the word of the request, and makes it again when that changes.
 */
import { EAGAIN, EBADF, EINVAL, ENOLCK, EOVERFLOW } from "../../../abi/errno";
import {
  F_GETLK,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_RDLCK,
  F_SETLK,
  F_SETLKW,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
} from "../../../abi/flags";
import {
  FLOCK_LEN,
  FLOCK_PID,
  FLOCK_START,
  FLOCK_TYPE,
  FLOCK_WHENCE,
  REQUEST_SEEN,
  REQUEST_WORD,
} from "../../../abi/memory";
import * as SCRATCH from "../../../abi/scratch";
import * as host from "../../host";
import { kmalloc, slabFree } from "../../mem/alloc/slab";
import { lock, mutexLock, mutexUnlock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { canWait, scratch, slot, tid } from "../../mem/thread";
import { isPast, timedOut, waitDeadline } from "../../mem/wait";
import { fdLockOf } from "../file/fdtable";
import { File, FMODE_READ, FMODE_WRITE, fdFile, fget, fput } from "../file/file";
import { happened } from "../recovery/outcome";
import { enterActive, leaveActive } from "../recovery/quiescence";
import { makeSpace } from "../recovery/space";
import { acquireContext } from "../task/context-ref";
import { Context } from "../task/cred";
import { BLOCKED_SIZE, BlockedLock, deleteBlock, initRequest, insertBlock, requestOf } from "./blocked";
import { allocSpares, FL_FLOCK, FL_OFDLCK, FL_POSIX, FL_TYPE, freeLocks, freeSpares, OFFSET_MAX } from "./file-lock";
import { blocker, flockLockInode, posixConflict, posixLockInode } from "./flock";

/** Result of a request that waits. */
const WAITS: i32 = 1;
/** Polls of the word of a request between two looks at the clock, by a thread that may not sleep. */
const SPINS: i32 = 200;
/** A thread that sleeps becomes active again after this time, because a recount may be due that it alone can make. */
const SLEEP_MS: f64 = 1000;

/** The request that the present call has put on the list, and would take off again. 0: none. */
let waiting: usize = 0;

/** The present request: its descriptor, type and FL_*, owner, range. */
let askedFd: i32 = 0;
let askedFlags: u32 = 0;
let askedOwner: u64 = 0;
let askedStart: i64 = 0;
let askedEnd: i64 = 0;

function ask(fd: i32, flags: u32, owner: u64, start: i64, end: i64): void {
  askedFd = fd;
  askedFlags = flags;
  askedOwner = owner;
  askedStart = start;
  askedEnd = end;
}

/** Whether a lock is one of a context. */
function isOfContext(flags: u32): bool {
  return (flags & (FL_POSIX | FL_OFDLCK)) == FL_POSIX;
}

/** The owner of a lock that a context asks for by a descriptor. */
function ownerOf(c: Context, f: File, flags: u32): u64 {
  return isOfContext(flags) ? reinterpret<u64>(c.number) : <u64>f.at;
}

/**
 * Makes the present request, in one transaction: for the first time with `r` null, and then with memory at `p` for it to wait in, 0: it does not
 * wait. Returns 0, WAITS, or -errno, with which it is off the list.
 */
function attempt(c: Context, f: File, r: BlockedLock, p: usize): i32 {
  const i = f.inode;
  let err = 0;
  txBegin();
  lock(i.lock);
  if (isOfContext(askedFlags)) {
    // fdClose() removes the locks of the context: one that came later would stay. Held until the commit, as by fdClose().
    const guard = fdLockOf(c, askedFd);
    lock(guard);
    if (fdFile(c, askedFd) != f) err = -EBADF;
    unlock(guard);
  }
  if (err == 0) {
    if (askedFlags & FL_FLOCK) err = flockLockInode(i, askedFlags & FL_TYPE, askedOwner);
    else err = posixLockInode(i, askedFlags, askedOwner, askedStart, askedEnd);
  }
  if (err == -EAGAIN && (r || p != 0)) {
    const waits = r ? r : initRequest(p, f, askedFd, askedFlags, askedOwner, askedStart, askedEnd);
    err = insertBlock(waits, blocker, !r);
    if (err == 0) err = WAITS;
  }
  if (r && err != WAITS) deleteBlock(r);
  unlock(i.lock);
  txEnd();
  return err;
}

/** The same with the memory that it may need. `waits`: now; `mayWait`: the call may. */
function attemptWithMemory(c: Context, f: File, r: BlockedLock, waits: bool, mayWait: bool): i32 {
  // To unlock all needs none: that must not fail.
  const unlocksAll = (askedFlags & FL_TYPE) == F_UNLCK && askedStart == 0 && askedEnd == OFFSET_MAX;
  allocSpares(unlocksAll ? 0 : askedFlags & FL_FLOCK ? 1 : 2);
  const p = waits && !r ? kmalloc(BLOCKED_SIZE, false) : 0;
  const err = waits && !r && p == 0 ? -ENOLCK : attempt(c, f, r, p);
  if (err == WAITS) {
    if (!r) waiting = p;
  } else {
    waiting = 0;
    // With -EAGAIN a lock that was to become the other type may be lost. A request that has ended cannot be made again.
    if (err == 0 || (err == -EAGAIN && !mayWait) || r != null) happened(err);
  }
  freeSpares();
  if (p != 0 && err != WAITS) slabFree(p);
  return err;
}

/**
 * Makes the present request: first without memory to wait in, as nearly all are granted. A request that waits has the caller's reference on
 * the file; a new one is `waiting`. Any other result is certain.
 */
function request(c: Context, f: File, r: BlockedLock, mayWait: bool): i32 {
  let err = -EAGAIN;
  if (!r) err = attemptWithMemory(c, f, r, false, mayWait);
  if (err == -EAGAIN && mayWait) err = attemptWithMemory(c, f, r, true, true);
  for (let round: u32 = 0; err == -ENOLCK && !r && makeSpace(round); round++)
    err = attemptWithMemory(c, f, r, mayWait, mayWait);
  freeLocks(slot);
  return err;
}

/** Sleeps until the word of a request has changed, or for a while. */
function sleepOn(word: usize, seen: u32, deadline: f64): void {
  if (canWait) {
    const left = deadline - host.clock();
    if (left > 0) host.wait(word, <i32>seen, min(left, SLEEP_MS));
  } else {
    for (let i = 0; i < SPINS && atomic.load<u32>(word) == seen; i++) {}
  }
}

/** Makes the present request until it is granted. The context is acquired, `f` a reference that this function puts. */
function lockWait(c: Context, f: File): i32 {
  const deadline = waitDeadline();
  const number = c.number;
  let r = changetype<BlockedLock>(0);
  let late = false;
  while (true) {
    const err = request(c, f, r, true);
    if (err != WAITS) {
      fput(f);
      return err;
    }
    if (!r) r = changetype<BlockedLock>(waiting);
    const word = <usize>r.word;
    if (late) {
      giveUp(r);
      leaveActive();
      timedOut(word);
    }
    const seen = r.seen;
    leaveActive();
    sleepOn(word, seen, deadline);
    enterActive();
    if (acquireContext(number) == null) {
      giveUp(r);
      return -EBADF;
    }
    late = isPast(deadline);
  }
}

/** Takes a request that waits off the list, and puts its reference. The caller is active. */
function giveUp(r: BlockedLock): void {
  const f = changetype<File>(<usize>r.file);
  const found = deleteBlock(r);
  waiting = 0;
  freeLocks(slot);
  if (found) fput(f);
}

/** The thread's call has been left while its request waited. May have to wait itself; then it is called again. */
export function lockAbandon(): void {
  if (waiting == 0) return;
  enterActive();
  const r = requestOf(tid, waiting);
  if (r) giveUp(r);
  waiting = 0;
  leaveActive();
}

/**
 * Gives up the requests of a thread that is this one or has ended. `trapped`: the references stay counted. The caller is active. If
 * it dies, another thread goes on.
 */
export function giveUpRequestsOf(thread: u32, trapped: bool): void {
  for (let r = requestOf(thread, 0); r; r = requestOf(thread, 0)) {
    const f = changetype<File>(<usize>r.file);
    deleteBlock(r);
    freeLocks(slot);
    if (!trapped) fput(f);
  }
}

// ------------------------------------------------------------------------------------------------- calls

/** How a request waits: not at all, in the core, or in the host. */
export const NO_WAIT: i32 = 0;
export const WAIT_HERE: i32 = 1;
export const WAIT_IN_HOST: i32 = 2;

/** Makes a request by a descriptor. Returns 0, -errno, or with WAIT_IN_HOST the address of the request that waits. */
function lockFile(c: Context, f: File, fd: i32, flags: u32, start: i64, end: i64, how: i32): f64 {
  ask(fd, flags, ownerOf(c, f, flags), start, end);
  if (how == WAIT_HERE) return <f64>lockWait(c, f);
  const err = request(c, f, changetype<BlockedLock>(0), how == WAIT_IN_HOST);
  if (err == WAITS) return shown(changetype<BlockedLock>(waiting));
  fput(f);
  return <f64>err;
}

/** The result of a request that the host awaits: its word goes to SCRATCH.IO. */
function shown(r: BlockedLock): f64 {
  store<u32>(scratch + SCRATCH.IO, r.word, REQUEST_WORD);
  store<u32>(scratch + SCRATCH.IO, r.seen, REQUEST_SEEN);
  waiting = 0;
  return <f64>(<u32>r.at);
}

/** flock(2). LOCK_NB counts more than `how`. */
export function doFlock(c: Context, fd: i32, op: u32, how: i32): f64 {
  const what = op & ~LOCK_NB;
  if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN) return -EINVAL;
  const type = what == LOCK_SH ? F_RDLCK : what == LOCK_EX ? F_WRLCK : F_UNLCK;
  const f = fget(c, fd);
  if (!f) return -EBADF;
  if (type != F_UNLCK && !(f.mode & (FMODE_READ | FMODE_WRITE))) {
    fput(f);
    return -EBADF;
  }
  const never = (op & LOCK_NB) != 0 || what == LOCK_UN;
  return lockFile(c, f, fd, type | FL_FLOCK, 0, OFFSET_MAX, never ? NO_WAIT : how);
}

/** Second and third return value of flockToPosixLock(). */
let rangeStart: i64 = 0;
let rangeEnd: i64 = 0;

/** flock64_to_posix_lock(): the range that `start` and `len` mean in a file. 0, -EINVAL or -EOVERFLOW. */
function flockToPosixLock(f: File, whence: i32, start: f64, len: f64): i32 {
  let base: i64 = 0;
  if (whence == SEEK_CUR) {
    mutexLock(f.posLock);
    base = f.pos;
    mutexUnlock(f.posLock);
  } else if (whence == SEEK_END) base = f.inode.size;
  else if (whence != SEEK_SET) return -EINVAL;
  // Neither has more than 53 bits: sums do not overflow.
  const from = base + <i64>start;
  const length = <i64>len;
  if (from < 0) return -EINVAL;
  rangeStart = from;
  rangeEnd = OFFSET_MAX;
  if (length > 0) rangeEnd = from + length - 1;
  else if (length < 0) {
    if (from + length < 0) return -EINVAL;
    rangeEnd = from - 1;
    rangeStart = from + length;
  }
  return 0;
}

const NUMBER_MAX: f64 = 9007199254740991.0;

/** fcntl_getlk(), fcntl_setlk(): the commands of fcntl(2) for locks. `how`: of F_SETLKW and F_OFD_SETLKW. */
export function doFcntlLock(
  c: Context,
  fd: i32,
  cmd: i32,
  type: i32,
  whence: i32,
  start: f64,
  len: f64,
  how: i32,
): f64 {
  const isGet = cmd == F_GETLK || cmd == F_OFD_GETLK;
  const waits = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
  const f = fget(c, fd);
  if (!f) return -EBADF;
  let err = 0;
  if (!isGet && !waits && cmd != F_SETLK && cmd != F_OFD_SETLK) err = -EINVAL;
  else if (type != F_RDLCK && type != F_WRLCK && (type != F_UNLCK || isGet)) err = -EINVAL;
  else if (!(abs(start) <= NUMBER_MAX && abs(len) <= NUMBER_MAX)) err = -EOVERFLOW;
  else err = flockToPosixLock(f, whence, start, len);
  if (err == 0 && !isGet) {
    if (type == F_RDLCK && !(f.mode & FMODE_READ)) err = -EBADF;
    if (type == F_WRLCK && !(f.mode & FMODE_WRITE)) err = -EBADF;
  }
  if (err != 0) {
    fput(f);
    return <f64>err;
  }
  const flags: u32 = <u32>type | (cmd >= F_OFD_GETLK ? FL_POSIX | FL_OFDLCK : FL_POSIX);
  if (isGet) {
    getLock(f, <u32>type, ownerOf(c, f, flags), rangeStart, rangeEnd);
    fput(f);
    return 0;
  }
  return lockFile(c, f, fd, flags, rangeStart, rangeEnd, waits && type != F_UNLCK ? how : NO_WAIT);
}

/** posix_test_lock(): writes the lock that is in the way to SCRATCH.IO as struct flock (FLOCK_*), with the type F_UNLCK if there is none. */
function getLock(f: File, type: u32, owner: u64, start: i64, end: i64): void {
  const to = scratch + SCRATCH.IO;
  const i = f.inode;
  lock(i.lock);
  const l = posixConflict(i, type, owner, start, end);
  store<f64>(to, <f64>(l ? l.type : <u32>F_UNLCK), FLOCK_TYPE);
  store<f64>(to, <f64>SEEK_SET, FLOCK_WHENCE);
  if (l) {
    store<f64>(to, <f64>l.start, FLOCK_START);
    store<f64>(to, l.end == OFFSET_MAX ? 0 : <f64>(l.end - l.start + 1), FLOCK_LEN);
    // A description has no number.
    store<f64>(to, l.flags & FL_OFDLCK ? -1 : reinterpret<f64>(l.owner), FLOCK_PID);
  }
  unlock(i.lock);
}

/**
 * Makes a request again that the host has awaited. Returns as lockFile(); -EINVAL: this thread has no such request; -EBADF: the context has been
 * closed, and the request is given up.
 */
export function doLockRetry(ctx: f64, p: usize): f64 {
  const r = requestOf(tid, p);
  if (!r || p == 0) return -EINVAL;
  const c = acquireContext(ctx);
  if (c == null) {
    giveUp(r);
    return -EBADF;
  }
  const f = changetype<File>(<usize>r.file);
  ask(r.fd, r.flags, r.owner, r.start, r.end);
  const err = request(c, f, r, true);
  if (err == WAITS) return shown(r);
  fput(f);
  return <f64>err;
}

/** Gives up a request that the host has awaited. 0 or -EINVAL. */
export function doLockCancel(p: usize): i32 {
  const r = requestOf(tid, p);
  if (!r || p == 0) return -EINVAL;
  giveUp(r);
  return 0;
}
