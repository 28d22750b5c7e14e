/**
 * Attributes: stat, chmod, chown, utimes. Changes are made under the inode's i_mutex and become visible in one
 * step through i_seq.
 */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { EACCES, ECHILD, EINVAL, EOPNOTSUPP, EPERM, EROFS } from "../../../abi/errno";
import { ID_UNCHANGED, IN_ATTRIB, IN_MODIFY, MS_RDONLY, UTIME_NOW, UTIME_OMIT } from "../../../abi/flags";
import * as HOOK from "../../../abi/hooks";
import { ATTR_MODE, ATTR_OWNER, ATTR_TIMES, NODE_MODE } from "../../../abi/memory";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_IXGRP } from "../../../abi/mode";
import { CAP_CHOWN, CAP_FOWNER, CAP_FSETID, MAY_WRITE } from "../../../abi/permissions";
import * as SCRATCH from "../../../abi/scratch";
import * as STAT from "../../../abi/stat";
import { callDriver, driverAttrU32 } from "../../fs/driver/hooks";
import { lock, mutexLock, mutexUnlock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { scratch } from "../../mem/thread";
import { aclChmod } from "../acl/posix-acl";
import { modeChangeBegin, modeChangeEnd } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { Mount } from "../mount/namespace";
import { changeBegin, changeEnd } from "../notify/fsnotify";
import { driverChanged, showDriverChange } from "../recovery/driver-change";
import { happened } from "../recovery/outcome";
import { Context, capable, inGroup } from "../task/cred";
import { inodePermission, ownerOrCapable } from "../walk/permission";
import {
  beginAttr,
  currentTime,
  endAttr,
  highSeconds,
  I_DRIVER,
  I_SPARSE,
  I_WIDE_TIME,
  Inode,
  inodeNumber,
  isDeviceType,
  makeTime,
  setAtime,
  setMtime,
  timeSeconds,
} from "./inode";

const SEQ_TRIES: i32 = 50;
const NSEC_MASK: i64 = 0x3fffffff;
const BLOCK_SIZE: f64 = 4096;

function putNumber(to: usize, index: usize, value: f64): void {
  store<f64>(to + (index << 3), value);
}

/** Seconds at an index, nanoseconds at the next. */
function putTime(to: usize, index: usize, t: i64): void {
  putNumber(to, index, <f64>(t >> 30));
  putNumber(to, index + 1, <f64>(t & NSEC_MASK));
}

/**
 * vfs_getattr(): writes the 18 numbers of a stat to scratch, all from one moment. In rcu mode (without a reference)
 * -ECHILD if the inode keeps changing.
 */
export function vfsGetattr(m: Mount, i: Inode, rcu: bool): i32 {
  const to = scratch + SCRATCH.STAT;
  let consistent = false;
  for (let n = 0; !consistent && n < SEQ_TRIES; n++) {
    const seq = readSeqBegin(i.seq);
    fillStat(to, i);
    consistent = !readSeqRetry(i.seq, seq);
  }
  if (!consistent) {
    if (rcu) return -ECHILD;
    lock(i.lock);
    fillStat(to, i);
    unlock(i.lock);
  }
  putNumber(to, STAT.dev, <f64>m.sb.dev);
  putNumber(to, STAT.blksize, BLOCK_SIZE);
  return 0;
}

function fillStat(to: usize, i: Inode): void {
  const mode = i.mode;
  const size = i.size;
  putNumber(to, STAT.mode, <f64>(mode & 0xffff));
  putNumber(to, STAT.nlink, <f64>i.nlink);
  putNumber(to, STAT.uid, <f64>i.uid);
  putNumber(to, STAT.gid, <f64>i.gid);
  putNumber(to, STAT.rdev, isDeviceType(mode & (S_IFMT | I_DRIVER)) ? <f64>i.rdev : 0);
  putNumber(to, STAT.ino, inodeNumber(i));
  putNumber(to, STAT.size, <f64>size);
  putNumber(to, STAT.blocks, statBlocks(i, mode, size));
  putTime(to, STAT.atimeSec, i.atime);
  putTime(to, STAT.mtimeSec, i.mtime);
  putTime(to, STAT.ctimeSec, i.ctime);
  putTime(to, STAT.birthtimeSec, i.btime);
  if (!(mode & I_WIDE_TIME)) return;
  putNumber(to, STAT.atimeSec, <f64>timeSeconds(i.atime, i.atimeHigh));
  putNumber(to, STAT.mtimeSec, <f64>timeSeconds(i.mtime, i.mtimeHigh));
}

/** Blocks of 512 bytes, in whole pages. Only a file with holes needs its page count. */
function statBlocks(i: Inode, mode: u32, size: i64): f64 {
  if ((mode & S_IFMT) == S_IFLNK) return <f64>((<u64>i.pages) << 3);
  if ((mode & S_IFMT) != S_IFREG) return 0;
  if (mode & I_SPARSE) return <f64>((<u64>i.pages) << 3);
  return <f64>(((size + 4095) >> 12) << 3);
}

export function checkWritable(m: Mount, i: Inode): i32 {
  return m.flags & MS_RDONLY || i.sb.readonly != 0 ? -EROFS : 0;
}

/** Asks a driver to change attributes. It returns all attributes of the changed inode. */
function driverSetattr(named: Dentry, i: Inode, valid: u32, a: f64, b: f64, mask: u32): i32 {
  if (!(i.sb.hooks & HOOK.SETATTR)) return -EOPNOTSUPP;
  const r = <i32>callDriver(DRIVER_OP.SETATTR, i.sb, inodeNumber(i), <f64>valid, a, b);
  if (r == 0) {
    if ((driverAttrU32(NODE_MODE) & S_IFMT) != i.type) return -EINVAL;
    driverChanged(named, i, mask);
    happened(0);
    showDriverChange();
  }
  return r;
}

/** chmod(2): for the owner. Clears the set-group-id bit if the caller is not in the file's group. */
export function doChmod(c: Context, m: Mount, d: Dentry, i: Inode, mode: u32): i32 {
  const err = checkWritable(m, i);
  if (err != 0) return err;
  if (i.isLink) return -EOPNOTSUPP;
  mutexLock(i.mutex);
  const r = chmodLocked(c, d, i, mode & 0xfff);
  happened(r);
  mutexUnlock(i.mutex);
  return r;
}

function chmodLocked(c: Context, named: Dentry, i: Inode, wanted: u32): i32 {
  if (!ownerOrCapable(c, i, CAP_FOWNER)) return -EPERM;
  let mode = wanted;
  if (mode & S_ISGID && !inGroup(c, i.gid) && !capable(c, CAP_FSETID)) mode &= ~S_ISGID;
  if (i.mode & I_DRIVER) return driverSetattr(named, i, ATTR_MODE, <f64>mode, 0, IN_ATTRIB);
  const now = currentTime();
  const followed = changeBegin(named);
  const d = modeChangeBegin(i);
  beginAttr(i);
  i.mode = (i.mode & ~0xfff) | mode;
  if (i.acl != 0) aclChmod(i, mode);
  i.ctime = now;
  endAttr(i);
  modeChangeEnd(i, d);
  changeEnd(followed, named, i, IN_ATTRIB);
  return 0;
}

/**
 * chown(2): the owner may change the group to one of its own; everything else needs CAP_CHOWN. Clears the set-id bits.
 */
export function doChown(c: Context, m: Mount, d: Dentry, i: Inode, uid: u32, gid: u32): i32 {
  const err = checkWritable(m, i);
  if (err != 0) return err;
  mutexLock(i.mutex);
  const r = chownLocked(c, d, i, uid, gid);
  happened(r);
  mutexUnlock(i.mutex);
  return r;
}

function chownLocked(c: Context, d: Dentry, i: Inode, uid: u32, gid: u32): i32 {
  const owner = c.uid == i.uid;
  if (uid != ID_UNCHANGED && !(owner && uid == i.uid) && !capable(c, CAP_CHOWN)) return -EPERM;
  if (gid != ID_UNCHANGED && !(owner && (inGroup(c, gid) || gid == i.gid)) && !capable(c, CAP_CHOWN)) return -EPERM;
  if (i.mode & I_DRIVER)
    return driverSetattr(
      d,
      i,
      ATTR_OWNER,
      <f64>(uid == ID_UNCHANGED ? i.uid : uid),
      <f64>(gid == ID_UNCHANGED ? i.gid : gid),
      IN_ATTRIB,
    );
  let mode = i.mode;
  if ((mode & S_IFMT) != S_IFDIR) {
    mode &= ~S_ISUID;
    if (shouldDropSgid(c, i)) mode &= ~S_ISGID;
    // Clearing the bits is a change of mode, even if neither uid nor gid changes.
    if (mode != i.mode && !ownerOrCapable(c, i, CAP_FOWNER)) return -EPERM;
  }
  const now = currentTime();
  const changes = uid != ID_UNCHANGED || gid != ID_UNCHANGED || mode != i.mode;
  const followed = changeBegin(d);
  // Of a directory the dentry's sequence moves with it, as with a change of the mode: who may search it has changed.
  const alias = modeChangeBegin(i);
  beginAttr(i);
  if (uid != ID_UNCHANGED) i.uid = uid;
  if (gid != ID_UNCHANGED) i.gid = gid;
  i.mode = mode;
  i.ctime = now;
  endAttr(i);
  modeChangeEnd(i, alias);
  changeEnd(followed, d, i, changes ? IN_ATTRIB : 0);
  return 0;
}

/** One of the times of utimensat(): UTIME_NOW or UTIME_OMIT in place of nanoseconds, or less than a second of them. */
function isTime(sec: f64, nsec: f64): bool {
  if (nsec == UTIME_NOW || nsec == UTIME_OMIT) return true;
  return nsec >= 0 && nsec < 1000000000.0 && sec >= -9223372036854775808.0 && sec < 9223372036854775808.0;
}

/** Milliseconds for a driver; UTIME_OMIT: the present ones. */
function driverTime(sec: f64, nsec: f64, present: i64, now: i64): f64 {
  if (nsec != UTIME_NOW && nsec != UTIME_OMIT) return sec * 1000 + nsec / 1000000;
  const time = nsec == UTIME_NOW ? now : present;
  return <f64>(time >> 30) * 1000 + <f64>(time & NSEC_MASK) / 1000000;
}

/** utimensat(2): the owner may set any time; a caller who may write the file may set both times to now. */
export function doUtimens(c: Context, m: Mount, d: Dentry, i: Inode, as: f64, an: f64, ms: f64, mn: f64): i32 {
  if (an == UTIME_OMIT && mn == UTIME_OMIT) return 0;
  if (!isTime(as, an) || !isTime(ms, mn)) return -EINVAL;
  let err = checkWritable(m, i);
  if (err != 0) return err;
  if (!ownerOrCapable(c, i, CAP_FOWNER)) {
    if (an != UTIME_NOW || mn != UTIME_NOW) return -EPERM;
    err = inodePermission(c, i, MAY_WRITE, false);
    if (err != 0) return -EACCES;
  }
  const now = currentTime();
  // The time of access alone is no change that is reported.
  const mask: u32 = mn == UTIME_OMIT ? 0 : an == UTIME_OMIT ? IN_MODIFY : IN_ATTRIB;
  mutexLock(i.mutex);
  let r = 0;
  if (i.mode & I_DRIVER) {
    r = driverSetattr(d, i, ATTR_TIMES, driverTime(as, an, i.atime, now), driverTime(ms, mn, i.mtime, now), mask);
  } else {
    const followed = changeBegin(d);
    beginAttr(i);
    if (an == UTIME_NOW) setAtime(i, now, 0);
    else if (an != UTIME_OMIT) setAtime(i, makeTime(<i64>as, <i64>an), highSeconds(<i64>as));
    if (mn == UTIME_NOW) setMtime(i, now, 0);
    else if (mn != UTIME_OMIT) setMtime(i, makeTime(<i64>ms, <i64>mn), highSeconds(<i64>ms));
    i.ctime = now;
    endAttr(i);
    changeEnd(followed, d, i, mask);
  }
  happened(r);
  mutexUnlock(i.mutex);
  return r;
}

/** setattr_should_drop_sgid(): always if the group may execute the file, else if the caller may not set the bit. */
function shouldDropSgid(c: Context, i: Inode): bool {
  const mode = i.mode;
  if (!(mode & S_ISGID)) return false;
  return (mode & S_IXGRP) != 0 || (!inGroup(c, i.gid) && !capable(c, CAP_FSETID));
}

/** Clears the set-id bits on a write or truncation by a caller without CAP_FSETID. Under i_mutex. */
export function removeSuid(c: Context, i: Inode): void {
  const mode = i.mode;
  if (!(mode & (S_ISUID | S_ISGID)) || capable(c, CAP_FSETID)) return;
  const clear = (mode & S_ISUID) | (shouldDropSgid(c, i) ? S_ISGID : 0);
  beginAttr(i);
  i.mode = mode & ~clear;
  endAttr(i);
}
