/**
 * Times of access: reading a file, listing a directory and following or reading a link update atime; on a mount with relatime, the default,
 * if it is not later than the last change, or a day old.
 */

import { MS_NOATIME, MS_NODIRATIME, MS_RDONLY, MS_STRICTATIME } from "../../../abi/flags";
import { Mount } from "../mount/namespace";
import { beginAttr, currentTime, endAttr, I_DRIVER, I_WIDE_TIME, Inode, setAtime, timeSeconds } from "./inode";

/** relatime writes atime at least this often. */
const DAY_SECONDS: i64 = 86400;

/** Whether no time of access is updated through this mount, because it asks for that, or because it or its file system is read-only. */
export function keepsAtime(m: Mount): bool {
  return (m.flags & (MS_RDONLY | MS_NOATIME)) != 0 || m.sb.readonly != 0;
}

/**
 * touch_atime(): not through a read-only mount, nor through one that has MS_NOATIME, or MS_NODIRATIME for a directory. A driver keeps the
 * times of its files itself. The caller holds a reference on the inode.
 */
export function touchAtime(m: Mount, i: Inode): void {
  const flags = m.flags;
  if (i.mode & I_DRIVER || keepsAtime(m)) return;
  if (flags & MS_NODIRATIME && i.isDir) return;
  const now = currentTime();
  if (!atimeNeedsUpdate(flags, i, now) || (now == i.atime && !(i.mode & I_WIDE_TIME))) return;
  beginAttr(i);
  // Readers of a file come here without its i_mutex: another call may have set the times.
  if (atimeNeedsUpdate(flags, i, now)) setAtime(i, now, 0);
  endAttr(i);
}

/** Reads of a thread between two looks at the clock for files whose time of access may be a day old. */
export const READS_A_CLOCK: u32 = 16;
let readsLeft: u32 = 0;

/**
 * touchAtime() of a read by descriptor. The host's clock takes as long as half of a short read, and with relatime it matters to a time that is
 * later than the last change only after a day. (Linux has a clock that costs nothing, current_time().)
 */
export function touchAtimeOfRead(m: Mount, i: Inode): void {
  if (!(m.flags & MS_STRICTATIME) && isAfterChange(i)) {
    if (readsLeft != 0) {
      readsLeft--;
      return;
    }
    readsLeft = READS_A_CLOCK - 1;
  }
  touchAtime(m, i);
}

/** Whether the time of access is later than the last change. */
function isAfterChange(i: Inode): bool {
  if (i.mode & I_WIDE_TIME) return false;
  const atime = i.atime;
  return atime > i.mtime && atime > i.ctime;
}

/** atime_needs_update(), by the flags of the mount. */
function atimeNeedsUpdate(flags: u32, i: Inode, now: i64): bool {
  return flags & MS_STRICTATIME ? true : relatimeNeedUpdate(i, now);
}

/** Walks over links between two looks at the clock for links whose time of access is a day old. */
export const CLOCK_EVERY: u32 = 256;
let clock: i64 = 0;
let clockLeft: u32 = 0;

/**
 * atime_needs_update() for a link that a walk follows in rcu mode. The clock, which the host has to be asked for, matters only to a time
 * that is a day old, so it is asked every CLOCK_EVERY links. What is read here may be from two moments, as if the link had been
 * followed at either.
 */
export function atimeNeedsUpdateRcu(m: Mount, i: Inode): bool {
  if (keepsAtime(m)) return false;
  if (clockLeft == 0) {
    clock = currentTime();
    clockLeft = CLOCK_EVERY;
  }
  clockLeft--;
  if (!atimeNeedsUpdate(m.flags, i, clock)) return false;
  const now = currentTime();
  return atimeNeedsUpdate(m.flags, i, now) && (now != i.atime || (i.mode & I_WIDE_TIME) != 0);
}

/** The next link that is followed in rcu mode asks for the time. */
export function forgetClock(): void {
  clockLeft = 0;
}

/** Whether a link may be followed again and again without an update of its time of access, for a day at least. */
export function atimeIsFresh(i: Inode): bool {
  return !relatimeNeedUpdate(i, i.atime);
}

/** relatime_need_update() */
function relatimeNeedUpdate(i: Inode, now: i64): bool {
  const atime = i.atime;
  if (!(i.mode & I_WIDE_TIME)) {
    return atime <= i.mtime || atime <= i.ctime || (now >> 30) - (atime >> 30) >= DAY_SECONDS;
  }
  const accessed = timeSeconds(atime, i.atimeHigh);
  if (notLater(accessed, atime, timeSeconds(i.mtime, i.mtimeHigh), i.mtime)) return true;
  if (notLater(accessed, atime, i.ctime >> 30, i.ctime)) return true;
  return (now >> 30) - accessed >= DAY_SECONDS;
}

/** Whether a time is at most another, each given as its seconds and the word with its nanoseconds. */
function notLater(seconds: i64, time: i64, otherSeconds: i64, other: i64): bool {
  return seconds < otherSeconds || (seconds == otherSeconds && (time & NSEC_MASK) <= (other & NSEC_MASK));
}

/** The nanoseconds of a time. */
const NSEC_MASK: i64 = 0x3fffffff;
