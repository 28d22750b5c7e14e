/**
 * Permission checks: mode bits, groups, POSIX ACLs, capabilities, the driver's own check, the host's security hook.
 *
 * With `rcu` the caller is inside a read-side section and holds no reference. A check that cannot be made there returns
 * -ECHILD, and the caller repeats it in ref mode: a driver's hook that is not for rcu mode, and an inode that keeps changing.
 *
 * Guarantees: nothing is stored and no lock is taken, in either mode, unless the inode keeps changing. Mode, owner, group and
 * access ACL that decide are those of one moment: they are read between two loads of the inode's sequence, which every change of them
 * makes odd until its commit (beginAttr()). An ACL that is replaced is freed in the transaction that replaces it. So a reader may be in
 * memory that has another use already: it reads no further than the chunk that the block was in, and what it found is thrown away,
 * because the sequence has moved. Ordering: all loads are atomic, so that none of them moves behind the second load of the sequence.
 */

import { EACCES, EAGAIN, ECHILD, EROFS } from "../../../abi/errno";
import * as HOOK from "../../../abi/hooks";
import { ACL_ENTRY_SIZE } from "../../../abi/memory";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../abi/mode";
import {
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_OTHER,
  ACL_USER,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CHECK_ACL,
  CHECK_CAPABILITY,
  CHECK_DRIVER,
  CHECK_DRIVER_ACL,
  CHECK_GROUP,
  CHECK_OTHER,
  CHECK_OWNER,
  CHECK_SECURITY,
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
} from "../../../abi/permissions";
import * as POINT from "../../../abi/points";
import { driverCheckAcl, driverPermission } from "../../fs/driver/hooks";
import * as host from "../../host";
import { KMALLOC_MAX } from "../../mem/alloc/slab";
import { CHUNK } from "../../mem/layout";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { tracepoint } from "../../tracepoints";
import { I_ACL, I_DRIVER, I_OP_PERMISSION, Inode, inodeNumber } from "../inode/inode";
import { Context, capable, inGroup } from "../task/cred";
import { hasSecurity } from "../task/thread";

/** Bytes before the entries of an ACL in memory. */
export const ACL_HEAD: u32 = 8;
/** The largest number of ACL entries. */
export const ACL_MAX: u32 = (KMALLOC_MAX - ACL_HEAD) / ACL_ENTRY_SIZE;

const SEQ_TRIES: i32 = 100;

/** Second return values of loadAttr(): mode, owner and group at one moment. */
let loadAttrMode: u32 = 0;
let loadAttrUid: u32 = 0;
let loadAttrGid: u32 = 0;

/**
 * Loads mode, owner and group consistently into loadAttr.... False: not possible in rcu mode. In ref mode waits for a
 * change in progress, which may still be rolled back.
 */
function loadAttr(i: Inode, rcu: bool): bool {
  for (let n = 0; n < SEQ_TRIES; n++) {
    const seq = readSeqBegin(i.seq);
    readAttr(i);
    if (!readSeqRetry(i.seq, seq)) return true;
  }
  if (rcu) return false;
  lock(i.lock);
  readAttr(i);
  unlock(i.lock);
  return true;
}

/** Under the inode's sequence or its lock. */
function readAttr(i: Inode): void {
  loadAttrMode = i.mode;
  // Owner and group in one load, because the check of an alignment costs as much as one.
  const ids = atomic.load<u64>(i.at, offsetof<Inode>("uid_"));
  loadAttrUid = <u32>ids;
  loadAttrGid = <u32>(ids >> 32);
}

/** acl_permission_check(): 0 or -EACCES; -ECHILD: rcu mode cannot decide. */
function aclPermissionCheck(c: Context, i: Inode, mask: u32, rcu: bool): i32 {
  for (let n = 0; n < SEQ_TRIES; n++) {
    const seq = readSeqBegin(i.seq);
    const err = checkAttr(c, i, mask);
    if (readSeqRetry(i.seq, seq)) continue;
    return err == -EAGAIN ? driverAclCheck(c, i, mask, rcu) : err;
  }
  if (rcu) return -ECHILD;
  lock(i.lock);
  const err = checkAttr(c, i, mask);
  unlock(i.lock);
  return err == -EAGAIN ? driverAclCheck(c, i, mask, false) : err;
}

