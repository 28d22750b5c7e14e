/**
 * attach_recursive_mnt(): attaches a mount, with those below it, to a place and, if the mount that it stands in is shared, to that place in each of
 * its peers and of what receives from them (propagate_mnt()).
 *
 * First all copies are made, which stand nowhere; then one transaction attaches all of them. So other threads see the mount everywhere or nowhere, and a
 * call that fails, or whose thread dies, leaves nothing. Where a copy gets a place that has a mount already, it goes below that mount.
 */

import { EINVAL, ELOOP, ENOENT, ENOSPC } from "../../../abi/errno";
import { PROPAGATION_MAX } from "../../../abi/limits";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { LONG_ENTRIES_MAX, logInScratch } from "../../mem/undo/log";
import { dget, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_NEXT_MNT_ID } from "../layout";
import { COPY_PEER, COPY_SHARED_SLAVE, COPY_SLAVE, copied, copyList, dropCopies } from "./copy-tree";
import { addPending, beginPending, countAttached, lengthOf } from "./mnt-ns";
import {
  cannotMount,
  hashMount,
  hashMountAt,
  lookupMnt,
  Mount,
  mntget,
  mntput,
  noMount,
  unhashMount,
} from "./namespace";
import { hasRoom, isBelow, listTree, propagation, setShared } from "./pnode";

/** Entries of the undo log for the mount itself, for one that becomes shared, and for each copy with the mount that it goes below. */
const ATTACH_ENTRIES: u32 = 60;
const SHARED_ENTRIES: u32 = 2;
const COPY_ENTRIES: u32 = 23;

/** The uppermost copies, linked by topNext; where each is to stand is in oldParent and oldPoint, with references. */
let tops: Mount = changetype<Mount>(0);
/** Numbers above this belong to mounts of this call. */
let firstNew: u64 = 0;

/** Before the copies of a call are made: they are no places for further ones. Under the namespace lock. */
export function beginAttach(): void {
  tops = noMount();
  firstNew = atomic.load<u64>(G_NEXT_MNT_ID);
}

/** What attachTree() has detached again: for the caller to put outside of the namespace lock. */
export let left: Mount = changetype<Mount>(0);

/**
 * Attaches the mounts of the list at `top` to (parent, d), and takes over a reference on each of these. `moving`: they stand somewhere else. On failure
 * everything is as it was, and `left` has what is to be put. -ENOSPC: a tree of peer groups or a namespace has no room. Under the namespace lock.
 */
export function attachTree(top: Mount, parent: Mount, d: Dentry, moving: bool): i32 {
  left = noMount();
  propagation(parent);
  for (let p = parent; p; p = changetype<Mount>(<usize>p.walkNext)) beginPending(p);
  let err = moving || addPending(parent, lengthOf(top)) ? 0 : -ENOSPC;
  if (err == 0 && parent.group != 0) err = propagate(top, parent, d, moving);
  if (err == 0) err = commit(top, parent, d, moving);
  for (let t = tops; t; t = changetype<Mount>(<usize>t.topNext)) {
    if (err != 0) {
      left = dropCopies(t, left);
      t.detachedNext = <u32>changetype<usize>(left);
      left = t;
    } else if (t.oldPoint == 0) {
      // The mount that it went below had references on its place too.
      dput(d);
      mntput(t.parent);
    }
  }
  tops = noMount();
  return err;
}

/** Makes a copy of the mounts for each place that the attach propagates to. */
function propagate(top: Mount, parent: Mount, d: Dentry, moving: bool): i32 {
  const places = propagation(parent);
  let entries = ATTACH_ENTRIES + places * COPY_ENTRIES;
  for (let m = top; m; m = changetype<Mount>(<usize>m.copyNext)) {
    entries += SHARED_ENTRIES;
    if (entries > LONG_ENTRIES_MAX || !hasRoom(m, places)) return -ENOSPC;
  }
  if (!moving) {
    lock(G_MOUNT_LOCK);
    logInScratch(true);
    for (let m = top; m; m = changetype<Mount>(<usize>m.copyNext)) setShared(m);
    unlock(G_MOUNT_LOCK);
    logInScratch(false);
  }
  for (let m = top; m; m = changetype<Mount>(<usize>m.copyNext)) m.origin = <u32>m.at;
  const n = lengthOf(top);
  propagation(parent);
  for (let p = changetype<Mount>(<usize>parent.walkNext); p; p = changetype<Mount>(<usize>p.walkNext)) {
    // A copy that this call has made, of a mount of the same group.
    if (p.id > firstNew || !isBelow(d, p.root)) continue;
    const err = addPending(p, n) ? copyTo(p, d, top, parent) : -ENOSPC;
    if (err != 0) return err;
  }
  return 0;
}

