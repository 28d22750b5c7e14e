/**
 * The dcache: dentries made, bound to inodes, found, moved, given up.
 *
 * Guarantees
 *  - The tuple (name, parent, inode) of a dentry changes only under its d_lock and inside a write section of its
 *    sequence, or is followed by a barrier on it: a reader that took the sequence before fails after.
 *  - dLookupRcu() stores nothing. What it answers may be used only after the caller has checked the parent's sequence,
 *    and may be referenced only by lockrefGetNotDead() followed by a check of the child's.
 *  - A dentry with references keeps its memory; one without may be killed by anybody who holds its d_lock; killed means
 *    count < 0, unhashed, sequence moved on, memory reused after a grace period.
 * Lock order: rename lock, d_lock (two only under the rename lock), bucket lock, child lock, i_lock, LRU lock.
 */

import {
  C_SHRUNK,
  G_HASH_N,
  G_HASH_SEQ,
  G_LRU_COUNT,
  G_LRU_HEAD,
  G_LRU_LOCK,
  G_LRU_TAIL,
  G_NR_DENTRY,
  G_RENAME_LOCK,
  G_RENAME_SEQ,
  G_SHRINK_LOCK,
  H_MAX_CHUNKS,
} from "../mem/layout";
import {
  lockrefCount,
  lockrefGet,
  lockrefGetNotDead,
  lockrefMarkDead,
  lockrefPutNotLast,
  lockrefSet,
} from "../mem/lockref";
import { readSeqBegin, readSeqRetry, writeSeqBarrier, writeSeqBegin, writeSeqEnd } from "../mem/seqlock";
import { CACHE_DENTRY, kmalloc, slabFree } from "../mem/slab";
import { rcuReadLock, rcuReadUnlock } from "../mem/smr";
import { lock, tryLock, unlock } from "../mem/spin";
import { count, nap } from "../mem/thread";
import {
  at,
  P_ALLOCATED,
  P_COMPARED,
  P_INSTANTIATE,
  P_KILL,
  P_MOVE_BEGIN,
  P_MOVE_END,
  P_MOVE_NAMES,
  P_SEQ_OPENED,
  P_UNLINK_INODE,
} from "../points";
import {
  D_CANT_MOUNT,
  D_COMPLETE,
  D_EXEC_ANY,
  D_LONG_NAME,
  D_NO_CACHE,
  D_ON_LRU,
  D_OP_COMPARE,
  D_OP_DELETE,
  D_REFERENCED,
  D_ROOT,
  D_TYPE,
  D_UNHASHED,
  Dentry,
  dentryName,
  INLINE_NAME,
  setFlags,
} from "./dentry";
import { bucketHead, bucketOf, hashInsert, hashRemove } from "./dhash";
import { driverCompare, driverDelete } from "./hooks";
import { iput } from "./icache";
import { dentryType, I_ACL, I_OP_PERMISSION, Inode } from "./inode";
import { kalloc, makeSpace, retire } from "./reclaim";
import { SuperBlock } from "./super";

/** Looks at a chain again after a rename or a split went through it; then the walk drops out. */
const LOOKUP_TRIES: i32 = 4;
/** A chain is never this long unless memory is corrupt. */
const CHAIN_MAX: i32 = 1 << 20;
/** Rounds of a lookup against renames before it keeps them out. */
const RENAME_TRIES: i32 = 8;
/** Kills, moves and shrinks at one go. */
const KILL_MAX: i32 = 1 << 24;

/** Unused dentries for each chunk of the arena (an eighth of it), and how many go at one time beyond that. */
const LRU_PER_CHUNK: u32 = 64;
const LRU_BATCH: u32 = 64;

const NULL_INODE: usize = 0;

function noDentry(): Dentry {
  return changetype<Dentry>(0);
}

// ---------------------------------------------------------------------------------------------------- making