/** Decides by mode bits and ACL. -EAGAIN: a driver's check_acl() does. Under the inode's sequence or its lock. */
function checkAttr(c: Context, i: Inode, mask: u32): i32 {
  readAttr(i);
  const mode = loadAttrMode;
  if (POINTS) tellClass(c, i, loadAttrUid, loadAttrGid);
  if (c.uid == loadAttrUid) return mask & ~(mode >> 6) & 7 ? -EACCES : 0;
  // As in Linux, the mode bits decide if the group class is empty: an ACL entry then grants nothing.
  if ((mode & I_ACL) != 0 && (mode & 0x38) != 0) {
    if (POINTS) tracepoint(POINT.CHECK, i.at, mode & I_DRIVER ? CHECK_DRIVER_ACL : CHECK_ACL);
    return mode & I_DRIVER ? -EAGAIN : posixAclPermission(c, i.acl, mask);
  }
  return checkGroup(c, mask);
}

/** The bits of the group or of all others. */
function checkGroup(c: Context, mask: u32): i32 {
  const mode = inGroup(c, loadAttrGid) ? loadAttrMode >> 3 : loadAttrMode;
  return mask & ~mode & 7 ? -EACCES : 0;
}

/** check_acl() of a driver. Without an opinion (-EAGAIN) the mode bits decide. */
function driverAclCheck(c: Context, i: Inode, mask: u32, rcu: bool): i32 {
  if (rcu && !(i.sb.hooks & HOOK.RCU_CHECK_ACL)) return -ECHILD;
  const err = driverCheckAcl(i, mask, rcu);
  if (POINTS && err == -EAGAIN) tellClass(c, i, loadAttrUid, loadAttrGid);
  return err == -EAGAIN ? checkGroup(c, mask) : err;
}

/**
 * posix_acl_permission(): an ACL in memory is a count (u32) and, ACL_HEAD bytes from its start, the entries (abi/memory.ts), the one for
 * all others last. The mask is not looked for: the group class of the mode has the same bits (posix_acl_update_mode()).
 */
function posixAclPermission(c: Context, acl: usize, mask: u32): i32 {
  if (acl == 0) return -EACCES;
  // No further than the chunk: what was a block of an ACL may be anything by now.
  const n = min<u32>(atomic.load<u32>(acl), (CHUNK - ACL_HEAD - (<u32>acl & (CHUNK - 1))) >> 3);
  const masked = mask & ~(loadAttrMode >> 3);
  let groupFound = false;
  let at = acl + ACL_HEAD;
  for (let left = min<u32>(n, ACL_MAX); left != 0; left--) {
    // Tag, permissions and id.
    const e = atomic.load<u64>(at);
    const tag = <u32>e & 0xffff;
    const lacks = mask & ~(<u32>e >> 16);
    const id = <u32>(e >> 32);
    if (tag == ACL_USER) {
      if (c.uid == id) return lacks | masked ? -EACCES : 0;
    } else if (tag == ACL_GROUP_OBJ || tag == ACL_GROUP) {
      if (inGroup(c, tag == ACL_GROUP ? id : loadAttrGid)) {
        groupFound = true;
        if ((lacks | masked) == 0) return 0;
      }
    } else if (tag == ACL_OTHER) {
      return groupFound || lacks != 0 ? -EACCES : 0;
    }
    at += ACL_ENTRY_SIZE;
  }
  return -EACCES;
}

/** generic_permission(): capabilities override -EACCES only; other errors, such as -ECHILD, are returned. */
function genericPermission(c: Context, i: Inode, mask: u32, rcu: bool): i32 {
  const err = aclPermissionCheck(c, i, mask, rcu);
  if (err != -EACCES) return err;
  if (POINTS && capableOverride(c, mask)) tracepoint(POINT.CHECK, i.at, CHECK_CAPABILITY);
  return capableOverride(c, mask) ? 0 : err;
}

