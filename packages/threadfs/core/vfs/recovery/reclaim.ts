/**
 * Retires and reclaims objects. `mem/smr/smr.ts` decides when a grace period is over; this file knows what each type
 * owns: a dentry its long name, an inode its link body and ACLs, a context its groups.
 */

import { chunkAddress, chunkEntry, ENTRY_NEVER_USED } from "../../mem/alloc/pages";
import { flushSheaves, isEmptyChunkOf, kfreeAt, returnEmptyChunk, slabFree } from "../../mem/alloc/slab";
import { objectsMax } from "../../mem/bounds";
import {
  CHUNK_SHIFT,
  G_PAGE_BUMP,
  G_SLOTS_USED,
  H_FIRST_CHUNK,
  MAX_THREADS,
  SLOT_RCU_COUNT,
  SLOT_SIZE,
  SLOTS,
} from "../../mem/layout";
import { txBegin, txEnd } from "../../mem/lock/lock";
import { forgetCounts } from "../../mem/lock/seqlock";
import { percpuCounterAdd } from "../../mem/percpu-counter";
import {
  allReadersLeft,
  callRcu,
  rcuDepth,
  rcuNext,
  rcuPoll,
  rcuTake,
  rcuTaken,
  synchronizeRcu,
} from "../../mem/smr/smr";
import { slot } from "../../mem/thread";
import { put32 } from "../../mem/undo/log";
import { Dentry, INLINE_NAME } from "../dcache/dentry";
import { freeSpares, spareFiles } from "../file/spare";
import { INODE_SIZE, Inode } from "../inode/inode";
import {
  CACHE_CONTEXT,
  CACHE_DENTRY,
  CACHE_FILE,
  CACHE_INODE,
  G_INODE_GENERATION,
  G_NR_DENTRY,
  G_NR_INODE,
  SLOT_NR_DENTRY,
  SLOT_NR_INODE,
} from "../layout";
import { Context } from "../task/cred";
import { admitOthers, excludeOthers } from "./exclusion";

/** Objects reclaimed at a time, so that no single operation pays for many others. */
const BATCH: u32 = 64;

/** call_rcu() for an object of a typed cache: its memory is reused after a grace period. */
export function retire(p: usize): void {
  if (!callRcu(p)) return;
  rcuPoll();
  reclaim(slot, BATCH);
}

/** Frees at most `n` objects of a slot's list whose grace period is over. Returns how many. */
function reclaim(s: usize, n: u32): u32 {
  let done: u32 = 0;
  while (done < n) {
    let p = rcuTake(s, min<u32>(n - done, BATCH));
    if (p == 0) break;
    const taken = rcuTaken;
    for (let i: u32 = 0; i < taken; i++) {
      const next = rcuNext(p);
      freeObject(p);
      p = next;
    }
    done += taken;
  }
  return done;
}

/** Frees the blocks of an inode that no thread uses: the body of a link, or a directory's default ACL, and the access ACL. */
export function freeInodeBlocks(i: Inode): void {
  if (i.isLink || i.isDir) kfreeAt(i.dataAt);
  kfreeAt(i.aclAt);
}

function freeObject(p: usize): void {
  const cache = load<u32>(chunkEntry(<u32>p >> CHUNK_SHIFT));
  if (cache == CACHE_DENTRY) {
    freeDentry(changetype<Dentry>(p));
    return;
  }
  if (cache == CACHE_INODE) {
    const i = changetype<Inode>(p);
    freeInodeBlocks(i);
    percpuCounterAdd(G_NR_INODE, SLOT_NR_INODE, -1);
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
  percpuCounterAdd(G_NR_DENTRY, SLOT_NR_DENTRY, -1);
  slabFree(d.at);
}

/** The most objects that a thread which makes room for a new one leaves waiting for a grace period. */
const RETIRED_MAX: u32 = 1024;

/** Waits for a grace period and reclaims what this thread has retired, if that is much. Not in rcu mode. */
export function reclaimBacklog(): void {
  if (load<u32>(slot + SLOT_RCU_COUNT) < RETIRED_MAX || rcuDepth() != 0) return;
  synchronizeRcu();
  reclaim(slot, objectsMax());
}

/** Frees the objects of all slots' lists whose grace period is over. Returns how many. */
export function reclaimAll(): u32 {
  let done: u32 = 0;
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) done += reclaim(s, objectsMax());
  return done;
}

/** How long a thread waits for the others before it gives chunks back. */
const EXCLUSION_MS: f64 = 100;

function isReturnable(chunk: u32): bool {
  return isEmptyChunkOf(CACHE_DENTRY, chunk) || isEmptyChunkOf(CACHE_INODE, chunk) || isEmptyChunkOf(CACHE_FILE, chunk);
}

/** The first chunk from `chunk` on that can be given back; 0: none. */
function nextReturnable(chunk: u32): u32 {
  const end = load<u32>(G_PAGE_BUMP);
  for (let c = chunk; c < end; c++) if (isReturnable(c)) return c;
  return 0;
}

/**
 * Gives the empty chunks of dentries, inodes and files back, so that their memory can serve contents. A thread may have a
 * pointer to an object that has been freed: in a read-side section, even after it was expelled; in a call, where the
 * memory's type protects what has no reference yet; in its prefix cache. So this runs while all other threads are
 * quiescent, after their sections have ended, and invalidates the prefix caches first. Frees the files that slots keep before. False: there
 * are none, and no such chunk, or another thread is in the middle of a call that does not end.
 */
export function returnEmptyChunks(): bool {
  let chunk = nextReturnable(load<u32>(H_FIRST_CHUNK));
  const spares = spareFiles() != 0;
  if ((chunk == 0 && !spares) || !excludeOthers(EXCLUSION_MS)) return false;
  if (spares) {
    freeSpares();
    flushSheaves();
    chunk = nextReturnable(load<u32>(H_FIRST_CHUNK));
  }
  // Pairs with the load in prefixCacheFind(): a section that begins after this finds the entries outdated.
  forgetCounts();
  // Files that are free now serve an open, whether or not their chunk is empty.
  let returned = spares;
  if (allReadersLeft(EXCLUSION_MS)) {
    for (; chunk != 0; chunk = nextReturnable(chunk + 1)) {
      keepGenerations(chunk);
      if (
        returnEmptyChunk(CACHE_DENTRY, chunk) ||
        returnEmptyChunk(CACHE_INODE, chunk) ||
        returnEmptyChunk(CACHE_FILE, chunk)
      ) {
        returned = true;
      }
    }
  }
  admitOthers();
  return returned;
}

/** Raises G_INODE_GENERATION above all generations in a chunk of inodes, whose numbers then do not come again. */
function keepGenerations(chunk: u32): void {
  if (!isEmptyChunkOf(CACHE_INODE, chunk)) return;
  const start = chunkAddress(chunk);
  const end = start + load<u32>(chunkEntry(chunk) + ENTRY_NEVER_USED);
  let highest = load<u32>(G_INODE_GENERATION);
  for (let p = start; p < end; p += INODE_SIZE) highest = max<u32>(highest, changetype<Inode>(p).generation);
  put32(G_INODE_GENERATION, highest);
}
