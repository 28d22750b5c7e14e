/**
 * Finds dentries: by parent and name, without locks and stores (dLookupRcu) or with a reference (dLookup), and by their
 * place in the tree.
 *
 * Guarantees: dLookupRcu() stores nothing. Its result may be used only after the caller has checked the parent's
 * sequence, and may be referenced only by lockrefGetNotDead() followed by a check of the child's sequence. dLookup()
 * returns a miss only if there was a moment at which the name did not exist, unless a thread dies while it removes the name:
 * who adds the name then asks dLookupSettled().
 */

import * as POINT from "../../../abi/points";
import { driverCompare, putStoredName } from "../../fs/driver/hooks";
import { corrupt } from "../../mem/bounds";
import { lock, tryLock, trySpinLock, unlock } from "../../mem/lock/lock";
import { lockrefCount, lockrefGetNotDead, lockrefSet } from "../../mem/lock/lockref";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { sleepUs, spinFor, waitFor } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { Inode } from "../inode/inode";
import { G_HASH_N, G_HASH_SEQ, G_RENAME_LOCK, G_SPLIT_LOCK } from "../layout";
import { bucketHead, bucketOf, chainLock } from "./d-hash";
import { dget, dput } from "./dcache";
import { D_COMPLETE, D_OP_COMPARE, D_UNHASHED, Dentry, dentryName, INLINE_NAME } from "./dentry";

/** Searches of a chain that a rename or a split disturbs, before the walk leaves rcu mode. */
const LOOKUP_TRIES: i32 = 4;
/** Searches that renames or splits disturb, before the lookup locks them out. */
const RENAME_TRIES: i32 = 8;
/** Longest part of a chain that is searched without locks; beyond it the walk leaves rcu mode. */
const RCU_CHAIN_MAX: i32 = 1 << 14;
/** No chain is this long unless memory is corrupt. */
export const CHAIN_MAX: i32 = 1 << 20;

function noDentry(): Dentry {
  return changetype<Dentry>(0);
}

/** Second return value of dLookupRcu(): the sequence of the dentry that it returned. */
export let dLookupRcuSeq: u32 = 0;
/**
 * Second return value of dLookupRcu() when it returns null: the miss is final, provided that the parent's sequence is
 * unchanged.
 */
export let dLookupRcuMissFinal: bool = false;

/**
 * __d_lookup_rcu(): the dentry of a name in a directory, null if none is found. Takes no locks and stores nothing. Name
 * and parent were compared under the sequence in `dLookupRcuSeq`. Nothing is checked after the comparison: the caller
 * checks the parent's sequence. After null, `dLookupRcuMissFinal` tells whether the miss is final.
 */
export function dLookupRcu(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  for (let tries = 0; tries < LOOKUP_TRIES; tries++) {
    // After a miss during a change of the directory or the table, waiting for the change is cheaper than leaving rcu
    // mode.
    const hashSeq = tries == 0 ? atomic.load<u32>(G_HASH_SEQ) : readSeqBegin(G_HASH_SEQ);
    const dirSeq = tries == 0 ? atomic.load<u32>(parent.dirSeq) : readSeqBegin(parent.dirSeq);
    const b = bucketOf(<u32>hashLen, atomic.load<u32>(G_HASH_N));
    let p = atomic.load<u32>(bucketHead(b));
    const mask = hashMask(parent);
    let undisturbed = true;
    for (let n = 0; p != 0 && !(p & 1) && n < RCU_CHAIN_MAX; n++) {
      const d = changetype<Dentry>(<usize>p);
      if (((d.hashLen ^ hashLen) & mask) == 0) {
        const r = matchRcu(parent, dir, d, name, hashLen);
        if (r > 0) return d;
        if (r < 0) undisturbed = false;
      }
      p = d.next;
    }
    // The end of another chain: a rename or a split has moved this reader to it.
    if (p != 0 && p >> 1 != b) undisturbed = false;
    if (
      undisturbed &&
      (parent.flags & D_COMPLETE) != 0 &&
      ((hashSeq | dirSeq) & 1) == 0 &&
      atomic.load<u32>(G_HASH_SEQ) == hashSeq &&
      atomic.load<u32>(parent.dirSeq) == dirSeq
    ) {
      dLookupRcuMissFinal = true;
      return noDentry();
    }
    if (undisturbed && (parent.flags & D_COMPLETE) == 0) break;
  }
  dLookupRcuMissFinal = false;
  return noDentry();
}

