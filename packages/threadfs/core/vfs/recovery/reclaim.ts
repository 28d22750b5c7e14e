/**
 * Retires and reclaims objects. `mem/smr/smr.ts` decides when a grace period is over; this file knows what each type
 * owns: a dentry its long name, an inode its link body and ACL, a context its groups.
 */

import { chunkEntry } from "../../mem/alloc/pages";
import { kfreeAt, slabAlloc, slabFree } from "../../mem/alloc/slab";
import { objectsMax } from "../../mem/bounds";
import { CHUNK_SHIFT } from "../../mem/layout";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { callRcu, rcuDepth, rcuPending, rcuPoll, rcuTake, synchronizeRcu } from "../../mem/smr/smr";
import { Dentry, INLINE_NAME } from "../dcache/dentry";
import { Inode } from "../inode/inode";
import { CACHE_CONTEXT, CACHE_DENTRY, CACHE_INODE, G_NR_DENTRY, G_NR_INODE } from "../layout";
import { Context } from "../task/cred";

/** Objects reclaimed at a time, so that no single operation pays for many others. */
const BATCH: u32 = 64;

/** call_rcu() for an object of a typed cache: its memory is reused after a grace period. */
export function retire(p: usize): void {
  if (!callRcu(p)) return;
  rcuPoll();
  reclaim(BATCH);
}

/** Frees at most `n` objects whose grace period is over. Returns how many. */
export function reclaim(n: u32): u32 {
  let done: u32 = 0;
  while (done < n) {
    const p = rcuTake();
    if (p == 0) break;
    freeObject(p);
    done++;
  }
  return done;
}

function freeObject(p: usize): void {
  const cache = load<u32>(chunkEntry(<u32>p >> CHUNK_SHIFT));
  if (cache == CACHE_DENTRY) {
    freeDentry(changetype<Dentry>(p));
    return;
  }
  if (cache == CACHE_INODE) {
    const i = changetype<Inode>(p);
    if (i.isLink) kfreeAt(i.dataAt);
    kfreeAt(i.aclAt);
    atomic.sub<u32>(G_NR_INODE, 1);
  } else if (cache == CACHE_CONTEXT) {
    const c = changetype<Context>(p);
    kfreeAt(c.groupsAt);
  }
  slabFree(p);
}

/** Frees an unreachable dentry and its long name. */
export function freeDentry(d: Dentry): void {
  if (d.nameLen > INLINE_NAME) {
    const name = load<u32>(d.name);
    // One transaction, so that recovery never sees the freed name in the dentry.
    txBegin();
    d.hashLen = 0;
    slabFree(name);
    txEnd();
  }
  atomic.sub<u32>(G_NR_DENTRY, 1);
  slabFree(d.at);
}

/** Waits for a grace period and reclaims. False: nothing could be reclaimed. */
export function makeSpace(): bool {
  if (rcuDepth() != 0 || rcuPending() == 0) return false;
  synchronizeRcu();
  return reclaim(objectsMax()) != 0;
}

/** slabAlloc() that waits for a grace period if the arena is full. */
export function kalloc(cache: u32, reserve: bool): usize {
  const p = slabAlloc(cache, reserve);
  if (p != 0 || !makeSpace()) return p;
  return slabAlloc(cache, reserve);
}
