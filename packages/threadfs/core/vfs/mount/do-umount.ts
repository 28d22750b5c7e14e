/**
 * umount(2), and propagate_umount(): what else is unmounted with a mount, in the peers of the mount that it stands in and in what receives from them.
 *
 * Of the mounts that stand in such a place those go on which nothing stays but what covers them: that comes to stand in their place. The mounts of the call
 * with all that stands in the same directory go in one transaction; then, where no path shows it, those that are covered; then, of a tree, what is left,
 * leaves first. The namespace lock keeps the tree as it is in between; a thread that dies there leaves the rest mounted.
 */

import { EAGAIN, EBUSY, EINVAL } from "../../../abi/errno";
import { MNT_DETACH, MNT_EXPIRE } from "../../../abi/flags";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { logInScratch, set32 } from "../../mem/undo/log";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_MOUNTS } from "../layout";
import { happened } from "../recovery/outcome";
import { Context } from "../task/cred";
import { checkMnt } from "./mnt-ns";
import { hashMountAt, lockNamespace, lookupMnt, Mount, noMount, unhashMount, unlockNamespace } from "./namespace";
import { listTree, propagation } from "./pnode";
import { detachOne, forgetDetached, putDetached } from "./umount";

/** What `mark` says of a mount: it stays; it is of the call; it goes too. */
const STAYS: u32 = 0;
const OF_CALL: u32 = 1;
const GOES: u32 = 2;

/** Most mounts that one transaction detaches. */
const BATCH_MAX: u32 = 256;

function mountAt(p: u32): Mount {
  return changetype<Mount>(<usize>p);
}

/** Marks the mounts of the list at `m`, and what may go with them. Returns the latter, linked by topNext. */
function gather(m: Mount): Mount {
  let left = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; p = mountAt(p).allNext) {
    if (left-- == 0) corrupt(p);
    mountAt(p).mark = STAYS;
  }
  for (let s = m; s; s = mountAt(s.copyNext)) s.mark = OF_CALL;
  let list = noMount();
  for (let s = m; s; s = mountAt(s.copyNext)) {
    const parent = s.parent;
    if (parent.group == 0) continue;
    propagation(parent);
    for (let place = mountAt(parent.walkNext); place; place = mountAt(place.walkNext)) {
      const on = lookupMnt(place, s.mountpoint);
      if (!on || on.mark != STAYS) continue;
      on.mark = GOES;
      on.topNext = <u32>changetype<usize>(list);
      list = on;
    }
  }
  return list;
}

/** Whether a mount stays, or something that covers it does, which would come to stand in its place. */
function leavesSomething(m: Mount): bool {
  let left = objectsMax();
  for (let on = m; on; on = lookupMnt(on, on.root)) {
    if (left-- == 0) corrupt(m.at);
    if (on.mark == STAYS) return true;
    if (on.mark == OF_CALL) return false;
  }
  return false;
}

/** A mount stays if something stays on it that does not cover it as a whole; and so on with what it stands on. */
function trim(): void {
  let passes = objectsMax();
  for (let more = true; more; passes--) {
    if (passes == 0) corrupt(G_MOUNTS);
    more = false;
    let left = objectsMax();
    for (let p = load<u32>(G_MOUNTS); p != 0; p = mountAt(p).allNext) {
      if (left-- == 0) corrupt(p);
      const m = mountAt(p);
      const parent = m.parent;
      if (parent.mark != GOES || parent == m || m.mountpoint == parent.root || !leavesSomething(m)) continue;
      parent.mark = STAYS;
      more = true;
    }
  }
}

/** Detaches what is marked, stands in directory `d` and has nothing on it. Returns the longer list. Under both locks, in a write section. */
function detachIn(d: Dentry, m: Mount, gone: Mount, detached: Mount): Mount {
  let list = detached;
  let n: u32 = 0;
  for (let s = m; s; s = mountAt(s.copyNext)) {
    if (n == BATCH_MAX || s.parent == s || s.mountpoint != d || s.nrChildren != 0) continue;
    list = detachOne(s, list);
    n++;
  }
  for (let s = gone; s; s = mountAt(s.topNext)) {
    if (n == BATCH_MAX || s.mark != GOES || s.parent == s || s.mountpoint != d || s.nrChildren != 0) continue;
    list = detachOne(s, list);
    n++;
  }
  return list;
}

