/**
 * Slab caches: objects of one size in chunks of 64 KiB.
 *
 * A *typed* cache never gives a chunk back, so its memory always holds objects of that type (Linux:
 * SLAB_TYPESAFE_BY_RCU). A reader with a stale pointer reads an object of the same type, and detects that it is stale
 * by the object's sequence, which is never reset. The *sized* caches (16, 32, 48, 64 bytes, then four sizes for each
 * power of two up to 4 KiB) return empty chunks.
 *
 * Cache (64 bytes at G_CACHES + 64 * id; guarded by its lock, inside which only the page lock is taken):
 *   0 lock   4 object size   8 objects per chunk   12 first chunk of the partial list   16 typed   20 offset of the free link
 *   24 words of a freed object that are not poisoned, a bit each (poison.ts)
 *
 * The partial list holds the chunks that have free objects.
 */

import { CHUNK, CHUNK_SHIFT, G_CACHES } from "../layout";
import { lock, txBegin, txEnd, unlock } from "../lock/lock";
import { addPendingBlock, put32, removePendingBlock, set32 } from "../undo/log";
import { chunkAddress, chunkAlloc, chunkEntry, chunkFree } from "./pages";
import { checkPoison, poison } from "./poison";

/** Bytes of a cache's description. */
export const CACHE_SIZE: u32 = 64;
/** The first sized cache, and how many there are. The numbers below are those of typed caches. */
export const CACHE_SIZED: u32 = 7;
export const NR_SIZED_CACHES: u32 = 28;
export const KMALLOC_MAX: u32 = 4096;

export function cacheAddress(id: u32): usize {
  return G_CACHES + id * CACHE_SIZE;
}

/** `keep`: the words that are kept in freed memory, a bit each; the free link is added. */
export function cacheInit(id: u32, size: u32, typed: bool, link: u32, keep: u32): void {
  const c = cacheAddress(id);
  store<u32>(c + 4, size);
  store<u32>(c + 8, CHUNK / size);
  store<u32>(c + 16, typed ? 1 : 0);
  store<u32>(c + 20, link);
  store<u32>(c + 24, keep | (1 << (link >> 2)));
}

export function sizedCachesInit(): void {
  for (let i: u32 = 0; i < NR_SIZED_CACHES; i++) cacheInit(CACHE_SIZED + i, classSize(i), false, 0, 0);
}

/** An object of a cache, with the contents that its last user left, or zeroed if it is new. 0: the arena is full. */
export function slabAlloc(id: u32, reserve: bool): usize {
  const c = cacheAddress(id);
  lock(c);
  let chunk = load<u32>(c + 12);
  if (chunk == 0) {
    chunk = chunkAlloc(reserve);
    if (chunk == 0) {
      unlock(c);
      return 0;
    }
    const e = chunkEntry(chunk);
    set32(e, id);
    set32(e + 4, 0);
    set32(e + 8, 0);
    set32(e + 12, 0);
    addPartial(c, chunk);
  }
  const e = chunkEntry(chunk);
  const size = load<u32>(c + 4);
  let p = <usize>load<u32>(e + 8);
  if (p != 0) {
    set32(e + 8, load<u32>(p + load<u32>(c + 20)));
    checkPoison(p, size, load<u32>(c + 16) != 0, load<u32>(c + 24));
  } else {
    const offset = load<u32>(e + 12);
    p = chunkAddress(chunk) + offset;
    set32(e + 12, offset + size);
  }
  const used = load<u32>(e + 4) + 1;
  set32(e + 4, used);
  if (used == load<u32>(c + 8)) removePartial(c, chunk);
  // Typed objects are found by the recount of references. Sized blocks stay on the caller's pending list until they are
  // linked.
  if (id >= CACHE_SIZED) addPendingBlock(p);
  unlock(c);
  return p;
}

/** Returns an object to its cache. */
export function slabFree(p: usize): void {
  const chunk = <u32>p >> CHUNK_SHIFT;
  const e = chunkEntry(chunk);
  const c = cacheAddress(load<u32>(e));
  poison(p, load<u32>(c + 4), load<u32>(c + 16) != 0, load<u32>(c + 24));
  lock(c);
  put32(p + load<u32>(c + 20), load<u32>(e + 8));
  set32(e + 8, <u32>p);
  const used = load<u32>(e + 4) - 1;
  set32(e + 4, used);
  if (used + 1 == load<u32>(c + 8)) addPartial(c, chunk);
  // Keeps one empty chunk, so that a cache does not allocate and free the same chunk over and over.
  let empty = false;
  if (used == 0 && load<u32>(c + 16) == 0 && (load<u32>(e + 16) != 0 || load<u32>(e + 20) != 0)) {
    removePartial(c, chunk);
    empty = true;
  }
  if (empty) chunkFree(chunk);
  removePendingBlock(p);
  unlock(c);
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
  const first = load<u32>(c + 12);
  set32(e + 16, 0);
  set32(e + 20, first);
  if (first != 0) set32(chunkEntry(first) + 16, chunk);
  set32(c + 12, chunk);
}

function removePartial(c: usize, chunk: u32): void {
  const e = chunkEntry(chunk);
  const prev = load<u32>(e + 16);
  const next = load<u32>(e + 20);
  if (prev != 0) set32(chunkEntry(prev) + 20, next);
  else set32(c + 12, next);
  if (next != 0) set32(chunkEntry(next) + 16, prev);
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
