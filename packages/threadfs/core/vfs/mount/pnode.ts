/**
 * Peer groups and slaves of mounts: which mounts an attach or a detach in one of them also happens in (mount_namespaces(7)).
 *
 * The mounts of a group are a ring, and have one number. A slave has a master, a mount of the group that it receives from, and is in that mount's list;
 * a slave that is shared as well has its group in that list with it, so all peers have one master. Only shared mounts have slaves.
 * Groups with what receives from them are trees of at most PROPAGATION_MAX mounts: so what one call changes at once fits the undo log.
 *
 * Guarantees
 *  - All of it changes under the namespace lock and the mount lock. So the list of mounts is of one moment.
 *  - No mount holds a reference on a peer, a master or a slave. What is in a ring or a list of slaves is in the list of mounts too: a mount
 *    leaves all three in one transaction, after it has left the tree. What a dead thread leaves in the list without a place leaves with the recount.
 */

import { EINVAL, ENOSPC } from "../../../abi/errno";
import { MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from "../../../abi/flags";
import { PROPAGATION_MAX } from "../../../abi/limits";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { logInScratch } from "../../mem/undo/log";
import { isSubdir } from "../dcache/d-lookup";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNTS, G_NEXT_MNT_ID, G_RENAME_LOCK } from "../layout";
import { listRemove, Mount, noMount } from "./namespace";

/** Most mounts that are walked over: a tree has fewer, whichever call joins it. */
const WALK_MAX: u32 = 4 * PROPAGATION_MAX;

/** A number that no mount and no group has had. */
function newNumber(): u64 {
  return atomic.add<u64>(G_NEXT_MNT_ID, 1) + 1;
}

/** The number of the group that `m` is in or, while its copies wait for it to become shared, that these are in; 0: neither. */
export function groupOf(m: Mount): u64 {
  return m.group != 0 ? m.group : m.peerNext.group;
}

/** Makes a mount shared: it begins a group. In a transaction. */
export function setShared(m: Mount): void {
  if (m.group == 0) m.group = m.peerNext != m ? m.peerNext.group : newNumber();
  m.unbindable = false;
}

function addSlave(m: Mount, master: Mount): void {
  m.master = master;
  m.slaveNext = master.slaves;
  master.slaves = m;
}

function removeSlave(m: Mount): void {
  const master = m.master;
  if (!master) return;
  if (master.slaves == m) master.slaves = m.slaveNext;
  else {
    let s = master.slaves;
    for (let left = WALK_MAX; s.slaveNext != m; s = s.slaveNext) if (left-- == 0 || !s.slaveNext) corrupt(m.at);
    s.slaveNext = m.slaveNext;
  }
  m.master = noMount();
  m.slaveNext = noMount();
}

/** What clone_mnt() makes a copy: a peer of a shared mount, a slave beside a slave. `m` is in the list of mounts. In a transaction. */
export function joinPeers(m: Mount, like: Mount): void {
  m.group = groupOf(like) != 0 ? groupOf(like) : newNumber();
  m.peerNext = like.peerNext;
  like.peerNext = m;
  if (like.master) addSlave(m, like.master);
}

/** A copy of a mount that is a slave and not shared. In a transaction. */
export function joinSlaves(m: Mount, like: Mount): void {
  addSlave(m, like.master);
}

/** Makes a new mount a slave of another one, and shared as well. In a transaction. */
export function enslave(m: Mount, master: Mount, shared: bool): void {
  addSlave(m, master);
  if (shared) m.group = newNumber();
}

/** Takes a mount out of its ring, and gives its slaves to a peer or, where there is none, to its master. Returns that mount; null: none. */
function leavePeers(m: Mount): Mount {
  let heir = m.master;
  if (m.peerNext != m) {
    heir = m.peerNext;
    let p = heir;
    for (let left = WALK_MAX; p.peerNext != m; p = p.peerNext) if (left-- == 0) corrupt(m.at);
    p.peerNext = heir;
    m.peerNext = m;
  }
  m.group = 0;
  let left = WALK_MAX;
  for (let s = m.slaves; s; ) {
    if (left-- == 0) corrupt(m.at);
    const next = s.slaveNext;
    if (heir) addSlave(s, heir);
    else {
      s.master = noMount();
      s.slaveNext = noMount();
    }
    s = next;
  }
  m.slaves = noMount();
  return heir;
}

/** change_mnt_propagation(): in a transaction under the mount lock. */
function change(m: Mount, type: u32): void {
  if (type == MS_SHARED) {
    setShared(m);
    return;
  }
  const heir = leavePeers(m);
  removeSlave(m);
  if (type == MS_SLAVE) {
    if (heir) addSlave(m, heir);
  } else m.unbindable = type == MS_UNBINDABLE;
}

