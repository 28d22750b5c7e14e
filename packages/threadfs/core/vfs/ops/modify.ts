/**
 * Changes to the tree: create, link, unlink, rename. Each walks to the directory (first in rcu mode), takes the
 * directory's i_mutex, looks the name up, checks permission, and only then changes anything.
 *
 * Lock order: s_vfs_rename_mutex, i_mutex of the directories (the ancestor first, else the lower address first),
 * i_mutex of the file.
 */

import {
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  EMLINK,
  ENOENT,
  ENOSPC,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
} from "../../../abi/errno";
import { MS_RDONLY, RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../abi/flags";
import * as HOOK from "../../../abi/hooks";
import { S_IFDIR, S_ISVTX } from "../../../abi/mode";
import { CAP_FOWNER, MAY_EXEC, MAY_WRITE } from "../../../abi/permissions";
import { driverCreate, driverUnlink } from "../../fs/driver/hooks";
import { tmpfsCreate, tmpfsExchange, tmpfsLink, tmpfsRename, tmpfsUnlink } from "../../fs/tmpfs/tmpfs";
import { lock, mutexLock, mutexUnlock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { dAncestor } from "../dcache/d-lookup";
import { dMove } from "../dcache/d-move";
import { dDelete, dDeleteFinish, dInstantiate, dput, dSetFlags } from "../dcache/dcache";
import { D_CANT_MOUNT, D_DRIVER_PENDING, D_UNHASHED, Dentry, setFlags } from "../dcache/dentry";
import { discardInode, igetDriver, iput, newInode } from "../inode/icache";
import { currentTime, I_DEAD, Inode, ihold } from "../inode/inode";
import { isMounted, Mount } from "../mount/namespace";
import { Context } from "../task/cred";
import { errDentry, lookupLocked } from "../walk/lookup";
import { FOR_PATH, filenameLookup, filenameParentat, pathPut } from "../walk/namei";
import { LAST_DOT, LAST_DOTDOT, LAST_NORM, LOOKUP_FOLLOW, Nameidata } from "../walk/nameidata";
import { inodePermission, ownerOrCapable } from "../walk/permission";

/** Links that a file may have. */
const LINK_MAX: u32 = 0x7fffffff;

/** mnt_want_write() */
export function mntWantWrite(m: Mount): i32 {
  return m.flags & MS_RDONLY || m.sb.readonly != 0 ? -EROFS : 0;
}

/** may_create(): under the directory's i_mutex. */
export function mayCreate(c: Context, dir: Inode): i32 {
  if (dir.mode & I_DEAD) return -ENOENT;
  return inodePermission(c, dir, MAY_WRITE | MAY_EXEC, false);
}

/** may_delete(): whether `d` may be removed from `dir`. `asDir`: by rmdir, or by a rename of a directory. */
function mayDelete(c: Context, dir: Inode, d: Dentry, asDir: bool): i32 {
  const i = d.inode;
  if (!i) return -ENOENT;
  const err = inodePermission(c, dir, MAY_WRITE | MAY_EXEC, false);
  if (err != 0) return err;
  if (dir.mode & S_ISVTX && c.uid != dir.uid && !ownerOrCapable(c, i, CAP_FOWNER)) return -EPERM;
  if (asDir) {
    if (!i.isDir) return -ENOTDIR;
    if (d.isRoot) return -EBUSY;
  } else if (i.isDir) {
    return -EISDIR;
  }
  return dir.mode & I_DEAD ? -ENOENT : 0;
}

function hasTrailingSlash(nd: Nameidata): bool {
  return load<u8>(nd.last + nd.lastLen) != 0;
}

/**
 * filename_create(): for a name that does not exist, a negative dentry with the directory's i_mutex taken. null:
 * nd.err, no lock taken.
 */
function filenameCreate(nd: Nameidata, isDir: bool): Dentry {
  let err = filenameParentat(nd, 0);
  if (err != 0) return errDentry(nd, err);
  if (nd.lastType != LAST_NORM) {
    pathPut(nd);
    return errDentry(nd, -EEXIST);
  }
  mutexLock(nd.inode.mutex);
  const d = lookupLocked(nd, true);
  if (!d) {
    mutexUnlock(nd.inode.mutex);
    pathPut(nd);
    return d;
  }
  if (d.inode) err = -EEXIST;
  else if (!isDir && hasTrailingSlash(nd)) err = -ENOENT;
  else err = mntWantWrite(nd.mnt);
  if (err == 0) err = mayCreate(nd.ctx, nd.inode);
  if (err == 0) return d;
  donePathCreate(nd, d);
  return errDentry(nd, err);
}

function donePathCreate(nd: Nameidata, d: Dentry): void {
  mutexUnlock(nd.inode.mutex);
  dput(d);
  pathPut(nd);
}

/**
 * Creates the file that `mode` describes under a negative dentry. Permission has been checked. Under the directory's
 * i_mutex.
 */
export function vfsMknod(c: Context, nd: Nameidata, d: Dentry, mode: u32, body: usize, bodyLen: u32): i32 {
  const sb = nd.dentry.sb;
  if (sb.driver == 0) return tmpfsCreate(c, nd.dentry, d, mode, body, bodyLen);
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
  const i = igetDriver(sb, spare);
  lock(d.lockref);
  setFlags(d, 0, D_DRIVER_PENDING);
  dInstantiate(d, i);
  unlock(d.lockref);
  return 0;
}

/** mkdir(2), mknod(2), symlink(2). `mode` has the type, and the umask has been applied. */
export function doCreate(nd: Nameidata, mode: u32, body: usize, bodyLen: u32): i32 {
  const d = filenameCreate(nd, (mode & 0xf000) == S_IFDIR);
  if (!d) return nd.err;
  const err = vfsMknod(nd.ctx, nd, d, mode, body, bodyLen);
  donePathCreate(nd, d);
  return err;
}

/** linkat(2). `follow`: links the target of a symbolic link. */
export function doLink(from: Nameidata, nd: Nameidata, follow: bool): i32 {
  let err = filenameLookup(from, follow ? LOOKUP_FOLLOW : 0, FOR_PATH, 0);
  if (err != 0) return err;
  const d = filenameCreate(nd, false);
  if (!d) {
    pathPut(from);
    return nd.err;
  }
  const i = from.dentry.inode;
  if (from.mnt != nd.mnt) err = -EXDEV;
  else if (!i) err = -ENOENT;
  else if (i.isDir || i.sb.driver != 0) err = -EPERM;
  else {
    mutexLock(i.mutex);
    if (i.nlink == 0) err = -ENOENT;
    else if (i.nlink >= LINK_MAX) err = -EMLINK;
    else tmpfsLink(nd.dentry, d, i);
    mutexUnlock(i.mutex);
  }
  donePathCreate(nd, d);
  pathPut(from);
  return err;
}

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
  const dir = nd.inode;
  mutexLock(dir.mutex);
  const d = lookupLocked(nd, false);
  if (!d) {
    mutexUnlock(dir.mutex);
    pathPut(nd);
    return nd.err;
  }
  const i = d.inode;
  if (i) ihold(i);
  if (!i) err = -ENOENT;
  else if (!dirs && hasTrailingSlash(nd)) err = i.isDir ? -EISDIR : -ENOTDIR;
  else if (err == 0) err = mayDelete(nd.ctx, dir, d, dirs);
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
  lock(d.lockref);
  setFlags(d, D_CANT_MOUNT, D_DRIVER_PENDING);
  const inodeToPut = dDelete(d);
  unlock(d.lockref);
  dDeleteFinish(d, inodeToPut);
  return 0;
}

// ---------------------------------------------------------------------------------------------------- rename

/**
 * lock_rename(): the child of one directory that is an ancestor of, or is, the other one; null: neither is an ancestor
 * of the other.
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

/** renameat2(2) with RENAME_NOREPLACE and RENAME_EXCHANGE. */
export function doRename(nd: Nameidata, nd2: Nameidata, flags: u32): i32 {
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)) return -EINVAL;
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
    const a = nd.dentry;
    const b = nd2.dentry;
    nd.putDentry_ = 0;
    nd.putInode_ = 0;
    nd2.putDentry_ = 0;
    nd2.putInode_ = 0;
    const trap = lockRename(a, b);
    err = renameLocked(nd, nd2, trap, flags);
    unlockRename(a, b);
    // Puts what the rename replaced when no lock is held, because it may have lost its last name.
    putAfterRename(nd);
    putAfterRename(nd2);
  }
  pathPut(nd2);
  pathPut(nd);
  return err;
}

