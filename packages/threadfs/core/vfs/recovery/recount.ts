/**
 * The recount of references, which drops the references of dead threads. Recovery (mem/undo/recover.ts) leaves
 * structures valid but counts too high. This file counts all references that structures hold, while all other threads
 * are quiescent (quiescence.ts), and frees what is not referenced.
 *
 * Who holds references to what:
 *   context  the context table, each thread that has acquired it   file   each descriptor, each request that waits for a lock
 *   mount    the tree, mounts on it, files, contexts               super  each mount of it
 *   dentry   the file system (its root), mounts (root, mount point), files (dentry, hint), contexts, children, and in memory
 *            the pin of each dentry that is hashed and positive
 *   inode    each dentry
 *
 * Guarantees: afterwards each count is exact, and each object is either referenced, retired or free. Readers in rcu
 * mode continue meanwhile: what they can find does not change except for its counts, and unreferenced objects are
 * retired. The recount can be aborted at any point and started again.
 */

import { dataFree } from "../../fs/tmpfs/data";
import { flushSheaves } from "../../mem/alloc/slab";
import { corrupt, objectsMax } from "../../mem/bounds";
import { G_SLOTS_USED, MAX_THREADS, SLOT_SIZE, SLOTS } from "../../mem/layout";
import { lock, unlock } from "../../mem/lock/lock";
import { lockrefCount, lockrefMarkDead, lockrefSet } from "../../mem/lock/lockref";
import { percpuCounterSet } from "../../mem/percpu-counter";
import { slot } from "../../mem/thread";
import { put32, set32 } from "../../mem/undo/log";
import { lruAdd } from "../dcache/d-lru";
import { dDropLocked, dentryKill, dput } from "../dcache/dcache";
import {
  D_CHAINED,
  D_DRIVER_PENDING,
  D_NO_CACHE,
  D_ON_LRU,
  D_UNHASHED,
  Dentry,
  dWriteBegin,
  setFlags,
} from "../dcache/dentry";
import { FD_OPENING, FD_RESERVED } from "../file/fdtable";
import { File, FMODE_PIPE, FMODE_READ, FMODE_WRITE } from "../file/file";
import { forgetSpares } from "../file/spare";
import { I_DRIVER, I_XATTR, Inode } from "../inode/inode";
import { unhashInode } from "../inode/iput";
import {
  CACHE_CONTEXT,
  CACHE_DENTRY,
  CACHE_FILE,
  CACHE_INODE,
  CACHE_MOUNT,
  CACHE_SUPER,
  CTX_TABLE,
  DRIVER_SIZE,
  DRIVERS,
  G_HASH_COUNT,
  G_INODE_LOCK,
  G_LEAKS,
  G_MOUNTS,
  G_NR_DENTRY,
  G_NR_FILES,
  G_NR_INODE,
  G_NR_MOUNTS,
  MAX_CONTEXTS,
  MAX_DRIVERS,
  SLOT_CONTEXT,
  SLOT_HASH_COUNT,
  SLOT_NR_DENTRY,
  SLOT_NR_FILES,
  SLOT_NR_INODE,
  SLOT_ROOT_COUNT,
} from "../layout";
import { BlockedLock, nextRequest } from "../locks/blocked";
import { FileLock, FL_FLOCK, FL_OFDLCK, freeLocks, lockAt } from "../locks/file-lock";
import { hasLocks, removeLocksOf } from "../locks/remove";
import { Mount, rootMount } from "../mount/namespace";
import { DRIVER_MOUNTED, SuperBlock, slotOf } from "../mount/super";
import { notifyUnmount } from "../notify/fsnotify";
import { countFile, forgetEnds, pipeFree, pipeOf } from "../pipe/pipe";
import { wakeAllPipes } from "../pipe/wait";
import { contextExists } from "../task/context-ref";
import { Context, FD_BLOCK, FD_BLOCK_HIDDEN, FD_BLOCKS, isAlive, removeContext } from "../task/cred";
import { xattrsFree } from "../xattr/free";
import { admitOthers, excludeOthers } from "./exclusion";
import {
  FREE,
  firstObjectOf,
  markFreeObjects,
  nextObject,
  objectsInUse,
  objectsReferenced,
  recountOf,
} from "./objects";
import { recountQuotas } from "./quotas";
import { retire } from "./reclaim";
import { detachPending } from "./recount-mounts";

/** Recounts all references. Waits up to `waitMs` for the other threads to become quiescent. False: not done. */
export function recountReferences(waitMs: f64): bool {
  if (!excludeOthers(waitMs)) return false;
  const leaks = atomic.load<u32>(G_LEAKS);
  detachPending();
  forgetSpares();
  flushSheaves();
  markFreeObjects();
  countContexts();
  countRequests();
  countFiles();
  countMounts();
  countSupers();
  countDentries();
  storeCounts();
  removeDeadLocks();
  recountPipes();
  collectUnreferenced();
  storeGauges();
  recountQuotas();
  atomic.sub<u32>(G_LEAKS, leaks);
  admitOthers();
  return true;
}

