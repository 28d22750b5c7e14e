/**
 * Permission checks: mode bits, groups, POSIX ACLs, capabilities, the driver's own check, the host's security hook.
 *
 * With `rcu` the caller is inside a read-side section and holds no reference. A check that needs a reference or calls a
 * driver returns -ECHILD, and the caller repeats it in ref mode.
 */

import { EACCES, EAGAIN, ECHILD, EROFS } from "../../../abi/errno";
import { ACL_ENTRY_ID, ACL_ENTRY_PERM, ACL_ENTRY_SIZE } from "../../../abi/memory";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../abi/mode";
import {
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_USER,
  ACL_USER_OBJ,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
} from "../../../abi/permissions";
import { driverCheckAcl, driverPermission } from "../../fs/driver/hooks";
import * as host from "../../host";
import { KMALLOC_MAX } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
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
    loadAttrMode = i.mode;
    loadAttrUid = i.uid;
    loadAttrGid = i.gid;
    if (!readSeqRetry(i.seq, seq)) return true;
  }
  if (rcu) return false;
  lock(i.lock);
  loadAttrMode = i.mode;
  loadAttrUid = i.uid;
  loadAttrGid = i.gid;
  unlock(i.lock);
  return true;
}

/** acl_permission_check(): 0 or -EACCES; -ECHILD if an ACL has to be read in rcu mode. */
function aclPermissionCheck(c: Context, i: Inode, mask: u32, rcu: bool): i32 {
  let mode = loadAttrMode;
  const gid = loadAttrGid;
  if (c.uid == loadAttrUid) {
    mode >>= 6;
  } else {
    // As in Linux, the mode bits decide if the group class is empty: an ACL entry then grants nothing.
    if (mode & I_ACL && mode & 0x38) {
      if (rcu) return -ECHILD;
      const err = mode & I_DRIVER ? driverCheckAcl(i, mask) : checkAcl(c, i, mask, loadAttrUid, gid);
      if (err != -EAGAIN) return err;
    }
    if (inGroup(c, gid)) mode >>= 3;
  }
  return mask & ~mode & 7 ? -EACCES : 0;
}

/** check_acl() of the in-memory file system. -EAGAIN: the ACL has just been removed. */
function checkAcl(c: Context, i: Inode, mask: u32, owner: u32, group: u32): i32 {
  lock(i.lock);
  const acl = <usize>i.acl;
  const err = acl == 0 ? -EAGAIN : posixAclPermission(c, acl, mask, owner, group);
  unlock(i.lock);
  return err;
}

/** posix_acl_permission(). An ACL in memory is a count (u32) and, ACL_HEAD bytes from its start, the entries (abi/memory.ts). */
function posixAclPermission(c: Context, acl: usize, mask: u32, owner: u32, group: u32): i32 {
  const n = load<u32>(acl);
  if (n > ACL_MAX) corrupt(acl);
  let maskPerm: u32 = 7;
  for (let k: u32 = 0; k < n; k++) {
    if (<u32>load<u16>(acl + ACL_HEAD + k * ACL_ENTRY_SIZE) == ACL_MASK) {
      maskPerm = <u32>load<u16>(acl + (ACL_HEAD + ACL_ENTRY_PERM) + k * ACL_ENTRY_SIZE);
    }
  }
  let groupFound = false;
  for (let k: u32 = 0; k < n; k++) {
    const e = acl + ACL_HEAD + k * ACL_ENTRY_SIZE;
    const tag = <u32>load<u16>(e);
    const perm = <u32>load<u16>(e + ACL_ENTRY_PERM);
    const id = load<u32>(e + ACL_ENTRY_ID);
    if (tag == ACL_USER_OBJ) {
      if (c.uid == owner) return mask & ~perm ? -EACCES : 0;
    } else if (tag == ACL_USER) {
      if (c.uid == id) return mask & ~(perm & maskPerm) ? -EACCES : 0;
    } else if (tag == ACL_GROUP_OBJ || tag == ACL_GROUP) {
      if (inGroup(c, tag == ACL_GROUP ? id : group)) {
        groupFound = true;
        if ((mask & ~(perm & maskPerm)) == 0) return 0;
      }
    } else if (tag == ACL_OTHER) {
      if (groupFound) return -EACCES;
      return mask & ~perm ? -EACCES : 0;
    }
  }
  return -EACCES;
}

/** generic_permission(): capabilities override -EACCES only; other errors, such as -ECHILD, are returned. */
function genericPermission(c: Context, i: Inode, mask: u32, rcu: bool): i32 {
  const err = aclPermissionCheck(c, i, mask, rcu);
  if (err != -EACCES) return err;
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
  if (!loadAttr(i, rcu)) return -ECHILD;
  const type = loadAttrMode & S_IFMT;
  if (mask & MAY_WRITE && i.sb.readonly != 0 && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK)) return -EROFS;
  let err: i32;
  if (loadAttrMode & I_OP_PERMISSION) {
    if (rcu) return -ECHILD;
    // A driver's decision is final; capabilities do not override it.
    err = driverPermission(i, mask);
  } else {
    err = genericPermission(c, i, mask, rcu);
  }
  if (err == 0 && hasSecurity) err = host.security(inodeNumber(i), <i32>mask, rcu ? 1 : 0);
  return err;
}

/** Whether the caller owns the inode or has the capability. The caller holds a reference on the inode. */
export function ownerOrCapable(c: Context, i: Inode, cap: u32): bool {
  loadAttr(i, false);
  return c.uid == loadAttrUid || capable(c, cap);
}