/** Puts the references that renameLocked() has left in nd. */
function putAfterRename(nd: Nameidata): void {
  if (nd.putDentry_ != 0) dput(nd.putDentry);
  if (nd.putInode_ != 0) iput(nd.putInode);
}

function renameLocked(nd: Nameidata, nd2: Nameidata, trap: Dentry, flags: u32): i32 {
  const exchange = (flags & RENAME_EXCHANGE) != 0;
  const d = lookupLocked(nd, false);
  if (!d) return nd.err;
  nd.putDentry = d;
  const source = d.inode;
  if (!source) return -ENOENT;
  const t = lookupLocked(nd2, true);
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
  const r = moveLocked(nd.dentry, d, nd2.dentry, t, exchange);
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

function moveLocked(from: Dentry, d: Dentry, to: Dentry, t: Dentry, exchange: bool): i32 {
  if (isMounted(d) || isMounted(t)) return -EBUSY;
  if (!exchange && t.inode_ != 0 && t.inode.isDir && t.nrChildren != 0) return -ENOTEMPTY;
  const now = currentTime();
  const wasHashed = !(t.flags & D_UNHASHED);
  // Names and counts change in one transaction: all or nothing.
  txBegin();
  const left = dMove(d, t, exchange);
  if (exchange) {
    tmpfsExchange(from, d, to, t, now);
  } else {
    if (wasHashed) dSetFlags(t, D_CANT_MOUNT, 0);
    tmpfsRename(from, d, to, t, now);
  }
  txEnd();
  if (left) dput(from);
  return 0;
}