// ------------------------------------------------------------------------------------------------- counting

function countDentryReference(p: u32): void {
  if (p != 0) changetype<Dentry>(<usize>p).recount += 1;
}

function countMountReference(p: u32): void {
  if (p != 0) changetype<Mount>(<usize>p).recount += 1;
}

/**
 * Counts contexts by table entries and threads, and what live contexts reference. Frees descriptors that were being
 * opened.
 */
function countContexts(): void {
  for (let i: u32 = 0; i < MAX_CONTEXTS; i++) {
    const c = changetype<Context>(<usize>load<u32>(CTX_TABLE + (i << 2)));
    if (!c) continue;
    // The thread that made it has died before the context had a place. No thread has its number.
    if (c.root_ == 0 || c.pwd_ == 0) removeContext(c);
    else c.recount += 1;
  }
  for (let s = SLOTS; s < SLOTS + min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS) * SLOT_SIZE; s += SLOT_SIZE) {
    const p = load<u32>(s + SLOT_CONTEXT);
    if (p != 0) changetype<Context>(<usize>p).recount += 1;
  }
  firstObjectOf(CACHE_CONTEXT);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const c = changetype<Context>(p);
    if (c.recount & FREE) continue;
    // A context that was being closed: it references nothing any more, whichever thread has acquired it.
    const alive = isAlive(c);
    if (!alive) clearFsPaths(c);
    countMountReference(c.rootMnt_);
    countDentryReference(c.root_);
    countMountReference(c.pwdMnt_);
    countDentryReference(c.pwd_);
    countMountReference(c.mntNs);
    countDescriptors(c, alive);
  }
}

function clearFsPaths(c: Context): void {
  lock(c.lock);
  for (let at = offsetof<Context>("rootMnt_"); at <= offsetof<Context>("pwd_"); at += 4) put32(c.at + at, 0);
  c.mntNs = 0;
  unlock(c.lock);
}

function countDescriptors(c: Context, alive: bool): void {
  for (let b: u32 = 0; b < FD_BLOCKS; b++) {
    const block = load<u32>(c.fdBlockAt(b)) & ~FD_BLOCK_HIDDEN;
    if (block == 0) continue;
    // Its maker may have died before it was shown.
    atomic.store<u32>(c.fdBlockAt(b), block);
    for (let k: u32 = 0; k < FD_BLOCK; k++) {
      const at = <usize>(block + (k << 2));
      const f = load<u32>(at);
      if (f == 0) continue;
      if (f != FD_RESERVED && alive) changetype<File>(<usize>(f & ~FD_OPENING)).recount += 1;
      else atomic.store<u32>(at, 0);
    }
  }
  // Free descriptors may now be below the hints.
  c.resetFdHints();
}

/** Requests that wait for a lock. */
function countRequests(): void {
  let n = objectsMax();
  for (let r = nextRequest(changetype<BlockedLock>(0)); r; r = nextRequest(r)) {
    if (n-- == 0) corrupt(r.at);
    changetype<File>(<usize>r.file).recount += 1;
  }
}

function countFiles(): void {
  firstObjectOf(CACHE_FILE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const f = changetype<File>(p);
    if (f.recount == 0 || f.recount & FREE) continue;
    countMountReference(f.mnt_);
    countDentryReference(f.dentry_);
    countDentryReference(f.hint);
  }
}

function countMounts(): void {
  let n = objectsMax();
  for (let p = load<u32>(G_MOUNTS); p != 0; p = changetype<Mount>(<usize>p).allNext) {
    if (n-- == 0) corrupt(p);
    const m = changetype<Mount>(<usize>p);
    m.recount += 1;
    if (m.parent == m) continue;
    countMountReference(m.parent_);
    countDentryReference(m.mountpoint_);
  }
  firstObjectOf(CACHE_MOUNT);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const m = changetype<Mount>(p);
    if (m.recount == 0 || m.recount & FREE) continue;
    countDentryReference(m.root_);
    m.sb.recount += 1;
  }
}

function countSupers(): void {
  firstObjectOf(CACHE_SUPER);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const sb = changetype<SuperBlock>(p);
    if (sb.recount != 0 && !(sb.recount & FREE)) countDentryReference(sb.root_);
  }
}

/** False for a dentry that is dead or unfinished, whose references are not counted. */
function isLiveDentry(d: Dentry): bool {
  return !(d.recount & FREE) && lockrefCount(d.lockref) >= 0 && d.sb_ != 0 && d.parent_ != 0;
}

