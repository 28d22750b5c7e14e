/**
 * Slab caches: objects of one size in chunks of 64 KiB.
 *
 * A *typed* cache keeps its chunks, so its memory holds objects of that type (Linux: SLAB_TYPESAFE_BY_RCU). A reader with
 * a stale pointer reads an object of the same type, and detects that it is stale by the object's sequence, which is not
 * reset. Only when memory is short and no thread can have such a pointer are empty chunks given back
 * (vfs/recovery/reclaim.ts). The *sized* caches (16, 32, 48, 64 bytes, then four sizes for each power of two up to 4 KiB)
 * return empty chunks at once.
 *
 * A cache is described by KMEM_CACHE_SIZE bytes (KMEM_*), guarded by its lock, inside which only the page lock is taken.
 *
 * The partial list holds the chunks that have free objects.
 *
 * Of dentries, inodes and open files each slot has a *sheaf*, as in Linux each processor has (slab_sheaf): up to SHEAF_MAX free
 * objects in a list, in the slot's line of lists, under the lock of that line. So a thread that makes and frees objects shares no
 * line with others for that: it goes to the cache once a SHEAF_BATCH. The chunk table counts what is on a sheaf as used.
 *
 *   slot + SLOT_SHEAVES   3 x { first object ptr, linked by the free link; how many u32 }
 *
 * Guarantees: a sheaf stays with its slot, so a thread that dies leaves no object unaccounted. Any thread may flush any sheaf; one
 * that finds the arena full flushes all (flushSheaves()), so that no allocation fails for what another thread keeps.
 */

import { corrupt } from "../bounds";
import {
  CHUNK,
  CHUNK_SHIFT,
  G_CACHES,
  G_SLOTS_USED,
  MAX_THREADS,
  SHEAF_BYTES,
  SLOT_LISTS_LOCK,
  SLOT_SHEAVES,
  SLOT_SIZE,
  SLOTS,
} from "../layout";
import { lock, txBegin, txEnd, unlock } from "../lock/lock";
import { slot } from "../thread";
import { addPendingBlock, put32, removePendingBlock, set32, txDepth } from "../undo/log";
import {
  chunkAddress,
  chunkAlloc,
  chunkEntry,
  chunkFree,
  ENTRY_CACHE,
  ENTRY_FREE,
  ENTRY_NEVER_USED,
  ENTRY_NEXT,
  ENTRY_PREV,
  ENTRY_USED,
} from "./pages";
import { checkPoison, poison } from "./poison";

/** Description of a cache: lock, object size, objects per chunk, first chunk of the partial list. */
export const KMEM_LOCK: u32 = 0;
export const KMEM_SIZE: u32 = 4;
export const KMEM_PER_CHUNK: u32 = 8;
export const KMEM_PARTIAL: u32 = 12;
/** 1: typed; the offset of the free link in an object; the words of a freed object that are not poisoned, a bit each (poison.ts). */
export const KMEM_TYPED: u32 = 16;
export const KMEM_LINK: u32 = 20;
export const KMEM_KEEP: u32 = 24;
/** The offset in a slot of the sheaf of this cache; 0: it has none. */
export const KMEM_SHEAF: u32 = 28;
export const KMEM_CACHE_SIZE: u32 = 64;
/** The first sized cache, and how many there are. The numbers below are those of typed caches. */
export const CACHE_SIZED: u32 = 7;
export const NR_SIZED_CACHES: u32 = 28;
export const KMALLOC_MAX: u32 = 4096;
/** In a sheaf: how many objects it has. The most, and how many it exchanges with its cache at a time: what one transaction can log. */
export const SHEAF_SIZE: u32 = 4;
export const SHEAF_MAX: u32 = 64;
export const SHEAF_BATCH: u32 = 8;

export function cacheAddress(id: u32): usize {
  return G_CACHES + id * KMEM_CACHE_SIZE;
}