/** Detaches a mount that something covers, and puts that in its place. */
function slide(m: Mount, cover: Mount, detached: Mount): Mount {
  const parent = m.parent;
  const d = m.mountpoint;
  lock(G_MOUNT_LOCK);
  writeSeqBegin(G_MOUNT_SEQ);
  unhashMount(cover);
  const list = detachOne(m, detached);
  hashMountAt(cover, parent, d);
  // The references on that place are now the cover's; those that it had are put.
  set32(m.at + offsetof<Mount>("oldParent"), <u32>m.at);
  set32(m.at + offsetof<Mount>("oldPoint"), m.root_);
  writeSeqEnd(G_MOUNT_SEQ);
  unlock(G_MOUNT_LOCK);
  return list;
}

/** Puts what covers mounts that go in their place, until nothing that stays stands on one. */
function slideAll(gone: Mount, detached: Mount): Mount {
  let list = detached;
  let passes = objectsMax();
  for (let more = true; more; passes--) {
    if (passes == 0) corrupt(G_MOUNTS);
    more = false;
    for (let m = gone; m; m = mountAt(m.topNext)) {
      if (m.mark != GOES || m.parent == m) continue;
      const cover = lookupMnt(m, m.root);
      if (!cover || cover.mark != STAYS) continue;
      list = slide(m, cover, list);
      more = true;
    }
  }
  return list;
}

/** A marked mount that is attached and has nothing on it; null: all are detached. */
function leafOf(m: Mount, gone: Mount): Mount {
  for (let s = m; s; s = mountAt(s.copyNext)) if (s.parent != s && s.nrChildren == 0) return s;
  for (let s = gone; s; s = mountAt(s.topNext)) if (s.mark == GOES && s.parent != s && s.nrChildren == 0) return s;
  return noMount();
}

/** Detaches everything that is marked. */
function detachAll(m: Mount, gone: Mount, detached: Mount): Mount {
  let list = slideAll(gone, detached);
  let left = objectsMax();
  for (let leaf = leafOf(m, gone); leaf; leaf = leafOf(m, gone)) {
    if (left-- == 0) corrupt(m.at);
    lock(G_MOUNT_LOCK);
    logInScratch(true);
    writeSeqBegin(G_MOUNT_SEQ);
    list = detachIn(leaf.mountpoint, m, gone, list);
    writeSeqEnd(G_MOUNT_SEQ);
    unlock(G_MOUNT_LOCK);
    logInScratch(false);
  }
  return list;
}

/** propagate_mount_busy(): whether a mount that the umount of `m` propagates to is in use. Under both locks, in a write section. */
function isBusyElsewhere(m: Mount): bool {
  const parent = m.parent;
  if (parent.group == 0) return false;
  propagation(parent);
  for (let place = mountAt(parent.walkNext); place; place = mountAt(place.walkNext)) {
    const on = lookupMnt(place, m.mountpoint);
    if (!on || on.nrChildren > 1 || (on.nrChildren == 1 && !lookupMnt(on, on.root))) continue;
    // The tree has one reference, what covers it another.
    if (atomic.load<u32>(on.count) > 1 + on.nrChildren) return true;
  }
  return false;
}

/**
 * do_umount(): `m` with the caller's reference on it. -EBUSY: it is in use, or one that goes with it is, and not MNT_DETACH; -EINVAL: it is the root
 * or not attached in the namespace of `c`. MNT_DETACH: `m` and all mounts on it leave the tree at once, and end with their last users. MNT_EXPIRE: -EAGAIN unless an
 * earlier call has marked the mount and nothing has used it since.
 */
export function umountTree(c: Context, m: Mount, flags: u32): i32 {
  lockNamespace();
  let list = noMount();
  // Under the namespace lock no mount is attached or detached.
  let err = m.parent == m || !checkMnt(c, m) ? -EINVAL : 0;
  if (err == 0) {
    const lazy = (flags & MNT_DETACH) != 0;
    if (lazy) listTree(m, changetype<Dentry>(0), false);
    else m.copyNext = 0;
    const gone = gather(m);
    trim();
    if (!lazy) {
      lock(G_MOUNT_LOCK);
      logInScratch(true);
      writeSeqBegin(G_MOUNT_SEQ);
      // Two references are the tree's and the caller's. While the sequence is odd no walk can add one and validate it.
      if (m.nrChildren != 0 || atomic.load<u32>(m.count) > 2) err = -EBUSY;
      else if (flags & MNT_EXPIRE && m.expire == 0) {
        m.expire = 1;
        err = -EAGAIN;
      } else if (isBusyElsewhere(m)) err = -EBUSY;
      else list = detachIn(m.mountpoint, m, gone, list);
      writeSeqEnd(G_MOUNT_SEQ);
      unlock(G_MOUNT_LOCK);
      logInScratch(false);
    }
    if (err == 0) list = detachAll(m, gone, list);
    if (err == 0 || err == -EAGAIN) happened(err);
    forgetDetached(list, noMount());
  }
  unlockNamespace();
  putDetached(list);
  return err;
}
