/** Header, chunks, slab caches: the set of objects. All other checks follow a pointer only to an object of this set. */
import * as L from "../arena/layout.js";
import { type ArenaView, hex } from "./arena-view.js";

/** @returns false: nothing else can be read */
export function checkHeader(v: ArenaView) {
  const chunks = v.u32(L.H_MAX_CHUNKS);
  v.equal(v.u32(L.H_MAGIC), L.MAGIC, "header", () => "the magic");
  v.equal(v.u32(L.H_VERSION), L.VERSION, "header", () => "the version");
  if (chunks < 32 || chunks > 65536) {
    v.problem("header", `${chunks} chunks at most`);
    return false;
  }
  const buckets = (L.FIXED_END + chunks * L.CHUNK_ENTRY + 63) & ~63;
  const maxBuckets = Math.max(L.MIN_BUCKETS, chunks * 512);
  const first = Math.ceil((buckets + maxBuckets * 4) / L.CHUNK);
  const part = 2 ** Math.floor(Math.log2(chunks / L.PREFIX_CACHE_PART));
  const prefixChunks = Math.min(Math.max(part, L.PREFIX_CACHE_CHUNKS), L.PREFIX_CACHE_MAX_CHUNKS);
  const prefixSets = (prefixChunks * L.CHUNK) / 2 / (L.PREFIX_CACHE_SET + L.PREFIX_CACHE_TAGS);
  const should = [
    [L.H_CHUNK_TABLE, L.FIXED_END, "address of the chunk table"],
    [L.H_BUCKETS, buckets, "address of the buckets"],
    [L.H_MAX_BUCKETS, maxBuckets, "most buckets"],
    [L.H_FIRST_CHUNK, first, "first chunk"],
    [L.G_PREFIX_CHUNKS, prefixChunks, "chunks of a prefix cache"],
    [L.G_PREFIX_SETS, Math.floor(prefixSets), "sets of a prefix cache"],
  ] as const;
  for (const [at, value, what] of should) v.equal(v.u32(at), value, "header", () => what);
  for (let p = 0; p < L.H_MAGIC; p += 4) {
    if (v.u32(p) !== 0) v.problem("null", `the word at ${hex(p)}, where a null pointer leads, is ${hex(v.u32(p))}`);
  }
  return should.every(([at, value]) => v.u32(at) === value);
}

/** The owner of each chunk. @returns the chunks of each cache */
export function checkChunks(v: ArenaView) {
  const max = v.u32(L.H_MAX_CHUNKS);
  const first = v.u32(L.H_FIRST_CHUNK);
  const bump = v.u32(L.G_PAGE_BUMP);
  const chunksOf: number[][] = L.CACHES.map(() => []);
  if (bump < first || bump > max || bump * L.CHUNK > v.bytes.length) {
    v.problem("chunk-bump", `the next chunk never used is ${bump}; the first is ${first}, there may be ${max}`);
    return chunksOf;
  }
  const taken: Taken = new Map();
  claimFree(v, taken, first, bump);
  const free = taken.size;
  claimScratch(v, taken, first, bump);
  for (let k = 0; k < Math.min(v.u32(L.G_CHANGES_CHUNKS), L.CHANGES_CHUNKS_MAX); k++) {
    claim(v, taken, first, bump, v.u32(L.CHANGES_RING + k * 4), 1, "log of changes");
  }
  for (let chunk = 0; chunk < max; chunk++) {
    const e = v.entry(chunk);
    const cache = v.u32(e + L.ENTRY_CACHE);
    if (chunk < first || chunk >= bump) {
      for (let w = 0; w < L.CHUNK_ENTRY; w += 4) {
        if (v.u32(e + w) !== 0) v.problem("chunk-table", `chunk ${chunk}, which has no owner, has an entry`);
      }
    } else if (taken.has(chunk)) {
      v.equal(cache, 0, "chunk-owner", () => `the cache of chunk ${chunk}, which is ${taken.get(chunk)},`);
    } else if (cache === 0) {
      v.problem("chunk-lost", `chunk ${chunk} belongs to no cache, no thread, and is not free`);
    } else {
      const chunks = chunksOf[cache];
      if (chunks === undefined) v.problem("chunk-owner", `chunk ${chunk} belongs to cache ${cache}`);
      else chunks.push(chunk);
    }
  }
  v.equal(v.u32(L.G_PAGE_USED), bump - free, "chunk-used", () => "the number of chunks in use");
  v.counts.chunks = bump - free;
  v.counts.chunksFree = free;
  return chunksOf;
}

