/** Advisory locks: flock(2), the locks of fcntl(2), and requests for them that the host awaits. */

import { EINVAL } from "../../abi/errno";
import { doFcntlLock, doFlock, doLockCancel, doLockRetry, WAIT_HERE, WAIT_IN_HOST } from "../vfs/locks/fcntl";
import { enterActive } from "../vfs/recovery/quiescence";
import { syscallEnter, syscallEnterActive, syscallEnterErr, syscallExit, syscallExitF } from "./syscall";

/**
 * flock(2). `op`: LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB. Without that the thread sleeps until it has the lock, or has waited for too
 * long (waitLimit()). Returns 0, -EBADF, -EINVAL, -EAGAIN or -ENOLCK.
 */
export function sysFlock(ctx: f64, fd: i32, op: i32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? <i32>doFlock(c, fd, op, WAIT_HERE) : syscallEnterErr);
}

/**
 * fcntl(2) with F_GETLK, F_SETLK, F_SETLKW or the OFD form of one. `type`: F_RDLCK, F_WRLCK or F_UNLCK; `start`, `len`: float64, below
 * 2^53. F_GETLK leaves struct flock in SCRATCH.IO (FLOCK_*). Returns 0, -EBADF, -EINVAL, -EOVERFLOW, -EAGAIN, -ENOLCK, or -EDEADLK of F_SETLKW.
 */
export function sysFcntlLock(ctx: f64, fd: i32, cmd: i32, type: i32, whence: i32, start: f64, len: f64): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? <i32>doFcntlLock(c, fd, cmd, type, whence, start, len, WAIT_HERE) : syscallEnterErr);
}

/**
 * The same calls for a host that awaits: where they would sleep, they leave a request that waits, and return its number, which is greater
 * than 0. The word that it waits on is in SCRATCH.IO (REQUEST_*). When that has changed lockRetry() makes the request again;
 * lockCancel() gives it up. It also ends with the thread.
 */
export function lockRequest(ctx: f64, fd: i32, op: i32): f64 {
  const c = syscallEnterActive(ctx);
  return syscallExitF(c != null ? doFlock(c, fd, op, WAIT_IN_HOST) : <f64>syscallEnterErr);
}

export function lockRequestRange(ctx: f64, fd: i32, cmd: i32, type: i32, whence: i32, start: f64, len: f64): f64 {
  const c = syscallEnterActive(ctx);
  return syscallExitF(
    c != null ? doFcntlLock(c, fd, cmd, type, whence, start, len, WAIT_IN_HOST) : <f64>syscallEnterErr,
  );
}

/** Makes a request again. Returns as lockRequest(), -EINVAL if the thread has no such request. */
export function lockRetry(ctx: f64, request: f64): f64 {
  // Not by its context: the request of one that has been closed is given up.
  if (!syscallEnter()) return syscallEnterErr;
  enterActive();
  if (request < 1 || request > <f64>u32.MAX_VALUE) return syscallExitF(-EINVAL);
  return syscallExitF(doLockRetry(ctx, <usize>request));
}

/** Gives a request up. 0 or -EINVAL. */
export function lockCancel(request: f64): i32 {
  if (!syscallEnter()) return syscallEnterErr;
  enterActive();
  if (request < 1 || request > <f64>u32.MAX_VALUE) return syscallExit(-EINVAL);
  return syscallExit(doLockCancel(<usize>request));
}