/** 1: a match, under `dLookupRcuSeq`. 0: no match. -1: the dentry is changing, search again. */
function matchRcu(parent: Dentry, dir: Inode, d: Dentry, name: usize, hashLen: u64): i32 {
  for (let tries = 0; tries < LOOKUP_TRIES; tries++) {
    const seq = readSeqBegin(d.seq);
    if (seq & 1) return -1;
    tracepoint(POINT.SEQ_OPENED, d.at, seq);
    if (d.parent != parent) return 0;
    if (d.flags & D_UNHASHED) return 0;
    const mine = d.hashLen;
    if (mine != hashLen && !(parent.flags & D_OP_COMPARE)) return 0;
    const len = <u32>(mine >> 32);
    let from = d.name;
    if (len > INLINE_NAME) {
      tracepoint(POINT.NAME_READ, d.at, seq);
      // Length and address belong together only if the sequence is unchanged: check it before following the address.
      from = <usize>atomic.load<u32>(d.name);
      if (readSeqRetry(d.seq, seq)) continue;
    }
    let same: bool;
    if (parent.flags & D_OP_COMPARE) {
      const inode = d.inode;
      if (readSeqRetry(d.seq, seq)) continue;
      // The hook cannot compare without an inode; the locked lookup asks again.
      if (!inode) return -1;
      putStoredName(from, len);
      same = driverCompare(parent.sb, dir, inode, len, name, <u32>(hashLen >> 32));
    } else {
      same = bytesEqual(from, name, len);
    }
    tracepoint(POINT.COMPARED, d.at, seq);
    if (!same) return 0;
    dLookupRcuSeq = seq;
    return 1;
  }
  return -1;
}

/** Compares a stored name, zero-padded to a multiple of eight bytes, with the bytes at `name`. */
export function bytesEqual(stored: usize, name: usize, len: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= len; i += 8) {
    if (atomic.load<u64>(stored + i) != load<u64>(name + i)) return false;
  }
  const rest = len - i;
  if (rest == 0) return true;
  return ((atomic.load<u64>(stored + i) ^ load<u64>(name + i)) & (((<u64>1) << (rest << 3)) - 1)) == 0;
}

/**
 * __d_lookup(): the same with a reference. Compares name and parent under d_lock, where nothing can be rolled back any
 * more: skips a removed dentry that is still in its chain, and waits for one that is being removed. Calls the file
 * system's own comparison after the read-side section has ended, when a reference protects the dentry.
 */