/** Chunks that have an owner -> the owner. */
type Taken = Map<number, string>;

function claimFree(v: ArenaView, taken: Taken, first: number, bump: number) {
  for (let chunk = v.u32(L.G_PAGE_FREE); chunk !== 0; chunk = v.u32(v.entry(chunk) + L.ENTRY_NEXT)) {
    if (chunk < first || chunk >= bump || taken.has(chunk)) {
      v.problem(
        "chunk-free",
        `chunk ${chunk} in the list of free ones is ${taken.get(chunk) ?? "none that was given out"}`,
      );
      return;
    }
    taken.set(chunk, "free");
  }
}

/** The chunks that stay with each slot: its scratch area, and its prefix cache if it has one. */
function claimScratch(v: ArenaView, taken: Taken, first: number, bump: number) {
  let prefixCaches = 0;
  for (let n = 0; n < L.MAX_THREADS; n++) {
    const slot = L.SLOTS + n * L.SLOT_SIZE;
    claim(v, taken, first, bump, v.u32(slot + L.SLOT_SCRATCH), L.SCRATCH.SIZE / L.CHUNK, `scratch of slot ${n}`);
    const prefixCache = v.u32(slot + L.SLOT_PREFIX_CACHE);
    if (prefixCache !== 0) prefixCaches++;
    claim(v, taken, first, bump, prefixCache, v.u32(L.G_PREFIX_CHUNKS), `prefix cache of slot ${n}`);
  }
  v.equal(v.u32(L.G_PREFIX_CACHES), prefixCaches, "scratch", () => "the number of prefix caches");
}

function claim(v: ArenaView, taken: Taken, first: number, bump: number, at: number, chunks: number, what: string) {
  if (at === 0) return;
  const from = at / L.CHUNK;
  for (let k = 0; k < chunks; k++) {
    if (!Number.isInteger(from) || from < first || from + k >= bump || taken.has(from + k)) {
      v.problem("scratch", `the ${what} at ${hex(at)} is ${taken.get(from + k) ?? "no chunk"}`);
      break;
    }
    taken.set(from + k, what);
  }
}

/** Objects of so many bytes in one chunk. */
const perChunk = (size: number) => Math.floor(L.CHUNK / size);

/** Objects of every cache: in use, free, never used. */
export function checkCaches(v: ArenaView, chunksOf: number[][]) {
  for (let id = 0; id < L.CACHE_SLOTS; id++) {
    const c = L.G_CACHES + id * L.KMEM_CACHE_SIZE;
    const { name, size, typed, link } = L.cache(id);
    const equal = (field: string, offset: number, value: number) =>
      v.equal(v.u32(c + offset), value, "cache", () => `${field} of cache ${name}`);
    equal("object size", L.KMEM_SIZE, size);
    equal("objects per chunk", L.KMEM_PER_CHUNK, id === 0 ? 0 : perChunk(size));
    if (id === 0) equal("partial list", L.KMEM_PARTIAL, 0);
    equal("typed", L.KMEM_TYPED, typed ? 1 : 0);
    equal("link", L.KMEM_LINK, link);
    const sheaf = L.SHEAF_CACHES.indexOf(id);
    equal("sheaf", L.KMEM_SHEAF, sheaf < 0 ? 0 : L.SLOT_SHEAVES + sheaf * L.SHEAF_BYTES);
    if (id !== 0) checkCache(v, id, chunksOf[id] ?? []);
  }
}

function checkCache(v: ArenaView, id: number, chunks: number[]) {
  const { name, size, typed } = L.cache(id);
  const roomy = roomList(v, id, new Set(chunks));
  let empty = 0;
  for (const chunk of chunks) {
    const used = checkSlab(v, id, chunk);
    if (used === 0) empty++;
    const hasRoom = used < perChunk(size);
    v.equal(
      roomy.has(chunk),
      hasRoom,
      "slab-room",
      () => `that chunk ${chunk} is in ${name}'s list of those with room`,
    );
  }
  checkSheaves(v, id);
  // A cache of sized objects keeps at most one empty chunk.
  if (!typed && empty > 1) v.problem("slab-empty", `${empty} chunks of ${name} are empty`);
  v.counts[name] = v.allocated(id).size;
}

