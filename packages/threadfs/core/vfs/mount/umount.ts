/**
 * Detaches mounts: for umount(2) (do-umount.ts), and those whose mount point loses its name (mountpoint.ts).
 *
 * Detached mounts are linked by `detachedNext`, with the references that they held (`oldParent`, `oldPoint`), until their
 * detacher puts these references outside of the namespace lock: the last one may end a file system, which calls a
 * driver. Nothing else reads these fields; if the detacher dies, the recount frees the mounts.
 */

import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { set32 } from "../../mem/undo/log";
import { dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_MOUNTS } from "../layout";
import { countDetached } from "./mnt-ns";
import { Mount, mntput, noMount, unhashMount } from "./namespace";
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
