/**
 * What becomes of mounts when their mount point loses its name: is_local_mountpoint(), detach_mounts(), d_invalidate().
 *
 * A name is in use by the mounts on it in the namespace of the caller alone, through whichever mount of that they stand there: removing, replacing or moving it is EBUSY. The
 * mounts of other namespaces keep nobody from it. If the name moves, they move with it, as they stand on the dentry; if it goes, they are detached, with what stands on them,
 * and nothing is propagated.
 *
 * In memory: under the i_mutex of the directory and of what the name is of, lockMountpoints() takes the namespace lock if a mount stands there, and asks whose it is. Then the name is
 * removed, in one transaction, and detachMounts() detaches leaves first, one in a transaction. The namespace lock is held from before the question until after the last one.
 *
 * Guarantees
 *  - From the removal on no mount is attached to the dentry (D_UNHASHED, D_CANT_MOUNT): hashMount() asks under the d_lock that the removal holds until its commit. Before, mount(2) takes
 *    the i_mutex that the removal holds. A mount that propagates goes below another one without that mutex, onto the root of a mount; if that is the dentry, and it comes between the
 *    question and the removal, detachMounts() finds it, and takes the namespace lock then.
 *  - A thread that dies after the removal leaves mounts without a name to the recount, which detaches them (recovery/recount-mounts.ts); so does one that leaves its call there.
 *  - No lookup by the name crosses such a mount: the removal makes the dentry's sequence odd, which a walk in rcu mode and the prefix cache compare. A walk that has a reference on the
 *    dentry has found the name before it was removed; it ends in the mount or, once that is detached, in the removed directory.
 *
 * A driver is asked without the namespace lock, and may take away a directory that is not empty. There dInvalidate() detaches first what stands on the name and below it, and then takes
 * the name out of the cache.
 */

import { EBADF, EBUSY } from "../../../abi/errno";
import * as POINT from "../../../abi/points";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { tracepoint } from "../../tracepoints";
import { isSubdir } from "../dcache/d-lookup";
import { dDropLocked } from "../dcache/dcache";
import { D_MOUNTED, D_UNHASHED, Dentry } from "../dcache/dentry";
import { Inode } from "../inode/inode";
import { G_MOUNT_LOCK, G_MOUNTS, G_RENAME_LOCK } from "../layout";
import { Context, isAlive } from "../task/cred";
import { checkMnt } from "./mnt-ns";
import { isMounted, lockNamespace, Mount, noMount, unlockNamespace } from "./namespace";
import { detachTree, putDetached } from "./umount";

/** __is_local_mountpoint(): whether a mount in the context's namespace stands on a dentry. Under the namespace lock. */
function isLocalMountpoint(c: Context, d: Dentry): bool {
  if (!isMounted(d)) return false;
  let left = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; p = changetype<Mount>(<usize>p).allNext) {
    if (left-- == 0) corrupt(p);
    const m = changetype<Mount>(<usize>p);
    if (m.parent != m && m.mountpoint == d && checkMnt(c, m)) return true;
  }
  return false;
}

/**
 * Whether two names (or one, given twice) may go or move. -EBUSY: a mount in the context's namespace stands on one of them; -EBADF: it has been closed, and has no
 * namespace to ask for; 0: no mount stands there; 1: only others' do, and the caller has the namespace lock until unlockMountpoints(). The caller owns the i_mutex of
 * what is to be removed.
 */
export function lockMountpoints(c: Context, d: Dentry, other: Dentry): i32 {
  if (!isMounted(d) && !isMounted(other)) {
    tracepoint(POINT.MOUNT_CHECK, other.at, 3);
    return 0;
  }
  lockNamespace();
  let err = 1;
  // Until a context is closed, and this lock is free after that, it keeps its namespace (putMntNs()).
  if (!isAlive(c)) err = -EBADF;
  else if (isLocalMountpoint(c, d) || isLocalMountpoint(c, other)) err = -EBUSY;
  if (err < 0) unlockNamespace();
  return err;
}

/** `locked`: what lockMountpoints() has returned. */
export function unlockMountpoints(locked: i32): void {
  if (locked != 0) unlockNamespace();
}

/**
 * detach_mounts(): detaches the mounts on a dentry whose name has been removed, in all namespaces. `locked`: what lockMountpoints() has returned. Returns what
 * is for putDetached(), when the caller holds no lock any more.
 */
export function detachMounts(d: Dentry, locked: i32): Mount {
  let list = noMount();
  if (!isMounted(d)) return list;
  tracepoint(POINT.REMOVED_MOUNTPOINT, d.at, 0);
  if (locked == 0) lockNamespace();
  let left = objectsMax();
  for (let m = mountAtOrBelow(d); m; m = mountAtOrBelow(d)) {
    if (left-- == 0) corrupt(d.at);
    list = detachTree(m, list);
  }
  if (locked == 0) unlockNamespace();
  return list;
}

function mountAtOrBelow(d: Dentry): Mount {
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  const m = mountBelow(d);
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  return m;
}

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