/** The free objects of a cache that slots keep: their chunks count them as used. */
function checkSheaves(v: ArenaView, id: number) {
  const { name, link } = L.cache(id);
  const number = L.SHEAF_CACHES.indexOf(id);
  for (let n = 0; number >= 0 && n < L.MAX_THREADS; n++) {
    const sheaf = L.SLOTS + n * L.SLOT_SIZE + L.SLOT_SHEAVES + number * L.SHEAF_BYTES;
    const size = v.u32(sheaf + L.SHEAF_SIZE);
    let found = 0;
    let p = v.u32(sheaf);
    // What is on another sheaf, or here twice, is not among the objects in use any more.
    for (; p !== 0 && v.allocated(id).delete(p); p = v.u32(p + link)) found++;
    if (p !== 0) v.problem("sheaf", `${hex(p)} on the sheaf of ${name} of slot ${n} is no object in use`);
    v.equal(size, found, "sheaf", () => `the number of objects on the sheaf of ${name} of slot ${n}`);
    v.expect(size <= L.SHEAF_MAX, "sheaf", () => `slot ${n} keeps ${size} objects of ${name}`);
  }
}

function roomList(v: ArenaView, id: number, chunks: Set<number>): Set<number> {
  const { name } = L.cache(id);
  const seen = new Set<number>();
  let prev = 0;
  let chunk = v.u32(L.G_CACHES + id * L.KMEM_CACHE_SIZE + L.KMEM_PARTIAL);
  for (; chunk !== 0; chunk = v.u32(v.entry(chunk) + L.ENTRY_NEXT)) {
    if (!chunks.has(chunk) || seen.has(chunk)) {
      v.problem(
        "slab-list",
        `chunk ${chunk} in ${name}'s list of those with room is ${seen.has(chunk) ? "there twice" : "not its own"}`,
      );
      break;
    }
    v.equal(v.u32(v.entry(chunk) + L.ENTRY_PREV), prev, "slab-list", () => `what is before chunk ${chunk} of ${name}`);
    seen.add(chunk);
    prev = chunk;
  }
  return seen;
}

/** One chunk of objects. @returns how many are in use */
function checkSlab(v: ArenaView, id: number, chunk: number) {
  const { name, size, link, typed } = L.cache(id);
  const e = v.entry(chunk);
  const base = chunk * L.CHUNK;
  const never = v.u32(e + L.ENTRY_NEVER_USED);
  const used = v.u32(e + L.ENTRY_USED);
  if (never > L.CHUNK || never % size !== 0) {
    v.problem("slab-never", `chunk ${chunk} of ${name}: ${never} bytes were used so far`);
    return used;
  }
  const free = new Set<number>();
  for (let p = v.u32(e + L.ENTRY_FREE); p !== 0; p = v.u32(p + link)) {
    if (p < base || p >= base + never || (p - base) % size !== 0 || free.has(p)) {
      const why = free.has(p) ? "twice" : "where no object can be free";
      v.problem("slab-free", `${hex(p)} in the free list of chunk ${chunk} of ${name}: ${why}`);
      break;
    }
    free.add(p);
  }
  v.equal(
    used + free.size,
    never / size,
    "slab-count",
    () => `used and free objects of chunk ${chunk} of ${name}: ${used} + ${free.size},`,
  );
  for (let p = base; p < base + never; p += size) {
    if (!free.has(p)) v.allocated(id).add(p);
    if (typed) v.everUsed(id).push(p);
  }
  return used;
}

/** Sized objects in use that nothing refers to. */
export function checkOwners(v: ArenaView) {
  for (let id = L.CACHE_SIZED; id < L.CACHES.length; id++) {
    for (const p of v.allocated(id)) {
      if (!v.owners.has(p)) v.problem("leak", `${hex(p)}, ${L.cache(id).size} bytes in use, belongs to nothing`);
    }
  }
}
