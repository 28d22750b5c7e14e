/**
 * read, write, seek, truncate. File contents are changed under the inode's i_mutex, and read under it or, up to a page or two, without
 * it (fs/tmpfs/unlocked.ts); a file's position under its posLock, which is taken first.
 */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { EBADF, EFBIG, EINVAL, EISDIR, ENOSPC, EOPNOTSUPP, ESPIPE } from "../../../abi/errno";
import { IN_MODIFY, O_APPEND, O_NOATIME, SEEK_CUR, SEEK_END } from "../../../abi/flags";
import * as HOOK from "../../../abi/hooks";
import { IO_SIZE, MAX_RW_COUNT } from "../../../abi/limits";
import { ATTR_SIZE, NODE_MODE } from "../../../abi/memory";
import { S_IFMT } from "../../../abi/mode";
import * as POINT from "../../../abi/points";
import * as SCRATCH from "../../../abi/scratch";
import { callDriver, driverAttrU32 } from "../../fs/driver/hooks";
import {
  dataAppend,
  dataRead,
  dataRepair,
  dataReserve,
  dataReserveLimited,
  dataRoom,
  dataRun,
  dataRunBytes,
  dataWrite,
  MAX_FILE_SIZE,
} from "../../fs/tmpfs/data";
import { dataReplace, mayReplace, replaceBegin, replaceEnd, spareRun, spareRunBytes } from "../../fs/tmpfs/replace";
import { tmpfsTruncate } from "../../fs/tmpfs/tmpfs";
import { contentsChangeBegin, contentsChangeEnd, dataReadUnlocked } from "../../fs/tmpfs/unlocked";
import * as host from "../../host";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { Dentry } from "../dcache/dentry";
import { touchAtimeOfRead } from "../inode/atime";
import { removeSuid } from "../inode/attr";
import { currentTime, I_DRIVER, Inode, inodeNumber } from "../inode/inode";
import { pipeRead, pipeWrite } from "../pipe/transfer";
import { driverChanged, driverWritten, showDriverChange } from "../recovery/driver-change";
import { happened } from "../recovery/outcome";
import { makeSpace } from "../recovery/space";
import { Context } from "../task/cred";
import { File, FMODE_PIPE, FMODE_READ, FMODE_WRITE, fget, fput } from "./file";

/** The largest cookie that a float64 holds exactly. */
export const MAX_COOKIE_EXACT: f64 = 9007199254740991.0;

/**
 * read(2), pread(2): one read, however long: its locks are held until its last byte. `offset` < 0: at the file's
 * position, which advances. `direct`: the host copies the bytes out of the pages themselves.
 */
export function doRead(c: Context, fd: i32, offset: f64, n: u32, direct: bool): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  if (f.mode & FMODE_PIPE) return pipeRead(c, fd, f, offset, n, direct);
  let r: i32;
  if (!(f.mode & FMODE_READ)) r = -EBADF;
  else if (f.inode.isDir) r = -EISDIR;
  else if (offset >= 0) r = readAt(f, <i64>offset, n, direct);
  else {
    mutexLock(f.posLock);
    r = readAt(f, f.pos, n, direct);
    if (r > 0) f.pos += r;
    happened(r);
    mutexUnlock(f.posLock);
  }
  fput(f);
  return r;
}

function readAt(f: File, pos: i64, wanted: u32, direct: bool): i32 {
  const i = f.inode;
  const n = min<u32>(wanted, direct ? MAX_RW_COUNT : IO_SIZE);
  // Not into the caller's buffer: where the file has changed, bytes would be left there that it may not have.
  const unlocked = direct ? -1 : dataReadUnlocked(i, pos, scratch + SCRATCH.IO, n);
  if (unlocked >= 0) {
    fileAccessed(f);
    return unlocked;
  }
  mutexLock(i.mutex);
  const r = i.mode & I_DRIVER ? readDriver(i, pos, n, direct) : readContents(i, pos, n, direct);
  fileAccessed(f);
  mutexUnlock(i.mutex);
  return r;
}

