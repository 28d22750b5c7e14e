/**
 * Where things are in the shared memory, from its first byte to the first slab chunk (drawn in docs/memory.md). Each
 * word that is written often has a cache line of 64 bytes of its own, so that writing it does not disturb readers of
 * its neighbours.
 *
 *   0      64   unused: a null pointer must hit nothing
 *   1024   header: magic, version, sizes
 *   2048   keys of the name hash, 64 x u32
 *   4096   words: locks, sequences, the epoch, counts
 *   8192   slab caches, 64 bytes each
 *   16384  tables of the vfs
 *   65536  thread slots, 256 x 2176
 *   ...    chunk table, hash buckets, then chunks of 64 KiB
 *
 * This file has the parts that the memory manager, the locks, the undo log and the grace periods use. vfs/layout.ts has
 * the others.
 */

import * as COUNTER from "../../abi/counters";
import * as limits from "../../abi/limits";
import * as shared from "../../abi/memory";

export const MAGIC: u32 = 0x53_46_48_54; // "THFS"

export const CHUNK_SHIFT: u32 = 16;
export const CHUNK: u32 = limits.CHUNK;

export const H_MAGIC: usize = 1024;
export const H_VERSION: usize = 1028;
/** The most chunks that the arena may have. */
export const H_MAX_CHUNKS: usize = 1032;
/** Address of the chunk table. */
export const H_CHUNK_TABLE: usize = 1036;
/** The first chunk after the fixed part. */
export const H_FIRST_CHUNK: usize = 1048;
/** Salt of the name hash (u64). */
export const H_SALT: usize = shared.H_SALT;
/** Not 0: freed memory is poisoned (poison.ts). A test sets it before anything has been freed. */
export const H_POISON: usize = 1064;

export const KEYS: usize = 2048;
export const KEYS_SIZE: u32 = 256;

/**
 * How often any sequence has passed a multiple of 2^24 (seqlock.ts). In the cache line of the hash table's words, which
 * walks read.
 */
export const G_SEQ_WRAPS: usize = 4108;
export const G_EPOCH: usize = shared.G_EPOCH;
/** Chunks: lock, the next unused one, the free list, how many are in use. */
export const G_PAGE_LOCK: usize = 4736;
export const G_PAGE_BUMP: usize = 4740;
export const G_PAGE_FREE: usize = 4744;
export const G_PAGE_USED: usize = 4748;
/** Slots used so far, and the lock for taking one. */
export const G_SLOTS_USED: usize = 5440;
export const G_SLOT_LOCK: usize = 5444;
/** A word that is never written: sleeping threads wait on it. */
export const G_SLEEP: usize = 5520;
/** Counter totals of threads that have detached, NR_COUNTERS x u64. */
export const G_OLD_COUNTERS: usize = 5568;

export const G_CACHES: usize = 8192;

export const SLOTS: usize = shared.SLOTS;
export const SLOT_SIZE: u32 = shared.SLOT_SIZE;
export const MAX_THREADS: u32 = shared.MAX_THREADS;

/** The first address after the slots. */
export const FIXED_END: usize = SLOTS + MAX_THREADS * SLOT_SIZE;

/** Bytes of an entry of the chunk table. */
export const CHUNK_ENTRY: u32 = 32;

/** Slot, line 0: the epoch at the start of the thread's read-side section, 0 outside of one. */
export const SLOT_EPOCH: u32 = 0;
/** Line 1: state, and the host's id of the thread (0: none). */
export const SLOT_STATE: u32 = shared.SLOT_STATE;
export const SLOT_HOST_ID: u32 = shared.SLOT_HOST_ID;
export const SLOT_FLAGS: u32 = shared.SLOT_FLAGS;
export const SLOT_ANCESTORS: u32 = shared.SLOT_ANCESTORS;
/** Address of the lock that the thread holds shared (lock/rwsem.ts). */
export const SLOT_SHARED: u32 = shared.SLOT_SHARED;
export const NR_ANCESTORS: u32 = shared.NR_ANCESTORS;
/** The epoch that a grace period found here, and since when (smr.ts). */
export const SLOT_STALL_EPOCH: u32 = 72;
export const SLOT_STALL_SINCE: u32 = 80;
/** Address of the thread's scratch area. */
export const SLOT_SCRATCH: u32 = 92;
/** How many threads have left the slot, u64: with the slot it is a thread's number, which never comes round. */
export const SLOT_GENERATION: u32 = shared.SLOT_GENERATION;
/** From line 2 on: counters, then SLOT_FLAGS, SLOT_ANCESTORS, SLOT_NONCE and SLOT_SHARED. */
export const SLOT_COUNTERS: u32 = 128;
/** The undo log: log.ts. */
export const SLOT_UNDO_LOG: u32 = 384;
/**
 * A line of lists that stay with the slot when its thread ends: their lock; the objects that threads of this slot have retired
 * (smr.ts): head, tail, count, and how many since the last poll.
 */
export const SLOT_LISTS_LOCK: u32 = 2048;
export const SLOT_RCU_HEAD: u32 = 2052;
export const SLOT_RCU_TAIL: u32 = 2056;
export const SLOT_RCU_COUNT: u32 = 2060;
export const SLOT_RCU_SINCE: u32 = 2064;
/** Then the sheaves, free objects of some caches: the first object and how many, each (slab.ts). */
export const SLOT_SHEAVES: u32 = 2068;
export const NR_SHEAVES: u32 = 3;
export const SHEAF_BYTES: u32 = 8;
/** On the same line the thread's parts of counters (percpu-counter.ts), i32 each: NR_PARTS of them. */
export const SLOT_PARTS: u32 = 2092;
export const NR_PARTS: u32 = 5;
/** A word of the thread's own that is written for the order of other accesses alone (seqlock.ts). */
export const SLOT_BARRIER: u32 = 2112;
/** Behind it, an open file that the slot keeps for the next open(2) of its thread, 0: none (vfs/file/spare.ts). */
export const SLOT_SPARE_FILE: u32 = 2116;

/** Counters in a slot and in the totals, u64 each (abi/counters.ts). */
export const NR_COUNTERS: u32 = COUNTER.failedAllocations + 1;