function dLookupLocked(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  const mask = hashMask(parent);
  const hook = (parent.flags & D_OP_COMPARE) != 0;
  rcuReadLock();
  let b = bucketNow(hashLen);
  let p = atomic.load<u32>(bucketHead(b));
  let deadline: f64 = 0;
  for (let n = 0; p != 0 && !(p & 1); n++) {
    if (n == CHAIN_MAX) corrupt(p);
    const d = changetype<Dentry>(<usize>p);
    if (((d.hashLen ^ hashLen) & mask) != 0 || d.parent != parent) {
      tracepoint(POINT.CHAIN_NEXT, d.at, 0);
      p = d.next;
      continue;
    }
    if (!trySpinLock(d.lockref)) {
      // The lock is held for longer than any change takes.
      rcuReadUnlock();
      deadline = waitFor(deadline, d.lockref);
      rcuReadLock();
      b = bucketNow(hashLen);
      p = atomic.load<u32>(bucketHead(b));
      n = 0;
      continue;
    }
    tracepoint(POINT.NAME_READ, d.at, 0);
    const references = lockrefCount(d.lockref);
    let matches = references >= 0 && d.parent == parent && !(d.flags & D_UNHASHED);
    if (matches) matches = hook || (d.hashLen == hashLen && bytesEqual(dentryName(d), name, <u32>(hashLen >> 32)));
    if (matches) lockrefSet(d.lockref, references + 1);
    unlock(d.lockref);
    if (!matches) {
      p = d.next;
      continue;
    }
    rcuReadUnlock();
    if (!hook || driverSaysSame(d, parent, dir, name, hashLen)) return d;
    dput(d);
    // If the dentry has left the chain, its `next` may lead elsewhere: start again at the head.
    rcuReadLock();
    if (stillInChain(d, parent, hashLen)) {
      p = d.next;
    } else {
      deadline = spinFor(deadline, d.lockref);
      b = bucketNow(hashLen);
      p = atomic.load<u32>(bucketHead(b));
      n = 0;
    }
  }
  if (!rcuReadUnlock()) return dLookupLocked(parent, dir, name, hashLen);
  dLookupLockedMoved = p != 0 && p >> 1 != b;
  return noDentry();
}

/** Second return value of dLookupLocked() when it returns null: it ended in another chain, to which a rename or a split had moved it. */
let dLookupLockedMoved: bool = false;

/** The bucket that a hash belongs to at present. */
function bucketNow(hashLen: u64): u32 {
  return bucketOf(<u32>hashLen, atomic.load<u32>(G_HASH_N));
}

/** The first dentry of the chain that a hash belongs to at present. */
export function chainHead(hashLen: u64): u32 {
  return atomic.load<u32>(bucketHead(bucketNow(hashLen)));
}

/**
 * The bits of hash and length that must be equal before a name is compared. A compare hook may accept another length.
 */
export function hashMask(parent: Dentry): u64 {
  return parent.flags & D_OP_COMPARE ? 0xffffffff : 0xffffffffffffffff;
}

/**
 * Whether a dentry with another name is still hashed in this directory with this hash, so that its `next` continues the
 * chain.
 */
function stillInChain(d: Dentry, parent: Dentry, hashLen: u64): bool {
  return !(d.flags & D_UNHASHED) && d.parent == parent && <u32>d.hashLen == <u32>hashLen;
}

/**
 * Whether the file system considers the dentry's name equal, and the dentry still has that name and parent. The caller
 * holds a reference.
 */
function driverSaysSame(d: Dentry, parent: Dentry, dir: Inode, name: usize, hashLen: u64): bool {
  const seq = atomic.load<u32>(d.seq);
  lock(d.lockref);
  const len = d.nameLen;
  const here = d.parent == parent && !(d.flags & D_UNHASHED);
  if (here) putStoredName(dentryName(d), len);
  unlock(d.lockref);
  // The hook runs without d_lock. An unchanged sequence means that its result still holds.
  return (
    here && driverCompare(parent.sb, dir, d.inode, len, name, <u32>(hashLen >> 32)) && atomic.load<u32>(d.seq) == seq
  );
}

/**
 * d_lookup(): a miss counts only if the search ended in the chain in which it began, and neither a rename in the directory nor a split
 * happened meanwhile; renames elsewhere disturb nothing, as they do in Linux. Changes take less time than going to sleep would. After
 * RENAME_TRIES attempts renames and splits are locked out.
 */
