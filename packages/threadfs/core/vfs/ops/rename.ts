/** Moves and exchanges names. create.ts has the lock order. */

import { EBUSY, EEXIST, EINVAL, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV } from "../../../abi/errno";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../abi/flags";
import { MAY_WRITE } from "../../../abi/permissions";
import { lockQuota } from "../../fs/tmpfs/quota";
import { tmpfsExchange, tmpfsRename } from "../../fs/tmpfs/tmpfs";
import { mutexLock, mutexUnlock, txBegin, txEnd } from "../../mem/lock/lock";
import { dAncestor } from "../dcache/d-lookup";
import { dMove } from "../dcache/d-move";
import { dput, dSetFlags } from "../dcache/dcache";
import { D_CANT_MOUNT, D_UNHASHED, Dentry } from "../dcache/dentry";
import { currentTime, Inode, ihold } from "../inode/inode";
import { iput } from "../inode/iput";
import { detachMounts, lockMountpoints, unlockMountpoints } from "../mount/mountpoint";
import { Mount, noMount } from "../mount/namespace";
import { putDetached } from "../mount/umount";
import { notifyMove } from "../notify/fsnotify";
import { happened } from "../recovery/outcome";
import { Context } from "../task/cred";
import { lookupDriver, lookupLocked } from "../walk/lookup";
import { filenameParentat, pathPut } from "../walk/namei";
import { LAST_NORM, Nameidata } from "../walk/nameidata";
import { inodePermission } from "../walk/permission";
import { hasTrailingSlash, mayCreate, mayDelete, mntWantWrite } from "./may";

/**
 * lock_rename(): locks both directories. If one is an ancestor of the other, returns the ancestor's child that leads to
 * the other; else null.
 */
function lockRename(a: Dentry, b: Dentry): Dentry {
  const none = changetype<Dentry>(0);
  if (a == b) {
    mutexLock(a.inode.mutex);
    return none;
  }
  mutexLock(a.sb.renameMutex);
  let trap = dAncestor(b, a);
  if (trap) {
    mutexLock(b.inode.mutex);
    mutexLock(a.inode.mutex);
    return trap;
  }
  trap = dAncestor(a, b);
  if (trap || a.at < b.at) {
    mutexLock(a.inode.mutex);
    mutexLock(b.inode.mutex);
  } else {
    mutexLock(b.inode.mutex);
    mutexLock(a.inode.mutex);
  }
  return trap;
}

function unlockRename(a: Dentry, b: Dentry): void {
  mutexUnlock(a.inode.mutex);
  if (a == b) return;
  mutexUnlock(b.inode.mutex);
  mutexUnlock(a.sb.renameMutex);
}

/** What renameat2(2) checks before it looks at the paths. 0 or -errno. */
export function checkRenameFlags(flags: u32): i32 {
  const bad = flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE);
  return bad ? -EINVAL : 0;
}

/** renameat2(2) with RENAME_NOREPLACE and RENAME_EXCHANGE. The flags have been checked. */
export function doRename(nd: Nameidata, nd2: Nameidata, flags: u32): i32 {
  let err = filenameParentat(nd, 0);
  if (err != 0) return err;
  err = filenameParentat(nd2, 0);
  if (err != 0) {
    pathPut(nd);
    return err;
  }
  if (nd.mnt != nd2.mnt) err = -EXDEV;
  else if (nd.lastType != LAST_NORM) err = -EBUSY;
  else if (nd2.lastType != LAST_NORM) err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
  else err = mntWantWrite(nd.mnt);
  if (err == 0) {
    nd.putDentry_ = 0;
    nd.putInode_ = 0;
    nd2.putDentry_ = 0;
    nd2.putInode_ = 0;
    detached = noMount();
    if (nd.mnt.sb.driver != 0) err = lookupBoth(nd, nd2);
    if (err == 0) err = renameTry(nd, nd2, flags);
    // Puts what the rename replaced when no lock is held, because it may have lost its last name.
    putAfterRename(nd);
    putAfterRename(nd2);
    putDetached(detached);
  }
  pathPut(nd2);
  pathPut(nd);
  return err;
}

function renameTry(nd: Nameidata, nd2: Nameidata, flags: u32): i32 {
  const a = nd.dentry;
  const b = nd2.dentry;
  const trap = lockRename(a, b);
  const err = renameLocked(nd, nd2, trap, flags);
  unlockRename(a, b);
  return err;
}

