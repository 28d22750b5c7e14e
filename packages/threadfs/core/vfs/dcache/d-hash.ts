/**
 * The dentry hash table, by parent and name: chains, growing one bucket at a time (linear hashing).
 *
 *   buckets[b]  0: empty   even: first dentry   (never odd)
 *   d.next      even: next dentry   odd: the end of chain number next >> 1 (a nulls marker, as in Linux's hlist_nulls)
 *
 * With N buckets and L the largest power of two <= N, a hash h belongs to bucket h mod 2L, or to h mod L while that
 * bucket does not exist yet. Growing by one bucket splits bucket N - L.
 *
 * Guarantees
 *  - Readers take no lock and store nothing. A dentry that is found is validated by its own sequence, so a reader that
 *    a rename or a split has moved to another chain still finds only dentries that are there.
 *  - A miss is final only if (1) the chain ended with the marker of the bucket that was searched, (2) the table's
 *    sequence was even and unchanged (no split), (3) the directory's dirSeq was even and unchanged (no rename in it).
 *    Then the chain held no dentry of that name when its last link was read. Creating and unlinking need no such check:
 *    they insert at the head, and leave the `next` of a removed dentry as it was until a grace period has passed.
 *  - Writers of a chain hold its lock, number h mod 256. A bucket and the one that splits off it share a lock, because
 *    there are never fewer than 256 buckets.
 *  - Lock order: bucket locks inside d_lock. A split takes the split lock, for which it does not wait, then one bucket
 *    lock. dLookup() waits for the split lock, before any d_lock.
 */

import * as COUNTER from "../../../abi/counters";
import * as POINT from "../../../abi/points";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, tryLock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { percpuCounterAdd, percpuCounterRead } from "../../mem/percpu-counter";
import { count } from "../../mem/thread";
import { put32 } from "../../mem/undo/log";
import { tracepoint } from "../../tracepoints";
import {
  BUCKET_LOCKS,
  G_HASH_COUNT,
  G_HASH_MASK,
  G_HASH_N,
  G_HASH_SEQ,
  G_SPLIT_LOCK,
  H_BUCKETS,
  H_MAX_BUCKETS,
  MIN_BUCKETS,
  SLOT_HASH_COUNT,
} from "../layout";
import { D_CHAINED, D_PAR_LOOKUP, D_UNHASHED, Dentry, setFlags } from "./dentry";

/** The longest chain that is split: each of its dentries takes an entry in the undo log. */
const SPLIT_MAX: u32 = 60;

/** The bucket of a hash in a table of `n` buckets. */
export function bucketOf(hash: u32, n: u32): u32 {
  const low: u32 = 1 << (31 - clz<u32>(n));
  const b = hash & (low + low - 1);
  return b < n ? b : b & (low - 1);
}

/** The mask that bucketOf() applies to a hash before it checks that the bucket exists. */
export function maskOf(n: u32): u32 {
  return (2 << (31 - clz<u32>(n))) - 1;
}

export function bucketHead(b: u32): usize {
  return <usize>(load<u32>(H_BUCKETS) + (b << 2));
}

/** The lock of the chain that a hash belongs to. */
export function chainLock(hash: u32): usize {
  return BUCKET_LOCKS + ((hash & (MIN_BUCKETS - 1)) << 6);
}

/** The marker at the end of a chain. */
function nullsMarker(b: u32): u32 {
  return (b << 1) | 1;
}

/** Inserts a dentry into the chain of its hash. The caller owns its d_lock, or no other thread knows it. */
export function hashInsert(d: Dentry): void {
  insertInChain(d, D_CHAINED, D_UNHASHED);
}

/** The same for a name that is being looked up in the file system: lookups pass over it until hashShow(). */
export function hashInsertInLookup(d: Dentry): void {
  insertInChain(d, D_CHAINED | D_PAR_LOOKUP, 0);
}

/** The lookup has ended: lookups find the dentry, in its place in the chain. The caller owns its d_lock. */
export function hashShow(d: Dentry): void {
  const l = chainLock(<u32>d.hashLen);
  lock(l);
  writeSeqBegin(d.seq);
  setFlags(d, 0, D_UNHASHED | D_PAR_LOOKUP);
  writeSeqEnd(d.seq);
  unlock(l);
}

function insertInChain(d: Dentry, set: u32, clear: u32): void {
  const hash = <u32>d.hashLen;
  const l = chainLock(hash);
  lock(l);
  const b = bucketOf(hash, atomic.load<u32>(G_HASH_N));
  const head = bucketHead(b);
  const first = atomic.load<u32>(head);
  d.next = first == 0 ? nullsMarker(b) : first;
  setFlags(d, set, clear);
  // Publishes the dentry: pairs with the load of the head in a lookup.
  put32(head, <u32>d.at);
  tracepoint(POINT.HASHED, d.at, 0);
  unlock(l);
  percpuCounterAdd(G_HASH_COUNT, SLOT_HASH_COUNT, 1);
}

/**
 * Grows the table with its entries. Outside of the transaction that inserted one, because a split waits for another
 * bucket's lock. Up to two splits per inserted entry keep the table at two buckets per entry, so that most chains hold
 * one dentry.
 */
export function hashGrow(): void {
  for (let i = 0; i < 2; i++) {
    // The estimate may be negative.
    if (percpuCounterRead(G_HASH_COUNT, SLOT_HASH_COUNT) <= <i32>(atomic.load<u32>(G_HASH_N) >> 1)) break;
    split();
  }
}

/** Removes a dentry from its chain. Its `next` stays for readers that stand on it. The caller owns its d_lock. */
export function hashRemove(d: Dentry): void {
  const hash = <u32>d.hashLen;
  const l = chainLock(hash);
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
  setFlags(d, D_UNHASHED, D_CHAINED | D_PAR_LOOKUP);
  unlock(l);
  percpuCounterAdd(G_HASH_COUNT, SLOT_HASH_COUNT, -1);
  tracepoint(POINT.DROPPED_HASH, d.at, 0);
}

/** Splits one bucket, unless another thread is already splitting one. */
function split(): void {
  if (!tryLock(G_SPLIT_LOCK)) return;
  const n = atomic.load<u32>(G_HASH_N);
  if (n < load<u32>(H_MAX_BUCKETS)) {
    const low: u32 = 1 << (31 - clz<u32>(n));
    const from = n - low;
    const l = chainLock(from);
    lock(l);
    if (canSplit(from)) {
      writeSeqBegin(G_HASH_SEQ);
      splitChain(from, n, low + low - 1);
      put32(G_HASH_N, n + 1);
      put32(G_HASH_MASK, maskOf(n + 1));
      tracepoint(POINT.SPLIT, from, n);
      writeSeqEnd(G_HASH_SEQ);
      count(COUNTER.hashSplits);
    }
    unlock(l);
  }
  unlock(G_SPLIT_LOCK);
}

/**
 * Whether a chain is short enough for one transaction. With random hash keys all are; if one is not, the table stops
 * growing.
 */
function canSplit(b: u32): bool {
  let n: u32 = 0;
  for (let p = atomic.load<u32>(bucketHead(b)); p != 0 && !(p & 1); p = changetype<Dentry>(<usize>p).next) {
    if (++n == SPLIT_MAX) return false;
  }
  return true;
}

/** Distributes the dentries of bucket `from` to `from` and `to`. Every link is valid at every moment. */
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
