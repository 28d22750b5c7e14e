/**
 * The mount table: which file system is mounted on which directory.
 *
 * Mount (128 bytes, typed cache): 0 parent ptr (itself: not mounted on anything) 4 mountpoint ptr 8 root ptr 12 sb ptr
 *   16 detachedNext ptr  20 flags u32 (MS_*)  24 expire u32 (MNT_EXPIRE has been asked for)  28 hashNext ptr  32 allNext 36 allPrev  40 rcuNext 44 rcuTag
 *   48 recount u32 (references found by the recount, recount.ts)  52 nrChildren u32 (mounts on this one)
 *   56 oldParent ptr  60 oldPoint ptr (of a detached mount, with detachedNext, for its detacher alone: umount.ts)
 *   64 count i32, in a cache line that no walk in rcu mode reads; of the root mount a total, whose parts are in the slots
 *   68 copy ptr (the last copy of it that a call has made, while the call lasts: copy-tree.ts)  72 id u64 (its number, never another's)
 *   80 group u64 (number of its peer group, 0: not shared)  88 peerNext ptr (ring of its peers)  92 master ptr  96 slaves ptr (its first slave)
 *   100 slaveNext ptr (pnode.ts)  104 nrMounts u32 (of the root of a namespace: its mounts, this one counted; else 0: mnt-ns.ts)
 *   108 copyNext, 112 walkNext, 116 topNext, 120 origin ptr, 124 mark u32 (lists of the thread that has the namespace lock, without meaning when it is released)
 *
 * Guarantees
 *  - The table, parents and mount points change only under the mount lock, inside a write section of the mount
 *    sequence. A walk in rcu mode reads that sequence once, at its start (nd.mSeq), and the table without a store. What
 *    it read is valid while the sequence is unchanged. A reference is taken by mntgetNotZero() followed by a check of
 *    the sequence.
 *  - A mount's memory is reused after a grace period. The last mount of a file system ends the file system, also after
 *    a grace period.
 *
 * Lock order: i_mutex of the mount point, namespace lock, mount lock, rename lock, d_lock.
 */

