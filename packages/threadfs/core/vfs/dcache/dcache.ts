/**
 * The dcache: allocates dentries, binds them to inodes, drops and kills them.
 *
 * Guarantees
 *  - The tuple (name, parent, inode) of a dentry changes only under its d_lock and inside a write section of its
 *    sequence, or the change is followed by a barrier on the sequence: a reader that read the sequence before fails
 *    afterwards.
 *  - dLookupRcu() stores nothing. Its result may be used only after the caller has checked the parent's sequence, and
 *    may be referenced only by lockrefGetNotDead() followed by a check of the child's sequence.
 *  - A dentry with references keeps its memory. A dentry without references may be killed by any thread that owns its
 *    d_lock. Killed means: count < 0, unhashed, sequence advanced; the memory is reused after a grace period.
 *
 * Lock order: rename lock, d_lock (two only under the rename lock), bucket lock, child lock, i_lock, LRU lock.
 */

import { PANIC_CORRUPT } from "../../../abi/host";
import * as POINT from "../../../abi/points";
import { driverDelete } from "../../fs/driver/hooks";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, mutexLock, mutexUnlock, txBegin, txEnd, unlock } from "../../mem/lock/lock";
import { lockrefCount, lockrefGet, lockrefMarkDead, lockrefPutNotLast, lockrefSet } from "../../mem/lock/lockref";
import { readSeqBegin, readSeqRetry, writeSeqEnd } from "../../mem/lock/seqlock";
import { panic } from "../../mem/thread";
import { txDepth } from "../../mem/undo/log";
import { tracepoint } from "../../tracepoints";
import { dentryType, I_ACL, I_OP_PERMISSION, Inode } from "../inode/inode";
import { iput } from "../inode/iput";
import { G_SHRINK_LOCK } from "../layout";
import { notifyInodeRemoved } from "../notify/fsnotify";
import { retire } from "../recovery/reclaim";
import { chainLock, hashGrow, hashInsert, hashRemove, hashShow } from "./d-hash";
import { lruAdd, lruRemove } from "./d-lru";
import {
  D_CANT_MOUNT,
  D_CHAINED,
  D_COMPLETE,
  D_EXEC_ANY,
  D_NO_CACHE,
  D_OP_DELETE,
  D_PAR_LOOKUP,
  D_TYPE,
  D_UNHASHED,
  Dentry,
  dWriteBegin,
  nextCookie,
  setFlags,
} from "./dentry";

/** Bound of loops that kill dentries. */
const KILL_MAX: i32 = 1 << 24;

const NULL_INODE: usize = 0;

function noDentry(): Dentry {
  return changetype<Dentry>(0);
}

// ---------------------------------------------------------------------------------------------------- allocation

export function addChild(parent: Dentry, d: Dentry): void {
  lock(parent.childLock);
  if (parent.sb.driver == 0) d.cookie = nextCookie(parent);
  const last = parent.lastChild;
  d.sibPrev = last;
  d.sibNext = 0;
  if (last != 0) changetype<Dentry>(<usize>last).sibNext = <u32>d.at;
  else parent.firstChild = <u32>d.at;
  parent.lastChild = <u32>d.at;
  unlock(parent.childLock);
}

export function removeChild(parent: Dentry, d: Dentry): void {
  lock(parent.childLock);
  if (d.sibPrev != 0) changetype<Dentry>(<usize>d.sibPrev).sibNext = d.sibNext;
  else parent.firstChild = d.sibNext;
  if (d.sibNext != 0) changetype<Dentry>(<usize>d.sibNext).sibPrev = d.sibPrev;
  else parent.lastChild = d.sibPrev;
  d.sibNext = 0;
  d.sibPrev = 0;
  unlock(parent.childLock);
}

/** The flags of a dentry that describe its inode. */
function inodeFlags(i: Inode): u32 {
  const mode = i.mode;
  let f = dentryType(mode);
  if (i.isDir && (mode & 0x49) == 0x49 && !(mode & (I_ACL | I_OP_PERMISSION))) f |= D_EXEC_ANY;
  return f;
}

/** __d_instantiate(): makes a negative dentry positive. The dentry takes over the reference on the inode. Under d_lock. */
function bindInode(d: Dentry, i: Inode): void {
  dWriteBegin(d);
  d.inode = i;
  tracepoint(POINT.INSTANTIATE, d.at, i.at);
  setFlags(d, inodeFlags(i), D_TYPE | D_EXEC_ANY);
  writeSeqEnd(d.seq);
}

/**
 * bindInode() for a directory, which has one dentry at most. False: it has one. Decided under i_lock, which holds until
 * the commit, so that of two threads that find a directory under two names one adds a dentry, and the other moves it.
 * Mode and flags agree too, because modeChangeEnd() looks for the dentry after it has changed the mode under i_lock.
 */
