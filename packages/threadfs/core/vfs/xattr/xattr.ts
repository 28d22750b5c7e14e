/** setxattr(2), getxattr(2), listxattr(2), removexattr(2): names, permissions. */
import { E2BIG, EBADF, EINVAL, ENODATA, EOPNOTSUPP, EPERM, ERANGE } from "../../../abi/errno";
import { AT_EMPTY_PATH, XATTR_CREATE, XATTR_REPLACE } from "../../../abi/flags";
import { XATTR_NAME_MAX, XATTR_SIZE_MAX } from "../../../abi/limits";
import { S_ISVTX } from "../../../abi/mode";
import { CAP_FOWNER, CAP_SYS_ADMIN, MAY_READ, MAY_WRITE } from "../../../abi/permissions";
import * as SCRATCH from "../../../abi/scratch";
import { DOT } from "../../mem/hash";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { scratch } from "../../mem/thread";
import { ACL_ACCESS, ACL_DEFAULT, getAclXattr } from "../acl/entries";
import { setAclXattr } from "../acl/posix-acl";
import { fget, fput } from "../file/file";
import { I_DRIVER, Inode } from "../inode/inode";
import { mntWantWrite } from "../ops/may";
import { Context, capable } from "../task/cred";
import { FOR_PATH, filenameLookup, pathPut } from "../walk/namei";
import { Nameidata } from "../walk/nameidata";
import { inodePermission, ownerOrCapable } from "../walk/permission";
import { isTrusted, xattrGet, xattrList, xattrRemove, xattrSet } from "./store";

/** Namespaces of names. */
const OTHER: i32 = 0;
const USER: i32 = 1;
const TRUSTED: i32 = 2;
const SECURITY: i32 = 3;
const SYSTEM: i32 = 4;

/** The length of the last spaceOf()'s prefix. */
let prefixLength: u32 = 0;

/** The namespace of a name. Prefixes are compared as numbers: the core has no data of its own in memory. */
function spaceOf(name: usize, n: u32): i32 {
  prefixLength = 5;
  // "user", ".".
  if (n >= 5 && load<u32>(name) == 0x72657375 && load<u8>(name, 4) == DOT) return USER;
  prefixLength = 8;
  if (isTrusted(name, n)) return TRUSTED;
  prefixLength = 9;
  // "security", ".".
  if (n >= 9 && load<u64>(name) == 0x7974697275636573 && load<u8>(name, 8) == DOT) return SECURITY;
  prefixLength = 7;
  // "syst", "tem.".
  return n >= 7 && load<u32>(name) == 0x74737973 && load<u32>(name, 3) == 0x2e6d6574 ? SYSTEM : OTHER;
}

/** No ACL. */
const NO_ACL: i32 = -1;

/** posix_acl_type(): the type of ACL of a name of the space SYSTEM, or NO_ACL. */
function aclType(name: usize, n: u32): i32 {
  // "system.p", "osix_acl", "_access" or "_default".
  if (n < 23 || load<u64>(name) != 0x702e6d6574737973 || load<u64>(name, 8) != 0x6c63615f7869736f) return NO_ACL;
  if (n == 23) return load<u64>(name, 15) >> 8 == 0x7373656363615f ? ACL_ACCESS : NO_ACL;
  return n == 24 && load<u64>(name, 16) == 0x746c75616665645f ? ACL_DEFAULT : NO_ACL;
}

/** xattr_permission() */
function xattrPermission(c: Context, i: Inode, space: i32, mask: u32): i32 {
  if (space == SECURITY || space == SYSTEM) return 0;
  const writes = (mask & MAY_WRITE) != 0;
  if (space == TRUSTED) return capable(c, CAP_SYS_ADMIN) ? 0 : writes ? -EPERM : -ENODATA;
  if (space == USER) {
    // Special files and links have permission bits of another meaning, or none.
    if (!i.isReg && !i.isDir) return writes ? -EPERM : -ENODATA;
    if (i.isDir && i.mode & S_ISVTX && writes && !ownerOrCapable(c, i, CAP_FOWNER)) return -EPERM;
  }
  return inodePermission(c, i, mask, false);
}

