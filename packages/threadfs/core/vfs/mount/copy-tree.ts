/**
 * copy_tree(): the mounts below the source of a recursive bind, each copied onto the copy of the mount that it stands on.
 *
 * The copies are attached to each other while the uppermost one stands nowhere yet; then that one is attached, in one transaction. So no
 * other thread sees a part of them. If the thread dies before that, no way leads up from the copies to the root mount, and the recount
 * detaches them (recount.ts).
 *
 * All of this happens under the namespace lock, which keeps the tree of mounts as it is. `copy` of a mount is its copy, and has no meaning
 * once the lock is released: the next thread clears it first.
 */

import { ENOENT, ENOSPC } from "../../../abi/errno";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { isSubdir } from "../dcache/d-lookup";
import { dget, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { G_MOUNTS, G_RENAME_LOCK } from "../layout";
import { attachMount, lockNamespace, Mount, mntget, mntput, newMount, unlockNamespace } from "./namespace";
import { childOf, detachTree, putDetached } from "./umount";

function mountAt(p: u32): Mount {
  return changetype<Mount>(<usize>p);
}

function forgetCopies(): void {
  let left = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; p = mountAt(p).allNext) {
    if (left-- == 0) corrupt(p);
    mountAt(p).copy_ = 0;
  }
}

/**
 * Copies the mounts below the root of `top`, as they stand in `source`, onto `top`, which is a new mount of the same directory. -ENOSPC: the
 * arena is full; what has been copied is on `top`. Under the namespace lock.
 */
export function copyTree(top: Mount, source: Mount): i32 {
  forgetCopies();
  source.copy_ = <u32>top.at;
  // The list is not in the order of the tree: each pass copies the mounts whose parents have a copy by then.
  for (let passes = objectsMax(), more = true; more; passes--) {
    if (passes == 0) corrupt(source.at);
    more = false;
    let left = objectsMax();
    for (let p = load<u32>(G_MOUNTS); p != 0; p = mountAt(p).allNext) {
      if (left-- == 0) corrupt(p);
      const m = mountAt(p);
      const parent = m.parent;
      if (m.copy_ != 0 || parent == m || parent.copy_ == 0) continue;
      if (parent == source && !isBelow(m.mountpoint, top.root)) continue;
      const err = copyMount(m, mountAt(parent.copy_));
      if (err != 0) return err;
      more = true;
    }
  }
  return 0;
}

function isBelow(d: Dentry, above: Dentry): bool {
  lock(G_RENAME_LOCK);
  const below = isSubdir(d, above);
  unlock(G_RENAME_LOCK);
  return below;
}

/** Copies a mount onto `parent`. */
function copyMount(m: Mount, parent: Mount): i32 {
  const copy = newMount(m.sb, dget(m.root), m.flags);
  if (!copy) {
    dput(m.root);
    return -ENOSPC;
  }
  m.copy_ = <u32>copy.at;
  const at = m.mountpoint;
  mntget(parent);
  dget(at);
  const err = attachMount(copy, parent, at);
  if (err == 0) return 0;
  dput(at);
  mntput(parent);
  mntput(copy);
  // The directory has been removed behind the tree's back, and its mounts are about to be detached.
  return err == -ENOENT ? 0 : err;
}

/** Detaches the copies on `top`, which was not attached. Not under the namespace lock. */
export function putCopies(top: Mount): void {
  lockNamespace();
  let list = changetype<Mount>(0);
  for (let left = objectsMax(); top.nrChildren != 0; left--) {
    if (left == 0) corrupt(top.at);
    list = detachTree(childOf(top), list);
  }
  unlockNamespace();
  putDetached(list);
}