/** Reads contents in memory: to scratch, or run by run to the caller's buffer. The pages stay while the caller holds i_mutex. */
export function readContents(i: Inode, pos: i64, wanted: u32, direct: bool): i32 {
  const left = i.size - pos;
  if (left <= 0) return 0;
  const n = left < <i64>wanted ? <u32>left : wanted;
  if (!direct) {
    dataRead(i, pos, scratch + SCRATCH.IO, n);
    return n;
  }
  for (let done: u32 = 0; done < n; ) {
    const run = dataRun(i, pos + done, n - done);
    const bytes = dataRunBytes;
    const err = host.copyToUser(run, done, bytes);
    if (err < 0) return done != 0 ? <i32>done : err;
    done += bytes;
    if (done < n) tracepoint(POINT.READ_PART, i.at, done);
  }
  return n;
}

/** Reads a driver's file through scratch, by as many hooks as the read has parts. */
function readDriver(i: Inode, pos: i64, n: u32, direct: bool): i32 {
  let done: u32 = 0;
  let r: i32;
  do {
    const part = min<u32>(n - done, IO_SIZE);
    r = driverRead(i, pos + done, part);
    if (r > 0 && direct) {
      const err = host.copyToUser(scratch + SCRATCH.IO, done, r);
      if (err < 0) r = err;
    }
    if (r <= 0) break;
    done += r;
    if (<u32>r < part) break;
  } while (done < n);
  return done != 0 ? <i32>done : r;
}

/** file_accessed(): a read has updated the file's time of access, one at the end of the file too. */
export function fileAccessed(f: File): void {
  if (!(f.flags & O_NOATIME)) touchAtimeOfRead(f.mnt, f.inode);
}

function driverRead(i: Inode, pos: i64, n: u32): i32 {
  if (!(i.sb.hooks & HOOK.READ)) return -EOPNOTSUPP;
  const r = <i32>callDriver(DRIVER_OP.READ, i.sb, inodeNumber(i), <f64>pos, <f64>n, 0);
  return r > <i32>n ? n : r;
}

/**
 * write(2), pwrite(2): one write, however long: its locks are held until its last byte, so that no other write comes in
 * between. Writes fewer bytes if the arena gets full; -ENOSPC if none fits. If the thread dies in it, a part of IO_SIZE
 * bytes is written as a whole or not at all: what is left is a prefix, as of a write that a signal ends. So the bytes of a
 * write of several parts go into the pages themselves where they add to the file, which a death takes back; and into new pages
 * that one transaction puts in the place of the old ones where they replace whole pages. Where they replace others they go through
 * scratch, from which recovery writes them again.
 */
export function doWrite(c: Context, fd: i32, offset: f64, n: u32): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  if (f.mode & FMODE_PIPE) return pipeWrite(c, fd, f, offset, n);
  let r: i32;
  if (!(f.mode & FMODE_WRITE)) r = -EBADF;
  else if (offset >= 0) r = writeAt(c, f, <i64>offset, n);
  else {
    mutexLock(f.posLock);
    r = writeAt(c, f, -1, n);
    mutexUnlock(f.posLock);
  }
  fput(f);
  return r;
}

/** `at` < 0: at the file's position, which advances. */
function writeAt(c: Context, f: File, at: i64, n: u32): i32 {
  const i = f.inode;
  mutexLock(i.mutex);
  contentsChangeBegin(i);
  // The end of the file is read under the lock: whatever another thread appends comes before or after the whole write.
  const pos = f.flags & O_APPEND ? i.size : at < 0 ? f.pos : at;
  const r = writeContents(c, f.dentry, i, at < 0 ? f.posAt : 0, pos, n);
  contentsChangeEnd(i);
  mutexUnlock(i.mutex);
  return r;
}