/** xattr_resolve_name(), and cap_inode_setxattr() for changes: what the file system, or the kernel, says of a name. */
function resolveName(c: Context, i: Inode, space: i32, n: u32, changes: bool): i32 {
  if (changes && space == SECURITY && !capable(c, CAP_SYS_ADMIN)) return -EPERM;
  if (i.mode & I_DRIVER || space == OTHER || space == SYSTEM) return -EOPNOTSUPP;
  return n == prefixLength ? -EINVAL : 0;
}

/** Walks to the file. AT_EMPTY_PATH: the descriptor's, which must not be opened with O_PATH. */
function lookUp(nd: Nameidata, flags: u32, follow: u32): i32 {
  const err = filenameLookup(nd, follow, FOR_PATH, 0);
  if (err != 0 || !(flags & AT_EMPTY_PATH) || nd.nameLen != 0) return err;
  const f = fget(nd.ctx, nd.dirfd);
  if (f) fput(f);
  else pathPut(nd);
  return f ? 0 : -EBADF;
}

/** Checks the name of a call, which is in SCRATCH.PATH2. */
export function checkName(n: i32): i32 {
  return n <= 0 || n > XATTR_NAME_MAX ? -ERANGE : 0;
}

/** What setxattr(2) checks before the walk. */
export function checkSet(n: i32, length: u32, how: u32): i32 {
  if (how & ~(XATTR_CREATE | XATTR_REPLACE)) return -EINVAL;
  const err = checkName(n);
  return err == 0 && length > <u32>XATTR_SIZE_MAX ? -E2BIG : err;
}

/** Sets the attribute to the `length` bytes in SCRATCH.IO, or removes it. The arguments have been checked. */
export function doSetxattr(nd: Nameidata, flags: u32, follow: u32, n: u32, length: u32, how: u32, removes: bool): i32 {
  let err = lookUp(nd, flags, follow);
  if (err != 0) return err;
  const name = scratch + SCRATCH.PATH2;
  const i = nd.inode;
  const space = spaceOf(name, n);
  err = mntWantWrite(nd.mnt);
  const type = space == SYSTEM ? aclType(name, n) : NO_ACL;
  if (err == 0 && type != NO_ACL) {
    err = setAclXattr(nd.ctx, nd.dentry, i, type, scratch + SCRATCH.IO, removes ? 0 : length);
    pathPut(nd);
    return err;
  }
  if (err == 0) err = xattrPermission(nd.ctx, i, space, MAY_WRITE);
  if (err == 0) err = resolveName(nd.ctx, i, space, n, true);
  if (err == 0) {
    mutexLock(i.mutex);
    if (removes) err = xattrRemove(nd.dentry, i, name, n);
    else err = xattrSet(nd.dentry, i, name, n, scratch + SCRATCH.IO, length, how);
    mutexUnlock(i.mutex);
  }
  pathPut(nd);
  return err;
}

/** Writes the value of an attribute to SCRATCH.IO. Returns its length. */
export function doGetxattr(nd: Nameidata, flags: u32, follow: u32, n: u32): i32 {
  let r = lookUp(nd, flags, follow);
  if (r != 0) return r;
  const name = scratch + SCRATCH.PATH2;
  const i = nd.inode;
  const space = spaceOf(name, n);
  const type = space == SYSTEM ? aclType(name, n) : NO_ACL;
  if (type != NO_ACL) {
    r = getAclXattr(i, type, scratch + SCRATCH.IO);
    pathPut(nd);
    return r;
  }
  r = xattrPermission(nd.ctx, i, space, MAY_READ);
  if (r == 0) r = resolveName(nd.ctx, i, space, n, false);
  if (r == 0) {
    mutexLock(i.mutex);
    r = xattrGet(i, name, n, scratch + SCRATCH.IO);
    mutexUnlock(i.mutex);
  }
  pathPut(nd);
  return r;
}

/** Writes the names to SCRATCH.IO, each with a NUL. Returns their length. Those of "trusted." are CAP_SYS_ADMIN's. */
export function doListxattr(nd: Nameidata, flags: u32, follow: u32): i32 {
  let r = lookUp(nd, flags, follow);
  if (r != 0) return r;
  const i = nd.inode;
  if (i.mode & I_DRIVER) r = -EOPNOTSUPP;
  else {
    mutexLock(i.mutex);
    r = xattrList(i, capable(nd.ctx, CAP_SYS_ADMIN), scratch + SCRATCH.IO);
    mutexUnlock(i.mutex);
  }
  pathPut(nd);
  return r;
}
