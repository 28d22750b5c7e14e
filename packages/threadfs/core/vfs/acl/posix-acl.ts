/** Setting POSIX ACLs of files in memory (Linux: fs/posix_acl.c), and what a chmod makes of one. entries.ts has their form. */
import { EACCES, EINVAL, ENOSPC, EOPNOTSUPP, EPERM, ERANGE } from "../../../abi/errno";
import { IN_ATTRIB } from "../../../abi/flags";
import { ACL_ENTRY_SIZE } from "../../../abi/memory";
import { S_ISGID } from "../../../abi/mode";
import { ACL_OTHER, ACL_USER_OBJ, CAP_FOWNER, CAP_FSETID } from "../../../abi/permissions";
import { slabFree } from "../../mem/alloc/slab";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { put32, removePendingBlock } from "../../mem/undo/log";
import { modeChangeBegin, modeChangeEnd } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { beginAttr, currentTime, endAttr, I_ACL, I_DRIVER, Inode } from "../inode/inode";
import { changeBegin, changeEnd } from "../notify/fsnotify";
import { happened } from "../recovery/outcome";
import { Context, capable, inGroup } from "../task/cred";
import { ACL_HEAD, ACL_MAX, ownerOrCapable } from "../walk/permission";
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  aclAt,
  entriesOf,
  entryOf,
  groupClass,
  isEntry,
  newAcl,
  permAt,
  permOf,
  tagOf,
  validAcl,
  XATTR_HEAD,
  XATTR_VERSION,
} from "./entries";

/** set_posix_acl(): sets an ACL to `n` entries; 0 removes it. Of an access ACL the mode bits follow. */
export function doSetacl(c: Context, named: Dentry, i: Inode, type: u32, from: usize, n: u32): i32 {
  if (i.mode & I_DRIVER || i.isLink) return -EOPNOTSUPP;
  if (type == ACL_DEFAULT && !i.isDir) return n != 0 ? -EACCES : 0;
  if (!ownerOrCapable(c, i, CAP_FOWNER)) return -EPERM;
  if (n > ACL_MAX) return -ERANGE;
  if (n != 0 && !validAcl(from, n)) return -EINVAL;
  let acl: usize = 0;
  // The three base entries alone are equivalent to mode bits, and no access ACL is stored.
  if (type == ACL_DEFAULT ? n != 0 : n > 3) {
    acl = newAcl(from, n);
    if (acl == 0) return -ENOSPC;
  }
  mutexLock(i.mutex);
  setLocked(c, named, i, type, from, n, acl);
  happened(0);
  mutexUnlock(i.mutex);
  return 0;
}

/** simple_set_acl(): `acl` is the block for the `n` entries. */
function setLocked(c: Context, named: Dentry, i: Inode, type: u32, from: usize, n: u32, acl: usize): void {
  const now = currentTime();
  const at = aclAt(i, type);
  const followed = changeBegin(named);
  const d = modeChangeBegin(i);
  beginAttr(i);
  const old = load<u32>(at);
  put32(at, <u32>acl);
  if (acl != 0) removePendingBlock(acl);
  if (type == ACL_ACCESS) i.mode = modeOf(c, i, from, n, acl);
  i.ctime = now;
  endAttr(i);
  // Readers own i_mutex or i_lock, or throw away what they have found, because the inode's sequence has moved (walk/permission.ts). So
  // the old one can be freed at once.
  if (old != 0) slabFree(old);
  modeChangeEnd(i, d);
  changeEnd(followed, named, i, IN_ATTRIB);
}

/** posix_acl_update_mode(): the mode of an inode that gets these entries as its access ACL. */
function modeOf(c: Context, i: Inode, from: usize, n: u32, acl: usize): u32 {
  let mode = i.mode & ~I_ACL;
  if (n != 0) {
    const group = permAt(groupClass(from, n));
    mode = (mode & ~0x1ff) | (permOf(from, n, ACL_USER_OBJ) << 6) | (group << 3) | permOf(from, n, ACL_OTHER);
  }
  if (acl != 0) mode |= I_ACL;
  return inGroup(c, i.gid) || capable(c, CAP_FSETID) ? mode : mode & ~S_ISGID;
}

/** posix_acl_chmod(): owner, mask (or group) and others get the new mode bits. Under i_mutex, between beginAttr() and endAttr(). */
export function aclChmod(i: Inode, mode: u32): void {
  const p = <usize>i.acl + ACL_HEAD;
  const n = entriesOf(i.acl);
  setPerm(entryOf(p, n, ACL_USER_OBJ), (mode >> 6) & 7);
  setPerm(groupClass(p, n), (mode >> 3) & 7);
  setPerm(entryOf(p, n, ACL_OTHER), mode & 7);
}

function setPerm(e: usize, perm: u32): void {
  if (e != 0) put32(e, tagOf(e) | (perm << 16));
}

// ------------------------------------------------------------------------------------------------- as attributes

/** do_set_acl(): sets an ACL to the value of an attribute, `size` bytes; 0 removes it. */
export function setAclXattr(c: Context, named: Dentry, i: Inode, type: u32, value: usize, size: u32): i32 {
  if (size == 0) return doSetacl(c, named, i, type, value, 0);
  if (size < XATTR_HEAD) return -EINVAL;
  if (load<u32>(value) != XATTR_VERSION) return -EOPNOTSUPP;
  if ((size - XATTR_HEAD) % ACL_ENTRY_SIZE != 0) return -EINVAL;
  const n = (size - XATTR_HEAD) / ACL_ENTRY_SIZE;
  const from = value + XATTR_HEAD;
  // What no entry can be is refused before anything is asked of the file.
  for (let k: u32 = 0; k < n; k++) if (!isEntry(from + k * ACL_ENTRY_SIZE)) return -EINVAL;
  return doSetacl(c, named, i, type, from, n);
}
