/**
 * copy_tree(): copies of a mount and those below it, for a recursive bind, for what an attach propagates, and for a namespace.
 *
 * The copies are attached to each other while the uppermost one stands nowhere yet; then that one is attached, in one transaction with the
 * uppermost ones of all other copies (attach.ts). So no other thread sees a part of them. If the thread dies before that, no way leads up from the
 * copies to the root mount, and the recount detaches them (recount.ts).
 *
 * All of this happens under the namespace lock, which keeps the tree of mounts as it is. `copy`, `copyNext`, `origin` and `topNext` of a mount have no
 * meaning once the lock is released. A tree of mounts is a list by copyNext, each mount behind the one it stands on; `origin` is the
 * mount of the first such list that a copy is of, so a copy's copies find what they are peers or slaves of.
 */

import { ENOENT, ENOSPC } from "../../../abi/errno";
import { MS_UNBINDABLE } from "../../../abi/flags";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { dget, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK } from "../layout";
import { attachMount, listAdd, Mount, mntget, mntput, newMount } from "./namespace";
import { enslave, forgetMount, joinPeers, joinSlaves } from "./pnode";
import { childOf, detachTree } from "./umount";

/** What a copy is to the mount that it is made from: as clone_mnt() has it for a bind; its peer; its slave; that, and shared as well. */
export const COPY_CLONE: i32 = 0;
export const COPY_PEER: i32 = 1;
export const COPY_SLAVE: i32 = 2;
export const COPY_SHARED_SLAVE: i32 = 3;

function mountAt(p: u32): Mount {
  return changetype<Mount>(<usize>p);
}

function relate(copy: Mount, like: Mount, kind: i32): void {
  if (kind == COPY_SLAVE || kind == COPY_SHARED_SLAVE) enslave(copy, like, kind == COPY_SHARED_SLAVE);
  else if (kind == COPY_PEER || like.group != 0) joinPeers(copy, like);
  else if (like.master) joinSlaves(copy, like);
}

/** The uppermost mount of the last copy: with or without an error it is for the caller to attach or to drop. null: there is none. */
export let copied: Mount = changetype<Mount>(0);

/**
 * Copies the mounts of the list at `source`, the first with `root` as its root. `from`: the list of what the copies are related to by `kind`: `source`, or
 * copies of it. -ENOSPC: the arena is full; what has been copied is on `copied`.
 */
export function copyList(source: Mount, root: Dentry, from: Mount, kind: i32): i32 {
  copied = changetype<Mount>(0);
  let like = from;
  let last = copied;
  let left = objectsMax();
  for (let m = source; m; m = mountAt(m.copyNext)) {
    if (left-- == 0) corrupt(source.at);
    m.copy_ = 0;
    // What a copy lacks, because its place was gone, its copies lack too.
    if (!like || like.origin != <u32>m.at) continue;
    if (last && m.parent.copy_ == 0) {
      like = mountAt(like.copyNext);
      continue;
    }
    const copy = newMount(m.sb, dget(last ? m.root : root), m.flags & ~MS_UNBINDABLE);
    if (!copy) {
      dput(last ? m.root : root);
      return -ENOSPC;
    }
    const err = last ? attachCopy(copy, m, like, kind) : listCopy(copy, like, kind);
    if (err != 0 && err != -ENOENT) return err;
    if (err == 0) {
      m.copy_ = <u32>copy.at;
      copy.origin = <u32>m.at;
      if (last) last.copyNext = <u32>copy.at;
      else copied = copy;
      last = copy;
    }
    like = mountAt(like.copyNext);
  }
  return 0;
}

/** The uppermost copy: in the list of mounts before it is in a group. */
function listCopy(copy: Mount, like: Mount, kind: i32): i32 {
  lock(G_MOUNT_LOCK);
  listAdd(copy);
  relate(copy, like, kind);
  unlock(G_MOUNT_LOCK);
  return 0;
}

/** Attaches a copy of `m` to the copy of what `m` stands on. -ENOENT: its place has been removed behind the tree's back, with the mounts there to follow. */
function attachCopy(copy: Mount, m: Mount, like: Mount, kind: i32): i32 {
  const parent = mountAt(m.parent.copy_);
  const at = m.mountpoint;
  mntget(parent);
  dget(at);
  const err = attachMount(copy, parent, at);
  if (err != 0) {
    dput(at);
    mntput(parent);
    mntput(copy);
    return err;
  }
  lock(G_MOUNT_LOCK);
  relate(copy, like, kind);
  unlock(G_MOUNT_LOCK);
  return 0;
}

/** Makes the mounts of a list their own origins. */
export function beginOrigins(top: Mount): void {
  for (let m = top; m; m = mountAt(m.copyNext)) m.origin = <u32>m.at;
}

/** Detaches the copies on `top`, which was not attached, and takes it out of its group and the list. Returns the longer list of detached mounts. Under the namespace lock. */
export function dropCopies(top: Mount, detached: Mount): Mount {
  let list = detached;
  for (let left = objectsMax(); top.nrChildren != 0; left--) {
    if (left == 0) corrupt(top.at);
    list = detachTree(childOf(top), list);
  }
  forgetMount(top);
  return list;
}
