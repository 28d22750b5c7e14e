/**
 * Finding dentries: by parent and name, without a lock and without a store (dLookupRcu), with a reference (dLookup), and by
 * their place in the tree.
 *
 * Guarantees: dLookupRcu() stores nothing. What it answers may be used only after the caller has checked the parent's
 * sequence, and may be referenced only by lockrefGetNotDead() followed by a check of the child's. dLookup() answers a
 * miss only if there was a moment without the name.
 */

import { driverCompare, putStoredName } from "../../fs/driver/hooks";
import { corrupt } from "../../mem/bounds";
import { G_HASH_N, G_HASH_SEQ, G_RENAME_LOCK, G_RENAME_SEQ } from "../../mem/layout";
import { lock, trySpinLock, unlock } from "../../mem/lock/lock";
import { lockrefCount, lockrefGetNotDead, lockrefSet } from "../../mem/lock/lockref";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { sleepAtLock, sleepUs } from "../../mem/thread";
import { P_COMPARED, P_NAME_READ, P_SEQ_OPENED, tracepoint } from "../../tracepoints";
import { Inode } from "../inode/inode";
import { bucketHead, bucketOf } from "./d-hash";
import { dget, dput } from "./dcache";
import { D_COMPLETE, D_OP_COMPARE, D_UNHASHED, Dentry, dentryName, INLINE_NAME } from "./dentry";

/** Looks at a chain again after a rename or a split went through it; then the walk drops out. */
const LOOKUP_TRIES: i32 = 4;
/** Rounds of a lookup against renames before it keeps them out. */
const RENAME_TRIES: i32 = 8;
/** Longest way along a chain without a lock; who has to go on looks with references. */
const RCU_CHAIN_MAX: i32 = 1 << 14;
/** A chain is never this long unless memory is corrupt. */
const CHAIN_MAX: i32 = 1 << 20;
/** Starts at a chain's head; each was somebody else's change. */
const STARTS_MAX: i32 = 1 << 16;

function noDentry(): Dentry {
  return changetype<Dentry>(0);
}

/** Sequence of the dentry that dLookupRcu() found. */
export let dLookupRcuSeq: u32 = 0;
/** After a null answer of dLookupRcu(): the name does not exist, as far as the parent's sequence still holds. */
export let dLookupRcuMissFinal: bool = false;

/**
 * __d_lookup_rcu(): the dentry of a name in a directory, null when there is none to be seen. Takes no lock, stores
 * nothing. `dLookupRcuSeq` is the sequence under which name and parent were compared; nothing is checked after the
 * comparison: that is for the caller, with the parent's sequence.
 */
export function dLookupRcu(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  for (let tries = 0; tries < LOOKUP_TRIES; tries++) {
    // A miss beside a change of this directory or of the table: to wait for the change's end costs less than to drop out.
    const hashSeq = tries == 0 ? atomic.load<u32>(G_HASH_SEQ) : readSeqBegin(G_HASH_SEQ);
    const dirSeq = tries == 0 ? atomic.load<u32>(parent.dirSeq) : readSeqBegin(parent.dirSeq);
    const b = bucketOf(<u32>hashLen, atomic.load<u32>(G_HASH_N));
    let p = atomic.load<u32>(bucketHead(b));
    const mask = hashMask(parent);
    let clean = true;
    for (let n = 0; p != 0 && !(p & 1) && n < RCU_CHAIN_MAX; n++) {
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
      dLookupRcuMissFinal = true;
      return noDentry();
    }
    if (clean && (parent.flags & D_COMPLETE) == 0) break;
  }
  dLookupRcuMissFinal = false;
  return noDentry();
}

/** 1: this is it, under `dLookupRcuSeq`. 0: it is not. -1: it is changing, look again. */
function matchRcu(parent: Dentry, dir: Inode, d: Dentry, name: usize, hashLen: u64): i32 {
  for (let tries = 0; tries < LOOKUP_TRIES; tries++) {
    const seq = readSeqBegin(d.seq);
    if (seq & 1) return -1;
    tracepoint(P_SEQ_OPENED, d.at, seq);
    if (d.parent != parent) return 0;
    if (d.flags & D_UNHASHED) return 0;
    const mine = d.hashLen;
    if (mine != hashLen && !(parent.flags & D_OP_COMPARE)) return 0;
    const len = <u32>(mine >> 32);
    let from = d.name;
    if (len > INLINE_NAME) {
      tracepoint(P_NAME_READ, d.at, seq);
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
      putStoredName(from, len);
      same = driverCompare(parent.sb, dir, inode, len, name, <u32>(hashLen >> 32));
    } else {
      same = bytesEqual(from, name, len);
    }
    tracepoint(P_COMPARED, d.at, seq);
    if (!same) return 0;
    dLookupRcuSeq = seq;
    return 1;
  }
  return -1;
}