/** Writes under i_mutex, which is held from the first byte to the last. `posAddress`: of the position that moves; 0: none. */
export function writeContents(c: Context, d: Dentry, i: Inode, posAddress: usize, pos: i64, wanted: u32): i32 {
  const n = min<u32>(wanted, MAX_RW_COUNT);
  const long = n > <u32>IO_SIZE && !(i.mode & I_DRIVER);
  let done: u32 = 0;
  let r = 0;
  tracepoint(POINT.WRITE_BEGIN, i.at, n);
  if (long) replaceBegin();
  do {
    const at = pos + done;
    const part = min<u32>(n - done, IO_SIZE);
    const direct = long && at >= i.size;
    if (long && !direct && mayReplace(i, at, part)) {
      r = replacePart(c, d, i, posAddress, pos, done, part);
    } else {
      r = n > <u32>IO_SIZE && !direct ? host.copyFromUser(scratch + SCRATCH.IO, done, part) : 0;
      if (r == 0)
        r =
          i.mode & I_DRIVER
            ? driverWrite(d, i, posAddress, pos, done, part)
            : writePart(c, d, i, posAddress, pos, done, part, direct);
    }
    if (r <= 0) break;
    done += r;
    if (<u32>r < part) break;
    if (done < n) tracepoint(POINT.WRITE_PART, i.at, done);
  } while (done < n);
  if (long) replaceEnd();
  return done != 0 ? <i32>done : r;
}

/** Replaces pages of the file by `n` bytes of the caller's. They follow the `done` bytes that the write from `start` on has written already. */
function replacePart(c: Context, d: Dentry, i: Inode, posAddress: usize, start: i64, done: u32, n: u32): i32 {
  for (let copied: u32 = 0; copied < n; copied += spareRunBytes) {
    const run = spareRun(copied, n - copied);
    const err = host.copyFromUser(run, done + copied, spareRunBytes);
    if (err < 0) return err;
  }
  removeSuid(c, i);
  dataReplace(d, i, posAddress, start + done, n, currentTime());
  happened(done + n);
  return n;
}

/**
 * Writes `n` bytes from scratch or, if `direct`, from the caller's buffer; fewer if the arena gets full or the file as large as
 * a file may be. They follow the `done` bytes that the write from `start` on has written already.
 */
function writePart(
  c: Context,
  d: Dentry,
  i: Inode,
  posAddress: usize,
  start: i64,
  done: u32,
  n: u32,
  direct: bool,
): i32 {
  const pos = start + done;
  if (n == 0) return 0;
  if (pos >= MAX_FILE_SIZE) return -EFBIG;
  const fits = MAX_FILE_SIZE - pos < <i64>n ? <u32>(MAX_FILE_SIZE - pos) : n;
  const room = reserveRoom(i, pos, fits);
  if (room == 0) return -ENOSPC;
  if (direct) {
    const err = copyToRoom(i, pos, done, room);
    if (err < 0) return err;
    removeSuid(c, i);
    dataAppend(d, i, posAddress, pos, room, currentTime());
    happened(done + room);
    return room;
  }
  removeSuid(c, i);
  // From here on the write is completed, by this thread or for it.
  happened(done + room);
  dataWrite(d, i, posAddress, pos, scratch + SCRATCH.IO, room, currentTime());
  return room;
}

/** dataReserve(), which frees unused memory where the arena is full: whose limit is reached would gain nothing. */
export function reserveRoom(i: Inode, pos: i64, n: u32): u32 {
  let room = dataReserve(i, pos, n);
  for (let round: u32 = 0; room != n && !dataReserveLimited && makeSpace(round); round++)
    room += dataReserve(i, pos + room, n - room);
  return room;
}

