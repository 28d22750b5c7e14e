/**
 * Looks one name up in one directory: in the dcache (lookupFast), else in the file system (lookupSlow). In a driver's directory
 * several threads look names up at a time (d-parallel.ts); the driver is asked without any lock but that of the name.
 */

import * as COUNTER from "../../../abi/counters";
import * as DRIVER_OP from "../../../abi/driver-ops";
import * as DROP from "../../../abi/drop";
import { ECHILD, ENAMETOOLONG, ENOENT, ENOSPC } from "../../../abi/errno";
import * as HOOK from "../../../abi/hooks";
import { NAME_MAX } from "../../../abi/limits";
import * as POINT from "../../../abi/points";
import { driverLookup, driverRevalidateRcu, revalidatedSeq } from "../../fs/driver/hooks";
import { hashLen } from "../../mem/hash";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { mutexLockShared, mutexUnlockShared } from "../../mem/lock/rwsem";
import { readSeqRetry } from "../../mem/lock/seqlock";
import { count } from "../../mem/thread";
import { spinFor, waitFor } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { dSpliceAlias, ERESTARTNOINTR, spliceBusy, spliceError } from "../dcache/d-alias";
import { dAlloc } from "../dcache/d-alloc";
import { dLookup, dLookupRcu, dLookupRcuMissFinal, dLookupRcuSeq, dLookupSettled } from "../dcache/d-lookup";
import { dUpdateNameCase } from "../dcache/d-move";
import { dAllocParallel, dLookupDone } from "../dcache/d-parallel";
import { dAdd, dDrop, dentryModeChanged, dget, dput } from "../dcache/dcache";
import { D_COMPLETE, D_IDLE, D_OP_COMPARE, D_PAR_LOOKUP, Dentry } from "../dcache/dentry";
import { igetDriver } from "../inode/icache";
import { I_DEAD, Inode } from "../inode/inode";
import { dInvalidate } from "../mount/mountpoint";
import { DROP_NONE, dRevalidate, dropRcu, dropRcuNext, mustRevalidate } from "./drop";
import { LOOKUP_CACHED, LOOKUP_REVAL, Nameidata } from "./nameidata";

/** ERR_PTR(): returns a null dentry and leaves the reason in nd.err. */
export function errDentry(nd: Nameidata, err: i32): Dentry {
  nd.err = err;
  return changetype<Dentry>(0);
}

/** lookup_fast(): looks in the dcache. null with nd.err 0: not there, look in the file system. */
export function lookupFast(nd: Nameidata): Dentry {
  const parent = nd.dentry;
  const hl = hashLen(nd.lastRaw, nd.lastLen, parent.at);
  let d: Dentry;
  if (nd.rcu) {
    d = dLookupRcu(parent, nd.inode, nd.last, hl);
    if (!d) {
      tracepoint(POINT.MISS, parent.at, dLookupRcuMissFinal ? 1 : 0);
      if (!dLookupRcuMissFinal) return errDentry(nd, dropRcu(nd, DROP.UNCACHED) ? 0 : -ECHILD);
      if (readSeqRetry(parent.seq, nd.seq)) return errDentry(nd, -ECHILD);
      count(COUNTER.missesValidated);
      return errDentry(nd, -ENOENT);
    }
    nd.nextSeq = dLookupRcuSeq;
    tracepoint(POINT.FOUND, d.at, dLookupRcuSeq);
    tracepoint(POINT.PARENT_CHECK, parent.at, nd.seq);
    // Hand over hand: the child's sequence was read before the parent's is checked.
    if (readSeqRetry(parent.seq, nd.seq)) return errDentry(nd, -ECHILD);
    const keep = !(d.flags & D_IDLE) || (nd.flags & LOOKUP_CACHED) != 0;
    if (keep) {
      if (!mustRevalidate(nd, d, nd.mnt.sb)) return d;
      if (isValidRcu(nd, d)) return d;
    }
    // The reference on an idle dentry tells the shrinker that it is used.
    if (!dropRcuNext(nd, d, keep ? DROP.REVALIDATE : DROP_NONE)) return errDentry(nd, -ECHILD);
    if (!keep && !mustRevalidate(nd, d, nd.mnt.sb)) return d;
  } else {
    d = dLookup(parent, nd.inode, nd.last, hl);
    if (!d) return errDentry(nd, 0);
    tracepoint(POINT.FOUND, d.at, 0);
    if (!mustRevalidate(nd, d, nd.mnt.sb)) return d;
  }
  const r = revalidate(nd, d);
  if (r > 0) return d;
  dput(d);
  return errDentry(nd, r);
}