/** `keep`: the words that are kept in freed memory, a bit each; the free link is added. */
export function cacheInit(id: u32, size: u32, typed: bool, link: u32, keep: u32): void {
  const c = cacheAddress(id);
  store<u32>(c + KMEM_SIZE, size);
  store<u32>(c + KMEM_PER_CHUNK, CHUNK / size);
  store<u32>(c + KMEM_TYPED, typed ? 1 : 0);
  store<u32>(c + KMEM_LINK, link);
  store<u32>(c + KMEM_KEEP, keep | (1 << (link >> 2)));
}

/** Gives a typed cache the n-th sheaf of each slot. */
export function cacheHasSheaf(id: u32, n: u32): void {
  store<u32>(cacheAddress(id) + KMEM_SHEAF, SLOT_SHEAVES + n * SHEAF_BYTES);
}

export function sizedCachesInit(): void {
  for (let i: u32 = 0; i < NR_SIZED_CACHES; i++) cacheInit(CACHE_SIZED + i, classSize(i), false, 0, 0);
}

/** An object of a cache, with the contents that its last user left, or zeroed if it is new. 0: the arena is full. */
export function slabAlloc(id: u32, reserve: bool): usize {
  const c = cacheAddress(id);
  const sheaf = load<u32>(c + KMEM_SHEAF);
  // The locks that a transaction may hold already come after the lock of the sheaves.
  if (sheaf != 0 && txDepth == 0) return allocFromSheaf(id, slot + sheaf, reserve);
  lock(c);
  const p = takeObject(id, c, reserve);
  // Typed objects are found by the recount of references. Sized blocks stay on the caller's pending list until they are
  // linked.
  if (p != 0 && id >= CACHE_SIZED) addPendingBlock(p);
  unlock(c);
  return p;
}

/** Takes an object off a chunk. Under the cache's lock. 0: the arena is full. */
function takeObject(id: u32, c: usize, reserve: bool): usize {
  let chunk = load<u32>(c + KMEM_PARTIAL);
  if (chunk == 0) {
    chunk = chunkAlloc(reserve);
    if (chunk == 0) return 0;
    const e = chunkEntry(chunk);
    set32(e + ENTRY_CACHE, id);
    set32(e + ENTRY_USED, 0);
    set32(e + ENTRY_FREE, 0);
    set32(e + ENTRY_NEVER_USED, 0);
    addPartial(c, chunk);
  }
  const e = chunkEntry(chunk);
  const size = load<u32>(c + KMEM_SIZE);
  let p = <usize>load<u32>(e + ENTRY_FREE);
  if (p != 0) {
    set32(e + ENTRY_FREE, load<u32>(p + load<u32>(c + KMEM_LINK)));
    checkPoison(p, size, load<u32>(c + KMEM_TYPED) != 0, load<u32>(c + KMEM_KEEP));
  } else {
    const offset = load<u32>(e + ENTRY_NEVER_USED);
    p = chunkAddress(chunk) + offset;
    set32(e + ENTRY_NEVER_USED, offset + size);
  }
  const used = load<u32>(e + ENTRY_USED) + 1;
  set32(e + ENTRY_USED, used);
  if (used == load<u32>(c + KMEM_PER_CHUNK)) removePartial(c, chunk);
  return p;
}

/** Returns an object to its cache. */
export function slabFree(p: usize): void {
  const id = load<u32>(chunkEntry(<u32>p >> CHUNK_SHIFT) + ENTRY_CACHE);
  const c = cacheAddress(id);
  poison(p, load<u32>(c + KMEM_SIZE), load<u32>(c + KMEM_TYPED) != 0, load<u32>(c + KMEM_KEEP));
  const sheaf = load<u32>(c + KMEM_SHEAF);
  if (sheaf != 0 && txDepth == 0) {
    freeToSheaf(id, slot + sheaf, p);
    return;
  }
  lock(c);
  giveObject(c, p);
  removePendingBlock(p);
  unlock(c);
}

