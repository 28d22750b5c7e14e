/**
 * Lookups in a file system that run side by side in one directory (Linux: d_alloc_parallel()). The dentry of a name that is
 * being looked up is *in lookup*: it is in its hash chain, with D_UNHASHED, so that no lookup finds it, and D_PAR_LOOKUP. The
 * thread that asks the file system owns its lookup mutex, and no other lock. Threads that look for the same name meanwhile
 * wait for that mutex; those that look for other names do not.
 *
 *   dAllocParallel()   takes the directory's i_mutex for as long as it needs to find out that the name is neither
 *                      hashed nor in lookup, and to put it in lookup
 *   the file system is asked
 *   dAdd(), d-alias.ts the name is hashed in its place in the chain, or
 *   dLookupDone()      leaves it; in any case the mutex is released
 *
 * Guarantees
 *  - A directory has one dentry of a name, hashed or in lookup. Names come in lookup under the directory's i_mutex, and leave that
 *    state under the lock of their chain; only a name that is in lookup becomes hashed.
 *  - Whoever creates or removes a name owns the directory's i_mutex and has a hashed dentry of it. So no lookup of that name
 *    is under way, and none begins.
 *  - A thread that dies while it asks, or leaves its call, releases the mutex by its recovery, and leaves the dentry in lookup. The
 *    next thread that wants the name takes the mutex and that dentry out of its chain, and asks; if there is none, the recount does.
 */

import * as POINT from "../../../abi/points";
import { corrupt } from "../../mem/bounds";
import { lock, mutexLock, mutexUnlock, tryLock, trySpinLock, unlock } from "../../mem/lock/lock";
import { lockrefCount, lockrefSet } from "../../mem/lock/lockref";
import { spinFor } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { Inode } from "../inode/inode";
import { dAlloc } from "./d-alloc";
import { chainLock, hashInsertInLookup } from "./d-hash";
import { bytesEqual, CHAIN_MAX, chainHead, dLookup, hashMask, mayHaveName } from "./d-lookup";
import { dDrop, dput } from "./dcache";
import { D_GENERATION, D_OP_COMPARE, D_PAR_LOOKUP, Dentry, dentryName } from "./dentry";

/** Results of findInChain(). */
enum Name {
  /** Neither hashed nor in lookup. */
  absent,
  /** Perhaps hashed. */
  hashed,
  /** In lookup: `inLookup`, with a reference. */
  inLookup,
  /** In lookup, and changing: `inLookup`, without a reference. */
  busy,
}

function noDentry(): Dentry {
  return changetype<Dentry>(0);
}

/** Second return value of findInChain(). */
let inLookup: Dentry = noDentry();

/** Whether a dentry in lookup has this name. The name of such a dentry does not change. */
function isNamed(d: Dentry, name: usize, hashLen: u64): bool {
  return d.hashLen == hashLen && bytesEqual(dentryName(d), name, <u32>(hashLen >> 32));
}

/** Takes a reference on a dentry whose chain is locked. d_lock comes before the chain's lock, so it is only tried. */
function getInChain(d: Dentry): bool {
  if (!tryLock(d.lockref)) return false;
  lockrefSet(d.lockref, lockrefCount(d.lockref) + 1);
  unlock(d.lockref);
  return true;
}

/**
 * What there is of a name, at a moment at which no removal from its chain is uncommitted. With a compare hook, which must not be called here,
 * all names of one hash count as one name.
 */
function findInChain(parent: Dentry, name: usize, hashLen: u64): Name {
  const hook = (parent.flags & D_OP_COMPARE) != 0;
  const mask = hashMask(parent);
  const chain = chainLock(<u32>hashLen);
  let found = Name.absent;
  lock(chain);
  let p = chainHead(hashLen);
  for (let n = 0; p != 0 && !(p & 1); n++) {
    if (n == CHAIN_MAX) corrupt(p);
    const d = changetype<Dentry>(<usize>p);
    p = d.next;
    if (((d.hashLen ^ hashLen) & mask) != 0 || d.parent != parent) continue;
    if (d.flags & D_PAR_LOOKUP) {
      if (!hook && !isNamed(d, name, hashLen)) continue;
      inLookup = d;
      found = getInChain(d) ? Name.inLookup : Name.busy;
      break;
    }
    if (hook || mayHaveName(d, name, hashLen)) found = Name.hashed;
  }
  unlock(chain);
  return found;
}

/**
 * d_alloc_parallel(): a dentry of a name that dLookup() has not found, with a reference: hashed, because another thread has looked it
 * up; or in lookup, with its mutex: the caller asks the file system, and calls dLookupDone(). null: the arena is full. Waits for
 * another thread that is asking for the name. The caller holds no lock.
 */
export function dAllocParallel(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  let deadline: f64 = 0;
  while (true) {
    mutexLock(dir.mutex);
    const state = findInChain(parent, name, hashLen);
    let d = noDentry();
    if (state == Name.hashed) d = dLookup(parent, dir, name, hashLen);
    // With a compare hook it may be another name.
    const isAbsent = state == Name.absent || (state == Name.hashed && !d && (parent.flags & D_OP_COMPARE) != 0);
    if (isAbsent) d = beginLookup(parent, name, hashLen);
    mutexUnlock(dir.mutex);
    if (d || isAbsent) return d;
    if (state == Name.inLookup) {
      d = waitForLookup(inLookup, parent, dir, name, hashLen);
      if (d) return d;
    }
    deadline = spinFor(deadline, parent.lockref);
    // Whoever owns its d_lock may be about to take the chain's lock. The memory is a dentry's, whatever has become of this one.
    if (state == Name.busy && trySpinLock(inLookup.lockref)) unlock(inLookup.lockref);
  }
}

/** Puts a name in lookup. Under the directory's i_mutex. */
function beginLookup(parent: Dentry, name: usize, hashLen: u64): Dentry {
  // From before the file system is asked: what it takes back meanwhile is asked about again.
  const generation = parent.sb.generation;
  const d = dAlloc(parent, name, <u32>(hashLen >> 32), hashLen);
  if (!d) return d;
  if (d.flags & D_GENERATION) d.generation = generation;
  mutexLock(d.lookupMutex);
  hashInsertInLookup(d);
  return d;
}

/**
 * d_wait_lookup(): waits until the thread that asks for the name of `d` has its answer, and returns the dentry of the name; null: look
 * again. Takes over the reference on `d`.
 */
function waitForLookup(d: Dentry, parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  tracepoint(POINT.WAIT_LOOKUP, d.at, parent.at);
  mutexLock(d.lookupMutex);
  // Still in lookup: that thread has died, or has left its call.
  dLookupDone(d);
  // Before the reference is put: a file system may keep no unused dentries.
  const found = dLookup(parent, dir, name, hashLen);
  dput(d);
  return found;
}

/**
 * d_lookup_done(): the caller asks no more. A dentry that is still in lookup leaves its chain. The threads that wait for it go on. The
 * caller owns its lookup mutex, and has a reference.
 */
export function dLookupDone(d: Dentry): void {
  if (d.flags & D_PAR_LOOKUP) dDrop(d);
  mutexUnlock(d.lookupMutex);
}
