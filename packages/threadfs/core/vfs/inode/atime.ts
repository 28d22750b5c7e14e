/**
 * Times of access, as on a mount with relatime: reading a file, listing a directory and following or reading a link
 * update atime if it is not later than the last change, or a day old.
 */

import { MS_RDONLY } from "../../../abi/flags";
import { Mount } from "../mount/namespace";
import { beginAttr, currentTime, endAttr, I_DRIVER, I_WIDE_TIME, Inode, setAtime, timeSeconds } from "./inode";

/** relatime writes atime at least this often. */
const DAY_SECONDS: i64 = 86400;

/**
 * touch_atime(): not through a read-only mount. A driver keeps the times of its files itself. The caller holds a
 * reference on the inode.
 */
export function touchAtime(m: Mount, i: Inode): void {
  if (i.mode & I_DRIVER || m.flags & MS_RDONLY || i.sb.readonly != 0) return;
  const now = currentTime();
  if (!relatimeNeedUpdate(i, now) || (now == i.atime && !(i.mode & I_WIDE_TIME))) return;
  beginAttr(i);
  // Readers of a file come here without its i_mutex: another call may have set the times.
  if (relatimeNeedUpdate(i, now)) setAtime(i, now, 0);
  endAttr(i);
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