/** Gives an object back to its chunk. Under the cache's lock. */
function giveObject(c: usize, p: usize): void {
  const chunk = <u32>p >> CHUNK_SHIFT;
  const e = chunkEntry(chunk);
  put32(p + load<u32>(c + KMEM_LINK), load<u32>(e + ENTRY_FREE));
  set32(e + ENTRY_FREE, <u32>p);
  const used = load<u32>(e + ENTRY_USED) - 1;
  set32(e + ENTRY_USED, used);
  if (used + 1 == load<u32>(c + KMEM_PER_CHUNK)) addPartial(c, chunk);
  // Keeps one empty chunk, so that a cache does not allocate and free the same chunk over and over.
  if (
    used == 0 &&
    load<u32>(c + KMEM_TYPED) == 0 &&
    (load<u32>(e + ENTRY_PREV) != 0 || load<u32>(e + ENTRY_NEXT) != 0)
  ) {
    removePartial(c, chunk);
    chunkFree(chunk);
  }
}

// ---------------------------------------------------------------------------------------------------- sheaves

/** alloc_from_pcs(): takes an object off the thread's sheaf of a cache, which is refilled if it is empty. 0: the arena is full. */
function allocFromSheaf(id: u32, sheaf: usize, reserve: bool): usize {
  const c = cacheAddress(id);
  lock(slot + SLOT_LISTS_LOCK);
  if (load<u32>(sheaf + SHEAF_SIZE) == 0) refillSheaf(id, sheaf, reserve);
  const n = load<u32>(sheaf + SHEAF_SIZE);
  let p: usize = 0;
  if (n != 0) {
    p = <usize>load<u32>(sheaf);
    set32(sheaf, load<u32>(p + load<u32>(c + KMEM_LINK)));
    set32(sheaf + SHEAF_SIZE, n - 1);
    checkPoison(p, load<u32>(c + KMEM_SIZE), true, load<u32>(c + KMEM_KEEP));
  }
  unlock(slot + SLOT_LISTS_LOCK);
  return p;
}

/** free_to_pcs(): puts an object on the thread's sheaf, which gives some to their chunks first if it is full. */
function freeToSheaf(id: u32, sheaf: usize, p: usize): void {
  lock(slot + SLOT_LISTS_LOCK);
  if (load<u32>(sheaf + SHEAF_SIZE) >= SHEAF_MAX) flushSheaf(id, sheaf);
  put32(p + load<u32>(cacheAddress(id) + KMEM_LINK), load<u32>(sheaf));
  set32(sheaf, <u32>p);
  set32(sheaf + SHEAF_SIZE, load<u32>(sheaf + SHEAF_SIZE) + 1);
  unlock(slot + SLOT_LISTS_LOCK);
}

/** refill_sheaf(): a batch of objects in the order in which the chunks have them. The sheaf is empty. */
function refillSheaf(id: u32, sheaf: usize, reserve: bool): void {
  const c = cacheAddress(id);
  const link = load<u32>(c + KMEM_LINK);
  let at = sheaf;
  let n: u32 = 0;
  lock(c);
  for (; n < SHEAF_BATCH; n++) {
    const p = takeObject(id, c, reserve);
    if (p == 0) break;
    // Memory that was never used looks from now on as freed memory does.
    poison(p, load<u32>(c + KMEM_SIZE), true, load<u32>(c + KMEM_KEEP));
    put32(at, <u32>p);
    at = p + link;
  }
  if (n != 0) put32(at, 0);
  set32(sheaf + SHEAF_SIZE, n);
  unlock(c);
}

/**
 * sheaf_flush(): gives a batch of objects to their chunks, those that were freed first, in an order in which their cache gives them
 * out as the sheaf would have. Under the lock of the sheaf.
 */
function flushSheaf(id: u32, sheaf: usize): void {
  const c = cacheAddress(id);
  const link = load<u32>(c + KMEM_LINK);
  const n = load<u32>(sheaf + SHEAF_SIZE);
  if (n > SHEAF_MAX) corrupt(sheaf);
  const batch = min<u32>(n, SHEAF_BATCH);
  let at = sheaf;
  for (let i = n - batch; i != 0; i--) at = <usize>load<u32>(at) + link;
  const first = <usize>load<u32>(at);
  lock(c);
  for (let i = batch; i != 0; i--) {
    let p = first;
    for (let k = i; k != 1; k--) p = <usize>load<u32>(p + link);
    giveObject(c, p);
  }
  put32(at, 0);
  set32(sheaf + SHEAF_SIZE, n - batch);
  unlock(c);
}

