/**
 * Detaches mounts: for umount(2) (do-umount.ts), and those on a directory of a driver that has been removed behind the tree's back.
 *
 * Detached mounts are linked by `detachedNext`, with the references that they held (`oldParent`, `oldPoint`), until their
 * detacher puts these references outside of the namespace lock: the last one may end a file system, which calls a
 * driver. Nothing else reads these fields; if the detacher dies, the recount frees the mounts.
 */

import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { set32 } from "../../mem/undo/log";
import { isSubdir } from "../dcache/d-lookup";
import { dDropLocked, dput } from "../dcache/dcache";
import { D_MOUNTED, D_UNHASHED, Dentry } from "../dcache/dentry";
import { Inode } from "../inode/inode";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_MOUNTS, G_RENAME_LOCK } from "../layout";
import { countDetached } from "./mnt-ns";
import { lockNamespace, Mount, mntput, noMount, unhashMount, unlockNamespace } from "./namespace";
import { forgetMount } from "./pnode";

/**
 * Detaches one mount, on which nothing is mounted, and puts it in front of a list of detached mounts. Under the namespace
 * lock and the mount lock, in a write section. Its group and the list of mounts it leaves with forgetDetached().
 */
export function detachOne(m: Mount, list: Mount): Mount {
  set32(m.at + offsetof<Mount>("oldParent"), m.parent_);
  set32(m.at + offsetof<Mount>("oldPoint"), m.mountpoint_);
  set32(m.at + offsetof<Mount>("detachedNext"), <u32>changetype<usize>(list));
  countDetached(m);
  unhashMount(m);
  return m;
}

/** The mounts that have been put in front of `until` leave their groups and the list of mounts. Under the namespace lock. */
export function forgetDetached(list: Mount, until: Mount): void {
  let left = objectsMax();
  for (let m = list; m != until; m = changetype<Mount>(<usize>m.detachedNext)) {
    if (left-- == 0) corrupt(m.at);
    forgetMount(m);
  }
}

/** Detaches the mounts on `m`, leaves first, and then `m`. Under the namespace lock. Returns the longer list. */
export function detachTree(m: Mount, detached: Mount): Mount {
  let list = detached;
  let top = noMount();
  for (let left = objectsMax(); top != m; left--) {
    if (left == 0) corrupt(m.at);
    lock(G_MOUNT_LOCK);
    top = m;
    for (let depth = objectsMax(); top.nrChildren != 0; depth--) {
      const child = childOf(top);
      // The count of children does not match the tree, or the mount is its own ancestor.
      if (child == top || depth == 0) corrupt(top.at);
      top = child;
    }
    writeSeqBegin(G_MOUNT_SEQ);
    list = detachOne(top, list);
    writeSeqEnd(G_MOUNT_SEQ);
    unlock(G_MOUNT_LOCK);
    forgetMount(top);
  }
  return list;
}

/** A mount on `m`; `m` itself: there is none. Under the namespace lock. */
export function childOf(m: Mount): Mount {
  let p = load<u32>(G_MOUNTS);
  for (let left = objectsMax(); p != 0; left--) {
    if (left == 0) corrupt(m.at);
    const e = changetype<Mount>(<usize>p);
    if (e.parent == m && e != m) return e;
    p = e.allNext;
  }
  return m;
}

/** Puts the references that detached mounts held, and the tree's on each of them. Not under the namespace lock. */
export function putDetached(list: Mount): void {
  let left = objectsMax();
  for (let m = list; m; ) {
    if (left-- == 0) corrupt(m.at);
    const next = changetype<Mount>(<usize>m.detachedNext);
    dput(changetype<Dentry>(<usize>m.oldPoint));
    mntput(changetype<Mount>(<usize>m.oldParent));
    mntput(m);
    m = next;
  }
}

// ------------------------------------------------------------------------------------------- removed directories

/** A mount whose mount point is `d` or lies below it; null: there is none. Under the mount lock and the rename lock. */
function mountBelow(d: Dentry): Mount {
  let left = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; ) {
    if (left-- == 0) corrupt(p);
    const m = changetype<Mount>(<usize>p);
    if (m.parent != m && m.mountpoint.sb == d.sb && isSubdir(m.mountpoint, d)) return m;
    p = m.allNext;
  }
  return noMount();
}

export function hasMountBelow(d: Dentry): bool {
  return changetype<usize>(mountBelow(d)) != 0;
}

/**
 * Unhashes a dentry that has nothing below it, for which d_lock is enough: hashMount() takes it too. False: a mount stands
 * on it.
 */
function dropLeaf(d: Dentry, seq: u32): bool {
  lock(d.lockref);
  const mounted = (d.flags & D_MOUNTED) != 0;
  if (!mounted && atomic.load<u32>(d.seq) == seq) dDropLocked(d);
  unlock(d.lockref);
  return !mounted;
}

/** What dropUnmounted() found instead of dropping the dentry. */
let foundBelow: Mount = changetype<Mount>(0);

/**
 * Unhashes the dentry if nothing is mounted on it or below it, both in one transaction: hashMount() attaches nothing below
 * a dentry that is unhashed, and no move takes a mount there. False: `foundBelow`. A dentry that has another name, place
 * or inode by now is not the one that was found stale, and stays.
 */
function dropUnmounted(d: Dentry, parent: Dentry, hashLen: u64, inode: Inode): bool {
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  lock(d.lockref);
  foundBelow = noMount();
  if (d.parent == parent && d.hashLen == hashLen && d.inode == inode && !(d.flags & D_UNHASHED)) {
    foundBelow = mountBelow(d);
    if (!foundBelow) dDropLocked(d);
  }
  unlock(d.lockref);
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  return !foundBelow;
}

/**
 * d_invalidate(): unhashes a dentry that its file system calls stale, and detaches the mounts on it and below it, because
 * no path leads to them any more. The mounts first, so that nothing is lost if the thread dies in between: the next lookup
 * finds the dentry stale again. `seq`: the sequence that the dentry had when the file system was asked; if it has changed
 * since, the reply was about something else. The caller has a reference, and holds neither the namespace lock nor a spin
 * lock.
 */
export function dInvalidate(d: Dentry, seq: u32): void {
  const parent = d.parent;
  const hashLen = d.hashLen;
  const inode = d.inode;
  if ((seq & 1) != 0 || atomic.load<u32>(d.seq) != seq) return;
  if ((!inode || !inode.isDir) && dropLeaf(d, seq)) return;
  if (dropUnmounted(d, parent, hashLen, inode)) return;
  lockNamespace();
  let list = noMount();
  for (let left = objectsMax(); !dropUnmounted(d, parent, hashLen, inode); left--) {
    if (left == 0) corrupt(d.at);
    list = detachTree(foundBelow, list);
  }
  unlockNamespace();
  putDetached(list);
}