/**
 * d_alloc(): a dentry with one reference, negative and unhashed, a child of `parent` (which it holds a reference on).
 * null: the arena is full. The sequence goes on from where the memory's last dentry left it.
 */
export function dAlloc(parent: Dentry, name: usize, len: u32, hashLen: u64): Dentry {
  const d = dAllocPlain(parent.sb, name, len, hashLen);
  if (!d) return d;
  lockrefGet(parent.lockref);
  d.parent = parent;
  addChild(parent, d);
  writeSeqBarrier(d.seq);
  at(P_ALLOCATED, d.at, parent.at);
  return d;
}

/** A dentry that is its own parent: the root of a file system, or one that is not in the tree yet. */
export function dAllocRoot(sb: SuperBlock): Dentry {
  const d = dAllocPlain(sb, 0, 0, 0);
  if (!d) return d;
  d.parent = d;
  setFlags(d, D_ROOT, 0);
  writeSeqBarrier(d.seq);
  return d;
}

function dAllocPlain(sb: SuperBlock, name: usize, len: u32, hashLen: u64): Dentry {
  let outside: usize = 0;
  if (len > INLINE_NAME) {
    outside = kmalloc(len + 8, false);
    if (outside == 0 && makeSpace()) outside = kmalloc(len + 8, false);
    if (outside == 0) return noDentry();
    store<u64>(outside + (len & ~7), 0);
    memory.copy(outside, name, len);
  }
  // Unused dentries keep to a share of the arena: their memory never becomes anything else.
  if (load<u32>(G_LRU_COUNT) >= load<u32>(H_MAX_CHUNKS) * LRU_PER_CHUNK) shrinkDcache(LRU_BATCH);
  let p = kalloc(CACHE_DENTRY, false);
  if (p == 0 && shrinkDcache(64) != 0 && makeSpace()) p = kalloc(CACHE_DENTRY, false);
  if (p == 0) {
    if (outside != 0) slabFree(outside);
    return noDentry();
  }
  const d = changetype<Dentry>(p);
  writeSeqBegin(d.seq);
  d.flags = sb.dflags | D_UNHASHED | (outside != 0 ? D_LONG_NAME : 0);
  d.hashLen = hashLen;
  d.inode = changetype<Inode>(NULL_INODE);
  d.next = 1;
  store<u64>(d.name, 0);
  store<u64>(d.name + 8, 0);
  store<u64>(d.name + 16, 0);
  store<u64>(d.name + 24, 0);
  if (outside != 0) store<u32>(d.name, <u32>outside);
  else memory.copy(d.name, name, len);
  d.sb_ = <u32>sb.at;
  d.sibNext = 0;
  d.sibPrev = 0;
  d.firstChild = 0;
  d.lastChild = 0;
  d.lruNext = 0;
  d.lruPrev = 0;
  d.aliasNext = 0;
  d.cookie = 0;
  d.nextCookie = 0;
  d.kids = 0;
  d.mounts = 0;
  lockrefSet(d.lockref, 1);
  writeSeqEnd(d.seq);
  atomic.add<u32>(G_NR_DENTRY, 1);
  return d;
}

function addChild(parent: Dentry, d: Dentry): void {
  lock(parent.childLock);
  d.cookie = ++parent.nextCookie;
  const last = parent.lastChild;
  d.sibPrev = last;
  d.sibNext = 0;
  if (last != 0) changetype<Dentry>(<usize>last).sibNext = <u32>d.at;
  else parent.firstChild = <u32>d.at;
  parent.lastChild = <u32>d.at;
  unlock(parent.childLock);
}

function removeChild(parent: Dentry, d: Dentry): void {
  lock(parent.childLock);
  if (d.sibPrev != 0) changetype<Dentry>(<usize>d.sibPrev).sibNext = d.sibNext;
  else parent.firstChild = d.sibNext;
  if (d.sibNext != 0) changetype<Dentry>(<usize>d.sibNext).sibPrev = d.sibPrev;
  else parent.lastChild = d.sibPrev;
  d.sibNext = 0;
  d.sibPrev = 0;
  unlock(parent.childLock);
}

