/** The recount's first part: mounts that no path leads to, or will lead to, because a thread died while it attached or detached them, are detached. */

import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { D_DRIVER_PENDING, D_UNHASHED } from "../dcache/dentry";
import { CTX_TABLE, G_MOUNT_LOCK, G_MOUNTS, MAX_CONTEXTS } from "../layout";
import { namespaceOf } from "../mount/mnt-ns";
import { Mount, rootMount } from "../mount/namespace";
import { forgetMount } from "../mount/pnode";
import { detachTree } from "../mount/umount";
import { Context } from "../task/cred";

/** Namespaces end that no context has: the thread that closed the last one, or that was to give them to one, has died. */
function endNamespaces(): void {
  let n = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; p = changetype<Mount>(<usize>p).allNext) {
    if (n-- == 0) corrupt(p);
    const m = changetype<Mount>(<usize>p);
    if (m.nrMounts == 0 || m == rootMount() || isUsed(m)) continue;
    lock(G_MOUNT_LOCK);
    m.nrMounts = 0;
    unlock(G_MOUNT_LOCK);
  }
}

/** Whether a context that is whole has a namespace. */
function isUsed(ns: Mount): bool {
  for (let i: u32 = 0; i < MAX_CONTEXTS; i++) {
    const c = changetype<Context>(<usize>load<u32>(CTX_TABLE + (i << 2)));
    if (c && c.root_ != 0 && c.pwd_ != 0 && c.mntNs == <u32>ns.at) return true;
  }
  return false;
}

/**
 * Detaches the mounts on names that a dead thread has removed, and has not detached (mount/mountpoint.ts); those below directories that a driver was
 * removing when the thread died: storeCounts() unhashes these directories; and the mounts that had no place yet, or no more, and are still in the list and in a group (mount/copy-tree.ts,
 * mount/pnode.ts), with those of a namespace that no context has: copies stand on each other, so the leaves go first. The
 * references that the mounts held are not put, because all are counted afterwards.
 */
export function detachPending(): void {
  endNamespaces();
  let n = objectsMax();
  for (let m = pendingMount(); m; m = pendingMount()) {
    if (n-- == 0) corrupt(m.at);
    if (m.parent == m) forgetMount(m);
    else detachTree(m, changetype<Mount>(0));
  }
}

/** No path leads to the dentry, or perhaps none does: the next lookup asks the driver. */
const NAMELESS: u32 = D_UNHASHED | D_DRIVER_PENDING;

function pendingMount(): Mount {
  let n = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; p = changetype<Mount>(<usize>p).allNext) {
    if (n-- == 0) corrupt(p);
    const m = changetype<Mount>(<usize>p);
    if (m.nrMounts != 0) continue;
    if (!namespaceOf(m) && m.nrChildren == 0) return m;
    if (m.parent == m) continue;
    let d = m.mountpoint;
    for (let depth = objectsMax(); d.parent != d && !(d.flags & NAMELESS); depth--) {
      if (depth == 0) corrupt(d.at);
      d = d.parent;
    }
    if (d.parent != d) return m;
  }
  return changetype<Mount>(0);
}