function bindDirectory(d: Dentry, i: Inode): bool {
  // The caller hashes the dentry in the same transaction, and chain locks come before i_lock.
  const chain = chainLock(<u32>d.hashLen);
  lock(chain);
  lock(i.lock);
  const isFirst = i.alias == 0;
  if (isFirst) {
    bindInode(d, i);
    i.alias = <u32>d.at;
  }
  unlock(i.lock);
  unlock(chain);
  return isFirst;
}

/**
 * d_instantiate(): for a dentry that is hashed, or that the caller will hash. False: the inode is a directory that has a
 * dentry, and nothing has changed.
 */
export function dInstantiate(d: Dentry, i: Inode): bool {
  lock(d.lockref);
  lruRemove(d);
  let bound = true;
  if (i.isDir) bound = bindDirectory(d, i);
  else bindInode(d, i);
  unlock(d.lockref);
  return bound;
}

/**
 * d_add(): binds an inode, if any, and hashes the dentry, unless it is hashed: a negative dentry that its remover has
 * not put yet; one in lookup is in its chain already. False as in dInstantiate(). Inside a transaction the caller grows the table after the commit.
 */
export function dAdd(d: Dentry, i: Inode): bool {
  lock(d.lockref);
  const bound = !i || dInstantiate(d, i);
  if (bound && d.flags & D_PAR_LOOKUP) hashShow(d);
  else if (bound && d.flags & D_UNHASHED) hashInsert(d);
  unlock(d.lockref);
  if (txDepth == 0) hashGrow();
  return bound;
}

/**
 * Begins a transaction that changes mode, owner, group or access ACL of an inode. A directory's dentry, which is returned, must be
 * locked before anything else. modeChangeEnd() updates the dentry's flags, makes every walk that has its sequence fail, and commits: so
 * whoever may search a directory may do so as long as the sequence stays.
 */
export function modeChangeBegin(i: Inode): Dentry {
  txBegin();
  const d = i.isDir ? changetype<Dentry>(<usize>i.alias) : noDentry();
  if (d) lock(d.lockref);
  return d;
}

export function modeChangeEnd(i: Inode, d: Dentry): void {
  // A driver's dentry may have been killed, and its memory reused, before it was locked.
  if (d && d.inode == i) {
    // Under i_lock, because a change of another thread that is not committed may be rolled back.
    lock(i.lock);
    dWriteBegin(d);
    setFlags(d, inodeFlags(i), D_EXEC_ANY | D_TYPE);
    unlock(i.lock);
  }
  if (d) unlock(d.lockref);
  txEnd();
}

/** Updates the dentry's flags after a change of the inode's mode. */
export function dentryModeChanged(i: Inode): void {
  modeChangeEnd(i, modeChangeBegin(i));
}

/** Sets and clears flags under d_lock. */
export function dSetFlags(d: Dentry, set: u32, clear: u32): void {
  lock(d.lockref);
  setFlags(d, set, clear);
  unlock(d.lockref);
}

// ---------------------------------------------------------------------------------------------------- dropping

/** dentry_rcuwalk_barrier(): every walk that has read the sequence fails. Under d_lock, so in a transaction. */
function rcuwalkBarrier(d: Dentry): void {
  dWriteBegin(d);
}

/** __d_drop(): unhashes a dentry. Under d_lock; allowed inside a write section. */
export function dDropLocked(d: Dentry): void {
  if (!(d.flags & D_CHAINED) && d.flags & D_UNHASHED) return;
  rcuwalkBarrier(d);
  if (d.flags & D_CHAINED) hashRemove(d);
}

/** d_drop() */
export function dDrop(d: Dentry): void {
  lock(d.lockref);
  dDropLocked(d);
  unlock(d.lockref);
}

/** A directory knows its dentry, other inodes do not. Under d_lock. */
function removeAlias(i: Inode): void {
  if (!i.isDir) return;
  lock(i.lock);
  i.alias = 0;
  unlock(i.lock);
}

/**
 * dentry_unlink_inode(): makes a dentry in use negative. Under d_lock. Returns the inode, whose reference the caller
 * drops.
 */
function dentryUnlinkInode(d: Dentry): Inode {
  lruRemove(d);
  const i = d.inode;
  removeAlias(i);
  dWriteBegin(d);
  setFlags(d, 0, D_TYPE | D_EXEC_ANY);
  d.inode = changetype<Inode>(NULL_INODE);
  tracepoint(POINT.UNLINK_INODE, d.at, i.at);
  writeSeqEnd(d.seq);
  return i;
}