/**
 * Asks the driver in rcu mode, if its hook is for that. False: it is asked again in ref mode, where a dentry can be dropped, attributes can
 * be taken over, and an error is the walk's.
 */
function isValidRcu(nd: Nameidata, d: Dentry): bool {
  if (!(nd.mnt.sb.hooks & HOOK.RCU_REVALIDATE) || nd.flags & LOOKUP_REVAL) return false;
  return driverRevalidateRcu(d, nd.nextSeq, nd.inode) == DRIVER_OP.REVALIDATED;
}

/** Asks the driver whether a dentry is valid. > 0: it is; 0: it was not, and is not hashed under this name any more; -errno. */
function revalidate(nd: Nameidata, d: Dentry): i32 {
  const r = dRevalidate(d, nd.dentry, nd.flags & LOOKUP_REVAL ? 1 : 0);
  if (r == 0) dInvalidate(d, revalidatedSeq);
  return r;
}

/** lookup_slow(): looks in the file system. Ref mode only. */
export function lookupSlow(nd: Nameidata): Dentry {
  tracepoint(POINT.LOCKED_LOOKUP, nd.dentry_, 0);
  if (!(nd.dentry.flags & D_COMPLETE)) return lookupDriver(nd);
  const mutex = nd.inode.mutex;
  mutexLockShared(mutex);
  const d = lookupLocked(nd, false);
  mutexUnlockShared(mutex);
  if (POINTS && d) tracepoint(POINT.FOUND, d.at, 0);
  if (POINTS && !d && nd.err == -ENOENT) tracepoint(POINT.MISS, nd.dentry_, 1);
  return d;
}

/**
 * The dentry of nd.last, positive or negative, with a reference, and the directory's i_mutex, which keeps other threads from adding or
 * removing the name. null: nd.err, and the mutex is not taken. `create`: in memory allocates a dentry that is not there, unhashed;
 * a driver's is hashed and negative.
 */
export function lockAndLookup(nd: Nameidata, create: bool): Dentry {
  const mutex = nd.inode.mutex;
  if (nd.dentry.flags & D_COMPLETE) {
    mutexLock(mutex);
    const d = lookupLocked(nd, create);
    if (!d) mutexUnlock(mutex);
    return d;
  }
  let deadline: f64 = 0;
  while (true) {
    const d = lookupDriver(nd);
    if (!d) return d;
    mutexLock(mutex);
    if (isStillThere(nd, d) && (!create || isSpelledAsAsked(nd, d))) return d;
    mutexUnlock(mutex);
    dput(d);
    deadline = spinFor(deadline, mutex);
  }
}

/** Whether a driver's dentry is still that of nd.last. Under the directory's i_mutex, which keeps it so, unless the driver calls it stale. */
function isStillThere(nd: Nameidata, d: Dentry): bool {
  const parent = nd.dentry;
  const now = dLookup(parent, nd.inode, nd.last, hashLen(nd.lastRaw, nd.lastLen, parent.at));
  if (now) dput(now);
  return now == d;
}

