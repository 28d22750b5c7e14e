/**
 * Allocates chunks of 64 KiB: from the free list, or from the end of the arena, which grows up to its maximum.
 *
 * An entry of the chunk table is guarded by the lock of the cache that owns the chunk, while the chunk is free by the page lock.
 */

import {
  CHUNK,
  CHUNK_ENTRY,
  CHUNK_SHIFT,
  G_PAGE_BUMP,
  G_PAGE_FREE,
  G_PAGE_LOCK,
  G_PAGE_USED,
  H_CHUNK_TABLE,
  H_MAX_CHUNKS,
} from "../layout";
import { lock, unlock } from "../lock/lock";
import { put32, set32 } from "../undo/log";

/**
 * Chunks reserved for operations that must work in a full arena, such as taking a descriptor: without them unlink could
 * not make room.
 */
const RESERVE: u32 = 3;
/**
 * The memory grows to a multiple of this many chunks, 2 MiB: a system with transparent huge pages uses them for memory
 * that exists as a whole when it is first touched.
 */
const GROW_CHUNKS: u32 = 32;

export function chunkEntry(chunk: u32): usize {
  return <usize>(load<u32>(H_CHUNK_TABLE) + chunk * CHUNK_ENTRY);
}

export function chunkAddress(chunk: u32): usize {
  return <usize>(chunk << CHUNK_SHIFT);
}

/** Entry of the chunk table: the cache, how many objects are in use, the first free object, the offset of the next object never used. */
export const ENTRY_CACHE: u32 = 0;
export const ENTRY_USED: u32 = 4;
export const ENTRY_FREE: u32 = 8;
export const ENTRY_NEVER_USED: u32 = 12;
/** The neighbours on the cache's partial list; of a free chunk the next free chunk. */
export const ENTRY_PREV: u32 = 16;
export const ENTRY_NEXT: u32 = 20;

/** Takes a chunk, zeroed; 0: the arena is full. `reserve`: may use the reserved chunks. */
export function chunkAlloc(reserve: bool): u32 {
  lock(G_PAGE_LOCK);
  const used = load<u32>(G_PAGE_USED);
  const max = load<u32>(H_MAX_CHUNKS);
  let chunk: u32 = 0;
  let recycled = false;
  if (reserve || used + RESERVE < max) {
    chunk = load<u32>(G_PAGE_FREE);
    if (chunk != 0) {
      set32(G_PAGE_FREE, load<u32>(chunkEntry(chunk) + ENTRY_NEXT));
      recycled = true;
    } else {
      chunk = bump(1);
    }
    if (chunk != 0) put32(G_PAGE_USED, used + 1);
  }
  unlock(G_PAGE_LOCK);
  if (recycled) memory.fill(chunkAddress(chunk), 0, CHUNK);
  return chunk;
}

/** Whether all chunks but the reserved ones are in use. */
export function chunksExhausted(): bool {
  return load<u32>(G_PAGE_USED) + RESERVE >= load<u32>(H_MAX_CHUNKS);
}

/**
 * Takes `n` adjacent chunks that are never freed; 0: there are none outside of the reserve. Searches the free list in
 * quadratic time, which is fine because threads attach rarely.
 */
export function chunkAllocRun(n: u32): u32 {
  lock(G_PAGE_LOCK);
  const used = load<u32>(G_PAGE_USED);
  let chunk: u32 = 0;
  if (used + n + RESERVE <= load<u32>(H_MAX_CHUNKS)) {
    chunk = bump(n);
    if (chunk == 0) chunk = takeFreeRun(n);
    if (chunk != 0) put32(G_PAGE_USED, used + n);
  }
  unlock(G_PAGE_LOCK);
  return chunk;
}

/** Takes `n` adjacent chunks off the free list, zeroed. */
function takeFreeRun(n: u32): u32 {
  for (let first = load<u32>(G_PAGE_FREE); first != 0; first = load<u32>(chunkEntry(first) + ENTRY_NEXT)) {
    let free: u32 = 1;
    while (free < n && isOnFreeList(first + free)) free++;
    if (free < n) continue;
    for (let i: u32 = 0; i < n; i++) removeFromFreeList(first + i);
    memory.fill(chunkAddress(first), 0, n << CHUNK_SHIFT);
    return first;
  }
  return 0;
}

function isOnFreeList(chunk: u32): bool {
  for (let c = load<u32>(G_PAGE_FREE); c != 0; c = load<u32>(chunkEntry(c) + ENTRY_NEXT)) {
    if (c == chunk) return true;
  }
  return false;
}

function removeFromFreeList(chunk: u32): void {
  let at = G_PAGE_FREE;
  while (load<u32>(at) != chunk) at = chunkEntry(load<u32>(at)) + ENTRY_NEXT;
  set32(at, load<u32>(chunkEntry(chunk) + ENTRY_NEXT));
}

function bump(n: u32): u32 {
  const chunk = load<u32>(G_PAGE_BUMP);
  const max = load<u32>(H_MAX_CHUNKS);
  if (chunk + n > max) return 0;
  if (!growMemory(chunk + n, max)) return 0;
  set32(G_PAGE_BUMP, chunk + n);
  return chunk;
}

/** Makes the memory at least `chunks` long. Grows in steps; if a step is refused, by just what is needed. */
export function growMemory(chunks: u32, limit: u32): bool {
  const have = <u32>memory.size();
  if (have >= chunks) return true;
  const whole = min<u32>(limit, (chunks + GROW_CHUNKS - 1) & ~(GROW_CHUNKS - 1));
  if (memory.grow(<i32>(whole - have)) >= 0) return true;
  return memory.grow(<i32>(chunks - have)) >= 0;
}

export function chunkFree(chunk: u32): void {
  lock(G_PAGE_LOCK);
  const e = chunkEntry(chunk);
  set32(e + ENTRY_CACHE, 0);
  set32(e + ENTRY_NEXT, load<u32>(G_PAGE_FREE));
  set32(G_PAGE_FREE, chunk);
  put32(G_PAGE_USED, load<u32>(G_PAGE_USED) - 1);
  unlock(G_PAGE_LOCK);
}