import { ENOENT } from "../../../abi/errno";
import { MS_UNBINDABLE } from "../../../abi/flags";
import * as POINT from "../../../abi/points";
import { lock, mutexLock, mutexUnlock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry, writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from "../../mem/smr/smr";
import { slot } from "../../mem/thread";
import { put32, put64, set32 } from "../../mem/undo/log";
import { sleepUs, spinFor } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { isBelowRemoved } from "../dcache/d-lookup";
import { dput, shrinkDcacheForUmount } from "../dcache/dcache";
import { countDirChange, D_CANT_MOUNT, D_MOUNTED, D_UNHASHED, Dentry, dWriteBegin, setFlags } from "../dcache/dentry";
import {
  CACHE_MOUNT,
  G_MOUNT_LOCK,
  G_MOUNT_SEQ,
  G_MOUNTS,
  G_NEXT_MNT_ID,
  G_NR_MOUNTS,
  G_NS_LOCK,
  G_RENAME_LOCK,
  G_ROOT_MNT,
  MOUNT_HASH,
  MOUNT_HEADS,
  SLOT_ROOT_COUNT,
} from "../layout";
import { notifyUnmount } from "../notify/fsnotify";
import { retire } from "../recovery/reclaim";
import { kalloc } from "../recovery/space";
import { dropDriverMount, SuperBlock } from "./super";

export const MOUNT_SIZE: u32 = 128;
export const MOUNT_LINK: u32 = offsetof<Mount>("rcuNext");
/** Words that are kept when the memory is freed: count. */
export const MOUNT_KEEP: u32 = 1 << (offsetof<Mount>("count_") >> 2);

/** Bounds: mounts nested in each other, and attempts of a reader before it takes the lock. */
const DEPTH_MAX: i32 = 100000;
export const SEQ_TRIES: i32 = 16;

@unmanaged
export class Mount {
  parent_: u32;
  mountpoint_: u32;
  root_: u32;
  sb_: u32;
  detachedNext: u32;
  flags_: u32;
  expire_: u32;
  hashNext_: u32;
  allNext_: u32;
  allPrev_: u32;
  rcuNext: u32;
  rcuTag: u32;
  recount: u32;
  nrChildren_: u32;
  oldParent: u32;
  oldPoint: u32;
  count_: u32;
  copy_: u32;
  id: u64;
  group_: u64;
  peerNext_: u32;
  master_: u32;
  slaves_: u32;
  slaveNext_: u32;
  nrMounts_: u32;
  copyNext: u32;
  walkNext: u32;
  topNext: u32;
  origin: u32;
  mark: u32;

  get at(): usize {
    return changetype<usize>(this);
  }
  get parent(): Mount {
    return changetype<Mount>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<Mount>("parent_")));
  }
  set parent(m: Mount) {
    put32(changetype<usize>(this) + offsetof<Mount>("parent_"), <u32>changetype<usize>(m));
  }
  get mountpoint(): Dentry {
    return changetype<Dentry>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<Mount>("mountpoint_")));
  }
  set mountpoint(d: Dentry) {
    put32(changetype<usize>(this) + offsetof<Mount>("mountpoint_"), <u32>changetype<usize>(d));
  }
  get root(): Dentry {
    return changetype<Dentry>(<usize>atomic.load<u32>(changetype<usize>(this), offsetof<Mount>("root_")));
  }
  set root(d: Dentry) {
    put32(changetype<usize>(this) + offsetof<Mount>("root_"), <u32>changetype<usize>(d));
  }
  get sb(): SuperBlock {
    return changetype<SuperBlock>(<usize>this.sb_);
  }
  get flags(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Mount>("flags_"));
  }
  set flags(v: u32) {
    put32(changetype<usize>(this) + offsetof<Mount>("flags_"), v);
  }
  /** 1: an umount with MNT_EXPIRE has found it unused, and nothing has used it since. A walk in rcu mode leaves that mode here. */
  get expire(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Mount>("expire_"));
  }
  set expire(v: u32) {
    put32(changetype<usize>(this) + offsetof<Mount>("expire_"), v);
  }
  get hashNext(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Mount>("hashNext_"));
  }
  set hashNext(v: u32) {
    put32(changetype<usize>(this) + offsetof<Mount>("hashNext_"), v);
  }
  get count(): usize {
    return changetype<usize>(this) + offsetof<Mount>("count_");
  }
  get allNext(): u32 {
    return this.allNext_;
  }
  set allNext(v: u32) {
    set32(changetype<usize>(this) + offsetof<Mount>("allNext_"), v);
  }
  get allPrev(): u32 {
    return this.allPrev_;
  }
  set allPrev(v: u32) {
    set32(changetype<usize>(this) + offsetof<Mount>("allPrev_"), v);
  }
  get nrChildren(): u32 {
    return this.nrChildren_;
  }
  set nrChildren(v: u32) {
    set32(changetype<usize>(this) + offsetof<Mount>("nrChildren_"), v);
  }
  /** 0: not shared. This and what follows under the namespace lock, changed under the mount lock too. */
  get group(): u64 {
    return this.group_;
  }
  set group(v: u64) {
    put64(changetype<usize>(this) + offsetof<Mount>("group_"), v);
  }
  /** The mount itself: it has no peers. */
  get peerNext(): Mount {
    return changetype<Mount>(<usize>this.peerNext_);
  }
  set peerNext(m: Mount) {
    set32(changetype<usize>(this) + offsetof<Mount>("peerNext_"), <u32>changetype<usize>(m));
  }
  /** null: none, as for the next three. */
  get master(): Mount {
    return changetype<Mount>(<usize>this.master_);
  }
  set master(m: Mount) {
    set32(changetype<usize>(this) + offsetof<Mount>("master_"), <u32>changetype<usize>(m));
  }
  get slaves(): Mount {
    return changetype<Mount>(<usize>this.slaves_);
  }
  set slaves(m: Mount) {
    set32(changetype<usize>(this) + offsetof<Mount>("slaves_"), <u32>changetype<usize>(m));
  }
  get slaveNext(): Mount {
    return changetype<Mount>(<usize>this.slaveNext_);
  }
  set slaveNext(m: Mount) {
    set32(changetype<usize>(this) + offsetof<Mount>("slaveNext_"), <u32>changetype<usize>(m));
  }
  get unbindable(): bool {
    return (this.flags & MS_UNBINDABLE) != 0;
  }
  set unbindable(v: bool) {
    if (v != this.unbindable) this.flags = this.flags ^ MS_UNBINDABLE;
  }
  get nrMounts(): u32 {
    return atomic.load<u32>(changetype<usize>(this), offsetof<Mount>("nrMounts_"));
  }
  set nrMounts(v: u32) {
    put32(changetype<usize>(this) + offsetof<Mount>("nrMounts_"), v);
  }
}