/** A new file gets the spelling of its creator: a negative dentry takes it on, or is dropped if the length differs. */
function isSpelledAsAsked(nd: Nameidata, d: Dentry): bool {
  if (d.inode || !(nd.dentry.flags & D_OP_COMPARE) || dUpdateNameCase(d, nd.last, nd.lastLen)) return true;
  dDrop(d);
  return false;
}

/** The same in memory, where the caller holds the directory's i_mutex, with `create` for itself, else at least shared. null: nd.err. */
export function lookupLocked(nd: Nameidata, create: bool): Dentry {
  const parent = nd.dentry;
  const dir = nd.inode;
  const hl = hashLen(nd.lastRaw, nd.lastLen, parent.at);
  let d = dLookup(parent, dir, nd.last, hl);
  // All names are in the cache, so a miss matters only to who adds the name.
  if (!d && create) d = dLookupSettled(parent, dir, nd.last, hl);
  if (d) return d;
  if (dir.mode & I_DEAD) return errDentry(nd, -ENOENT);
  if (nd.lastLen > <u32>NAME_MAX) return errDentry(nd, -ENAMETOOLONG);
  if (!create) return errDentry(nd, -ENOENT);
  d = dAlloc(parent, nd.last, nd.lastLen, hl);
  return d ? d : errDentry(nd, -ENOSPC);
}

/**
 * The dentry of nd.last in a driver's directory, positive or negative, with a reference; null: nd.err. The driver is asked by one thread at a
 * time for one name. The caller holds no lock.
 */
export function lookupDriver(nd: Nameidata): Dentry {
  const parent = nd.dentry;
  const dir = nd.inode;
  const hl = hashLen(nd.lastRaw, nd.lastLen, parent.at);
  let deadline: f64 = 0;
  while (true) {
    let d = dLookup(parent, dir, nd.last, hl);
    if (!d) {
      if (nd.lastLen > <u32>NAME_MAX) return errDentry(nd, -ENAMETOOLONG);
      d = dAllocParallel(parent, dir, nd.last, hl);
      if (!d) return errDentry(nd, -ENOSPC);
      if (d.flags & D_PAR_LOOKUP) {
        d = askDriver(nd, d);
        if (d || nd.err != -ERESTARTNOINTR) return d;
        // A directory that has to move here is in use elsewhere.
        deadline = waitFor(deadline, spliceBusy);
        continue;
      }
    }
    if (!mustRevalidate(nd, d, nd.mnt.sb)) return d;
    const r = revalidate(nd, d);
    if (r > 0) return d;
    dput(d);
    if (r < 0) return errDentry(nd, r);
    // Stale, and dropped by this thread, or by one that may still die: looks again, and then asks the file system.
    deadline = spinFor(deadline, parent.lockref);
  }
}

/** i_op->lookup(): asks the driver for a name in lookup, and caches its reply, also a negative one. */
function askDriver(nd: Nameidata, d: Dentry): Dentry {
  const sb = nd.dentry.sb;
  const r = sb.hooks & HOOK.LOOKUP ? driverLookup(sb, nd.inode, nd.last, nd.lastLen) : -ENOENT;
  const i = r == 0 ? igetDriver(sb, changetype<Inode>(0)) : changetype<Inode>(0);
  if (!i && r != -ENOENT) {
    dLookupDone(d);
    dput(d);
    return errDentry(nd, r == 0 ? -ENOSPC : r);
  }
  // The mode may have changed. A dentry that the directory gets from now on has flags of its mode.
  if (i && i.isDir) dentryModeChanged(i);
  if (!dAdd(d, i)) return moveAlias(nd, d, i);
  dLookupDone(d);
  return d;
}

/** The name is that of a directory that is known by another one: it moves here. */
function moveAlias(nd: Nameidata, d: Dentry, i: Inode): Dentry {
  const mutex = nd.inode.mutex;
  dget(d);
  mutexLock(mutex);
  const found = dSpliceAlias(d, i);
  mutexUnlock(mutex);
  dLookupDone(d);
  dput(d);
  return found ? found : errDentry(nd, spliceError);
}
