/**
 * What an open file is like at present: its status flags (fcntl(2)), and whether a read or a write of it would wait (poll(2)).
 *
 * Guarantees: a flag is changed by one store, under posLock, so that of two threads that change flags neither loses the other's. A read or a write that is under way
 * sees it before or after the change.
 */
import { EBADF } from "../../../abi/errno";
import { O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_TRUNC, POLLIN, POLLOUT } from "../../../abi/flags";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { pipePoll } from "../pipe/poll";
import { happened } from "../recovery/outcome";
import { Context } from "../task/cred";
import { File, FMODE_PATH, FMODE_PIPE, fget, fgetRaw, fput } from "./file";

/** The flags that F_SETFL sets. Linux has O_DIRECT and O_NOATIME too. */
const SETFL_MASK: u32 = O_APPEND | O_NONBLOCK;
/** Flags of an open that say nothing of the file afterwards. */
const ONLY_OPEN: u32 = O_CREAT | O_EXCL | O_TRUNC;

/** setfl(), or with `flags` < 0 F_GETFL. Returns the flags or -EBADF. */
export function doFileFlags(c: Context, fd: i32, flags: i32): i32 {
  const f = fgetRaw(c, fd);
  if (!f) return -EBADF;
  let r = <i32>f.flags;
  if (flags >= 0) {
    if (f.mode & FMODE_PATH) r = -EBADF;
    else {
      mutexLock(f.posLock);
      r = <i32>((f.flags & ~SETFL_MASK) | (<u32>flags & SETFL_MASK));
      // Pairs with the loads of a read or a write that looks at them: each sees all of it or nothing.
      atomic.store<u32>(f.at + offsetof<File>("flags"), <u32>r);
      happened(r);
      mutexUnlock(f.posLock);
    }
  }
  fput(f);
  return r < 0 ? r : r & ~ONLY_OPEN;
}

/** vfs_poll(): a file that is no pipe is always ready. Returns POLL* bits or -EBADF. */
export function doPoll(c: Context, fd: i32, events: u32): i32 {
  const f = fget(c, fd);
  if (!f) return -EBADF;
  const r = f.mode & FMODE_PIPE ? pipePoll(f, events) : <i32>(events & (POLLIN | POLLOUT));
  fput(f);
  return r;
}
