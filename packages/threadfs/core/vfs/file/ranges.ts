/** Calls on ranges of contents: fallocate(2), lseek(2) to data and holes, copy_file_range(2). */
import { EBADF, EFBIG, EINVAL, EISDIR, ENODEV, ENOSPC, ENXIO, EOPNOTSUPP, EOVERFLOW, ESPIPE } from "../../../abi/errno";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, IN_MODIFY, O_APPEND, SEEK_DATA } from "../../../abi/flags";
import { IO_SIZE, MAX_RW_COUNT } from "../../../abi/limits";
import * as POINT from "../../../abi/points";
import * as SCRATCH from "../../../abi/scratch";
import { dataRead, dataWrite, MAX_FILE_SIZE, PAGE, PAGE_SHIFT, setSize } from "../../fs/tmpfs/data";
import { dataClearBeyond, dataGiveBack, dataHoles, dataPunch, dataPunchBegin, dataSeek } from "../../fs/tmpfs/holes";
import { hasBlocks, isLimited } from "../../fs/tmpfs/quota";
import { contentsChangeBegin, contentsChangeEnd } from "../../fs/tmpfs/unlocked";
import { objectsMax } from "../../mem/bounds";
import { mutexLock, mutexUnlock, txBegin, txEnd } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { removeSuid } from "../inode/attr";
import { currentTime, I_DRIVER, Inode } from "../inode/inode";
import { changeBegin, changeEnd } from "../notify/fsnotify";
import { happened } from "../recovery/outcome";
import { Context } from "../task/cred";
import { File, FMODE_PIPE, FMODE_READ, FMODE_WRITE, fget, fput } from "./file";
import { fileAccessed, reserveRoom } from "./read-write";

// ------------------------------------------------------------------------------------------------- fallocate

/**
 * fallocate(2), with the modes that Linux's tmpfs has: 0 makes room, with which the file grows; FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE takes it
 * away. FALLOC_FL_KEEP_SIZE alone makes room up to the end of the file; there is none beyond it (-EOPNOTSUPP).
 */
export function doFallocate(c: Context, fd: i32, mode: u32, offset: f64, len: f64): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  let r = checkFallocate(f, mode, offset, len);
  if (r == 0) {
    const i = f.inode;
    mutexLock(i.mutex);
    contentsChangeBegin(i);
    const end = <i64>offset + <i64>len;
    if (mode & FALLOC_FL_PUNCH_HOLE) r = punchHole(c, f, <i64>offset, end);
    else if (mode & FALLOC_FL_KEEP_SIZE && end > i.size) r = -EOPNOTSUPP;
    else r = makeRoom(c, f, <i64>offset, end);
    contentsChangeEnd(i);
    mutexUnlock(i.mutex);
  }
  fput(f);
  return r;
}

/** vfs_fallocate(): what is checked first. */
function checkFallocate(f: File, mode: u32, offset: f64, len: f64): i32 {
  if (!(offset >= 0) || !(len > 0)) return -EINVAL;
  const punches = mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE && !punches) return -EOPNOTSUPP;
  if (!(f.mode & FMODE_WRITE)) return -EBADF;
  if (f.mode & FMODE_PIPE) return -ESPIPE;
  if (f.inode.isDir) return -EISDIR;
  if (!f.inode.isReg) return -ENODEV;
  if (offset + len > <f64>MAX_FILE_SIZE) return -EFBIG;
  return f.inode.mode & I_DRIVER ? -EOPNOTSUPP : 0;
}

/** Under i_mutex. */
function punchHole(c: Context, f: File, start: i64, end: i64): i32 {
  const i = f.inode;
  removeSuid(c, i);
  dataPunchBegin(f.dentry, i, start, end);
  happened(0);
  dataPunch();
  return 0;
}

/** Under i_mutex. All of the room, or none. */
function makeRoom(c: Context, f: File, start: i64, end: i64): i32 {
  const i = f.inode;
  // No arena has so many pages.
  if ((end - start) >> PAGE_SHIFT > <i64>objectsMax()) return -ENOSPC;
  // What was there before stays then. If another thread is faster, or the arena is full, what is zero is given back.
  if (isLimited(i.sb) && !hasBlocks(i.sb, dataHoles(i, start, end))) return -ENOSPC;
  for (let at = start & ~(<i64>PAGE - 1); at < end; ) {
    const part = <u32>min<i64>(end - at, IO_SIZE);
    if (reserveRoom(i, at, part) < part) {
      dataGiveBack(i, start, end);
      return -ENOSPC;
    }
    at += part;
  }
  if (end > i.size) dataClearBeyond(i, end);
  removeSuid(c, i);
  txBegin();
  const followed = changeBegin(f.dentry);
  setSize(i, max<i64>(end, i.size), currentTime());
  changeEnd(followed, f.dentry, i, IN_MODIFY);
  txEnd();
  happened(0);
  return 0;
}

// ------------------------------------------------------------------------------------------------- lseek

