/**
 * read, write, seek, truncate. File contents are read and changed under the inode's i_mutex, a file's position under
 * its posLock, which is taken first.
 */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { EBADF, EFBIG, EINVAL, EISDIR, ENOSPC, EOPNOTSUPP } from "../../../abi/errno";
import { O_APPEND, SEEK_CUR, SEEK_END } from "../../../abi/flags";
import * as HOOK from "../../../abi/hooks";
import { IO_SIZE } from "../../../abi/limits";
import { ATTR_SIZE, NODE_MODE } from "../../../abi/memory";
import { S_IFMT } from "../../../abi/mode";
import * as SCRATCH from "../../../abi/scratch";
import { callDriver, driverAttrU32 } from "../../fs/driver/hooks";
import { dataRead, dataReserve, dataWrite, MAX_FILE_SIZE } from "../../fs/tmpfs/data";
import { tmpfsTruncate } from "../../fs/tmpfs/tmpfs";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { removeSuid } from "../inode/attr";
import { setDriverAttr } from "../inode/icache";
import { beginAttr, currentTime, endAttr, I_DRIVER, Inode, inodeNumber } from "../inode/inode";
import { makeSpace } from "../recovery/reclaim";
import { Context } from "../task/cred";
import { File, FMODE_READ, FMODE_WRITE, fget, fput } from "./file";

/** read(2), pread(2): reads at most IO_SIZE bytes to scratch. `offset` < 0: at the file's position, which advances. */
export function doRead(c: Context, fd: i32, offset: f64, n: u32): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  let r: i32;
  if (!(f.mode & FMODE_READ)) r = -EBADF;
  else if (f.inode.isDir) r = -EISDIR;
  else if (offset >= 0) r = readAt(f.inode, <i64>offset, n);
  else {
    mutexLock(f.posLock);
    r = readAt(f.inode, f.pos, n);
    if (r > 0) f.pos += r;
    mutexUnlock(f.posLock);
  }
  fput(f);
  return r;
}

function readAt(i: Inode, pos: i64, wanted: u32): i32 {
  let n: u32 = wanted > <u32>IO_SIZE ? IO_SIZE : wanted;
  mutexLock(i.mutex);
  let r = 0;
  if (i.mode & I_DRIVER) {
    r =
      i.sb.hooks & HOOK.READ ? <i32>callDriver(DRIVER_OP.READ, i.sb, inodeNumber(i), <f64>pos, <f64>n, 0) : -EOPNOTSUPP;
  } else {
    const left = i.size - pos;
    if (left > 0) {
      if (left < <i64>n) n = <u32>left;
      dataRead(i, pos, scratch + SCRATCH.IO, n);
      if (n != 0) touchAtime(i);
      r = n;
    }
  }
  mutexUnlock(i.mutex);
  return r;
}

/** touch_atime(), as with relatime: updates atime only if it is not later than the last change. */
function touchAtime(i: Inode): void {
  const atime = i.atime;
  if (atime > i.mtime && atime > i.ctime) return;
  const t = currentTime();
  if (t == atime) return;
  beginAttr(i);
  i.atime = t;
  endAttr(i);
}

/** write(2), pwrite(2): writes `n` bytes from scratch, fewer if the arena gets full; -ENOSPC if none fits. */
export function doWrite(c: Context, fd: i32, offset: f64, n: u32): i32 {
  if (n > <u32>IO_SIZE) return -EINVAL;
  const f = fget(c, fd);
  if (!f) return -EBADF;
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
  const pos = f.flags & O_APPEND ? i.size : at < 0 ? f.pos : at;
  let r: i32;
  if (i.mode & I_DRIVER) {
    r = driverWrite(i, pos, n);
  } else if (n == 0) {
    r = 0;
  } else if (pos > MAX_FILE_SIZE - <i64>n) {
    r = -EFBIG;
  } else {
    r = writeData(c, f, pos, n, at < 0);
  }
  // Advances the position for a driver. dataWrite() has advanced it for a file in memory.
  if (at < 0 && r > 0 && i.mode & I_DRIVER) f.pos = pos + r;
  mutexUnlock(i.mutex);
  return r;
}

function writeData(c: Context, f: File, pos: i64, n: u32, moves: bool): i32 {
  const i = f.inode;
  let room = dataReserve(i, pos, n);
  if (room < n && makeSpace()) room += dataReserve(i, pos + room, n - room);
  if (room == 0) return -ENOSPC;
  removeSuid(c, i);
  dataWrite(i, moves ? f.posAt : 0, pos, scratch + SCRATCH.IO, room, currentTime());
  return room;
}

function driverWrite(i: Inode, pos: i64, n: u32): i32 {
  if (!(i.sb.hooks & HOOK.WRITE)) return -EOPNOTSUPP;
  const r = <i32>callDriver(DRIVER_OP.WRITE, i.sb, inodeNumber(i), <f64>pos, <f64>n, 0);
  if (r > 0) {
    const t = currentTime();
    beginAttr(i);
    if (pos + r > i.size) i.size = pos + r;
    i.mtime = t;
    i.ctime = t;
    endAttr(i);
  }
  return r;
}

/** lseek(2): returns the new position. */
export function doLseek(c: Context, fd: i32, offset: f64, whence: i32): f64 {
  const f = fget(c, fd);
  if (!f) return -(<f64>EBADF);
  mutexLock(f.posLock);
  let base: f64 = 0;
  if (whence == SEEK_CUR) base = <f64>f.pos;
  else if (whence == SEEK_END) base = <f64>f.inode.size;
  let to = base + offset;
  if (whence < 0 || whence > SEEK_END || !(to >= 0) || to > <f64>MAX_FILE_SIZE) to = -(<f64>EINVAL);
  else f.pos = <i64>to;
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
  else r = truncateInode(c, i, size);
  fput(f);
  return r;
}

/** do_truncate(). The caller has checked permission. */
export function truncateInode(c: Context, i: Inode, size: f64): i32 {
  if (!(size >= 0)) return -EINVAL;
  if (size > <f64>MAX_FILE_SIZE) return -EFBIG;
  mutexLock(i.mutex);
  const r = i.mode & I_DRIVER ? driverTruncate(i, size) : truncateLocked(c, i, <i64>size);
  mutexUnlock(i.mutex);
  return r;
}

/** Under i_mutex. */
export function truncateLocked(c: Context, i: Inode, size: i64): i32 {
  tmpfsTruncate(i, size);
  removeSuid(c, i);
  return 0;
}

/** Under i_mutex. */
export function driverTruncate(i: Inode, size: f64): i32 {
  if (!(i.sb.hooks & HOOK.SETATTR)) return -EOPNOTSUPP;
  const r = <i32>callDriver(DRIVER_OP.SETATTR, i.sb, inodeNumber(i), <f64>ATTR_SIZE, size, 0);
  if (r == 0 && (driverAttrU32(NODE_MODE) & S_IFMT) == i.type) setDriverAttr(i);
  return r;
}