export function noMount(): Mount {
  return changetype<Mount>(0);
}

export function rootMount(): Mount {
  return changetype<Mount>(<usize>atomic.load<u32>(G_ROOT_MNT));
}

function headOf(m: Mount, d: Dentry): usize {
  const h = (<u32>m.at >> 7) * 0x9e3779b1 + (<u32>d.at >> 7) * 0x85ebca6b;
  return MOUNT_HEADS + (((h >> 16) & (MOUNT_HASH - 1)) << 2);
}

/** __lookup_mnt(): the mount on `d` in `m`, null: none found. Stores nothing; the caller checks the mount sequence. */
export function lookupMnt(m: Mount, d: Dentry): Mount {
  let p = atomic.load<u32>(headOf(m, d));
  for (let n = 0; p != 0 && n < DEPTH_MAX; n++) {
    const e = changetype<Mount>(<usize>p);
    if (e.parent == m && e.mountpoint == d) return e;
    p = e.hashNext;
  }
  return noMount();
}

/**
 * Counts references on the root mount in the thread's slot, as Linux does for every mount (mnt_pcp): nothing ever detaches it, so nothing
 * compares its count but the recount, which excludes the other threads, and the checks. Only in an active call, so the stores are plain.
 */
function countRootMount(n: i32): void {
  const p = slot + SLOT_ROOT_COUNT;
  store<u32>(p, load<u32>(p) + n);
}

export function mntget(m: Mount): Mount {
  if (m == rootMount()) countRootMount(1);
  else atomic.add<u32>(m.count, 1);
  return m;
}

/** mntget() for a mount that may be ending: the count never rises from 0. Only inside a read-side section. */
export function mntgetNotZero(m: Mount): bool {
  if (m == rootMount()) {
    countRootMount(1);
    return true;
  }
  let deadline: f64 = 0;
  while (true) {
    const n = atomic.load<u32>(m.count);
    if (n == 0) return false;
    if (atomic.cmpxchg<u32>(m.count, n, n + 1) == n) return true;
    deadline = spinFor(deadline, m.count);
  }
}

/** mntput(): the last reference of a detached mount ends the mount. Not inside a read-side section. */
export function mntput(m: Mount): void {
  // The mount was in use. Only with the reference: without it the memory may be another mount's.
  if (m.expire != 0) atomic.store<u32>(changetype<usize>(m), 0, offsetof<Mount>("expire_"));
  mntputNoExpire(m);
}

/** mntput_no_expire(): for the reference of an umount, and for one that turns out not to be valid: these are no use of the mount. */
export function mntputNoExpire(m: Mount): void {
  if (m == rootMount()) {
    countRootMount(-1);
    return;
  }
  if (atomic.sub<u32>(m.count, 1) != 1) return;
  const sb = m.sb;
  const root = m.root;
  atomic.sub<u32>(G_NR_MOUNTS, 1);
  dput(root);
  retire(m.at);
  deactivateSuper(sb);
}

