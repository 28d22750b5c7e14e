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
import { detachMounts, dInvalidate, hasMountBelow, lockMountpoints, unlockMountpoints } from "../mount/mountpoint";
import { isMounted, Mount, noMount } from "../mount/namespace";
import { putDetached } from "../mount/umount";
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
  detached = noMount();
  if (err == 0) {
    mutexLock(i.mutex);
    err = unlinkLocked(nd, d, dirs);
    mutexUnlock(i.mutex);
  }
  mutexUnlock(dir.mutex);
  dput(d);
  if (i) iput(i);
  pathPut(nd);
  putDetached(detached);
  return err;
}

/** Second return value of unlinkLocked(): mounts for putDetached(). */
let detached: Mount = changetype<Mount>(0);

/** vfs_unlink() and vfs_rmdir() behind may_delete(), under both i_mutexes. */
function unlinkLocked(nd: Nameidata, d: Dentry, dirs: bool): i32 {
  const locked = lockMountpoints(nd.ctx, d, d);
  if (locked < 0) return locked;
  if (d.sb.driver != 0) {
    unlockMountpoints(locked);
    return unlinkDriver(nd.inode, d);
  }
  const err = dirs && d.nrChildren != 0 ? -ENOTEMPTY : 0;
  if (err == 0) {
    tmpfsUnlink(nd.dentry, d);
    detached = detachMounts(d, locked);
  }
  unlockMountpoints(locked);
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
  // Other namespaces may have mounts on it; and any below it, because the driver may remove a directory that is not empty.
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  const below = (d.inode.isDir || isMounted(d)) && hasMountBelow(d);
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
