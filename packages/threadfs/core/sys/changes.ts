/** The log of changes: who follows it, and reading it. */

import { EBADF, EINVAL, ENOSPC, EPERM } from "../../abi/errno";
import { CAP_SYS_ADMIN } from "../../abi/permissions";
import { slot, tid } from "../mem/thread";
import { changesTail, followChanges, leaveChanges, readChanges } from "../vfs/notify/changes";
import { capable } from "../vfs/task/cred";
import { syscallEnter, syscallEnterActive, syscallEnterErr, syscallExitF } from "./syscall";

/**
 * The calling thread follows the log from now on, until changesLeave(); once, however often it says so. `all` not 0: for a reader of every
 * change, which needs CAP_SYS_ADMIN. Waits until the calls that other threads make have ended. Returns the position of the next
 * record, -EPERM, -ENOSPC, or as every call.
 */
export function changesFollow(ctx: f64, all: i32): f64 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExitF(<f64>syscallEnterErr);
  const may = all == 0 || capable(c, CAP_SYS_ADMIN);
  syscallExitF(0);
  if (!may) return -EPERM;
  return followChanges() ? <f64>changesTail() : -ENOSPC;
}

/** The calling thread does not follow the log any more. Returns 0, or -EBADF without a slot. */
export function changesLeave(): i32 {
  if (tid == 0) return -EBADF;
  leaveChanges(slot);
  return 0;
}

/** The position of the next record. */
export function changesPosition(): f64 {
  return <f64>changesTail();
}

/**
 * Copies records (CHANGE_*, abi/inotify.ts) from a position on to SCRATCH.IO, no more than there are up to the end of a chunk. Returns
 * their bytes, 0: there are no more yet, -EOVERFLOW: newer ones have overwritten them, -EINVAL: no record begins there.
 */
export function changesRead(position: f64): i32 {
  if (!syscallEnter()) return syscallEnterErr;
  return position >= 0 ? readChanges(<u64>position) : -EINVAL;
}