/** deactivate_super(): the last mount of a file system ends the file system after a grace period. */
export function deactivateSuper(sb: SuperBlock): void {
  if (atomic.sub<u32>(sb.active, 1) != 1) return;
  notifyUnmount(sb);
  synchronizeRcu();
  const root = sb.root;
  sb.root_ = 0;
  if (root) shrinkDcacheForUmount(root);
  dropDriverMount(sb.driver);
  retire(sb.at);
}

/** The mount on (m, d), with a reference; null: none. */
export function lookupMntRef(m: Mount, d: Dentry): Mount {
  for (let n = 0; n < SEQ_TRIES; n++) {
    rcuReadLock();
    const seq = readSeqBegin(G_MOUNT_SEQ);
    const found = lookupMnt(m, d);
    const got = found ? mntgetNotZero(found) : false;
    const ok = !readSeqRetry(G_MOUNT_SEQ, seq);
    const valid = rcuReadUnlock();
    if (ok && valid && (got || !found)) return found;
    if (got) mntputNoExpire(found);
    sleepUs(10);
  }
  lock(G_MOUNT_LOCK);
  const found = lookupMnt(m, d);
  if (found) mntget(found);
  unlock(G_MOUNT_LOCK);
  return found;
}

/** A mount of `root`, whose reference it takes over, not attached yet; null: the arena is full. */
export function newMount(sb: SuperBlock, root: Dentry, flags: u32): Mount {
  const m = changetype<Mount>(kalloc(CACHE_MOUNT, false));
  if (!m) return m;
  m.parent = m;
  m.mountpoint = root;
  m.root = root;
  m.sb_ = <u32>sb.at;
  atomic.store<u32>(m.count, 1);
  m.flags = flags;
  m.expire = 0;
  m.copy_ = 0;
  m.id = atomic.add<u64>(G_NEXT_MNT_ID, 1) + 1;
  m.hashNext = 0;
  m.allNext = 0;
  m.allPrev = 0;
  m.nrChildren = 0;
  m.group_ = 0;
  m.peerNext_ = <u32>m.at;
  m.master_ = 0;
  m.slaves_ = 0;
  m.slaveNext_ = 0;
  m.nrMounts_ = 0;
  m.copyNext = 0;
  atomic.add<u32>(sb.active, 1);
  atomic.add<u32>(G_NR_MOUNTS, 1);
  return m;
}

/** Makes the first mount the root of the tree. */
export function setRootMount(m: Mount): void {
  atomic.store<u32>(G_ROOT_MNT, <u32>m.at);
  m.nrMounts = 1;
  listAdd(m);
}

export function listAdd(m: Mount): void {
  const first = load<u32>(G_MOUNTS);
  m.allNext = first;
  m.allPrev = 0;
  if (first != 0) changetype<Mount>(<usize>first).allPrev = <u32>m.at;
  set32(G_MOUNTS, <u32>m.at);
}

export function listRemove(m: Mount): void {
  if (m.allPrev != 0) changetype<Mount>(<usize>m.allPrev).allNext = m.allNext;
  else set32(G_MOUNTS, m.allNext);
  if (m.allNext != 0) changetype<Mount>(<usize>m.allNext).allPrev = m.allPrev;
  m.allNext = 0;
  m.allPrev = 0;
}

/** Whether a directory or file, or one above it, has been removed. Under the rename lock and d_lock. */
function isRemoved(d: Dentry): bool {
  return (d.flags & D_CANT_MOUNT) != 0 || ((d.flags & D_UNHASHED) != 0 && !d.isRoot) || isBelowRemoved(d);
}

/** The same without the locks, for the order of errors: hashMount() decides. */
export function cannotMount(d: Dentry): bool {
  lock(G_RENAME_LOCK);
  lock(d.lockref);
  const removed = isRemoved(d);
  unlock(d.lockref);
  unlock(G_RENAME_LOCK);
  return removed;
}

