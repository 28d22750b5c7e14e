/** No call is under way: locks are free, sequences even, no thread is in a read-side section. The slots of threads; retired objects. */
import * as L from "../arena/layout.js";
import { type ArenaView, hex, type Text } from "./arena-view.js";
import { descriptorBlock } from "./contexts.js";

const { DENTRY, INODE, MOUNT, SUPER, FILE, CONTEXT } = L;

/** @param rest bits that the word may have although no thread has the lock */
function lock(v: ArenaView, at: number, what: Text, rest = 0) {
  if ((v.u32(at) & ~rest) !== 0) v.problem("lock", `${what()} is held: ${hex(v.u32(at))}`);
}

/** The blocks of descriptors of a context that have a lock of their own. */
function blocksWithLock(v: ArenaView, c: number): number[] {
  const all = Array.from({ length: L.FD_BLOCKS }, (_, b) => descriptorBlock(v, c, b));
  return all.slice(L.FD_ORDERED_BLOCKS).filter((block) => block !== 0);
}

export function checkLocks(v: ArenaView) {
  const even = (at: number, what: Text) => {
    if (v.u32(at) % 2 !== 0) v.problem("sequence", `${what()} is odd: ${v.u32(at)}`);
  };
  for (const [name, at] of Object.entries(L.LOCKS)) lock(v, at, () => name);
  for (const [name, at] of Object.entries(L.SEQUENCES)) even(at, () => name);
  for (let b = 0; b < L.MIN_BUCKETS; b++) lock(v, L.BUCKET_LOCKS + b * 64, () => `bucket lock ${b}`);
  for (let id = 0; id < L.CACHE_SLOTS; id++) {
    lock(v, L.G_CACHES + id * L.KMEM_CACHE_SIZE + L.KMEM_LOCK, () => `the lock of cache ${id}`);
  }
  for (const { cache, locks, seqs } of L.WORDS_AT_REST) {
    const { name } = L.cache(cache);
    const [lockFields, seqFields] = [Object.entries(locks), Object.entries(seqs)];
    for (const p of v.everUsed(cache)) {
      for (const [field, at] of lockFields) {
        // That threads have had it shared, which only its next owner clears.
        const rest = cache === L.CACHE_INODE && field === "mutex" ? L.SHARED : 0;
        lock(v, p + at, () => `${field} of ${name} ${hex(p)}`, rest);
      }
      for (const [field, at] of seqFields) even(p + at, () => `${field} of ${name} ${hex(p)}`);
    }
  }
  // Blocks of descriptors stay with the memory of a context for ever.
  for (const c of v.everUsed(L.CACHE_CONTEXT)) {
    for (const b of blocksWithLock(v, c))
      lock(v, b + L.FD_BLOCK_LOCK, () => `the lock of the descriptors at ${hex(b)}`);
  }
  if (v.u32(L.G_SLEEP) !== 0) v.problem("lock", "the word that sleepers wait on was written");
}

/** @param options `live`: slots or numbers of the threads that are attached; every other slot must be free */
export function checkThreads(v: ArenaView, { live }: { live?: number[] }) {
  v.equal(v.u32(L.G_RECOUNT_OWNER), 0, "recount", () => "the owner of the recount");
  v.equal(v.u32(L.G_LEAKS), 0, "recount", () => "the number of dead threads whose references were not recounted");
  const used = v.u32(L.G_SLOTS_USED);
  const undoLogCounts = Object.entries(L.UNDO_LOG_COUNTS);
  const attached = new Set(live?.map((thread) => thread % L.MAX_THREADS));
  let threads = 0;
  for (let n = 0; n < L.MAX_THREADS; n++) {
    const s = L.SLOTS + n * L.SLOT_SIZE;
    const state = v.u32(s + L.SLOT_STATE);
    v.equal(v.u32(s + L.SLOT_EPOCH), 0, "epoch", () => `the epoch that slot ${n} shows`);
    v.expect(state <= 1, "slot", () => `the state of slot ${n} is ${state}`);
    v.equal(v.u32(s + L.SLOT_ACTIVE), 0, "slot", () => `whether the thread of slot ${n} is in a call`);
    for (const [list, at] of undoLogCounts) {
      v.equal(v.u32(s + L.SLOT_UNDO_LOG + at), 0, "undo-log", () => `${list} in the undo log of slot ${n}`);
    }
    if (live !== undefined) v.equal(state, attached.has(n) ? 1 : 0, "slot", () => `the state of slot ${n}`);
    lock(v, s + L.SLOT_LISTS_LOCK, () => `the lock of the lists of slot ${n}`);
    v.equal(v.u32(s + L.SLOT_SHARED), 0, "slot", () => `the mutex that the thread of slot ${n} has shared`);
    if (state === 1) {
      threads++;
      v.expect(n < used, "slot", () => `slot ${n} is in use; ${used} ever were`);
      v.expect(v.u32(s + L.SLOT_SCRATCH) !== 0, "slot", () => `slot ${n} is in use and has no scratch area`);
    } else {
      v.equal(v.u32(s + L.SLOT_CONTEXT), 0, "slot", () => `the context that free slot ${n} holds`);
      for (let c = 0; c < L.NR_COUNTERS * 8; c += 4) {
        if (v.u32(s + L.SLOT_COUNTERS + c) !== 0) v.problem("slot", `free slot ${n} has counted`);
      }
    }
  }
  v.counts.threads = threads;
}