/** Looks both names up in a driver, which is not asked under locks. It has no rename, so only the error is left to be found. */
function lookupBoth(nd: Nameidata, nd2: Nameidata): i32 {
  const d = lookupDriver(nd);
  if (!d) return nd.err;
  nd.putDentry = d;
  if (!d.inode) return -ENOENT;
  const t = lookupDriver(nd2);
  if (!t) return nd2.err;
  nd2.putDentry = t;
  return 0;
}

/** Puts the references that renameLocked() has left in nd. */
function putAfterRename(nd: Nameidata): void {
  if (nd.putDentry_ != 0) dput(nd.putDentry);
  if (nd.putInode_ != 0) iput(nd.putInode);
}

function renameLocked(nd: Nameidata, nd2: Nameidata, trap: Dentry, flags: u32): i32 {
  const exchange = (flags & RENAME_EXCHANGE) != 0;
  const d = nd.putDentry_ != 0 ? nd.putDentry : lookupLocked(nd, false);
  if (!d) return nd.err;
  nd.putDentry = d;
  const source = d.inode;
  if (!source) return -ENOENT;
  const t = nd2.putDentry_ != 0 ? nd2.putDentry : lookupLocked(nd2, true);
  if (!t) return nd2.err;
  nd2.putDentry = t;
  const target = t.inode;
  if (flags & RENAME_NOREPLACE && target) return -EEXIST;
  if (exchange && !target) return -ENOENT;
  if (exchange && !target.isDir && hasTrailingSlash(nd2)) return -ENOTDIR;
  if (!source.isDir && (hasTrailingSlash(nd) || (!exchange && hasTrailingSlash(nd2)))) return -ENOTDIR;
  if (d == trap) return -EINVAL;
  if (t == trap) return exchange ? -EINVAL : -ENOTEMPTY;
  if (d.sb.driver != 0) return -EPERM;
  if (source == target) return 0;
  const err = mayRename(nd.ctx, nd.inode, d, nd2.inode, t, exchange);
  if (err != 0) return err;
  if (target) {
    ihold(target);
    nd2.putInode = target;
    mutexLock(target.mutex);
  }
  const r = moveLocked(nd, d, nd2, t, exchange);
  if (target) mutexUnlock(target.mutex);
  return r;
}

function mayRename(c: Context, from: Inode, d: Dentry, to: Inode, t: Dentry, exchange: bool): i32 {
  const isDir = d.inode.isDir;
  let err = mayDelete(c, from, d, isDir);
  if (err != 0) return err;
  if (!t.inode) err = mayCreate(c, to);
  else err = mayDelete(c, to, t, exchange ? t.inode.isDir : isDir);
  if (err != 0 || from == to) return err;
  // A directory that moves gets another "..", which counts as writing to it.
  if (isDir) err = inodePermission(c, d.inode, MAY_WRITE, false);
  if (err == 0 && exchange && t.inode.isDir) err = inodePermission(c, t.inode, MAY_WRITE, false);
  return err;
}

/** Second return value of moveLocked(): mounts for putDetached(). */
let detached: Mount = changetype<Mount>(0);

function moveLocked(nd: Nameidata, d: Dentry, nd2: Nameidata, t: Dentry, exchange: bool): i32 {
  const from = nd.dentry;
  const to = nd2.dentry;
  const locked = lockMountpoints(nd.ctx, d, t);
  if (locked < 0) return locked;
  if (!exchange && t.inode_ != 0 && t.inode.isDir && t.nrChildren != 0) {
    unlockMountpoints(locked);
    return -ENOTEMPTY;
  }
  const now = currentTime();
  const wasHashed = !(t.flags & D_UNHASHED);
  const moved = d.inode;
  const target = t.inode;
  // Names and counts change in one transaction: all or nothing.
  txBegin();
  const counted = target && !exchange ? lockQuota(target.sb) : false;
  const left = dMove(d, t, exchange);
  if (exchange) {
    tmpfsExchange(from, d, to, t, now);
  } else {
    if (wasHashed) dSetFlags(t, D_CANT_MOUNT, 0);
    tmpfsRename(from, d, to, t, now);
  }
  const replaced = exchange ? changetype<Inode>(0) : target;
  notifyMove(moved, from.inode, nd.last, nd.lastLen, to.inode, nd2.last, nd2.lastLen, replaced);
  if (exchange) notifyMove(target, to.inode, nd2.last, nd2.lastLen, from.inode, nd.last, nd.lastLen, replaced);
  if (counted) txEnd();
  txEnd();
  happened(0);
  if (replaced) detached = detachMounts(t, locked);
  unlockMountpoints(locked);
  if (left) dput(from);
  return 0;
}