/** lseek(2) with SEEK_DATA or SEEK_HOLE. A driver's file is data from its start to its end. */
export function doSeekHole(c: Context, fd: i32, offset: f64, whence: i32): f64 {
  const f = fget(c, fd);
  if (!f) return -(<f64>EBADF);
  const i = f.inode;
  let to: f64 = f.mode & FMODE_PIPE ? -(<f64>ESPIPE) : -(<f64>EINVAL);
  if (i.isReg) {
    mutexLock(f.posLock);
    mutexLock(i.mutex);
    to = -(<f64>ENXIO);
    if (offset >= 0 && offset < <f64>i.size) {
      const found =
        i.mode & I_DRIVER ? seekDriver(i, <i64>offset, whence) : dataSeek(i, <i64>offset, whence == SEEK_DATA);
      if (found >= 0) {
        f.pos = found;
        to = <f64>found;
      }
    }
    mutexUnlock(i.mutex);
    happened(to);
    mutexUnlock(f.posLock);
  }
  fput(f);
  return to;
}

function seekDriver(i: Inode, offset: i64, whence: i32): i64 {
  return whence == SEEK_DATA ? offset : i.size;
}

// ------------------------------------------------------------------------------------------------- copy_file_range

/**
 * copy_file_range(2): copies up to `len` bytes, fewer at the end of the file or if the memory gets full. Offsets < 0: at the
 * file's position, which advances. The locks of both files are held from the first byte to the last.
 */
export function doCopyFileRange(c: Context, fdIn: i32, offIn: f64, fdOut: i32, offOut: f64, len: f64): f64 {
  const from = fget(c, fdIn);
  if (!from) return -(<f64>EBADF);
  const to = fget(c, fdOut);
  let r: i32 = -EBADF;
  if (to) {
    r = checkFiles(from, to);
    if (r == 0 && !(len >= 0)) r = -EINVAL;
    if (r == 0) {
      const first = offIn < 0 ? from : changetype<File>(0);
      const second = offOut < 0 ? to : changetype<File>(0);
      lockPositions(first, second);
      r = copyRange(c, from, offIn, to, offOut, <u32>min<f64>(len, <f64>MAX_RW_COUNT));
      unlockPositions(first, second);
    }
    fput(to);
  }
  fput(from);
  return <f64>r;
}

/** generic_file_rw_checks() */
function checkFiles(from: File, to: File): i32 {
  const a = from.inode;
  const b = to.inode;
  if (a.isDir || b.isDir) return -EISDIR;
  if (!a.isReg || !b.isReg) return -EINVAL;
  if (!(from.mode & FMODE_READ) || !(to.mode & FMODE_WRITE) || to.flags & O_APPEND) return -EBADF;
  return (a.mode | b.mode) & I_DRIVER ? -EOPNOTSUPP : 0;
}

/** Locks the positions that move, the one at the lower address first. */
function lockPositions(a: File, b: File): void {
  const first = a && b && b.at < a.at ? b : a;
  const second = first == a ? b : a;
  if (first) mutexLock(first.posLock);
  if (second && second != first) mutexLock(second.posLock);
}

function unlockPositions(a: File, b: File): void {
  if (a) mutexUnlock(a.posLock);
  if (b && b != a) mutexUnlock(b.posLock);
}

function copyRange(c: Context, from: File, offIn: f64, to: File, offOut: f64, len: u32): i32 {
  const a = from.inode;
  const b = to.inode;
  const first = b.at < a.at ? b : a;
  const second = first == a ? b : a;
  mutexLock(first.mutex);
  if (second != first) mutexLock(second.mutex);
  contentsChangeBegin(b);
  const start = offIn < 0 ? from.pos : <i64>offIn;
  const target = offOut < 0 ? to.pos : <i64>offOut;
  const left = a.size - start;
  const n = left <= 0 ? 0 : left < <i64>len ? <u32>left : len;
  let r: i32 = 0;
  if (start > MAX_FILE_SIZE || target > MAX_FILE_SIZE) r = -EOVERFLOW;
  else if (n != 0 && target >= MAX_FILE_SIZE) r = -EFBIG;
  else if (a == b && target + n > start && target < start + n) r = -EINVAL;
  else if (n != 0) r = copyParts(c, from, start, to, target, n, offIn < 0, offOut < 0);
  contentsChangeEnd(b);
  if (second != first) mutexUnlock(second.mutex);
  mutexUnlock(first.mutex);
  return r;
}

/** Under both i_mutexes. Returns the bytes copied, -ENOSPC if there are none. */
function copyParts(
  c: Context,
  from: File,
  start: i64,
  to: File,
  target: i64,
  n: u32,
  movesFrom: bool,
  movesTo: bool,
): i32 {
  const b = to.inode;
  let done: u32 = 0;
  while (done < n) {
    const part = min<u32>(n - done, IO_SIZE);
    const at = target + done;
    const fits = MAX_FILE_SIZE - at < <i64>part ? <u32>(MAX_FILE_SIZE - at) : part;
    const room = reserveRoom(b, at, fits);
    if (room == 0) break;
    dataRead(from.inode, start + done, scratch + SCRATCH.IO, room);
    removeSuid(c, b);
    done += room;
    // From here on this part is completed, by this thread or for it.
    happened(done);
    const source = movesFrom ? from.posAt : 0;
    dataWrite(to.dentry, b, movesTo ? to.posAt : 0, at, scratch + SCRATCH.IO, room, currentTime(), source);
    if (room < part) break;
    if (done < n) tracepoint(POINT.WRITE_PART, b.at, done);
  }
  if (done != 0) fileAccessed(from);
  return done != 0 ? <i32>done : -ENOSPC;
}