function countDentries(): void {
  firstObjectOf(CACHE_DENTRY);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const d = changetype<Dentry>(p);
    if (!isLiveDentry(d)) continue;
    if (d.parent != d) countDentryReference(d.parent_);
    if (d.inode_ == 0) continue;
    d.inode.recount += 1;
    if (d.sb.driver == 0 && d.sb.recount != 0 && d.parent != d && !(d.flags & D_UNHASHED)) d.recount += 1;
  }
}

// ------------------------------------------------------------------------------------------------- storing the counts

/** Stores the counts. No other thread holds or takes a reference meanwhile. */
function storeCounts(): void {
  firstObjectOf(CACHE_DENTRY);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const d = changetype<Dentry>(p);
    if (!isLiveDentry(d)) continue;
    lock(d.lockref);
    lockrefSet(d.lockref, d.recount);
    // The thread that removed it died before taking it out of its chain.
    if ((d.flags & (D_UNHASHED | D_CHAINED)) == (D_UNHASHED | D_CHAINED)) dDropLocked(d);
    // A thread died while the driver created or removed the name: the next lookup asks the driver.
    if (d.flags & D_DRIVER_PENDING) {
      dDropLocked(d);
      setFlags(d, 0, D_DRIVER_PENDING);
    }
    // Keeps no dentry of an ended file system in the cache.
    if (d.sb.recount == 0) setFlags(d, D_NO_CACHE, 0);
    unlock(d.lockref);
  }
  firstObjectOf(CACHE_INODE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const i = changetype<Inode>(p);
    if (!(i.recount & FREE)) atomic.store<u32>(i.count, i.recount);
  }
  firstObjectOf(CACHE_FILE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const f = changetype<File>(p);
    if (!(f.recount & FREE)) atomic.store<u32>(f.count, f.recount);
  }
  firstObjectOf(CACHE_MOUNT);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const m = changetype<Mount>(p);
    if (m == rootMount()) percpuCounterSet(m.count, SLOT_ROOT_COUNT, m.recount);
    else if (!(m.recount & FREE)) atomic.store<u32>(m.count, m.recount);
  }
  firstObjectOf(CACHE_CONTEXT);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const c = changetype<Context>(p);
    if (!(c.recount & FREE)) atomic.store<u32>(c.users, c.recount);
  }
  storeSuperCounts();
}

/** Stores the number of mounts of each file system, and of file systems of each driver. */
function storeSuperCounts(): void {
  for (let e = DRIVERS; e < DRIVERS + MAX_DRIVERS * DRIVER_SIZE; e += DRIVER_SIZE) set32(e + DRIVER_MOUNTED, 0);
  firstObjectOf(CACHE_SUPER);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const sb = changetype<SuperBlock>(p);
    if (sb.recount == 0 || sb.recount & FREE) continue;
    atomic.store<u32>(sb.active, sb.recount);
    if (sb.driver == 0) continue;
    const mounted = slotOf(sb.driver) + DRIVER_MOUNTED;
    set32(mounted, load<u32>(mounted) + 1);
  }
}

/**
 * Removes the advisory locks of open files and contexts that a dead thread was closing. Inodes that no dentry has are left out: the
 * pointer to the locks of an unfinished one may be anything, and an open file has a dentry.
 */
function removeDeadLocks(): void {
  firstObjectOf(CACHE_INODE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const i = changetype<Inode>(p);
    if (i.recount == 0 || i.recount & FREE || !hasLocks(i)) continue;
    let n = objectsMax();
    for (let dead = firstOfDead(i); dead; dead = firstOfDead(i)) {
      if (n-- == 0) corrupt(p);
      const owner = dead.owner;
      lock(i.lock);
      removeLocksOf(i, owner);
      unlock(i.lock);
    }
  }
  freeLocks(slot);
}

/** The first lock on an inode whose owner is no more; null: none. */
function firstOfDead(i: Inode): FileLock {
  let n = objectsMax();
  for (let l = lockAt(i.flctxAt); l; l = lockAt(l.at)) {
    if (n-- == 0) corrupt(i.at);
    if (l.flags & (FL_FLOCK | FL_OFDLCK)) {
      const recount = changetype<File>(<usize>l.owner).recount;
      if (recount == 0 || recount & FREE) return l;
    } else if (!contextExists(reinterpret<f64>(l.owner))) return l;
  }
  return changetype<FileLock>(0);
}