function capableOverride(c: Context, mask: u32): bool {
  if ((loadAttrMode & S_IFMT) == S_IFDIR) {
    if (!(mask & MAY_WRITE) && capable(c, CAP_DAC_READ_SEARCH)) return true;
    return capable(c, CAP_DAC_OVERRIDE);
  }
  if (mask == MAY_READ && capable(c, CAP_DAC_READ_SEARCH)) return true;
  // CAP_DAC_OVERRIDE does not make a file executable that has no execute bit.
  return (!(mask & MAY_EXEC) || (loadAttrMode & 0x49) != 0) && capable(c, CAP_DAC_OVERRIDE);
}

/** inode_permission(): 0 or -errno for MAY_* bits. -ECHILD in rcu mode: ask again with a reference. */
export function inodePermission(c: Context, i: Inode, mask: u32, rcu: bool): i32 {
  // The type of an inode and its hooks never change.
  const mode = i.mode;
  const type = mode & S_IFMT;
  if (mask & MAY_WRITE && i.sb.readonly != 0 && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK)) return -EROFS;
  let err: i32;
  if (mode & I_OP_PERMISSION) {
    if (POINTS) tracepoint(POINT.CHECK, i.at, CHECK_DRIVER);
    if (rcu && !(i.sb.hooks & HOOK.RCU_PERMISSION)) return -ECHILD;
    // A driver's decision is final; capabilities do not override it.
    err = driverPermission(i, mask, rcu);
  } else {
    err = genericPermission(c, i, mask, rcu);
  }
  if (err == 0 && hasSecurity) {
    if (POINTS) tracepoint(POINT.CHECK, i.at, CHECK_SECURITY);
    err = host.security(inodeNumber(i), <i32>mask, rcu ? 1 : 0);
  }
  return err;
}

/**
 * inode_permission() to search a directory in rcu mode, where no hook has a say. False also where the general walk has to decide. Mode bits
 * are decided on here, in three loads of the inode's line, because a step over such a directory should cost little more than any other.
 */
export function mayExecMemory(c: Context, i: Inode): bool {
  // Sequence (low) and mode; owner (low) and group.
  const head = atomic.load<u64>(i.at);
  const ids = atomic.load<u64>(i.at, offsetof<Inode>("uid_"));
  let bits = <u32>(head >> 32);
  if (bits & (I_OP_PERMISSION | I_ACL)) return mayExecAcl(c, i, bits);
  if (POINTS) tellClass(c, i, <u32>ids, <u32>(ids >> 32));
  if (c.uid == <u32>ids) bits >>= 6;
  else if (inGroup(c, <u32>(ids >> 32))) bits >>= 3;
  if (!(bits & MAY_EXEC)) return genericPermission(c, i, MAY_EXEC, true) == 0;
  if (head & 1) return false;
  return atomic.load<u32>(i.at) == <u32>head;
}

/** Reports whose mode bits decide, for an inode with this owner and group: in the debug build. */
function tellClass(c: Context, i: Inode, uid: u32, gid: u32): void {
  const who = c.uid == uid ? CHECK_OWNER : inGroup(c, gid) ? CHECK_GROUP : CHECK_OTHER;
  tracepoint(POINT.CHECK, i.at, who);
}

/** The same for a directory with an ACL. */
function mayExecAcl(c: Context, i: Inode, mode: u32): bool {
  if (mode & (I_OP_PERMISSION | I_DRIVER)) return false;
  return genericPermission(c, i, MAY_EXEC, true) == 0;
}

/** Whether the caller owns the inode or has the capability. The caller holds a reference on the inode. */
export function ownerOrCapable(c: Context, i: Inode, cap: u32): bool {
  loadAttr(i, false);
  return c.uid == loadAttrUid || capable(c, cap);
}
