/** Calls that take a descriptor. */

import { EBADF, EINVAL } from "../../abi/errno";
import { SEEK_DATA, SEEK_HOLE } from "../../abi/flags";
import { closed, fdClose, fdCloseTagged } from "../vfs/file/close";
import { File, FMODE_PIPE, fput } from "../vfs/file/file";
import { doCopyFileRange, doFallocate, doSeekHole } from "../vfs/file/ranges";
import { doFtruncate, doLseek, doRead, doWrite } from "../vfs/file/read-write";
import { doGetdents } from "../vfs/file/readdir";
import { doFileFlags, doPoll } from "../vfs/file/status";
import { vfsGetattr } from "../vfs/inode/attr";
import { happened } from "../vfs/recovery/outcome";
import {
  fileArgument,
  rawFileArgument,
  syscallEnterActive,
  syscallEnterErr,
  syscallExit,
  syscallExitF,
} from "./syscall";

/** fstat(2): fills SCRATCH.STAT. */
export function sysFstat(ctx: f64, fd: i32): i32 {
  const f = rawFileArgument(ctx, fd);
  if (!f) return syscallExit(syscallEnterErr);
  const r = vfsGetattr(f.mnt, f.inode, false);
  fput(f);
  return syscallExit(r);
}

/** close(2) */
export function sysClose(ctx: f64, fd: i32): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  return closeEnd(fdClose(c, fd));
}

/** Ends close(2) with the file that its descriptor meant. */
function closeEnd(f: File): i32 {
  if (!f) return syscallExit(-EBADF);
  happened(0);
  closed(f);
  return syscallExit(0);
}

/**
 * close(2) of the context's descriptor whose file has a tag (sysOpenTagged()): for what a thread has left that has ended. -EBADF: none has it, so
 * that it was closed already, or never opened. The tag is not 0.
 */
export function sysCloseTagged(ctx: f64, tagHigh: u32, tagLow: u32): i32 {
  const tag = ((<u64>tagHigh) << 32) | <u64>tagLow;
  if (tag == 0) return syscallExit(-EINVAL);
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  return closeEnd(fdCloseTagged(c, tag));
}

/** read(2), pread(2): reads at most n bytes, up to IO_SIZE, to SCRATCH.IO. Offset -1: at the file's position, which advances. */
export function sysRead(ctx: f64, fd: i32, offset: f64, n: u32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doRead(c, fd, offset, n, false) : syscallEnterErr);
}

/** The same of any number of bytes, which the host's copyToUser() copies out of the pages. */
export function sysReadDirect(ctx: f64, fd: i32, offset: f64, n: u32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doRead(c, fd, offset, n, true) : syscallEnterErr);
}

/**
 * write(2), pwrite(2): writes n bytes from SCRATCH.IO. Offset -1: as for `sysRead`. With n > IO_SIZE the host's
 * copyFromUser() supplies them instead.
 */
export function sysWrite(ctx: f64, fd: i32, offset: f64, n: u32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doWrite(c, fd, offset, n) : syscallEnterErr);
}

/** lseek(2): returns the new position, a float64. whence: SEEK_*, also SEEK_DATA and SEEK_HOLE. */
export function sysLseek(ctx: f64, fd: i32, offset: f64, whence: i32): f64 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExitF(syscallEnterErr);
  const seeksHole = whence == SEEK_DATA || whence == SEEK_HOLE;
  return syscallExitF(seeksHole ? doSeekHole(c, fd, offset, whence) : doLseek(c, fd, offset, whence));
}

/** fallocate(2): `mode` 0, FALLOC_FL_KEEP_SIZE, or FALLOC_FL_PUNCH_HOLE with that; anything else is -EOPNOTSUPP. */
export function sysFallocate(ctx: f64, fd: i32, mode: u32, offset: f64, len: f64): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doFallocate(c, fd, mode, offset, len) : syscallEnterErr);
}

/** copy_file_range(2): returns the bytes copied, a float64. An offset of -1: at the file's position, which advances. */
export function sysCopyFileRange(ctx: f64, fdIn: i32, offIn: f64, fdOut: i32, offOut: f64, len: f64): f64 {
  const c = syscallEnterActive(ctx);
  return syscallExitF(c != null ? doCopyFileRange(c, fdIn, offIn, fdOut, offOut, len) : <f64>syscallEnterErr);
}

/** ftruncate(2) */
export function sysFtruncate(ctx: f64, fd: i32, size: f64): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doFtruncate(c, fd, size) : syscallEnterErr);
}

/**
 * getdents(2): fills SCRATCH.IO with at most `entries` entries (DIRENT_*, abi/memory.ts), without "." and "..". 0: as many as fit. A driver's
 * directory may return more. `from`: the position, as an entry's DIRENT_OFF has it, that the descriptor moves to before (lseek(2)), in the same step;
 * -1: it stays where it is. Returns the bytes filled, 0 at the end.
 */
export function sysGetdents(ctx: f64, fd: i32, entries: u32, from: f64): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doGetdents(c, fd, entries == 0 ? u32.MAX_VALUE : entries, from) : syscallEnterErr);
}

/**
 * fcntl(2) with F_SETFL, with `flags` < 0 F_GETFL: returns the flags of the open file. O_APPEND and O_NONBLOCK can be set and removed; the others stay as
 * they are. -EBADF also for a descriptor with O_PATH, if it is to be changed.
 */
export function sysFileFlags(ctx: f64, fd: i32, flags: i32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doFileFlags(c, fd, flags) : syscallEnterErr);
}

/**
 * poll(2) of one descriptor, without waiting: which of the `events` (POLLIN, POLLOUT) there are, and POLLHUP and POLLERR. Of a pipe the bytes that can
 * be read are in SCRATCH.IO (POLL_BYTES) and, if there is no event, the word that changes before there is one (REQUEST_*).
 */
export function sysPoll(ctx: f64, fd: i32, events: u32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doPoll(c, fd, events) : syscallEnterErr);
}

/** fsync(2): there is nothing to write back. -EINVAL for a pipe. */
export function sysFsync(ctx: f64, fd: i32): i32 {
  const f = fileArgument(ctx, fd);
  if (!f) return syscallExit(syscallEnterErr);
  const r = f.mode & FMODE_PIPE ? -EINVAL : 0;
  fput(f);
  return syscallExit(r);
}
