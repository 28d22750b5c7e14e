/**
 * The beginning and the end of a context's own namespace of mounts: copy_mnt_ns(), put_mnt_ns().
 *
 * A context has a reference on the root of its namespace, none if that is the tree's. The last context of a namespace ends it: when none in the table of contexts
 * has it any more, a mount loses the number that makes it the root of a namespace, so that nothing is attached there, and then all its mounts are detached.
 * Each closing context looks for others after it has left the table itself; so one of them finds none. As in Linux this end propagates nowhere.
 *
 * If the thread dies before the copies are a context's, or after they are no context's any more, the recount detaches them (recovery/recount-mounts.ts).
 */

import { EBADF, ENOSPC } from "../../../abi/errno";
import { PROPAGATION_MAX } from "../../../abi/limits";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { Dentry } from "../dcache/dentry";
import { CTX_TABLE, G_CTX_LOCK, G_MOUNT_LOCK, G_MOUNT_SEQ, G_MOUNTS, MAX_CONTEXTS } from "../layout";
import { Context, isAlive } from "../task/cred";
import { beginOrigins, COPY_CLONE, copied, copyList, dropCopies } from "./copy-tree";
import { lengthOf, namespaceOf } from "./mnt-ns";
import { lockNamespace, Mount, mntget, mntput, noMount, unlockNamespace } from "./namespace";
import { forgetMount, listTree, propagation, topMaster } from "./pnode";
import { detachOne, forgetDetached, putDetached } from "./umount";

function mountAt(p: u32): Mount {
  return changetype<Mount>(<usize>p);
}

/** Second and third return values of copyMntNs(): the copies of the mounts that it was given, or these, with references. */
export let copiedRootMnt: Mount = changetype<Mount>(0);
export let copiedPwdMnt: Mount = changetype<Mount>(0);

/**
 * Gives a new context a copy of the namespace at `ns`, which the caller has a reference on: shared mounts have peers there, slaves are beside slaves, and the copy of an
 * unbindable mount is private. `rootMnt`, `pwdMnt`: the mounts of root and working directory; one that is in no namespace any more has no copy. -ENOSPC: the arena is
 * full, or a tree of peer groups is; -EBADF: the namespace has ended, or the context has been closed.
 */
export function copyMntNs(c: Context, ns: Mount, rootMnt: Mount, pwdMnt: Mount): i32 {
  lockNamespace();
  let top = noMount();
  let err = prepareCopy(ns);
  if (err == 0) {
    err = copyList(ns, ns.root, ns, COPY_CLONE);
    top = copied;
  }
  if (err == 0 && !giveMntNs(c, top)) err = -EBADF;
  let list = noMount();
  if (err == 0) {
    copiedRootMnt = mntget(copyOf(ns, rootMnt));
    copiedPwdMnt = mntget(copyOf(ns, pwdMnt));
  } else if (top) list = dropCopies(top, list);
  unlockNamespace();
  if (err != 0 && top) {
    putDetached(list);
    mntput(top);
  }
  return err;
}

/** Makes copies the namespace of a context. False: it has been closed meanwhile. */
function giveMntNs(c: Context, top: Mount): bool {
  mntget(top);
  const n = lengthOf(top);
  lock(c.lock);
  lock(G_MOUNT_LOCK);
  const alive = isAlive(c);
  if (alive) {
    top.nrMounts = n;
    c.mntNs = <u32>top.at;
  }
  unlock(G_MOUNT_LOCK);
  unlock(c.lock);
  if (!alive) mntput(top);
  return alive;
}

/** Makes the list of what is to be copied. */
function prepareCopy(ns: Mount): i32 {
  if (ns.nrMounts == 0) return -EBADF;
  listTree(ns, changetype<Dentry>(0), false);
  if (!haveRoom(ns)) return -ENOSPC;
  beginOrigins(ns);
  return 0;
}

/** Whether each tree of peer groups has room for the copies of those of its mounts that are in the list. */
function haveRoom(top: Mount): bool {
  let left = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; p = mountAt(p).allNext) {
    if (left-- == 0) corrupt(p);
    mountAt(p).mark = 0;
  }
  for (let m = top; m; m = mountAt(m.copyNext)) m.mark = 1;
  for (let m = top; m; m = mountAt(m.copyNext)) {
    if (m.group == 0 && !m.master) continue;
    const first = topMaster(m);
    let n = propagation(first) + 1;
    for (let p = first; p; p = mountAt(p.walkNext)) n += p.mark;
    if (n > <u32>PROPAGATION_MAX) return false;
  }
  return true;
}

function copyOf(ns: Mount, m: Mount): Mount {
  return namespaceOf(m) == ns && m.copy_ != 0 ? mountAt(m.copy_) : m;
}

/** The context has no namespace of its own any more, which it did not leave to others: the last one ends it. It has left the table of contexts. */
export function putMntNs(c: Context): void {
  const ns = mountAt(c.mntNs);
  if (!ns) return;
  lockNamespace();
  const ends = ns.nrMounts != 0 && !isUsed(ns);
  const list = ends ? detachAll(ns) : noMount();
  lock(c.lock);
  c.mntNs = 0;
  unlock(c.lock);
  unlockNamespace();
  putDetached(list);
  if (ends) mntput(ns);
  mntput(ns);
}

/** Whether a context has this namespace. */
function isUsed(ns: Mount): bool {
  let used = false;
  lock(G_CTX_LOCK);
  for (let i: u32 = 0; i < MAX_CONTEXTS && !used; i++) {
    const c = changetype<Context>(<usize>load<u32>(CTX_TABLE + (i << 2)));
    if (c) used = c.mntNs == <u32>ns.at;
  }
  unlock(G_CTX_LOCK);
  return used;
}

/** umount_tree(): detaches all mounts of a namespace, leaves first. Returns their list. */
function detachAll(ns: Mount): Mount {
  listTree(ns, changetype<Dentry>(0), false);
  let last = noMount();
  for (let m = ns; m; m = mountAt(m.copyNext)) {
    m.topNext = <u32>changetype<usize>(last);
    last = m;
  }
  lock(G_MOUNT_LOCK);
  ns.nrMounts = 0;
  unlock(G_MOUNT_LOCK);
  let list = noMount();
  for (let m = last; m != ns; m = mountAt(m.topNext)) {
    lock(G_MOUNT_LOCK);
    writeSeqBegin(G_MOUNT_SEQ);
    list = detachOne(m, list);
    writeSeqEnd(G_MOUNT_SEQ);
    unlock(G_MOUNT_LOCK);
  }
  forgetDetached(list, noMount());
  forgetMount(ns);
  return list;
}