/** Flags of a dentry that say what its inode is. */
function inodeFlags(i: Inode): u32 {
  const mode = i.mode;
  let f = dentryType(mode);
  if (i.isDir && (mode & 0x49) == 0x49 && !(mode & (I_ACL | I_OP_PERMISSION))) f |= D_EXEC_ANY;
  return f;
}

/** __d_instantiate(): binds an inode, whose reference the dentry takes over; negative becomes positive. */
function bindInode(d: Dentry, i: Inode): void {
  lock(d.lockref);
  lock(i.lock);
  d.aliasNext = i.alias;
  i.alias = <u32>d.at;
  unlock(i.lock);
  writeSeqBegin(d.seq);
  d.inode = i;
  at(P_INSTANTIATE, d.at, i.at);
  setFlags(d, inodeFlags(i), D_TYPE | D_EXEC_ANY);
  writeSeqEnd(d.seq);
  unlock(d.lockref);
}

/** d_instantiate(): for a dentry that is hashed or will be by the caller. */
export function dInstantiate(d: Dentry, i: Inode): void {
  bindInode(d, i);
}

/**
 * d_add(): binds an inode, if any, and puts the dentry into the table, unless it is there: a negative one that its
 * remover has not put yet.
 */
export function dAdd(d: Dentry, i: Inode): void {
  if (i) bindInode(d, i);
  lock(d.lockref);
  if (d.flags & D_UNHASHED) hashInsert(d);
  unlock(d.lockref);
}

/** The flags follow a change of the inode's mode: chmod, an ACL set or removed. Under the inode's i_mutex. */
export function dentryModeChanged(i: Inode): void {
  if (!i.isDir) return;
  const d = changetype<Dentry>(<usize>i.alias);
  if (!d) return;
  lock(d.lockref);
  writeSeqBegin(d.seq);
  setFlags(d, inodeFlags(i), D_EXEC_ANY | D_TYPE);
  writeSeqEnd(d.seq);
  unlock(d.lockref);
}

/** d_set_complete: every child of this directory is a dentry, now and from now on. */
export function dSetComplete(d: Dentry): void {
  lock(d.lockref);
  setFlags(d, D_COMPLETE, 0);
  unlock(d.lockref);
}

// ---------------------------------------------------------------------------------------------------- dropping

/** dentry_rcuwalk_barrier(): under d_lock; every walk that holds the sequence fails. */
function rcuwalkBarrier(d: Dentry): void {
  writeSeqBarrier(d.seq);
}

/** __d_drop(): out of the table; under d_lock. May stand inside a write section. */
function dDropLocked(d: Dentry): void {
  if (d.flags & D_UNHASHED) return;
  hashRemove(d);
  rcuwalkBarrier(d);
}

/** d_drop() */
export function dDrop(d: Dentry): void {
  lock(d.lockref);
  dDropLocked(d);
  unlock(d.lockref);
}

function unalias(d: Dentry, i: Inode): void {
  lock(i.lock);
  let p = i.alias;
  if (p == <u32>d.at) {
    i.alias = d.aliasNext;
  } else {
    for (let n = 0; p != 0 && n < CHAIN_MAX; n++) {
      const e = changetype<Dentry>(<usize>p);
      p = e.aliasNext;
      if (p == <u32>d.at) {
        e.aliasNext = d.aliasNext;
        break;
      }
    }
  }
  d.aliasNext = 0;
  unlock(i.lock);
}

/**
 * dentry_unlink_inode(): a dentry in use becomes negative. Under d_lock, which it gives up; then the inode's reference
 * goes.
 */
