/**
 * The table of dentries by parent and name: open chains, growing one bucket at a time (linear hashing).
 *
 *   buckets[b]  0: empty   even: first dentry   (never odd)
 *   d.next      even: next dentry   odd: the chain ends, and it is chain number next >> 1
 *
 * With N buckets and L the largest power of two <= N, a hash h belongs to bucket h mod 2L, or h mod L while that one
 * does not exist yet. Growing by one splits bucket N - L.
 *
 * Guarantees
 *  - Readers take no lock and store nothing. A dentry found is judged by its own sequence, so a reader may be carried
 *    from one chain into another by a rename or a split and still find only what is there.
 *  - A miss is an answer only if (1) the chain ended with the number of the bucket that was looked in, (2) the table's
 *    sequence was even and stayed the same (no split), (3) the directory's dirSeq was even and stayed the same (no
 *    rename in it): then no dentry of that name was in the chain at the moment its last link was read.
 *    Creating and unlinking need no such mark: they put in at the head, and take out leaving the `next` of what was
 *    taken out as it was until a grace period has passed.
 *  - Writers of one chain hold its lock: lock number h mod 256, the same for a bucket and the one that splits off it,
 *    since there are never fewer than 256 buckets.
 *  - Lock order: inside d_lock; a split takes the split lock, then one bucket lock.
 */

import { corrupt, objectsMax } from "../../mem/bounds";
import {
  BUCKET_LOCKS,
  C_SPLITS,
  G_HASH_COUNT,
  G_HASH_MASK,
  G_HASH_N,
  G_HASH_SEQ,
  G_SPLIT_LOCK,
  H_BUCKETS,
  H_MAX_BUCKETS,
} from "../../mem/layout";
import { lock, tryLock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { count } from "../../mem/thread";
import { put32 } from "../../mem/undo/log";
import { P_DROPPED_HASH, P_SPLIT, tracepoint } from "../../tracepoints";
import { D_CHAINED, D_UNHASHED, Dentry, setFlags } from "./dentry";

export const MIN_BUCKETS: u32 = 256;
/** Longest chain that is split: each of its dentries takes an entry in the journal. */
const SPLIT_MAX: u32 = 60;

/** Number of the bucket that a hash belongs to when there are `n`. */
export function bucketOf(hash: u32, n: u32): u32 {
  const low: u32 = 1 << (31 - clz<u32>(n));
  const b = hash & (low + low - 1);
  return b < n ? b : b & (low - 1);
}

/** What a hash is cut to before bucketOf() looks whether that bucket exists. */
export function maskOf(n: u32): u32 {
  return (2 << (31 - clz<u32>(n))) - 1;
}

export function bucketHead(b: u32): usize {
  return <usize>(load<u32>(H_BUCKETS) + (b << 2));
}

function lockOf(hash: u32): usize {
  return BUCKET_LOCKS + ((hash & (MIN_BUCKETS - 1)) << 6);
}

/** What stands behind the last dentry of a chain. */
function nullsMarker(b: u32): u32 {
  return (b << 1) | 1;
}

/** Puts a dentry into the chain of its hash. The caller holds its d_lock or is the only one who knows it. */
export function hashInsert(d: Dentry): void {
  const hash = <u32>d.hashLen;
  const l = lockOf(hash);
  lock(l);
  const b = bucketOf(hash, atomic.load<u32>(G_HASH_N));
  const head = bucketHead(b);
  const first = atomic.load<u32>(head);
  d.next = first == 0 ? nullsMarker(b) : first;
  setFlags(d, D_CHAINED, D_UNHASHED);
  // Publishes the dentry: pairs with the load of the head in a lookup.
  put32(head, <u32>d.at);
  unlock(l);
  atomic.add<u32>(G_HASH_COUNT, 1);
}

/**
 * Lets the table grow with its entries. Outside of the section that put one in: a split waits for another bucket's lock.
 * Two splits for an entry keep the table at two buckets an entry, so that most chains are one dentry long.
 */
export function hashGrow(): void {
  for (let i = 0; i < 2 && atomic.load<u32>(G_HASH_COUNT) > atomic.load<u32>(G_HASH_N) >> 1; i++) split();
}

/** Takes a dentry out of its chain; its `next` stays, for readers that stand on it. The caller holds its d_lock. */
export function hashRemove(d: Dentry): void {
  const hash = <u32>d.hashLen;
  const l = lockOf(hash);
  lock(l);
  const head = bucketHead(bucketOf(hash, atomic.load<u32>(G_HASH_N)));
  let p = atomic.load<u32>(head);
  if (p == <u32>d.at) {
    const next = d.next;
    put32(head, next & 1 ? 0 : next);
  } else {
    let left = objectsMax();
    while (p != 0 && !(p & 1)) {
      if (left-- == 0) corrupt(head);
      const e = changetype<Dentry>(<usize>p);
      p = e.next;
      if (p == <u32>d.at) {
        e.next = d.next;
        break;
      }
    }
  }
  setFlags(d, D_UNHASHED, D_CHAINED);
  unlock(l);
  atomic.sub<u32>(G_HASH_COUNT, 1);
  tracepoint(P_DROPPED_HASH, d.at, 0);
}

/** Splits one bucket; somebody else at it already: leaves it to them. */
function split(): void {
  if (!tryLock(G_SPLIT_LOCK)) return;
  const n = atomic.load<u32>(G_HASH_N);
  if (n < load<u32>(H_MAX_BUCKETS)) {
    const low: u32 = 1 << (31 - clz<u32>(n));
    const from = n - low;
    const l = lockOf(from);
    lock(l);
    if (canSplit(from)) {
      writeSeqBegin(G_HASH_SEQ);
      splitChain(from, n, low + low - 1);
      put32(G_HASH_N, n + 1);
      put32(G_HASH_MASK, maskOf(n + 1));
      tracepoint(P_SPLIT, from, n);
      writeSeqEnd(G_HASH_SEQ);
      count(C_SPLITS);
    }
    unlock(l);
  }
  unlock(G_SPLIT_LOCK);
}

/** Whether a chain is short enough for one section. With seeded hashes all are; if one is not, the table stays as it is. */
function canSplit(b: u32): bool {
  let n: u32 = 0;
  for (let p = atomic.load<u32>(bucketHead(b)); p != 0 && !(p & 1); p = changetype<Dentry>(<usize>p).next) {
    if (++n == SPLIT_MAX) return false;
  }
  return true;
}

/** Deals the dentries of bucket `from` out to `from` and `to`; every link is a valid one at every moment. */
function splitChain(from: u32, to: u32, mask: u32): void {
  const head = bucketHead(from);
  let p = atomic.load<u32>(head);
  let keep: u32 = 0;
  let move: u32 = 0;
  let left = objectsMax();
  while (p != 0 && !(p & 1)) {
    if (left-- == 0) corrupt(head);
    const d = changetype<Dentry>(<usize>p);
    const next = d.next;
    if ((<u32>d.hashLen & mask) == to) {
      d.next = move == 0 ? nullsMarker(to) : move;
      move = p;
    } else {
      d.next = keep == 0 ? nullsMarker(from) : keep;
      keep = p;
    }
    p = next;
  }
  put32(bucketHead(to), move);
  put32(head, keep);
}