/** Compares a stored name (zero behind its end, up to a multiple of eight) with the bytes at `name`. */
function bytesEqual(stored: usize, name: usize, len: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= len; i += 8) {
    if (atomic.load<u64>(stored + i) != load<u64>(name + i)) return false;
  }
  const rest = len - i;
  if (rest == 0) return true;
  return ((atomic.load<u64>(stored + i) ^ load<u64>(name + i)) & (((<u64>1) << (rest << 3)) - 1)) == 0;
}

/**
 * __d_lookup(): the same with a reference. Name and parent are compared under the dentry's d_lock, under which nothing of it can be
 * taken back any more: what is removed and still in its chain is passed by, what is just being removed is waited for. A file
 * system's own comparison is asked when the read-side section has ended and a reference protects the dentry.
 */
function dLookupLocked(parent: Dentry, dir: Inode, name: usize, hashLen: u64): Dentry {
  const mask = hashMask(parent);
  const hook = (parent.flags & D_OP_COMPARE) != 0;
  rcuReadLock();
  let p = chainHead(hashLen);
  let naps = 0;
  let starts = 0;
  for (let n = 0; p != 0 && !(p & 1); n++) {
    if (n == CHAIN_MAX) corrupt(p);
    const d = changetype<Dentry>(<usize>p);
    if (((d.hashLen ^ hashLen) & mask) != 0 || d.parent != parent) {
      p = d.next;
      continue;
    }
    if (!trySpinLock(d.lockref)) {
      // Somebody holds its lock for longer than any change takes.
      rcuReadUnlock();
      sleepAtLock(naps++, d.lockref);
      rcuReadLock();
      p = chainHead(hashLen);
      continue;
    }
    tracepoint(P_NAME_READ, d.at, 0);
    const references = lockrefCount(d.lockref);
    let fits = references >= 0 && d.parent == parent && !(d.flags & D_UNHASHED);
    if (fits) fits = hook || (d.hashLen == hashLen && bytesEqual(dentryName(d), name, <u32>(hashLen >> 32)));
    if (fits) lockrefSet(d.lockref, references + 1);
    unlock(d.lockref);
    if (!fits) {
      p = d.next;
      continue;
    }
    rcuReadUnlock();
    if (!hook || driverSaysSame(d, parent, dir, name, hashLen)) return d;
    dput(d);
    // Where the chain goes on from here nobody knows, unless it still is there: from its head again.
    rcuReadLock();
    if (stillInChain(d, parent, hashLen)) {
      p = d.next;
    } else {
      if (starts++ == STARTS_MAX) corrupt(d.at);
      p = chainHead(hashLen);
    }
  }
  if (!rcuReadUnlock()) return dLookupLocked(parent, dir, name, hashLen);
  return noDentry();
}

function chainHead(hashLen: u64): u32 {
  return atomic.load<u32>(bucketHead(bucketOf(<u32>hashLen, atomic.load<u32>(G_HASH_N))));
}

/** Which bits of hash and length must agree before a name is looked at: a compare hook may take another length. */
function hashMask(parent: Dentry): u64 {
  return parent.flags & D_OP_COMPARE ? 0xffffffff : 0xffffffffffffffff;
}

/** A dentry in the right directory with the right hash, alive and yet another name: the chain goes on behind it. */
function stillInChain(d: Dentry, parent: Dentry, hashLen: u64): bool {
  return !(d.flags & D_UNHASHED) && d.parent == parent && <u32>d.hashLen == <u32>hashLen;
}

/** Whether a file system calls the name of a dentry that the caller holds a reference on the same, and it has that place and name. */
function driverSaysSame(d: Dentry, parent: Dentry, dir: Inode, name: usize, hashLen: u64): bool {
  const seq = atomic.load<u32>(d.seq);
  lock(d.lockref);
  const len = d.nameLen;
  const here = d.parent == parent && !(d.flags & D_UNHASHED);
  if (here) putStoredName(dentryName(d), len);
  unlock(d.lockref);
  // The hook runs without d_lock; the sequence tells whether what it judged is still so.
  return (
    here && driverCompare(parent.sb, dir, d.inode, len, name, <u32>(hashLen >> 32)) && atomic.load<u32>(d.seq) == seq
  );
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
    sleepUs(10);
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
    sleepUs(10);
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
