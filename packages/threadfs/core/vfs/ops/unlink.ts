/** Removes names of files and directories. */

import { EBUSY, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM } from "../../../abi/errno";
import * as HOOK from "../../../abi/hooks";
import { driverUnlink } from "../../fs/driver/hooks";
import { tmpfsUnlink } from "../../fs/tmpfs/tmpfs";
import { lock, mutexLock, mutexUnlock, unlock } from "../../mem/lock/lock";
import { dDelete, dDeleteFinish, dput, dSetFlags } from "../dcache/dcache";
import { D_CANT_MOUNT, D_DRIVER_PENDING, Dentry, setFlags } from "../dcache/dentry";
import { Inode, ihold } from "../inode/inode";
import { iput } from "../inode/iput";
import { G_MOUNT_LOCK, G_RENAME_LOCK } from "../layout";
import { isMounted } from "../mount/namespace";
import { dInvalidate, hasMountBelow } from "../mount/umount";
import { notifyDelete } from "../notify/fsnotify";
import { driverChangeShown, driverRemoved } from "../recovery/driver-change";
import { happened } from "../recovery/outcome";
import { lockAndLookup } from "../walk/lookup";
import { filenameParentat, pathPut } from "../walk/namei";
import { LAST_DOT, LAST_DOTDOT, LAST_NORM, Nameidata } from "../walk/nameidata";
import { hasTrailingSlash, mayDelete, mntWantWrite } from "./may";

/** unlink(2) and rmdir(2). */
export function doUnlink(nd: Nameidata, dirs: bool): i32 {
  let err = filenameParentat(nd, 0);
  if (err != 0) return err;
  if (nd.lastType != LAST_NORM) {
    if (!dirs) err = -EISDIR;
    else err = nd.lastType == LAST_DOTDOT ? -ENOTEMPTY : nd.lastType == LAST_DOT ? -EINVAL : -EBUSY;
    pathPut(nd);
    return err;
  }
  err = mntWantWrite(nd.mnt);
  if (err != 0) {
    pathPut(nd);
    return err;
  }
  const dir = nd.inode;
  const d = lockAndLookup(nd, false);
  if (!d) {
    pathPut(nd);
    return nd.err;
  }
  const i = d.inode;
  if (i) ihold(i);
  if (!i) err = -ENOENT;
  else if (!dirs && hasTrailingSlash(nd)) err = i.isDir ? -EISDIR : -ENOTDIR;
  else err = mayDelete(nd.ctx, dir, d, dirs);
  if (err == 0) {
    mutexLock(i.mutex);
    if (isMounted(d)) err = -EBUSY;
    else if (d.sb.driver != 0) err = unlinkDriver(dir, d);
    else if (dirs && d.nrChildren != 0) err = -ENOTEMPTY;
    else tmpfsUnlink(nd.dentry, d);
    mutexUnlock(i.mutex);
  }
  mutexUnlock(dir.mutex);
  dput(d);
  if (i) iput(i);
  pathPut(nd);
  return err;
}

function unlinkDriver(dir: Inode, d: Dentry): i32 {
  if (!(d.sb.hooks & HOOK.UNLINK)) return -EPERM;
  dSetFlags(d, D_DRIVER_PENDING, 0);
  const err = driverUnlink(dir, d);
  if (err != 0) {
    dSetFlags(d, 0, D_DRIVER_PENDING);
    return err;
  }
  driverRemoved(d, dir);
  happened(0);
  // Nothing is mounted on it, but perhaps below it: the driver may remove a directory that is not empty.
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  const below = d.inode.isDir && hasMountBelow(d);
  if (below) {
    unlock(G_RENAME_LOCK);
    unlock(G_MOUNT_LOCK);
    dInvalidate(d, atomic.load<u32>(d.seq));
    lock(G_MOUNT_LOCK);
    lock(G_RENAME_LOCK);
  }
  lock(d.lockref);
  setFlags(d, D_CANT_MOUNT, D_DRIVER_PENDING);
  const i = d.inode;
  const inodeToPut = dDelete(d);
  notifyDelete(dir, d, i);
  unlock(d.lockref);
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  driverChangeShown();
  dDeleteFinish(d, inodeToPut);
  return 0;
}