/**
 * d_delete(): the name has been removed. If only the caller holds the dentry, makes it negative and returns its inode,
 * which the caller puts after the commit. Otherwise marks it unhashed, but keeps it in its chain, with an odd sequence,
 * until the commit: a rollback may restore the name, and until then lookups must not miss it. It keeps its inode for
 * open files. dDeleteFinish() removes it from the chain.
 */
export function dDelete(d: Dentry): Inode {
  lock(d.lockref);
  let inodeToPut = changetype<Inode>(NULL_INODE);
  if (lockrefCount(d.lockref) == 1) {
    setFlags(d, 0, D_CANT_MOUNT);
    inodeToPut = dentryUnlinkInode(d);
  } else if (!(d.flags & D_UNHASHED)) {
    dWriteBegin(d);
    setFlags(d, D_UNHASHED, 0);
  }
  unlock(d.lockref);
  return inodeToPut;
}

/** Finishes dDelete() after the commit. */
export function dDeleteFinish(d: Dentry, inodeToPut: Inode): void {
  if (inodeToPut) iput(inodeToPut);
  else dDrop(d);
}

export function dget(d: Dentry): Dentry {
  lockrefGet(d.lockref);
  return d;
}

/**
 * dput(): drops a reference. The last one puts the dentry on the list of unused dentries, or kills it and continues
 * with the parent.
 */
export function dput(first: Dentry): void {
  let d = first;
  for (let n = 0; d && n < KILL_MAX; n++) {
    if (lockrefPutNotLast(d.lockref)) return;
    if (d.flags & D_OP_DELETE && !(d.flags & D_UNHASHED)) driverDeleteUnused(d);
    lock(d.lockref);
    const c = lockrefCount(d.lockref);
    if (c < 1) panic(PANIC_CORRUPT, d.at);
    if (c > 1) {
      lockrefSet(d.lockref, c - 1);
      unlock(d.lockref);
      return;
    }
    if (!(d.flags & (D_UNHASHED | D_NO_CACHE))) {
      lruAdd(d);
      lockrefSet(d.lockref, 0);
      unlock(d.lockref);
      return;
    }
    d = dentryKill(d);
  }
}

/**
 * d_op->d_delete(): asks the driver while the caller holds a reference and no lock. The driver's answer counts if the
 * dentry is still unused and has not changed since: it may have become another name meanwhile, or a mount point.
 */
function driverDeleteUnused(d: Dentry): void {
  const seq = readSeqBegin(d.seq);
  if (lockrefCount(d.lockref) != 1 || !driverDelete(d)) return;
  lock(d.lockref);
  if (lockrefCount(d.lockref) == 1 && !readSeqRetry(d.seq, seq)) dDropLocked(d);
  unlock(d.lockref);
}

/**
 * __dentry_kill(): kills a dentry without references. Takes over the caller's d_lock. Returns the parent, whose
 * reference the caller drops, or null.
 */
export function dentryKill(d: Dentry): Dentry {
  tracepoint(POINT.KILL, d.at, 0);
  lockrefMarkDead(d.lockref);
  lruRemove(d);
  dDropLocked(d);
  const i = d.inode;
  const parent = d.parent;
  if (parent != d) removeChild(parent, d);
  if (i) removeAlias(i);
  // Also for a dentry that has been unhashed for long: a walk may have started in it (a removed working directory).
  dWriteBegin(d);
  setFlags(d, 0, D_TYPE | D_EXEC_ANY | D_COMPLETE);
  d.inode = changetype<Inode>(NULL_INODE);
  writeSeqEnd(d.seq);
  if (i) notifyInodeRemoved(i);
  unlock(d.lockref);
  if (i) iput(i);
  retire(d.at);
  return parent != d ? parent : noDentry();
}

// ---------------------------------------------------------------------------------------------------- the LRU list

/**
 * shrink_dcache_for_umount(): frees all dentries of an unreachable file system, deepest first, without recursion. A
 * grace period has passed since it became unreachable. The shrinker, which finds dentries on the LRU list, is locked
 * out.
 */
export function shrinkDcacheForUmount(root: Dentry): void {
  mutexLock(G_SHRINK_LOCK);
  let d = root;
  // Each dentry is entered from above and left once.
  for (let left = objectsMax() << 1; ; left--) {
    if (left == 0) corrupt(d.at);
    const child = changetype<Dentry>(<usize>d.firstChild);
    if (child) {
      d = child;
      continue;
    }
    const parent = d.parent;
    const done = parent == d;
    lock(d.lockref);
    lockrefSet(d.lockref, 1);
    dentryKill(d);
    if (done) break;
    d = parent;
  }
  mutexUnlock(G_SHRINK_LOCK);
}
