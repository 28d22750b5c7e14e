/**
 * Chunks of 64 KiB: taken from the end of the arena, which grows up to its maximum, or from those given back.
 *
 * Chunk table entry (32 bytes, guarded by the lock of the cache that owns the chunk, by the page lock while free):
 *   0 cache   4 objects in use   8 first free object   12 offset of the next object never used
 *   16 previous and 20 next chunk with room in the same cache (20: next free chunk while free)
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

/** Chunks kept for what must work in a full arena: descriptors and the like, so that unlink can make room. */
const RESERVE: u32 = 3;
/**
 * The memory grows to a multiple of this many chunks, 2 MiB: where the system makes huge pages by itself, it does so for memory that
 * is there as a whole when it is first touched.
 */
const GROW_CHUNKS: u32 = 32;

export function chunkEntry(chunk: u32): usize {
  return <usize>(load<u32>(H_CHUNK_TABLE) + chunk * CHUNK_ENTRY);
}

export function chunkAddress(chunk: u32): usize {
  return <usize>(chunk << CHUNK_SHIFT);
}

/** Takes a chunk, kzalloc; 0: the arena is full. `reserve`: may use the last few. */
export function chunkAlloc(reserve: bool): u32 {
  lock(G_PAGE_LOCK);
  const used = load<u32>(G_PAGE_USED);
  const max = load<u32>(H_MAX_CHUNKS);
  let chunk: u32 = 0;
  let recycled = false;
  if (reserve || used + RESERVE < max) {
    chunk = load<u32>(G_PAGE_FREE);
    if (chunk != 0) {
      set32(G_PAGE_FREE, load<u32>(chunkEntry(chunk) + 20));
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

/**
 * Takes two chunks side by side, for good; 0: there are none, but for the reserve. From the end of the arena, or among those given
 * back: that list is looked through for every chunk of it, but threads attach rarely.
 */
export function chunkAllocPair(): u32 {
  lock(G_PAGE_LOCK);
  const used = load<u32>(G_PAGE_USED);
  let chunk: u32 = 0;
  if (used + 2 + RESERVE <= load<u32>(H_MAX_CHUNKS)) {
    chunk = bump(2);
    if (chunk == 0) chunk = takeAdjacentFree();
    if (chunk != 0) put32(G_PAGE_USED, used + 2);
  }
  unlock(G_PAGE_LOCK);
  return chunk;
}

/** Two chunks side by side off the list of those given back, kzalloc. */
function takeAdjacentFree(): u32 {
  for (let a = load<u32>(G_PAGE_FREE); a != 0; a = load<u32>(chunkEntry(a) + 20)) {
    for (let b = load<u32>(G_PAGE_FREE); b != 0; b = load<u32>(chunkEntry(b) + 20)) {
      if (b != a + 1) continue;
      removeFromFreeList(a);
      removeFromFreeList(b);
      memory.fill(chunkAddress(a), 0, CHUNK << 1);
      return a;
    }
  }
  return 0;
}

function removeFromFreeList(chunk: u32): void {
  let at = G_PAGE_FREE;
  while (load<u32>(at) != chunk) at = chunkEntry(load<u32>(at)) + 20;
  set32(at, load<u32>(chunkEntry(chunk) + 20));
}

function bump(n: u32): u32 {
  const chunk = load<u32>(G_PAGE_BUMP);
  const max = load<u32>(H_MAX_CHUNKS);
  if (chunk + n > max) return 0;
  if (!growMemory(chunk + n, max)) return 0;
  set32(G_PAGE_BUMP, chunk + n);
  return chunk;
}

/** Makes the memory at least `chunks` long; grows in steps, and by the bare need where a step is refused. */
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
  set32(e, 0);
  set32(e + 20, load<u32>(G_PAGE_FREE));
  set32(G_PAGE_FREE, chunk);
  put32(G_PAGE_USED, load<u32>(G_PAGE_USED) - 1);
  unlock(G_PAGE_LOCK);
}