/** A mount that has no place any more, or gets none, leaves its group and the list of mounts. Under the namespace lock. */
export function forgetMount(m: Mount): void {
  lock(G_MOUNT_LOCK);
  logInScratch(true);
  change(m, MS_PRIVATE);
  listRemove(m);
  unlock(G_MOUNT_LOCK);
  logInScratch(false);
}

/**
 * The mounts that an event in `m` happens in: links them by walkNext, `m` first, each group before what receives from it. Returns how many there are
 * beside `m`. Under the namespace lock, or the mount lock.
 */
export function propagation(m: Mount): u32 {
  let last = m;
  let n: u32 = 0;
  for (let p = m.peerNext; p != m; p = p.peerNext) {
    if (n++ == WALK_MAX) corrupt(m.at);
    last.walkNext = <u32>p.at;
    last = p;
  }
  last.walkNext = 0;
  for (let p = m; p; p = changetype<Mount>(<usize>p.walkNext)) {
    for (let s = p.slaves; s; s = s.slaveNext) {
      if (n++ == WALK_MAX) corrupt(m.at);
      last.walkNext = <u32>s.at;
      last = s;
      s.walkNext = 0;
    }
  }
  return n;
}

/** A mount of the group from which the tree of groups that `m` is in receives; `m` if that receives from none. Under the namespace lock. */
export function topMaster(m: Mount): Mount {
  let top = m;
  for (let left = WALK_MAX; top.master; top = top.master) if (left-- == 0) corrupt(m.at);
  return top;
}

/** Whether the tree of groups that a mount is in has room for `more` mounts. Under the namespace lock. */
export function hasRoom(m: Mount, more: u32): bool {
  return propagation(topMaster(m)) + 1 + more <= <u32>PROPAGATION_MAX;
}

/**
 * Links a mount and those below it by copyNext, each behind the one it stands on. `below` not null: of those on `top` itself only what stands there or
 * below it. `bindable`: without those that may not be bound, and what is on them. Returns how many. Under the namespace lock.
 */
export function listTree(top: Mount, below: Dentry, bindable: bool): u32 {
  let last = top;
  let n: u32 = 1;
  top.copyNext = 0;
  for (let p = top; p; p = changetype<Mount>(<usize>p.copyNext)) {
    if (p.nrChildren == 0) continue;
    let left = objectsMax();
    for (let at = load<u32>(G_MOUNTS); at != 0; at = changetype<Mount>(<usize>at).allNext) {
      if (left-- == 0) corrupt(at);
      const m = changetype<Mount>(<usize>at);
      if (m.parent != p || m == p || (bindable && m.unbindable)) continue;
      if (p == top && below && !isBelow(m.mountpoint, below)) continue;
      // A mount that stands on itself, behind others.
      if (n++ == objectsMax()) corrupt(top.at);
      last.copyNext = <u32>m.at;
      last = m;
      m.copyNext = 0;
    }
  }
  return n;
}

/** Whether a dentry is another one, or below it. */
export function isBelow(d: Dentry, above: Dentry): bool {
  lock(G_RENAME_LOCK);
  const below = isSubdir(d, above);
  unlock(G_RENAME_LOCK);
  return below;
}

/** Entries of the undo log that one mount takes, and each of its slaves. */
const CHANGE_ENTRIES: u32 = 12;
const SLAVE_ENTRIES: u32 = 4;
const CHANGES_MAX: u32 = 4000;

/** do_change_type(): of a mount, with MS_REC also of those below it, all at once. Under the namespace lock. */
export function changeType(m: Mount, flags: u32): i32 {
  const type = flags & ~MS_REC;
  if (type != MS_SHARED && type != MS_PRIVATE && type != MS_SLAVE && type != MS_UNBINDABLE) return -EINVAL;
  if (flags & MS_REC) listTree(m, changetype<Dentry>(0), false);
  else m.copyNext = 0;
  let entries: u32 = 0;
  for (let p = m; p; p = changetype<Mount>(<usize>p.copyNext)) {
    entries += CHANGE_ENTRIES;
    if (type != MS_SHARED && (p.slaves || p.peerNext != p)) entries += SLAVE_ENTRIES * propagation(p);
    if (entries > CHANGES_MAX) return -ENOSPC;
  }
  lock(G_MOUNT_LOCK);
  logInScratch(true);
  for (let p = m; p; p = changetype<Mount>(<usize>p.copyNext)) change(p, type);
  unlock(G_MOUNT_LOCK);
  logInScratch(false);
  return 0;
}
