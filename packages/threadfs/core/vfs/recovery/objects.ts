/** The objects of a slab cache, one by one, and the references that the recount has found of each (recount.ts). */
import { chunkAddress, chunkEntry, ENTRY_CACHE, ENTRY_FREE, ENTRY_NEVER_USED, ENTRY_USED } from "../../mem/alloc/pages";
import { cacheAddress, KMEM_LINK, KMEM_SIZE } from "../../mem/alloc/slab";
import { corrupt, objectsMax } from "../../mem/bounds";
import {
  CHUNK_SHIFT,
  G_PAGE_BUMP,
  G_SLOTS_USED,
  H_FIRST_CHUNK,
  MAX_THREADS,
  SLOT_RCU_HEAD,
  SLOT_SIZE,
  SLOTS,
} from "../../mem/layout";
import { Dentry } from "../dcache/dentry";
import { File } from "../file/file";
import { Inode } from "../inode/inode";
import { CACHE_CONTEXT, CACHE_DENTRY, CACHE_FILE, CACHE_INODE, CACHE_MOUNT } from "../layout";
import { Mount } from "../mount/namespace";
import { SuperBlock } from "../mount/super";
import { Context } from "../task/cred";

/**
 * Value of an object's `recount` field if it is free or retired. Otherwise the field holds the number of references
 * found.
 */
export const FREE: u32 = 0x80000000;

let iterCache: u32 = 0;
let iterChunk: u32 = 0;
let iterObject: usize = 0;

/** Starts an iteration over the objects of a cache. */
export function firstObjectOf(id: u32): void {
  iterCache = id;
  iterChunk = load<u32>(H_FIRST_CHUNK) - 1;
  iterObject = 0;
}

/** The next object, allocated or free; 0: no more. */
export function nextObject(): usize {
  const size = load<u32>(cacheAddress(iterCache) + KMEM_SIZE);
  if (iterObject != 0) iterObject += size;
  while (
    iterObject == 0 ||
    iterObject >= chunkAddress(iterChunk) + load<u32>(chunkEntry(iterChunk) + ENTRY_NEVER_USED)
  ) {
    if (++iterChunk >= load<u32>(G_PAGE_BUMP)) return 0;
    iterObject = load<u32>(chunkEntry(iterChunk) + ENTRY_CACHE) == iterCache ? chunkAddress(iterChunk) : 0;
  }
  return iterObject;
}

/** Number of allocated objects of a cache, retired ones included. The sheaves have been flushed. */
export function objectsInUse(id: u32): u32 {
  let n: u32 = 0;
  for (let c = load<u32>(H_FIRST_CHUNK); c < load<u32>(G_PAGE_BUMP); c++) {
    if (load<u32>(chunkEntry(c) + ENTRY_CACHE) == id) n += load<u32>(chunkEntry(c) + ENTRY_USED);
  }
  return n;
}

export function recountOf(id: u32, p: usize): usize {
  if (id == CACHE_DENTRY) return p + offsetof<Dentry>("recount");
  if (id == CACHE_INODE) return p + offsetof<Inode>("recount");
  if (id == CACHE_MOUNT) return p + offsetof<Mount>("recount");
  if (id == CACHE_FILE) return p + offsetof<File>("recount");
  if (id == CACHE_CONTEXT) return p + offsetof<Context>("recount");
  return p + offsetof<SuperBlock>("recount");
}

/** Clears all counts and marks the objects that are free or retired. The sheaves have been flushed. */
export function markFreeObjects(): void {
  for (let id = CACHE_DENTRY; id <= CACHE_CONTEXT; id++) {
    firstObjectOf(id);
    for (let p = nextObject(); p != 0; p = nextObject()) store<u32>(recountOf(id, p), 0);
    const next = load<u32>(cacheAddress(id) + KMEM_LINK);
    for (let c = load<u32>(H_FIRST_CHUNK); c < load<u32>(G_PAGE_BUMP); c++) {
      if (load<u32>(chunkEntry(c) + ENTRY_CACHE) != id) continue;
      let n = objectsMax();
      for (let p = load<u32>(chunkEntry(c) + ENTRY_FREE); p != 0; p = load<u32>(p + next)) {
        if (n-- == 0) corrupt(p);
        store<u32>(recountOf(id, p), FREE);
      }
    }
  }
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let s = SLOTS; s < SLOTS + used * SLOT_SIZE; s += SLOT_SIZE) markRetired(s);
}

/** Marks the objects that threads of this slot have retired. */
function markRetired(s: usize): void {
  let n = objectsMax();
  for (let p = load<u32>(s + SLOT_RCU_HEAD); p != 0; ) {
    if (n-- == 0) corrupt(p);
    const id = load<u32>(chunkEntry(p >> CHUNK_SHIFT) + ENTRY_CACHE);
    store<u32>(recountOf(id, p), FREE);
    p = load<u32>(p + load<u32>(cacheAddress(id) + KMEM_LINK));
  }
}

/** Number of objects of a cache with references. */
export function objectsReferenced(id: u32): u32 {
  let n: u32 = 0;
  firstObjectOf(id);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const recount = load<u32>(recountOf(id, p));
    if (recount != 0 && recount != FREE) n++;
  }
  return n;
}