function dentryUnlinkInode(d: Dentry): void {
  const i = d.inode;
  unalias(d, i);
  writeSeqBegin(d.seq);
  setFlags(d, 0, D_TYPE | D_EXEC_ANY);
  d.inode = changetype<Inode>(NULL_INODE);
  at(P_UNLINK_INODE, d.at, i.at);
  writeSeqEnd(d.seq);
  unlock(d.lockref);
  iput(i);
}

/**
 * d_delete(): the name has been removed. Its last user but the caller: the dentry turns negative in place; otherwise
 * it leaves the table, and keeps its inode for those who have it open.
 */
export function dDelete(d: Dentry): void {
  lock(d.lockref);
  if (lockrefCount(d.lockref) == 1) {
    setFlags(d, 0, D_CANT_MOUNT);
    dentryUnlinkInode(d);
    return;
  }
  dDropLocked(d);
  unlock(d.lockref);
}

export function dget(d: Dentry): Dentry {
  lockrefGet(d.lockref);
  return d;
}

/** dput(): drops a reference. The last one keeps the dentry on the list of unused ones, or kills it and goes on upward. */
export function dput(first: Dentry): void {
  let d = first;
  for (let n = 0; d && n < KILL_MAX; n++) {
    if (lockrefPutNotLast(d.lockref)) return;
    if (d.flags & D_OP_DELETE && !(d.flags & D_UNHASHED)) askDelete(d);
    lock(d.lockref);
    const c = lockrefCount(d.lockref);
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

/** The driver's d_delete() is asked while the caller still holds a reference, and with no lock held. */
function askDelete(d: Dentry): void {
  if (lockrefCount(d.lockref) == 1 && driverDelete(d)) dDrop(d);
}

/**
 * __dentry_kill(): under d_lock, which it gives up; nobody has a reference. Answers the parent, whose reference is now
 * the caller's to drop, or null.
 */
function dentryKill(d: Dentry): Dentry {
  at(P_KILL, d.at, 0);
  lockrefMarkDead(d.lockref);
  lruRemove(d);
  dDropLocked(d);
  const i = d.inode;
  const parent = d.parent;
  if (i) unalias(d, i);
  // Also for a dentry that was unhashed long ago: a walk may have started in it (a removed working directory).
  writeSeqBegin(d.seq);
  setFlags(d, 0, D_TYPE | D_EXEC_ANY | D_COMPLETE);
  d.inode = changetype<Inode>(NULL_INODE);
  writeSeqEnd(d.seq);
  if (parent != d) removeChild(parent, d);
  unlock(d.lockref);
  if (i) iput(i);
  retire(d.at);
  return parent != d ? parent : noDentry();
}

// ---------------------------------------------------------------------------------------------------- the LRU

function lruAdd(d: Dentry): void {
  if (d.flags & D_ON_LRU) {
    setFlags(d, D_REFERENCED, 0);
    return;
  }
  lock(G_LRU_LOCK);
  const first = load<u32>(G_LRU_HEAD);
  d.lruNext = first;
  d.lruPrev = 0;
  if (first != 0) changetype<Dentry>(<usize>first).lruPrev = <u32>d.at;
  else store<u32>(G_LRU_TAIL, <u32>d.at);
  store<u32>(G_LRU_HEAD, <u32>d.at);
  store<u32>(G_LRU_COUNT, load<u32>(G_LRU_COUNT) + 1);
  setFlags(d, D_ON_LRU, 0);
  unlock(G_LRU_LOCK);
}

/** Under d_lock. */
function lruRemove(d: Dentry): void {
  if (!(d.flags & D_ON_LRU)) return;
  lock(G_LRU_LOCK);
  lruUnlink(d);
  unlock(G_LRU_LOCK);
}

/** Under d_lock and the LRU lock. */
function lruUnlink(d: Dentry): void {
  if (d.lruPrev != 0) changetype<Dentry>(<usize>d.lruPrev).lruNext = d.lruNext;
  else store<u32>(G_LRU_HEAD, d.lruNext);
  if (d.lruNext != 0) changetype<Dentry>(<usize>d.lruNext).lruPrev = d.lruPrev;
  else store<u32>(G_LRU_TAIL, d.lruPrev);
  d.lruNext = 0;
  d.lruPrev = 0;
  store<u32>(G_LRU_COUNT, load<u32>(G_LRU_COUNT) - 1);
  setFlags(d, 0, D_ON_LRU | D_REFERENCED);
}

/**
 * Kills up to `n` unused dentries, the longest unused first; one used since it came to the list gets a second turn.
 * Answers how many.
 */
export function shrinkDcache(n: u32): u32 {
  if (!tryLock(G_SHRINK_LOCK)) return 0;
  let killed: u32 = 0;
  let looked = load<u32>(G_LRU_COUNT) << 1;
  while (killed < n && looked-- != 0) {
    // The list's lock comes after d_lock, so here the dentry is only tried for.
    lock(G_LRU_LOCK);
    const d = changetype<Dentry>(<usize>load<u32>(G_LRU_TAIL));
    if (!d) {
      unlock(G_LRU_LOCK);
      break;
    }
    if (!tryLock(d.lockref)) {
      unlock(G_LRU_LOCK);
      continue;
    }
    const again = (d.flags & D_REFERENCED) != 0 && lockrefCount(d.lockref) == 0;
    lruUnlink(d);
    unlock(G_LRU_LOCK);
    if (again) lruAdd(d);
    if (again || lockrefCount(d.lockref) != 0) {
      unlock(d.lockref);
      continue;
    }
    const parent = dentryKill(d);
    killed++;
    count(C_SHRUNK);
    if (parent) dput(parent);
  }
  unlock(G_SHRINK_LOCK);
  return killed;
}

// ---------------------------------------------------------------------------------------------------- finding

/** Sequence of the dentry that dLookupRcu() found. */
export let foundSeq: u32 = 0;
/** After a null answer of dLookupRcu(): the name does not exist, as far as the parent's sequence still holds. */
export let missIsAnswer: bool = false;

/**
 * __d_lookup_rcu(): the dentry of a name in a directory, null when there is none to be seen. Takes no lock, stores
 * nothing. `foundSeq` is the sequence under which name and parent were compared; nothing is checked after the
 * comparison: that is for the caller, with the parent's sequence.
 */
export function dLookupRcu(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  for (let tries = 0; tries < LOOKUP_TRIES; tries++) {
    const hashSeq = atomic.load<u32>(G_HASH_SEQ);
    const dirSeq = atomic.load<u32>(parent.dirSeq);
    const b = bucketOf(<u32>hashLen, atomic.load<u32>(G_HASH_N));
    let p = atomic.load<u32>(bucketHead(b));
    const mask = hashMask(parent);
    let clean = true;
    for (let n = 0; p != 0 && !(p & 1) && n < CHAIN_MAX; n++) {
      const d = changetype<Dentry>(<usize>p);
      if (((d.hashLen ^ hashLen) & mask) == 0) {
        const r = matchRcu(parent, dir, d, name, hashLen);
        if (r > 0) return d;
        if (r < 0) clean = false;
      }
      p = d.next;
    }
    // The end of another chain: a rename or a split carried this reader off.
    if (p != 0 && p >> 1 != b) clean = false;
    if (
      clean &&
      (parent.flags & D_COMPLETE) != 0 &&
      ((hashSeq | dirSeq) & 1) == 0 &&
      atomic.load<u32>(G_HASH_SEQ) == hashSeq &&
      atomic.load<u32>(parent.dirSeq) == dirSeq
    ) {
      missIsAnswer = true;
      return noDentry();
    }
    if (clean && (parent.flags & D_COMPLETE) == 0) break;
  }
  missIsAnswer = false;
  return noDentry();
}

/** 1: this is it, under `foundSeq`. 0: it is not. -1: it is changing, look again. */
function matchRcu(parent: Dentry, dir: Inode, d: Dentry, name: usize, hashLen: u64): i32 {
  for (let tries = 0; tries < LOOKUP_TRIES; tries++) {
    const seq = readSeqBegin(d.seq);
    if (seq & 1) return -1;
    at(P_SEQ_OPENED, d.at, seq);
    if (d.parent != parent) return 0;
    if (d.flags & D_UNHASHED) return 0;
    const mine = d.hashLen;
    if (mine != hashLen && !(parent.flags & D_OP_COMPARE)) return 0;
    const len = <u32>(mine >> 32);
    let from = d.name;
    if (len > INLINE_NAME) {
      // Length and address belong together only if nothing has moved: check before the address is followed.
      from = <usize>atomic.load<u32>(d.name);
      if (readSeqRetry(d.seq, seq)) continue;
    }
    let same: bool;
    if (parent.flags & D_OP_COMPARE) {
      const inode = d.inode;
      if (readSeqRetry(d.seq, seq)) continue;
      // Without an inode a hook cannot judge; the locked lookup asks again.
      if (!inode) return -1;
      same = driverCompare(parent.sb, dir, inode, from, len, name, <u32>(hashLen >> 32));
    } else {
      same = sameBytes(from, name, len);
    }
    at(P_COMPARED, d.at, seq);
    if (!same) return 0;
    foundSeq = seq;
    return 1;
  }
  return -1;
}

/** Compares a stored name (zero behind its end, up to a multiple of eight) with the bytes at `name`. */
function sameBytes(stored: usize, name: usize, len: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= len; i += 8) {
    if (atomic.load<u64>(stored + i) != load<u64>(name + i)) return false;
  }
  const rest = len - i;
  if (rest == 0) return true;
  return ((atomic.load<u64>(stored + i) ^ load<u64>(name + i)) & (((<u64>1) << (rest << 3)) - 1)) == 0;
}

/**
 * __d_lookup(): the same with a reference; name and parent are compared under the dentry's d_lock, which is taken when
 * the section has ended and a reference protects the dentry.
 */
function dLookupLocked(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  const mask = hashMask(parent);
  rcuReadLock();
  let p = chainOf(hashLen);
  for (let n = 0; p != 0 && !(p & 1) && n < CHAIN_MAX; n++) {
    const d = changetype<Dentry>(<usize>p);
    if (((d.hashLen ^ hashLen) & mask) != 0 || d.parent != parent) {
      p = d.next;
      continue;
    }
    const got = lockrefGetNotDead(d.lockref, false);
    if (!got && lockrefCount(d.lockref) < 0) {
      p = d.next;
      continue;
    }
    rcuReadUnlock();
    if (got) {
      if (isNamed(d, parent, dir, name, hashLen)) return d;
      dput(d);
    } else {
      nap(20);
    }
    // Where the chain goes on from here nobody knows: from its head again.
    rcuReadLock();
    p = got && isOther(d, parent, hashLen) ? d.next : chainOf(hashLen);
  }
  if (!rcuReadUnlock()) return dLookupLocked(parent, dir, name, hashLen);
  return noDentry();
}

function chainOf(hashLen: u64): u32 {
  return atomic.load<u32>(bucketHead(bucketOf(<u32>hashLen, atomic.load<u32>(G_HASH_N))));
}

/** Which bits of hash and length must agree before a name is looked at: a compare hook may take another length. */
function hashMask(parent: Dentry): u64 {
  return parent.flags & D_OP_COMPARE ? 0xffffffff : 0xffffffffffffffff;
}

/** A dentry in the right directory with the right hash, alive and yet another name: the chain goes on behind it. */
function isOther(d: Dentry, parent: Dentry, hashLen: u64): bool {
  return !(d.flags & D_UNHASHED) && d.parent == parent && <u32>d.hashLen == <u32>hashLen;
}

/** Whether a dentry that the caller holds a reference on has this parent and name and is in the table. */
function isNamed(d: Dentry, parent: Dentry, dir: Inode, name: usize, hashLen: u64): bool {
  const seq = atomic.load<u32>(d.seq);
  lock(d.lockref);
  const mine = d.hashLen;
  let ok = d.parent == parent && !(d.flags & D_UNHASHED);
  if (ok && !(parent.flags & D_OP_COMPARE)) ok = mine == hashLen && sameBytes(dentryName(d), name, <u32>(mine >> 32));
  unlock(d.lockref);
  if (!ok || !(parent.flags & D_OP_COMPARE)) return ok;
  // The hook runs without d_lock; the sequence tells whether what it judged is still so.
  ok = driverCompare(parent.sb, dir, d.inode, dentryName(d), <u32>(mine >> 32), name, <u32>(hashLen >> 32));
  return ok && atomic.load<u32>(d.seq) == seq;
}

/**
 * d_lookup(): a miss counts only if no rename went on meanwhile. After RENAME_TRIES rounds renames are kept out.
 */
export function dLookup(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  for (let n = 0; n < RENAME_TRIES; n++) {
    const rename = readSeqBegin(G_RENAME_SEQ);
    const split = readSeqBegin(G_HASH_SEQ);
    const d = dLookupLocked(parent, dir, name, hashLen);
    if (d) return d;
    if (!readSeqRetry(G_RENAME_SEQ, rename) && !readSeqRetry(G_HASH_SEQ, split)) return d;
    nap(10);
  }
  lock(G_RENAME_LOCK);
  let d = dLookupLocked(parent, dir, name, hashLen);
  for (let n = 0; !d && n < RENAME_TRIES; n++) d = dLookupLocked(parent, dir, name, hashLen);
  unlock(G_RENAME_LOCK);
  return d;
}

/** dget_parent(): the parent with a reference. */
export function dgetParent(d: Dentry): Dentry {
  for (let n = 0; n < RENAME_TRIES; n++) {
    rcuReadLock();
    const seq = readSeqBegin(d.seq);
    const parent = d.parent;
    const got = lockrefGetNotDead(parent.lockref, false);
    const valid = rcuReadUnlock();
    if (got) {
      if (valid && !readSeqRetry(d.seq, seq) && d.parent == parent) return parent;
      dput(parent);
    }
    nap(10);
  }
  lock(d.lockref);
  const parent = dget(d.parent);
  unlock(d.lockref);
  return parent;
}

/** Whether `d` is `above` or lies below it. Under the rename lock, or inside a section with the rename sequence. */
export function isSubdir(d: Dentry, above: Dentry): bool {
  let p = d;
  for (let n = 0; n < CHAIN_MAX; n++) {
    if (p == above) return true;
    const up = p.parent;
    if (up == p) return false;
    p = up;
  }
  return false;
}

/** d_ancestor(): the child of `above` through which `d` lies below it, null when it does not. */
export function dAncestor(above: Dentry, d: Dentry): Dentry {
  let p = d;
  for (let n = 0; n < CHAIN_MAX; n++) {
    const up = p.parent;
    if (up == p) return noDentry();
    if (up == above) return p;
    p = up;
  }
  return noDentry();
}

// ---------------------------------------------------------------------------------------------------- moving

function swapNames(a: Dentry, b: Dentry): void {
  for (let i: usize = 0; i < 32; i += 8) {
    const x = load<u64>(a.name + i);
    atomic.store<u64>(a.name + i, load<u64>(b.name + i));
    atomic.store<u64>(b.name + i, x);
  }
  const h = a.hashLen;
  a.hashLen = b.hashLen;
  b.hashLen = h;
  const long = a.flags & D_LONG_NAME;
  setFlags(a, b.flags & D_LONG_NAME, D_LONG_NAME);
  setFlags(b, long, D_LONG_NAME);
}

/**
 * d_move(): `d` takes over the name and place of `target`, which takes over the old ones; `exchange`: and stays in the
 * table under them. The caller holds both parents' i_mutex. One step for every reader: both sequences are odd
 * from before the first change until after the last.
 */
export function dMove(d: Dentry, target: Dentry, exchange: bool): void {
  lock(G_RENAME_LOCK);
  writeSeqBegin(G_RENAME_SEQ);
  const from = d.parent;
  const to = target.parent;
  writeSeqBegin(from.dirSeq);
  if (to != from) writeSeqBegin(to.dirSeq);
  lock(d.lockref);
  lock(target.lockref);
  writeSeqBegin(d.seq);
  writeSeqBegin(target.seq);
  at(P_MOVE_BEGIN, d.at, target.at);
  dDropLocked(d);
  dDropLocked(target);
  swapNames(d, target);
  at(P_MOVE_NAMES, d.at, target.at);
  // Inside one directory both keep their places, so that nobody who is reading it misses one or sees it twice.
  if (from != to) {
    // A dentry that was not in the tree yet is its own parent, and had no place in a list.
    if (from != d) removeChild(from, d);
    removeChild(to, target);
    d.parent = to;
    addChild(to, d);
    target.parent = from != d ? from : target;
    if (from != d) addChild(from, target);
  }
  setFlags(d, 0, D_ROOT);
  // Each dentry now carries the hash that was computed for its new place.
  hashInsert(d);
  if (exchange) hashInsert(target);
  at(P_MOVE_END, d.at, target.at);
  writeSeqEnd(target.seq);
  writeSeqEnd(d.seq);
  unlock(target.lockref);
  unlock(d.lockref);
  if (to != from) writeSeqEnd(to.dirSeq);
  writeSeqEnd(from.dirSeq);
  writeSeqEnd(G_RENAME_SEQ);
  unlock(G_RENAME_LOCK);
}

/**
 * d_materialise_unique(): a directory that is known under another dentry (`anon`, elsewhere in the tree or nowhere) is
 * found again under the new, negative `d`: the known one moves to the new one's place, both in write sections.
 * Answers the dentry that now stands there, with the caller's reference; `d` has lost its.
 */
export function dMaterialise(d: Dentry, anon: Dentry): Dentry {
  dMove(anon, d, false);
  dput(d);
  return anon;
}

/** A dentry of a directory's inode, with a reference; null when there is none. */
export function dFindAlias(i: Inode): Dentry {
  lock(i.lock);
  const d = changetype<Dentry>(<usize>i.alias);
  const got = d ? lockrefGetNotDead(d.lockref, false) : false;
  unlock(i.lock);
  return got ? d : noDentry();
}

/**
 * dentry_update_name_case(): another spelling of the same length, in a write section. For file systems to which both
 * spellings are one name: the hash stays. Under the parent's i_mutex.
 */
export function dUpdateNameCase(d: Dentry, name: usize, len: u32): bool {
  if (len != d.nameLen) return false;
  lock(d.lockref);
  writeSeqBegin(d.seq);
  const to = dentryName(d);
  for (let i: u32 = 0; i < len; i++) atomic.store<u8>(to + i, load<u8>(name + i));
  writeSeqEnd(d.seq);
  unlock(d.lockref);
  return true;
}

/** d_invalidate(): a dentry found stale leaves the table. */
export function dInvalidate(d: Dentry): void {
  dDrop(d);
}

/**
 * Frees every dentry of a file system that nobody can reach any more, deepest first, without recursion. A grace period
 * has passed since it could be reached; the shrinker, which finds dentries by their list, is kept out.
 */
export function shrinkTree(root: Dentry): void {
  lock(G_SHRINK_LOCK);
  let d = root;
  for (;;) {
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
  unlock(G_SHRINK_LOCK);
}
