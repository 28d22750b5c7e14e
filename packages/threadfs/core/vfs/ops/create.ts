/**
 * Creates files, directories and links. Each change to the tree walks to the directory (first in rcu mode), takes the
 * directory's i_mutex, looks the name up, checks permission, and only then changes anything.
 *
 * Lock order of all changes: s_vfs_rename_mutex, i_mutex of the directories (the ancestor first, else the lower address
 * first), i_mutex of the file.
 */

import { EEXIST, ENOENT, ENOSPC, EPERM } from "../../../abi/errno";
import * as HOOK from "../../../abi/hooks";
import { S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from "../../../abi/mode";
import { CAP_MKNOD } from "../../../abi/permissions";
import { driverCreate } from "../../fs/driver/hooks";
import { tmpfsCreate } from "../../fs/tmpfs/tmpfs";
import { lock, mutexUnlock, unlock } from "../../mem/lock/lock";
import { dDropLocked, dInstantiate, dput, dSetFlags } from "../dcache/dcache";
import { D_DRIVER_PENDING, Dentry, setFlags } from "../dcache/dentry";
import { discardInode, igetDriver, newInode } from "../inode/icache";
import { isDeviceType } from "../inode/inode";
import { iput } from "../inode/iput";
import { notifyCreate } from "../notify/fsnotify";
import { driverChangeShown, driverCreated } from "../recovery/driver-change";
import { happened } from "../recovery/outcome";
import { Context, capable } from "../task/cred";
import { errDentry, lockAndLookup } from "../walk/lookup";
import { filenameParentat, pathPut } from "../walk/namei";
import { LAST_NORM, LOOKUP_OPEN, Nameidata } from "../walk/nameidata";
import { hasTrailingSlash, mayCreate, mntWantWrite, vfsPrepareMode } from "./may";

/**
 * filename_create(): for a name that does not exist, a negative dentry with the directory's i_mutex taken. null:
 * nd.err, no lock taken. The caller checks whether it may create the name.
 */
export function filenameCreate(nd: Nameidata, isDir: bool): Dentry {
  let err = filenameParentat(nd, 0);
  if (err != 0) return errDentry(nd, err);
  if (nd.lastType != LAST_NORM) {
    pathPut(nd);
    return errDentry(nd, -EEXIST);
  }
  const d = lockAndLookup(nd, true);
  if (!d) {
    pathPut(nd);
    return d;
  }
  if (d.inode) err = -EEXIST;
  else if (!isDir && hasTrailingSlash(nd)) err = -ENOENT;
  else err = mntWantWrite(nd.mnt);
  if (err == 0) return d;
  donePathCreate(nd, d);
  return errDentry(nd, err);
}

export function donePathCreate(nd: Nameidata, d: Dentry): void {
  mutexUnlock(nd.inode.mutex);
  dput(d);
  pathPut(nd);
}

/**
 * Creates the file that `mode` describes under a negative dentry. Permission to write to the directory has been checked.
 * `body` and `bodyLen` are the text of a link; of a device `bodyLen` is its number. Under the directory's i_mutex.
 */
export function vfsMknod(c: Context, nd: Nameidata, d: Dentry, mode: u32, body: usize, bodyLen: u32): i32 {
  const sb = nd.dentry.sb;
  // An open goes on to a descriptor.
  const result: f64 = nd.flags & LOOKUP_OPEN ? NaN : 0;
  if (isDeviceType(mode & S_IFMT)) {
    // The number 0 is a whiteout, which opens nothing (is_whiteout).
    const whiteout = (mode & S_IFMT) == S_IFCHR && bodyLen == 0;
    if (!whiteout && !capable(c, CAP_MKNOD)) return -EPERM;
    // No hook takes the number of a device.
    if (sb.driver != 0) return -EPERM;
  }
  if (sb.driver == 0) return tmpfsCreate(c, nd.dentry, d, mode, body, bodyLen, result);
  if (!(sb.hooks & HOOK.CREATE)) return -EPERM;
  // Allocates the inode first: a file that the driver has created cannot be undone for lack of memory.
  const spare = newInode(sb, mode, 0, 0);
  if (!spare) return -ENOSPC;
  dSetFlags(d, D_DRIVER_PENDING, 0);
  const err = driverCreate(nd.inode, nd.last, nd.lastLen, mode, body, bodyLen);
  if (err != 0) {
    dSetFlags(d, 0, D_DRIVER_PENDING);
    discardInode(spare);
    return err;
  }
  driverCreated(d, nd.inode);
  happened(result);
  const i = igetDriver(sb, spare);
  lock(d.lockref);
  setFlags(d, 0, D_DRIVER_PENDING);
  const bound = dInstantiate(d, i);
  // Another thread has found the new directory under another name already: the next lookup of this one asks the driver.
  if (!bound) dDropLocked(d);
  notifyCreate(nd.inode, d, i);
  unlock(d.lockref);
  driverChangeShown();
  if (!bound) iput(i);
  return 0;
}

/** mkdir(2), mknod(2), symlink(2). `mode` has the type. */
export function doCreate(nd: Nameidata, mode: u32, body: usize, bodyLen: u32): i32 {
  const type = mode & S_IFMT;
  const d = filenameCreate(nd, type == S_IFDIR);
  if (!d) return nd.err;
  const bits = mode & 0xfff;
  // The bits of a link mean nothing and are the same for all.
  const m = type | (type == S_IFLNK ? bits : vfsPrepareMode(nd.ctx, nd.inode, bits));
  let err = mayCreate(nd.ctx, nd.inode);
  if (err == 0) err = vfsMknod(nd.ctx, nd, d, m, body, bodyLen);
  donePathCreate(nd, d);
  return err;
}
