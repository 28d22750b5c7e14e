/** Pipes: pipe2(2), opens of FIFOs that wait, the size of a pipe. Reads and writes are those of descriptors. */

import { doPipe, doPipeSize } from "../vfs/pipe/create";
import { fifoCancel, fifoWait } from "../vfs/pipe/fifo";
import { writeLeftAt } from "../vfs/pipe/transfer";
import { syscallEnterActive, syscallEnterErr, syscallExit } from "./syscall";

/** pipe2(2): `flags` 0 or O_NONBLOCK. Returns the descriptor to read from, and the one to write to in the upper 16 bits. */
export function sysPipe(ctx: f64, flags: u32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doPipe(c, flags) : syscallEnterErr);
}

/** fcntl(2) with F_SETPIPE_SZ, with a size < 0 F_GETPIPE_SZ: returns the size in bytes. -EBADF for what is no pipe. */
export function sysPipeSize(ctx: f64, fd: i32, size: f64): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doPipeSize(c, fd, size) : syscallEnterErr);
}

/**
 * Goes on with this thread's open of a FIFO of which sysOpen() has returned OPENING less `fd`: waits for the other end. Returns `fd`, which is open now; PIPE_WAITS; or -EBADF: the
 * context has been closed. If it waits for too long, the open has not happened.
 */
export function sysFifoWait(ctx: f64, fd: i32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? fifoWait(c, fd) : syscallEnterErr);
}

/** Takes such an open back. 0 or -EBADF. */
export function sysFifoCancel(ctx: f64, fd: i32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? fifoCancel(c, fd) : syscallEnterErr);
}

/**
 * The address of the word on which this thread's last write to a pipe would have waited when it ended, with fewer bytes than it had, because the thread may wait no longer: it is
 * in SCRATCH.IO too (REQUEST_*). 0: it has ended for another reason.
 */
export function pipeLeft(): u32 {
  return <u32>writeLeftAt();
}
