/**
 * open(2), read(2) or write(2), and close(2) of a whole file in memory, in one call and without a descriptor. Checks, effects and their
 * order are those of the three calls. Of anything else the call is an open(2) alone: it returns the descriptor, and the caller goes on
 * with that.
 *
 * Differences from the three calls: a full table of descriptors is no error unless one is needed, and then the walk comes before that
 * error, and what it has created stays; and the file is emptied and written under one i_mutex, so no reader and no writer comes in between.
 */

import { EFBIG, ENOSPC } from "../../../abi/errno";
import { O_APPEND, O_RDONLY, O_TRUNC } from "../../../abi/flags";
import { MAX_RW_COUNT, OPENED, WRITE_FAILED } from "../../../abi/limits";
import * as SCRATCH from "../../../abi/scratch";
import * as STAT from "../../../abi/stat";
import { dataRun, dataRunBytes, MAX_FILE_SIZE, PAGE } from "../../fs/tmpfs/data";
import { contentsChangeBegin, contentsChangeEnd, dataReadUnlocked, unlockedSize } from "../../fs/tmpfs/unlocked";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { touchAtime } from "../inode/atime";
import { I_DRIVER, Inode } from "../inode/inode";
import { happened } from "../recovery/outcome";
import { enterActive } from "../recovery/quiescence";
import { Nameidata, ND_CREATED } from "../walk/nameidata";
import { mayOpen, openCreate, openPlain, openWalked, putRest } from "./open";
import { readContents, truncateLocked, writeContents } from "./read-write";

/** Neither of the whole-file calls does more than open this. */
function isForeign(i: Inode): bool {
  return !i.isReg || (i.mode & I_DRIVER) != 0;
}

/** The result of a call that has only opened what its walk has ended at. */
export function opened(nd: Nameidata, flags: u32): i32 {
  const fd = openWalked(nd, flags);
  return fd < 0 ? fd : OPENED - fd;
}

/**
 * Reads a file: up to `window` bytes to scratch, unless they are more than a page and one run; else by the host's copyToUser(), with the
 * size in SCRATCH.STAT before. Returns the bytes read, -errno of the open or of the copy, or OPENED less a descriptor.
 */
export function doReadFile(nd: Nameidata, window: u32): i32 {
  // The walk would do it too, but without a recount that is due.
  enterActive();
  let r = openPlain(nd, O_RDONLY);
  if (r != 0) return r;
  r = mayOpen(nd, O_RDONLY);
  if (r == 0) r = isForeign(nd.inode) ? opened(nd, O_RDONLY) : readWhole(nd, window);
  putRest(nd);
  return r;
}

/** Whether contents of more than a page lie next to each other, so that the host may have them where they are. */
function isOneRun(i: Inode, size: u32): bool {
  if (size <= PAGE) return false;
  return dataRun(i, 0, size) != 0 && dataRunBytes == size;
}

function readWhole(nd: Nameidata, window: u32): i32 {
  const i = nd.inode;
  const unlocked = i.size <= <i64>min<u32>(PAGE, window) ? dataReadUnlocked(i, 0, scratch + SCRATCH.IO, PAGE) : -1;
  if (unlocked >= 0 && unlockedSize == <i64>unlocked) {
    store<f64>(scratch + SCRATCH.STAT + (STAT.size << 3), <f64>unlocked);
    touchAtime(nd.mnt, i);
    return unlocked;
  }
  mutexLock(i.mutex);
  const size = i.size;
  const fits = size <= <i64>MAX_RW_COUNT;
  let r: i32 = 0;
  if (fits) {
    store<f64>(scratch + SCRATCH.STAT + (STAT.size << 3), <f64>size);
    r = readContents(i, 0, <u32>size, size > <i64>window || isOneRun(i, <u32>size));
    touchAtime(nd.mnt, i);
  }
  mutexUnlock(i.mutex);
  return fits ? r : opened(nd, O_RDONLY);
}

/**
 * Opens a file for writing, with O_CREAT and without O_EXCL, and writes `n` bytes, at most IO_SIZE, from scratch. Returns `n`; -errno
 * of the open; WRITE_FAILED less the errno of the write; or OPENED less a descriptor, and nothing is written.
 */
export function doWriteFile(nd: Nameidata, flags: u32, mode: u32, n: u32): i32 {
  enterActive();
  let r = openCreate(nd, flags, mode);
  if (r != 0) return r;
  r = mayOpen(nd, flags);
  if (r == 0) r = isForeign(nd.inode) ? opened(nd, flags) : writeWhole(nd, flags, n);
  putRest(nd);
  return r;
}

function writeWhole(nd: Nameidata, flags: u32, n: u32): i32 {
  const i = nd.inode;
  let r: i32 = 0;
  mutexLock(i.mutex);
  contentsChangeBegin(i);
  if (flags & O_TRUNC && !(nd.state & ND_CREATED)) truncateLocked(nd.ctx, nd.dentry, i, 0, NaN);
  if (n == 0) happened(0);
  else r = writeContents(nd.ctx, nd.dentry, i, 0, flags & O_APPEND ? i.size : 0, n);
  const full = i.size >= MAX_FILE_SIZE;
  contentsChangeEnd(i);
  mutexUnlock(i.mutex);
  if (r == <i32>n) return r;
  // Of a write that is cut short the next one fails.
  return WRITE_FAILED + (r < 0 ? r : full ? -EFBIG : -ENOSPC);
}
