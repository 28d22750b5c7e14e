/**
 * The in-memory file system. Its inodes and directories exist only as dentries. An extra reference (the pin) keeps each
 * dentry in the cache from its creation until it is unlinked. Its directories are complete (D_COMPLETE): a name without
 * a dentry does not exist.
 *
 * All functions run under the i_mutex of the directories that they change. Each changes names and counts in one
 * transaction: all or nothing, also if the thread dies.
 */

import { ENOSPC } from "../../../abi/errno";
import { IN_MODIFY } from "../../../abi/flags";
import { S_IFDIR, S_IFMT, S_ISGID } from "../../../abi/mode";
import { linkBlock, slabFree } from "../../mem/alloc/slab";
import { lock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { lockrefCount, lockrefSet } from "../../mem/lock/lockref";
import { inheritAcl } from "../../vfs/acl/entries";
import { dAllocRoot } from "../../vfs/dcache/d-alloc";
import { hashGrow } from "../../vfs/dcache/d-hash";
import { dAdd, dDelete, dDeleteFinish, dget, dInstantiate, dput, dSetFlags } from "../../vfs/dcache/dcache";
import { D_CANT_MOUNT, D_COMPLETE, Dentry } from "../../vfs/dcache/dentry";
import { discardInode, newInode } from "../../vfs/inode/icache";
import {
  addLinks,
  beginAttr,
  currentTime,
  endAttr,
  I_DEAD,
  I_LINKABLE,
  Inode,
  ihold,
  isDeviceType,
  setMtime,
  touch,
} from "../../vfs/inode/inode";
import { iput } from "../../vfs/inode/iput";
import { linkBlockSize } from "../../vfs/inode/link";
import { newSuper, SuperBlock } from "../../vfs/mount/super";
import { changeBegin, changeEnd, notifyCreate, notifyDelete, notifyLink } from "../../vfs/notify/fsnotify";
import { happened } from "../../vfs/recovery/outcome";
import { kmallocSpace } from "../../vfs/recovery/space";
import { Context } from "../../vfs/task/cred";
import { dataTruncate, setSize, updateSparse } from "./data";
import { INODE_SPACE, LONG_LINK, lockQuota, releaseSpace, reserveInode, setLimits } from "./quota";

/** Each entry adds this to a directory's size, "." and ".." too, as in Linux's tmpfs (BOGO_DIRENT_SIZE). */
export const DIRENT_SIZE: i64 = 20;

/** A new file system with an empty root and these limits (setLimits()); null: the arena is full. */
export function tmpfsSuper(mode: u32, readonly: bool, size: f64, inodes: f64): SuperBlock {
  const none = changetype<SuperBlock>(0);
  const sb = newSuper(0, readonly);
  if (!sb) return none;
  setLimits(sb, size, inodes);
  const i = newInode(sb, S_IFDIR | mode, 0, 0);
  const d = i ? dAllocRoot(sb) : changetype<Dentry>(0);
  if (!d) {
    if (i) discardInode(i);
    slabFree(sb.at);
    return none;
  }
  i.nlink = 2;
  i.size = 2 * DIRENT_SIZE;
  dInstantiate(d, i);
  dSetFlags(d, D_COMPLETE, 0);
  sb.root_ = <u32>d.at;
  return sb;
}

/** inode_init_owner(): vfsPrepareMode() has judged the set-group-id bit. A new inode with the owner and mode of a file created in `dir`. */
function newOwnedInode(c: Context, dir: Inode, mode: u32): Inode {
  let m = mode;
  let gid = c.gid;
  const dirMode = dir.mode;
  if (dirMode & S_ISGID) {
    gid = dir.gid;
    if ((m & S_IFMT) == S_IFDIR) m |= S_ISGID;
  }
  return newInode(dir.sb, m, c.uid, gid);
}

/**
 * Creates a file, directory, special file or link (with `body`) under a negative, unhashed dentry; the number of a device is
 * `bodyLen`. Allocates before it changes anything, so that -ENOSPC changes nothing. `result`: what the call then returns; NaN: it has more to do.
 */
export function tmpfsCreate(
  c: Context,
  parent: Dentry,
  d: Dentry,
  mode: u32,
  body: usize,
  bodyLen: u32,
  result: f64,
): i32 {
  const dir = parent.inode;
  let text: usize = 0;
  if (body != 0) {
    text = kmallocSpace(linkBlockSize(bodyLen));
    if (text == 0) return -ENOSPC;
    memory.copy(text, body, bodyLen);
    store<u8>(text + bodyLen, 0);
  }
  const i = newOwnedInode(c, dir, mode);
  if (!i) {
    if (text != 0) slabFree(text);
    return -ENOSPC;
  }
  // A link has a body, and inherits nothing.
  if (!inheritAcl(dir, i)) {
    discardInode(i);
    return -ENOSPC;
  }
  const isDir = i.isDir;
  i.nlink = isDir ? 2 : 1;
  if (isDir) i.size = 2 * DIRENT_SIZE;
  if (text != 0) {
    linkBlock(i.dataAt, text);
    i.size = bodyLen;
    i.pages = bodyLen < LONG_LINK ? 0 : 1;
  }
  if (isDeviceType(mode & S_IFMT)) i.rdev = bodyLen;
  // Set before any thread can look a name up in it.
  if (isDir) dSetFlags(d, D_COMPLETE, 0);
  const t = currentTime();
  dget(d);
  txBegin();
  const err = reserveInode(dir.sb, i.pages);
  if (err != 0) {
    txEnd();
    dput(d);
    discardInode(i);
    return err;
  }
  addEntry(parent, d, i, t);
  if (isDir) addLinks(dir, 1, t);
  notifyCreate(dir, d, i);
  txEnd();
  happened(result);
  hashGrow();
  return 0;
}

/** shmem_tmpfile(): a file without a name, under an unhashed dentry that ends with the file's last reference. */
export function tmpfsTmpfile(c: Context, parent: Dentry, d: Dentry, mode: u32): i32 {
  const i = newOwnedInode(c, parent.inode, mode);
  if (!i) return -ENOSPC;
  if (!inheritAcl(parent.inode, i)) {
    discardInode(i);
    return -ENOSPC;
  }
  txBegin();
  const err = reserveInode(i.sb, 0);
  if (err == 0) dInstantiate(d, i);
  txEnd();
  if (err != 0) discardInode(i);
  return err;
}

/**
 * Binds and counts a new entry. Takes over the caller's references: that on the inode, and that on the dentry as the
 * pin.
 */
function addEntry(parent: Dentry, d: Dentry, i: Inode, t: i64): void {
  parent.nrChildren += 1;
  dAdd(d, i);
  updateDirectory(parent.inode, DIRENT_SIZE, t);
}

function updateDirectory(dir: Inode, grow: i64, t: i64): void {
  beginAttr(dir);
  dir.size = dir.size + grow;
  setMtime(dir, t, 0);
  dir.ctime = t;
  endAttr(dir);
}

/** Adds a name to an inode. The first name of a file counts with the file. 0 or -ENOSPC. */
export function tmpfsLink(parent: Dentry, d: Dentry, i: Inode): i32 {
  const t = currentTime();
  ihold(i);
  dget(d);
  txBegin();
  const err = i.nlink == 0 ? 0 : reserveInode(i.sb, 0);
  if (err != 0) {
    txEnd();
    dput(d);
    iput(i);
    return err;
  }
  addEntry(parent, d, i, t);
  if (i.mode & I_LINKABLE) {
    beginAttr(i);
    i.mode = i.mode & ~I_LINKABLE;
    endAttr(i);
  }
  addLinks(i, 1, t);
  notifyLink(parent.inode, d, i);
  txEnd();
  happened(0);
  hashGrow();
  return 0;
}

/** Removes a name. The caller holds references on `d` and its inode, and owns the inode's i_mutex. Needs no memory. */
export function tmpfsUnlink(parent: Dentry, d: Dentry): void {
  const dir = parent.inode;
  const i = d.inode;
  const t = currentTime();
  txBegin();
  const counted = lockQuota(i.sb);
  // The pin first: if only the caller holds the dentry, dDelete() makes it negative.
  unpin(d);
  const inodeToPut = dDelete(d);
  dropNlink(d, i, t);
  if (i.isDir) addLinks(dir, -1, t);
  parent.nrChildren -= 1;
  updateDirectory(dir, -DIRENT_SIZE, t);
  notifyDelete(dir, d, i);
  if (counted) txEnd();
  txEnd();
  happened(0);
  dDeleteFinish(d, inodeToPut);
}

/** Drops the pin of an entry, which is never the last reference: the caller holds one. */
function unpin(d: Dentry): void {
  lock(d.lockref);
  lockrefSet(d.lockref, lockrefCount(d.lockref) - 1);
  unlock(d.lockref);
}

/**
 * drop_nlink(): the inode loses a name. A directory is dead then: nothing can be created or mounted in it. The last name of a file counts
 * with the file, until that ends. The transaction began with lockQuota().
 */
function dropNlink(d: Dentry, i: Inode, t: i64): void {
  if (!i.isDir) {
    if (i.nlink > 1) releaseSpace(i.sb, INODE_SPACE);
    addLinks(i, -1, t);
    return;
  }
  dSetFlags(d, D_CANT_MOUNT, 0);
  beginAttr(i);
  i.mode = i.mode | I_DEAD;
  i.nlink = 0;
  i.ctime = t;
  endAttr(i);
}

/**
 * Takes the i_locks of two entries by address, until the commit: of two renames of links in different directories each may replace what
 * the other moves.
 */
function lockInodes(a: Inode, b: Inode): void {
  lock(min<usize>(a.lock, b.lock));
  lock(max<usize>(a.lock, b.lock));
  unlock(a.lock);
  unlock(b.lock);
}

/**
 * Changes counts and times for a rename, in the transaction that changes the names. `d` moved from `from` to `to`,
 * where it replaced `target` if that is positive; the transaction began with lockQuota(). The caller owns both parents' i_mutex and the target's. i_locks are
 * taken from entries to directories.
 */
export function tmpfsRename(from: Dentry, d: Dentry, to: Dentry, target: Dentry, t: i64): void {
  const replaced = target.inode;
  const isDir = d.inode.isDir;
  if (replaced) lockInodes(d.inode, replaced);
  touch(d.inode, false, t);
  if (replaced) {
    unpin(target);
    dropNlink(target, replaced, t);
    if (replaced.isDir) addLinks(to.inode, -1, t);
  } else {
    to.nrChildren += 1;
    updateDirectory(to.inode, DIRENT_SIZE, t);
  }
  from.nrChildren -= 1;
  updateDirectory(from.inode, -DIRENT_SIZE, t);
  if (replaced) touch(to.inode, true, t);
  if (isDir && from != to) {
    addLinks(from.inode, -1, t);
    addLinks(to.inode, 1, t);
  }
}

/** Changes counts and times for an exchange. */
export function tmpfsExchange(from: Dentry, d: Dentry, to: Dentry, other: Dentry, t: i64): void {
  const a = d.inode;
  const b = other.inode;
  lockInodes(a, b);
  touch(a, false, t);
  touch(b, false, t);
  if (from != to && a.isDir != b.isDir) {
    addLinks(from.inode, a.isDir ? -1 : 1, t);
    addLinks(to.inode, a.isDir ? 1 : -1, t);
  }
  touch(from.inode, true, t);
  if (to != from) touch(to.inode, true, t);
}

/**
 * Sets the size of a file that has been reached by a dentry: frees what is cut off; what is added reads as zeros. Under i_mutex. Shrinks the
 * size first; recovery frees pages beyond end of file. `result`: what the call then returns; NaN: it has more to do.
 */
export function tmpfsTruncate(d: Dentry, i: Inode, size: i64, result: f64): void {
  const cut = size < i.size;
  const followed = changeBegin(d);
  setSize(i, size, currentTime());
  changeEnd(followed, d, i, IN_MODIFY);
  happened(result);
  if (!cut) return;
  dataTruncate(i, size);
  updateSparse(i);
}