/**
 * pcs_flush_all(): gives the free objects on the sheaves of all slots to their chunks, for a thread that finds no memory or counts
 * objects. Not in a transaction. True: there were some.
 */
export function flushSheaves(): bool {
  let flushed = false;
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) {
    for (let id: u32 = 1; id < CACHE_SIZED; id++) {
      const offset = load<u32>(cacheAddress(id) + KMEM_SHEAF);
      // Each batch is a transaction. Its thread may put others there meanwhile; those are not waited for.
      for (let left = SHEAF_MAX / SHEAF_BATCH; offset != 0 && left != 0; left--) {
        lock(s + SLOT_LISTS_LOCK);
        const n = load<u32>(s + offset + SHEAF_SIZE);
        if (n != 0) flushSheaf(id, s + offset);
        unlock(s + SLOT_LISTS_LOCK);
        if (n == 0) break;
        flushed = true;
      }
    }
  }
  return flushed;
}

/** Whether a chunk belongs to this cache and holds no object. */
export function isEmptyChunkOf(id: u32, chunk: u32): bool {
  const e = chunkEntry(chunk);
  return load<u32>(e + ENTRY_CACHE) == id && load<u32>(e + ENTRY_USED) == 0;
}

/** Gives a typed cache's chunk back, if it is empty. The caller knows that no thread has a pointer into it. */
export function returnEmptyChunk(id: u32, chunk: u32): bool {
  const c = cacheAddress(id);
  lock(c);
  const empty = isEmptyChunkOf(id, chunk);
  if (empty) {
    removePartial(c, chunk);
    chunkFree(chunk);
  }
  unlock(c);
  return empty;
}

/** Frees the block that the word at `p` points to, if any, and clears the word, in one transaction. */
export function kfreeAt(p: usize): void {
  const block = load<u32>(p);
  if (block == 0) return;
  txBegin();
  put32(p, 0);
  slabFree(block);
  txEnd();
}

/** Links a block from kmalloc(): stores its address at `p`. */
export function linkBlock(p: usize, block: usize): void {
  txBegin();
  put32(p, <u32>block);
  removePendingBlock(block);
  txEnd();
}

function addPartial(c: usize, chunk: u32): void {
  const e = chunkEntry(chunk);
  const first = load<u32>(c + KMEM_PARTIAL);
  set32(e + ENTRY_PREV, 0);
  set32(e + ENTRY_NEXT, first);
  if (first != 0) set32(chunkEntry(first) + ENTRY_PREV, chunk);
  set32(c + KMEM_PARTIAL, chunk);
}

function removePartial(c: usize, chunk: u32): void {
  const e = chunkEntry(chunk);
  const prev = load<u32>(e + ENTRY_PREV);
  const next = load<u32>(e + ENTRY_NEXT);
  if (prev != 0) set32(chunkEntry(prev) + ENTRY_NEXT, next);
  else set32(c + KMEM_PARTIAL, next);
  if (next != 0) set32(chunkEntry(next) + ENTRY_PREV, prev);
}

/** Number of the sized cache for `size` bytes, 1 to KMALLOC_MAX. */
function sizeClass(size: u32): u32 {
  const last = size - 1;
  if (last < 64) return last >> 4;
  const octave = 31 - clz<u32>(last);
  return (octave << 2) + (last >> (octave - 2)) - 24;
}

/** Object size of a sized cache. */
function classSize(n: u32): u32 {
  return n < 4 ? (n + 1) << 4 : ((n & 3) + 5) << ((n >> 2) + 3);
}

/** Allocates `size` bytes, 1 to KMALLOC_MAX, aligned to 16 and not zeroed. 0: the arena is full. */
export function kmalloc(size: u32, reserve: bool): usize {
  return slabAlloc(CACHE_SIZED + sizeClass(size), reserve);
}

/** The number of bytes that kmalloc(size) allocates. */
export function kmallocSizeRoundup(size: u32): u32 {
  return classSize(sizeClass(size));
}