/** Each slot's list of retired objects: in the order of their epochs, each dead; they still own their memory. */
export function checkRetired(v: ArenaView) {
  const now = v.u32(L.G_EPOCH);
  v.expect(now !== 0 && now % 2 === 0, "epoch", () => `the epoch is ${now}`);
  for (let n = 0; n < L.MAX_THREADS; n++) checkRetiredOf(v, n, now);
  v.counts.retired = v.retired.size;
}

function checkRetiredOf(v: ArenaView, slot: number, now: number) {
  const s = L.SLOTS + slot * L.SLOT_SIZE;
  const since = v.u32(s + L.SLOT_RCU_SINCE);
  v.expect(since < L.POLL_EVERY, "retired", () => `slot ${slot}: ${since} retired since the last poll`);
  const others = v.retired.size;
  let last = 0;
  let before: number | undefined;
  for (let p = v.u32(s + L.SLOT_RCU_HEAD); p !== 0; ) {
    const cache = L.CACHES[v.cacheOf(p)];
    if (!cache?.typed || !v.allocated(v.cacheOf(p)).has(p) || v.retired.has(p)) {
      v.problem(
        "retired",
        `${hex(p)} in the list of retired objects is ${v.retired.has(p) ? "there twice" : "no object in use"}`,
      );
      break;
    }
    v.retired.add(p);
    const epoch = v.u32(p + cache.link + 4);
    const late = ((epoch - now) | 0) > 0 || (before !== undefined && ((epoch - before) | 0) < 0);
    if (late || epoch % 2 !== 0)
      v.problem("retired-epoch", `${hex(p)} retired at ${epoch}, after ${before}; now is ${now}`);
    before = epoch;
    checkDead(v, p);
    last = p;
    p = v.u32(p + cache.link);
  }
  v.equal(v.u32(s + L.SLOT_RCU_TAIL), last, "retired", () => `the tail of the retired objects of slot ${slot}`);
  const count = v.u32(s + L.SLOT_RCU_COUNT);
  v.equal(count, v.retired.size - others, "retired", () => `the number of retired objects of slot ${slot}`);
}

function checkDead(v: ArenaView, p: number) {
  const cache = v.cacheOf(p);
  const what = () => `the retired ${L.cache(cache).name} ${hex(p)}`;
  const zero = (field: string, at: number) => v.equal(v.i32(p + at), 0, "retired-state", () => `${field} of ${what()}`);
  if (cache === L.CACHE_DENTRY) {
    v.equal(v.i32(p + DENTRY.count), L.DEAD, "retired-state", () => `count of ${what()}`);
    zero("inode", DENTRY.inode);
    zero("firstChild", DENTRY.firstChild);
    zero("mounts", DENTRY.mounts);
    const flags = v.u32(p + DENTRY.flags) & (L.D_TYPE | L.D_UNHASHED | L.D_ON_LRU | L.D_MOUNTED);
    v.equal(flags, L.D_UNHASHED, "retired-state", () => `flags of ${what()}`);
    const len = v.u32(p + DENTRY.len);
    if (len > L.INLINE_NAME) v.own(v.u32(p + DENTRY.name), len + 8, () => `the name of ${what()}`);
  } else if (cache === L.CACHE_INODE) {
    zero("count", INODE.count);
    zero("alias", INODE.alias);
    const type = v.u32(p + INODE.mode) & L.S_IFMT;
    const data = v.u32(p + INODE.data);
    const ownAcl = (acl: number) => acl === 0 || v.own(acl, 8 + v.u32(acl) * 8, () => `an ACL of ${what()}`);
    if (type !== L.S_IFLNK) zero("room", INODE.shape);
    if (type === L.S_IFDIR) ownAcl(data);
    else if (type !== L.S_IFLNK) zero("data", INODE.data);
    else if (data !== 0) {
      // The size of a driver's link is what the driver says; its room has the bytes of the body.
      const size = v.u32(p + (v.u32(p + INODE.mode) & L.I_DRIVER ? INODE.shape : INODE.size));
      v.own(data, Math.min(size + 9, 4096), () => `the body of ${what()}`);
    }
    ownAcl(v.u32(p + INODE.acl));
  } else if (cache === L.CACHE_MOUNT) {
    zero("count", MOUNT.count);
    zero("children", MOUNT.nrChildren);
    v.equal(v.u32(p + MOUNT.parent), p, "retired-state", () => `parent of ${what()}`);
  } else if (cache === L.CACHE_SUPER) {
    zero("active", SUPER.active);
  } else if (cache === L.CACHE_FILE) {
    zero("count", FILE.count);
    zero("hint", FILE.hint);
  } else if (cache === L.CACHE_CONTEXT) {
    zero("users", CONTEXT.users);
  }
}
