/**
 * Counters close to their end: sets every number of an arena that counts up and may come round so that the next changes take it
 * there. The shipping core then works in that state, which otherwise only years of use bring about.
 *
 * docs/memory.md lists the counters, with what happens at the end of each. Those that say how much there is of something
 * (references, links, lengths, gauges) are not set: each unit stands for an object, and memory is full before they are. Sequences
 * are set in free memory too, and in memory that was never used, because an object begins with the sequence that it finds there.
 */
import * as L from "../arena/layout.js";
import { UsageError } from "../support/usage-error.js";
import type { ArenaMemory, ArenaView } from "./arena-view.js";
import { inspect } from "./check-arena.js";

/** The option of the checks that can run so: `--counters near-end`. */
export const COUNTERS = { counters: { type: "string" } } as const;
const NEAR_END = "near-end";

/** Whether the option asks for counters close to their end. @throws UsageError for another value */
export function isNearEnd(counters: string | undefined): boolean {
  if (counters === undefined || counters === NEAR_END) return counters === NEAR_END;
  throw new UsageError("ERR_VERIFY_OPTION", `--counters takes ${NEAR_END}, not ${counters}`);
}

/** Words of 32 bits come round at this number, epochs and sequences in steps of two. */
const WORD = 2 ** 32;
const STEP = 2;
/** Numbers of contexts, drivers, threads and file systems are shown as doubles: 53 bits. */
const EXACT = 1n << 53n;
/** How many numbers of 53 bits are left: more than any run takes. */
const LEFT = 1n << 20n;

/** Cookies about to leave what a word holds, and what a double holds. */
const COOKIES = [2n ** 32n - 1n, 2n ** 53n - 1n];

/** Sets the counters of an arena in which no call is under way. @throws Error if a number is beyond what it would be set to */
export function setCountersNearEnd(memory: ArenaMemory): void {
  const v = inspect(memory);
  const { words } = v;
  const set = (at: number, value: number) => {
    words[at >>> 2] = value;
  };
  const raise = (at: number, value: bigint) => {
    if (v.u64(at) > value) throw new Error(`the counter at ${at} is beyond ${value} already`);
    v.data.setBigUint64(at, value, true);
  };
  for (const address of Object.values(L.SEQUENCES)) set(address, WORD - STEP);
  set(L.G_SEQ_WRAPS, WORD - 1);
  setEpoch(v, set);
  set(L.G_INODE_GENERATION, WORD - 1);
  raise(L.G_NEXT_DEV, 2n ** 32n - 1n);
  raise(L.G_NEXT_MNT_ID, 2n ** 32n - 1n);
  raise(L.G_CTX_MADE, EXACT / BigInt(L.MAX_CONTEXTS) - LEFT);
  for (let slot = L.SLOTS; slot < L.SLOTS + L.MAX_THREADS * L.SLOT_SIZE; slot += L.SLOT_SIZE)
    if (v.u32(slot + L.SLOT_STATE) === 0) raise(slot + L.SLOT_GENERATION, EXACT / BigInt(L.MAX_THREADS) - LEFT);
  for (let driver = L.DRIVERS; driver < L.DRIVERS + L.MAX_DRIVERS * L.DRIVER_SIZE; driver += L.DRIVER_SIZE)
    if (v.u32(driver + L.DRIVER_STATE) === 0)
      raise(driver + L.DRIVER_GENERATION, EXACT / BigInt(L.DRIVER_SLOTS) - LEFT);
  for (const { cache, seqs } of L.WORDS_AT_REST) {
    const { size } = L.cache(cache);
    for (const object of places(v, cache)) {
      // Every other object is one change further from the end, so that two that change together do not come round together.
      const last = WORD - STEP - STEP * ((object / size) % 2);
      for (const offset of Object.values(seqs)) set(object + offset, last);
    }
  }
  for (let n = 0; n < L.NR_PIPE_WORDS; n++) set(L.PIPE_WORDS + 4 * n, WORD - STEP);
  const live = new Set(v.live(L.CACHE_INODE));
  for (const inode of live) setPipe(v, inode, set);
  // An inode in use keeps its number; the generation of any other may be anything.
  for (const inode of places(v, L.CACHE_INODE))
    if (!v.allocated(L.CACHE_INODE).has(inode)) set(inode + L.INODE.generation, WORD - 1);
  let directories = 0;
  for (const inode of live) {
    const mode = v.u32(inode + L.INODE.mode);
    if ((mode & L.S_IFMT) === L.S_IFDIR && (mode & L.I_DRIVER) === 0)
      raise(inode + L.INODE.ino64, COOKIES[directories++ % COOKIES.length] as bigint);
    if ((mode & L.S_IFMT) === L.S_IFREG && (mode & L.I_DRIVER) === 0) set(inode + L.CONTENTS_SEQ, WORD - STEP);
  }
}

/** The pages of a pipe come round soon; each stays in its slot. */
function setPipe(v: ArenaView, inode: number, set: (at: number, value: number) => void): void {
  const pipe = v.u32(inode + L.INODE.data);
  if ((v.u32(inode + L.INODE.mode) & L.S_IFMT) !== L.S_IFIFO || pipe === 0) return;
  const { head, tail, ringSize } = L.CLASSES.Pipe;
  for (const at of [pipe + head, pipe + tail]) set(at, v.u32(at) + WORD - v.u32(pipe + ringSize));
}

/** The epoch comes round at its next advance. What waits for its grace period was retired just before. */
function setEpoch(v: ArenaView, set: (at: number, value: number) => void): void {
  const epoch = WORD - STEP;
  set(L.G_EPOCH, epoch);
  for (const p of v.retired) set(p + L.cache(v.cacheOf(p)).link + 4, epoch - STEP);
}

/** All places of a typed cache's objects in its chunks: in use, free, and never used. */
function* places(v: ArenaView, cache: number): Generator<number> {
  const { size } = L.cache(cache);
  const end = v.u32(L.G_PAGE_BUMP);
  for (let chunk = v.u32(L.H_FIRST_CHUNK); chunk < end; chunk++) {
    const from = chunk * L.CHUNK;
    if (v.cacheOf(from) !== cache) continue;
    for (let object = from; object + size <= from + L.CHUNK; object += size) yield object;
  }
}