export function dLookup(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  for (let n = 0; n < RENAME_TRIES; n++) {
    const rename = readSeqBegin(parent.dirSeq);
    const split = readSeqBegin(G_HASH_SEQ);
    const d = dLookupLocked(parent, dir, name, hashLen);
    if (d) return d;
    const disturbed = readSeqRetry(parent.dirSeq, rename) || readSeqRetry(G_HASH_SEQ, split);
    if (!dLookupLockedMoved && !disturbed) return d;
  }
  let deadline: f64 = 0;
  while (true) {
    lock(G_RENAME_LOCK);
    lock(G_SPLIT_LOCK);
    const rename = readSeqBegin(parent.dirSeq);
    const d = dLookupLocked(parent, dir, name, hashLen);
    const disturbed = !d && (dLookupLockedMoved || readSeqRetry(parent.dirSeq, rename));
    // A rename of a file within the directory that has begun before the lock was taken ends without it, but not before the locks of the
    // dentries that were compared are released, which is now.
    unlock(G_SPLIT_LOCK);
    unlock(G_RENAME_LOCK);
    if (!disturbed) return d;
    deadline = spinFor(deadline, parent.dirSeq);
  }
}

/**
 * Makes a miss of dLookup() certain, for a caller that is about to add the name and holds the directory's i_mutex: the dentry
 * of the name, with a reference, or null. A dentry also leaves its chain without that mutex (dInvalidate(), dentryKill()), before
 * the commit, and a death puts it back. Until then the dying thread holds the chain's lock.
 */
export function dLookupSettled(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  const hook = (parent.flags & D_OP_COMPARE) != 0;
  let deadline: f64 = 0;
  for (let n = 0; mayBeHashed(parent, name, hashLen, hook); n++) {
    const d = dLookup(parent, dir, name, hashLen);
    // A compare hook may tell names with one hash apart.
    if (d || (hook && n != 0)) return d;
    deadline = spinFor(deadline, chainLock(<u32>hashLen));
  }
  return noDentry();
}

/**
 * Whether the chain has a dentry of this name; with a compare hook, of this hash. Under the chain's lock, where each removal is
 * committed. d_lock comes before it, so it is only tried.
 */
function mayBeHashed(parent: Dentry, name: usize, hashLen: u64, hook: bool): bool {
  const mask = hashMask(parent);
  const chain = chainLock(<u32>hashLen);
  let found = false;
  lock(chain);
  let p = chainHead(hashLen);
  for (let n = 0; p != 0 && !(p & 1) && !found; n++) {
    if (n == CHAIN_MAX) corrupt(p);
    const d = changetype<Dentry>(<usize>p);
    if (((d.hashLen ^ hashLen) & mask) == 0 && d.parent == parent) found = hook || mayHaveName(d, name, hashLen);
    p = d.next;
  }
  unlock(chain);
  return found;
}

/** Whether a dentry of a chain whose lock the caller holds is hashed under this name, or changing. */
export function mayHaveName(d: Dentry, name: usize, hashLen: u64): bool {
  if (!tryLock(d.lockref)) return true;
  const has = !(d.flags & D_UNHASHED) && bytesEqual(dentryName(d), name, <u32>(hashLen >> 32));
  unlock(d.lockref);
  return has;
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
    sleepUs(10);
  }
  lock(d.lockref);
  const parent = dget(d.parent);
  unlock(d.lockref);
  return parent;
}

/**
 * Whether `d` is `above` or below it. Under the rename lock, or in a read-side section that validates the rename
 * sequence.
 */
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

/** d_ancestor(): the child of `above` that is `d` or an ancestor of it; null if there is none. */
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

/**
 * Whether a directory above `d` is unhashed, so that no path leads to `d`. Under the rename
 * lock. d_lock is taken where
 * the flag is set, because a change that is not committed may be rolled back.
 */
export function isBelowRemoved(d: Dentry): bool {
  let p = d.parent;
  for (let n = 0; n < CHAIN_MAX; n++) {
    const up = p.parent;
    if (up == p) return false;
    if (p.flags & D_UNHASHED) {
      lock(p.lockref);
      const removed = (p.flags & D_UNHASHED) != 0;
      unlock(p.lockref);
      if (removed) return true;
    }
    p = up;
  }
  return true;
}