/** Makes the copy for a place. */
function copyTo(place: Mount, d: Dentry, top: Mount, parent: Mount): i32 {
  let kind = COPY_PEER;
  let from = copyIn(place.group, top, parent);
  if (!from) {
    kind = place.group != 0 ? COPY_SHARED_SLAVE : COPY_SLAVE;
    // A group in which no mount has the directory has no copy either: its slaves receive from further up.
    let a = place.master;
    for (let n: u32 = PROPAGATION_MAX; a && !from; a = a.master, n--) {
      if (n == 0) corrupt(place.at);
      from = copyIn(a.group, top, parent);
    }
    if (!from) corrupt(place.at);
  }
  const err = copyList(top, top.root, from, kind);
  const copy = copied;
  if (!copy) return err;
  copy.oldParent = <u32>mntget(place).at;
  copy.oldPoint = <u32>dget(d).at;
  copy.topNext = <u32>changetype<usize>(tops);
  tops = copy;
  return err;
}

/** What stands, or is to stand, in a mount of a group; null: nothing yet. */
function copyIn(group: u64, top: Mount, parent: Mount): Mount {
  if (group == 0) return noMount();
  if (group == parent.group) return top;
  for (let t = tops; t; t = changetype<Mount>(<usize>t.topNext))
    if (changetype<Mount>(<usize>t.oldParent).group == group) return t;
  return noMount();
}

/**
 * Second return values of attachTree() with `moving`: where the mount stood. The caller puts the references outside of the namespace
 * lock, because the last one may call a driver.
 */
export let movedFrom: Mount = changetype<Mount>(0);
export let movedFromPoint: Dentry = changetype<Dentry>(0);

/** Attaches everything, in one transaction. -ENOENT: the place, or the root of the mount, has been removed, and everything is as it was. */
function commit(top: Mount, parent: Mount, d: Dentry, moving: bool): i32 {
  lock(G_MOUNT_LOCK);
  logInScratch(true);
  writeSeqBegin(G_MOUNT_SEQ);
  let err = 0;
  // Of the uppermost mount on it: what stands in the place of a copy may have to go there. As in Linux it is asked also if nothing has to.
  if (cannotMount(topmost(top).root)) err = -ENOENT;
  if (err == 0) {
    if (moving) {
      movedFrom = top.parent;
      movedFromPoint = top.mountpoint;
      unhashMount(top);
    }
    err = hashMount(top, parent, d);
    // The old place still has the mount's references, and was valid for a mount.
    if (err != 0 && moving) hashMountAt(top, movedFrom, movedFromPoint);
  }
  if (err == 0) {
    if (!moving) countAttached(parent, lengthOf(top));
    for (let t = tops; t; t = changetype<Mount>(<usize>t.topNext)) attachCopy(t, d);
    if (parent.group != 0) for (let m = top; m; m = changetype<Mount>(<usize>m.copyNext)) setShared(m);
  }
  writeSeqEnd(G_MOUNT_SEQ);
  unlock(G_MOUNT_LOCK);
  logInScratch(false);
  return err;
}

/** topmost_overmount(): the last of the mounts that stand on the root of `m`. */
function topmost(m: Mount): Mount {
  let top = m;
  let n = objectsMax();
  for (let on = lookupMnt(top, top.root); on; on = lookupMnt(top, top.root)) {
    if (n-- == 0) corrupt(m.at);
    top = on;
  }
  return top;
}

/** Attaches the copy `t` to the place that it has been made for, below what stands there. */
function attachCopy(t: Mount, d: Dentry): void {
  const place = changetype<Mount>(<usize>t.oldParent);
  const above = lookupMnt(place, d);
  const over = topmost(t);
  if (above) unhashMount(above);
  hashMountAt(t, place, d);
  countAttached(place, lengthOf(t));
  if (!above) return;
  mntget(over);
  dget(over.root);
  hashMountAt(above, over, over.root);
  t.oldPoint = 0;
}

/** Whether a tree has a mount that may not be bound. Its list is made. */
function hasUnbindable(top: Mount): bool {
  for (let m = top; m; m = changetype<Mount>(<usize>m.copyNext)) if (m.unbindable) return true;
  return false;
}

/** do_move_mount(): moves a mount to (parent, d), and takes over the references on them. Under the namespace lock. */
export function moveMount(m: Mount, parent: Mount, d: Dentry): i32 {
  left = noMount();
  if (m.parent == m || m.root.inode.isDir != d.inode.isDir || m.parent.group != 0) return -EINVAL;
  listTree(m, changetype<Dentry>(0), false);
  if (parent.group != 0 && hasUnbindable(m)) return -EINVAL;
  let n = objectsMax();
  for (let p = parent; ; p = p.parent) {
    if (n-- == 0) corrupt(p.at);
    if (p == m) return -ELOOP;
    if (p.parent == p) break;
  }
  beginAttach();
  return attachTree(m, parent, d, true);
}