/** Counts the ends of pipes by their open files, and frees the pipes that have none. The memory of an unfinished inode has no pipe. */
function recountPipes(): void {
  firstObjectOf(CACHE_INODE);
  for (let p = nextObject(); p != 0; p = nextObject())
    if (hasPipe(changetype<Inode>(p))) forgetEnds(pipeOf(changetype<Inode>(p)));
  firstObjectOf(CACHE_FILE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const f = changetype<File>(p);
    if (f.recount == 0 || f.recount & FREE || !(f.mode & FMODE_PIPE)) continue;
    if (!hasPipe(f.inode)) corrupt(p);
    countFile(pipeOf(f.inode), (f.mode & FMODE_READ) != 0, (f.mode & FMODE_WRITE) != 0);
  }
  firstObjectOf(CACHE_INODE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const i = changetype<Inode>(p);
    if (hasPipe(i) && pipeOf(i).files == 0) pipeFree(i);
  }
  wakeAllPipes();
}

function hasPipe(i: Inode): bool {
  return !(i.recount & FREE) && i.isFifo && pipeOf(i) != null;
}

/** Frees unreferenced objects: dentries first, because each references its parent and its inode. */
function collectUnreferenced(): void {
  firstObjectOf(CACHE_DENTRY);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const d = changetype<Dentry>(p);
    if (!(d.recount & FREE) && !isLiveDentry(d)) collectUnfinished(d);
  }
  // A dentry that is not live now was killed with its last child, and has been retired.
  firstObjectOf(CACHE_DENTRY);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const d = changetype<Dentry>(p);
    if (d.recount == 0 && isLiveDentry(d)) collectDentry(d);
  }
  firstObjectOf(CACHE_INODE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const i = changetype<Inode>(p);
    if (i.recount == 0 && load<u32>(i.count) == 0) collectInode(i);
  }
  for (let id = CACHE_MOUNT; id <= CACHE_CONTEXT; id++) {
    firstObjectOf(id);
    for (let p = nextObject(); p != 0; p = nextObject()) {
      if (load<u32>(recountOf(id, p)) != 0) continue;
      clearUnreferenced(id, p);
      retireUnreferenced(id, p);
    }
  }
}

/** Marks the object before retiring it, because it may be reclaimed and reused before the recount ends. */
function retireUnreferenced(id: u32, p: usize): void {
  store<u32>(recountOf(id, p), FREE);
  retire(p);
}

/** A dentry that is dead or unfinished, and was not retired. */
function collectUnfinished(d: Dentry): void {
  lock(d.lockref);
  lockrefMarkDead(d.lockref);
  dWriteBegin(d);
  d.flags = D_UNHASHED;
  d.inode = changetype<Inode>(0);
  unlock(d.lockref);
  retireUnreferenced(CACHE_DENTRY, d.at);
}

/** Clears fields that the object's previous use may have left. */
function clearUnreferenced(id: u32, p: usize): void {
  if (id == CACHE_MOUNT) {
    changetype<Mount>(p).parent = changetype<Mount>(p);
    changetype<Mount>(p).nrChildren = 0;
  } else if (id == CACHE_FILE) {
    changetype<File>(p).hint = 0;
  } else if (id == CACHE_SUPER) {
    atomic.store<u32>(changetype<SuperBlock>(p).active, 0);
    // The thread that ended it died, or was left, before it could tell.
    notifyUnmount(changetype<SuperBlock>(p));
  }
}

function collectDentry(d: Dentry): void {
  lock(d.lockref);
  if (!(d.flags & (D_UNHASHED | D_NO_CACHE))) {
    if (!(d.flags & D_ON_LRU)) lruAdd(d);
    unlock(d.lockref);
    return;
  }
  d.recount = FREE;
  const parent = dentryKill(d);
  if (parent) dput(parent);
}

function collectInode(i: Inode): void {
  i.recount = FREE;
  if (i.mode & I_DRIVER) {
    lock(G_INODE_LOCK);
    unhashInode(i);
    unlock(G_INODE_LOCK);
  } else if (i.isReg) {
    dataFree(i);
  }
  if (i.mode & I_XATTR) xattrsFree(i);
  retire(i.at);
}

function storeGauges(): void {
  // What has been reclaimed meanwhile is on this thread's sheaves.
  flushSheaves();
  percpuCounterSet(G_NR_DENTRY, SLOT_NR_DENTRY, objectsInUse(CACHE_DENTRY));
  percpuCounterSet(G_NR_INODE, SLOT_NR_INODE, objectsInUse(CACHE_INODE));
  let n: u32 = 0;
  firstObjectOf(CACHE_DENTRY);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    if (changetype<Dentry>(p).flags & D_CHAINED) n++;
  }
  percpuCounterSet(G_HASH_COUNT, SLOT_HASH_COUNT, n);
  percpuCounterSet(G_NR_FILES, SLOT_NR_FILES, objectsReferenced(CACHE_FILE));
  atomic.store<u32>(G_NR_MOUNTS, objectsReferenced(CACHE_MOUNT));
}