/**
 * d_set_mounted(), and the entry in the table: attaches a mount at (parent, d). Under the mount lock, in a write
 * section. -ENOENT: the directory or one above it has been removed, so that no path would lead to the mount. dInvalidate()
 * looks for mounts below a directory and unhashes it under the same locks.
 */
export function hashMount(m: Mount, parent: Mount, d: Dentry): i32 {
  lock(G_RENAME_LOCK);
  lock(d.lockref);
  const removed = isRemoved(d);
  if (removed) {
    unlock(d.lockref);
    unlock(G_RENAME_LOCK);
    return -ENOENT;
  }
  hashMountAt(m, parent, d);
  unlock(d.lockref);
  unlock(G_RENAME_LOCK);
  return 0;
}

/** The same at a place that is known to be good: another mount has just left it, or it has been asked for in the same transaction. */
export function hashMountAt(m: Mount, parent: Mount, d: Dentry): void {
  lock(d.lockref);
  m.parent = parent;
  m.mountpoint = d;
  parent.nrChildren += 1;
  d.mounts += 1;
  const head = headOf(parent, d);
  m.hashNext = atomic.load<u32>(head);
  put32(head, <u32>m.at);
  tracepoint(POINT.MOUNT_ATTACH, m.at, d.at);
  setFlags(d, D_MOUNTED, 0);
  // Walks by the prefix cache are told by this count. No sequence of the dentry moves, as its name and inode stay; and until the mount
  // sequence is even, no walk passes a mount here.
  countDirChange();
  unlock(d.lockref);
}

/** Attaches a mount at (parent, d), and takes over a reference on each. The caller owns the namespace lock. */
export function attachMount(m: Mount, parent: Mount, d: Dentry): i32 {
  lock(G_MOUNT_LOCK);
  writeSeqBegin(G_MOUNT_SEQ);
  const err = hashMount(m, parent, d);
  if (err == 0) listAdd(m);
  writeSeqEnd(G_MOUNT_SEQ);
  unlock(G_MOUNT_LOCK);
  return err;
}

/**
 * Detaches a mount. Under the mount lock, in a write section. The caller drops the references on parent and mount
 * point.
 */
export function unhashMount(m: Mount): void {
  const parent = m.parent;
  const d = m.mountpoint;
  const head = headOf(parent, d);
  let p = atomic.load<u32>(head);
  if (p == <u32>m.at) {
    put32(head, m.hashNext);
  } else {
    for (let n = 0; p != 0 && n < DEPTH_MAX; n++) {
      const e = changetype<Mount>(<usize>p);
      p = e.hashNext;
      if (p == <u32>m.at) {
        e.hashNext = m.hashNext;
        break;
      }
    }
  }
  parent.nrChildren -= 1;
  d.mounts -= 1;
  if (d.mounts == 0) {
    // The sequence stays odd until the commit: no walk passes a mount point that is still in use, or that a rollback
    // would restore.
    lock(d.lockref);
    dWriteBegin(d);
    setFlags(d, 0, D_MOUNTED);
    unlock(d.lockref);
  }
  m.parent = m;
  m.mountpoint = m.root;
  tracepoint(POINT.MOUNT_DETACH, m.at, d.at);
}

/**
 * Whether a mount stands on a dentry that the caller has a reference on. Waits if the sequence is odd, because an
 * umount may be in progress.
 */
export function isMounted(d: Dentry): bool {
  // Sequence (low) and flags (high) together, as in rcu-walk.ts. Pairs with the write section in unhashMount().
  const state = atomic.load<u64>(d.at);
  if (!(<u32>state & 1)) return (<u32>(state >> 32) & D_MOUNTED) != 0;
  lock(d.lockref);
  const is = (d.flags & D_MOUNTED) != 0;
  unlock(d.lockref);
  return is;
}

export function lockNamespace(): void {
  mutexLock(G_NS_LOCK);
}

export function unlockNamespace(): void {
  mutexUnlock(G_NS_LOCK);
}