/** Lets the host copy `n` bytes of the caller's, from byte `done` on, to the room reserved for them at the end of the file. */
function copyToRoom(i: Inode, pos: i64, done: u32, n: u32): i32 {
  for (let copied: u32 = 0; copied < n; ) {
    const run = dataRoom(i, pos + copied, n - copied);
    const bytes = dataRunBytes;
    const err = host.copyFromUser(run, done + copied, bytes);
    if (err < 0) {
      dataRepair(i);
      return err;
    }
    copied += bytes;
  }
  return 0;
}

function driverWrite(d: Dentry, i: Inode, posAddress: usize, start: i64, done: u32, n: u32): i32 {
  const pos = start + done;
  if (!(i.sb.hooks & HOOK.WRITE)) return -EOPNOTSUPP;
  const r = min<i32>(<i32>callDriver(DRIVER_OP.WRITE, i.sb, inodeNumber(i), <f64>pos, <f64>n, 0), n);
  if (r > 0) {
    if (posAddress != 0) store<i64>(posAddress, pos + r);
    driverWritten(d, i, pos + r);
    happened(done + r);
    showDriverChange();
  }
  return r;
}

/** lseek(2): returns the new position. */
export function doLseek(c: Context, fd: i32, offset: f64, whence: i32): f64 {
  const f = fget(c, fd);
  if (!f) return -(<f64>EBADF);
  if (f.mode & FMODE_PIPE) {
    fput(f);
    return -(<f64>ESPIPE);
  }
  mutexLock(f.posLock);
  let base: f64 = 0;
  if (whence == SEEK_CUR) base = <f64>f.pos;
  else if (whence == SEEK_END) base = <f64>f.inode.size;
  let to = base + offset;
  // The position of a directory is the cookie of an entry; its end has none.
  const max = f.inode.isDir ? MAX_COOKIE_EXACT : <f64>MAX_FILE_SIZE;
  if (whence < 0 || whence > SEEK_END || !(to >= 0) || to > max || (whence == SEEK_END && f.inode.isDir))
    to = -(<f64>EINVAL);
  else f.pos = <i64>to;
  happened(to);
  mutexUnlock(f.posLock);
  fput(f);
  return to;
}

/** ftruncate(2) */
export function doFtruncate(c: Context, fd: i32, size: f64): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  const i = f.inode;
  let r: i32;
  if (!(f.mode & FMODE_WRITE) || !i.isReg) r = -EINVAL;
  else r = truncateInode(c, f.dentry, i, size, 0);
  fput(f);
  return r;
}

/** do_truncate(). The caller has checked permission. `result`: what the call then returns; NaN: it has more to do. */
export function truncateInode(c: Context, d: Dentry, i: Inode, size: f64, result: f64): i32 {
  if (!(size >= 0)) return -EINVAL;
  if (size > <f64>MAX_FILE_SIZE) return -EFBIG;
  mutexLock(i.mutex);
  contentsChangeBegin(i);
  const r = i.mode & I_DRIVER ? driverTruncate(d, i, size, result) : truncateLocked(c, d, i, <i64>size, result);
  contentsChangeEnd(i);
  mutexUnlock(i.mutex);
  return r;
}

/** Under i_mutex, a file in memory. `result` as above. */
export function truncateLocked(c: Context, d: Dentry, i: Inode, size: i64, result: f64): i32 {
  removeSuid(c, i);
  tmpfsTruncate(d, i, size, result);
  return 0;
}

/** Under i_mutex. */
function driverTruncate(d: Dentry, i: Inode, size: f64, result: f64): i32 {
  if (!(i.sb.hooks & HOOK.SETATTR)) return -EOPNOTSUPP;
  const r = <i32>callDriver(DRIVER_OP.SETATTR, i.sb, inodeNumber(i), <f64>ATTR_SIZE, size, 0);
  if (r != 0) return r;
  if ((driverAttrU32(NODE_MODE) & S_IFMT) != i.type) return -EINVAL;
  driverChanged(d, i, IN_MODIFY);
  happened(result);
  showDriverChange();
  return 0;
}
