/**
 * Namespaces of mounts (mount_namespaces(7)): that of the tree, and one for each context that asked for its own and the contexts made from it.
 *
 * A namespace is a tree of mounts. Its uppermost mount, the root of the namespace, has in `nrMounts` how many there are, itself counted; of every other mount this is
 * 0. So a mount is in the namespace that the way up leads to; in none if that ends at a mount without a number: it is detached, or not attached yet, or
 * its namespace has ended. Lookups know nothing of this: they begin at the context's root, which is a mount of its namespace.
 *
 * Guarantee: the number changes in the transaction that attaches or detaches the mounts, under the mount lock. All of this under the namespace lock or the mount lock.
 */

import { MOUNTS_MAX } from "../../../abi/limits";
import { corrupt, objectsMax } from "../../mem/bounds";
import { G_MOUNTS } from "../layout";
import { Context } from "../task/cred";
import { Mount, noMount, rootMount } from "./namespace";

/** Where the way up from a mount leads. */
export function topOf(m: Mount): Mount {
  let top = m;
  for (let left = objectsMax(); top.parent != top; left--) {
    if (left == 0) corrupt(m.at);
    top = top.parent;
  }
  return top;
}

/** The root of the namespace that a mount is in; null: it is in none. */
export function namespaceOf(m: Mount): Mount {
  const top = topOf(m);
  return top.nrMounts != 0 ? top : noMount();
}

/** The root of a context's namespace; that of the tree if the context has been closed. */
export function contextNamespace(c: Context): Mount {
  const ns = c.mntNs;
  return ns != 0 ? changetype<Mount>(<usize>ns) : rootMount();
}

/** check_mnt(): whether a mount is in the context's namespace. One that was unmounted lazily is in none. */
export function checkMnt(c: Context, m: Mount): bool {
  const ns = namespaceOf(m);
  return ns ? ns == contextNamespace(c) : false;
}

/** The mounts of a list by copyNext. */
export function lengthOf(top: Mount): u32 {
  let n: u32 = 0;
  for (let m = top; m; m = changetype<Mount>(<usize>m.copyNext)) if (n++ == objectsMax()) corrupt(top.at);
  return n;
}

/** No mount waits to be attached in the namespace that `m` is in: `mark` of its root counts these (Linux: pending_mounts). */
export function beginPending(m: Mount): void {
  topOf(m).mark = 0;
}

/** count_mounts(): `n` mounts more are to be attached in `m`. False: its namespace would have more than MOUNTS_MAX. */
export function addPending(m: Mount, n: u32): bool {
  const top = topOf(m);
  top.mark += n;
  return top.nrMounts + top.mark <= <u32>MOUNTS_MAX;
}

/** `n` mounts have been attached in `m`. In their transaction. */
export function countAttached(m: Mount, n: u32): void {
  const ns = namespaceOf(m);
  if (ns) ns.nrMounts += n;
}

/** A mount is about to be detached, with what stands on it, which is in no namespace after that. In that transaction. */
export function countDetached(m: Mount): void {
  const ns = namespaceOf(m);
  if (!ns) return;
  let n: u32 = 1;
  if (m.nrChildren != 0) {
    let left = objectsMax();
    for (let p = load<u32>(G_MOUNTS); p != 0; p = changetype<Mount>(<usize>p).allNext) {
      if (left-- == 0) corrupt(p);
      if (p != <u32>m.at && isOn(changetype<Mount>(<usize>p), m)) n++;
    }
  }
  ns.nrMounts -= n;
}

/** Whether the way up from a mount leads over another one. */
function isOn(m: Mount, other: Mount): bool {
  let left = objectsMax();
  for (let p = m; p != other; p = p.parent) {
    if (left-- == 0) corrupt(m.at);
    if (p.parent == p) return false;
  }
  return true;
}
