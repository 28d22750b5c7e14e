/**
 * getdents(2): the children of a directory from a position on, in the order in which they were added.
 *
 * The position is the cookie of the last entry returned. Cookies are strictly increasing and never used twice in a
 * directory, so that entries that come and go do not disturb a reading. An entry that exists under one name from the
 * first call to the last is returned once. An entry added after the first call is not returned, so that the reading
 * ends. The directory's i_mutex is held shared: threads that list it, or look names up, go on meanwhile.
 */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { EBADF, ENOENT, ENOTDIR, EOPNOTSUPP } from "../../../abi/errno";
import * as HOOK from "../../../abi/hooks";
import { IO_SIZE } from "../../../abi/limits";
import {
  DIRENT_ALIGN,
  DIRENT_NAME,
  DIRENT_NAME_LENGTH,
  DIRENT_OFF,
  DIRENT_TYPE,
  READDIR_NEXT,
} from "../../../abi/memory";
import { DT_SHIFT } from "../../../abi/mode";
import * as SCRATCH from "../../../abi/scratch";
import { callDriver, driverAttrF64 } from "../../fs/driver/hooks";
import { corrupt } from "../../mem/bounds";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { lockrefGetNotDead } from "../../mem/lock/lockref";
import { mutexLockShared, mutexUnlockShared } from "../../mem/lock/rwsem";
import { scratch } from "../../mem/thread";
import { firstEntry, nextEntry } from "../dcache/d-children";
import { dput } from "../dcache/dcache";
import { Dentry, dentryName } from "../dcache/dentry";
import { I_DEAD, Inode, inodeNumber } from "../inode/inode";
import { happened } from "../recovery/outcome";
import { Context } from "../task/cred";
import { File, fget, fput } from "./file";
import { fileAccessed, MAX_COOKIE_EXACT } from "./read-write";

/**
 * Fills SCRATCH.IO with whole entries, at most `entries`, from the position `from` on, which the descriptor gets first; not a number >= 0: from
 * its own. Returns the number of bytes, 0 at the end.
 */
export function doGetdents(c: Context, fd: i32, entries: u32, from: f64): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  const dir = f.inode;
  let r: i32;
  if (!dir.isDir) r = -ENOTDIR;
  else if (dir.sb.driver != 0) r = getdentsDriver(f, dir, from);
  else {
    mutexLock(f.posLock);
    if (from >= 0) moveTo(f, from);
    mutexLockShared(dir.mutex);
    fillDirentsHint = changetype<Dentry>(0);
    r = dir.mode & I_DEAD ? -ENOENT : fillDirents(f, f.dentry, entries);
    if (r >= 0) {
      happened(r);
      fileAccessed(f);
    }
    mutexUnlockShared(dir.mutex);
    const old = f.hint;
    f.hint = <u32>changetype<usize>(fillDirentsHint);
    mutexUnlock(f.posLock);
    if (old != 0) dput(changetype<Dentry>(<usize>old));
  }
  fput(f);
  return r;
}

/** lseek(2) of a directory, under posLock. */
function moveTo(f: File, from: f64): void {
  f.pos = <i64>min(from, MAX_COOKIE_EXACT);
}

/**
 * Second return value of fillDirents(): the last entry returned, with a reference. The next call continues there
 * without a search.
 */
let fillDirentsHint: Dentry = changetype<Dentry>(0);

function fillDirents(f: File, parent: Dentry, entries: u32): i32 {
  let left = entries;
  const to = scratch + SCRATCH.IO;
  let used: u32 = 0;
  if (f.pos == 0 || f.lastCookie == 0) f.lastCookie = f.inode.lastCookie;
  const limit = f.lastCookie;
  let last = changetype<Dentry>(0);
  let d = firstAfter(f, parent);
  while (d && d.cookie <= limit) {
    // Cookies are strictly increasing; anything else is corruption.
    if (d.cookie <= <u64>f.pos) corrupt(d.at);
    const len = d.nameLen;
    const need = (DIRENT_NAME + len + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
    if (left-- == 0 || used + need > <u32>IO_SIZE) break;
    putEntry(to + used, d.inode, d, len);
    used += need;
    last = d;
    f.pos = d.cookie;
    d = nextEntry(parent, d);
  }
  // An entry is alive. If its lock is taken, the next call searches.
  if (last && lockrefGetNotDead(last.lockref, false)) fillDirentsHint = last;
  return used;
}

function firstAfter(f: File, parent: Dentry): Dentry {
  const hint = changetype<Dentry>(<usize>f.hint);
  if (hint && hint.parent == parent && hint.cookie == <u64>f.pos) return nextEntry(parent, hint);
  let d = firstEntry(parent);
  for (let before: u64 = 0; d && d.cookie <= <u64>f.pos; ) {
    if (d.cookie <= before) corrupt(d.at);
    before = d.cookie;
    d = nextEntry(parent, d);
  }
  return d;
}

function putEntry(to: usize, i: Inode, d: Dentry, len: u32): void {
  store<f64>(to, inodeNumber(i));
  store<f64>(to + DIRENT_OFF, <f64>d.cookie);
  store<u8>(to + DIRENT_TYPE, <u8>(i.type >> DT_SHIFT));
  store<u8>(to + DIRENT_NAME_LENGTH, <u8>len);
  memory.copy(to + DIRENT_NAME, dentryName(d), len);
}

/** The driver fills the area and leaves the next position at the start of SCRATCH.DRIVER. */
function getdentsDriver(f: File, dir: Inode, from: f64): i32 {
  if (!(dir.sb.hooks & HOOK.READDIR)) return -EOPNOTSUPP;
  mutexLock(f.posLock);
  if (from >= 0) moveTo(f, from);
  const r = <i32>callDriver(DRIVER_OP.READDIR, dir.sb, inodeNumber(dir), <f64>f.pos, 0, 0);
  if (r > 0) f.pos = <i64>driverAttrF64(READDIR_NEXT);
  happened(r);
  mutexUnlock(f.posLock);
  return r;
}
