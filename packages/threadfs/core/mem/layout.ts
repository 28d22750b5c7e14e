/**
 * Where things lie in the shared memory, from its first byte to the first slab chunk. Everything is drawn in
 * docs/memory.md. Each word that is written often has a 64-byte line of its own, so that a reader of its neighbour is
 * not disturbed.
 *
 *   0      64   left empty: a null pointer must hit nothing
 *   1024   header: magic, version, sizes
 *   2048   keys of the name hash, 64 x u32
 *   4096   one line each: hash table, its count, locks, sequences, epoch
 *   8192   slab caches, 16 x 64
 *   16384  bucket locks, 256 x 64
 *   32768  mount table heads 256 x u32, inode table heads 2048 x u32, contexts 1024 x u32, drivers
 *   65536  thread slots, 256 x 2048
 *   ...    chunk table, hash buckets, then chunks of 64 KiB
 */

import * as COUNTER from "../../abi/counters";
import * as limits from "../../abi/limits";
import * as shared from "../../abi/memory";

export const MAGIC: u32 = 0x53_46_48_54; // "THFS"

export const CHUNK_SHIFT: u32 = 16;
export const CHUNK: u32 = limits.CHUNK;

export const H_MAGIC: usize = 1024;
export const H_VERSION: usize = 1028;
/** Chunks the arena may ever have. */
export const H_MAX_CHUNKS: usize = 1032;
/** Address of the chunk table. */
export const H_CHUNK_TABLE: usize = 1036;
/** Address of the hash buckets, and how many there is room for. */
export const H_BUCKETS: usize = 1040;
export const H_MAX_BUCKETS: usize = 1044;
/** First chunk behind the fixed part. */
export const H_FIRST_CHUNK: usize = 1048;
/** Salt of the name hash (u64). */
export const H_SALT: usize = shared.H_SALT;
/** Not 0: freed memory is filled with a word that nothing living holds (poison.ts). Set from outside, before anything was freed. */
export const H_POISON: usize = 1064;

export const KEYS: usize = 2048;

/** Hash table: number of buckets; its sequence, odd while a bucket is being split. Read by every walk. */
export const G_HASH_N: usize = 4096;
export const G_HASH_SEQ: usize = 4100;
/** Buckets of the next power of two, less one. */
export const G_HASH_MASK: usize = 4104;
/** Times that any sequence has passed a multiple of 2^24 (seqlock.ts); on this line because walks read it. */
export const G_SEQ_WRAPS: usize = 4108;
export const G_HASH_COUNT: usize = 4160;
export const G_SPLIT_LOCK: usize = 4224;
export const G_RENAME_SEQ: usize = 4288;
export const G_RENAME_LOCK: usize = 4352;
export const G_MOUNT_SEQ: usize = 4416;
export const G_MOUNT_LOCK: usize = 4480;
export const G_NS_LOCK: usize = 4544;
export const G_EPOCH: usize = 4608;
/** Retired objects: lock, head, tail, count, retired since the last poll. */
export const G_RCU_LOCK: usize = 4672;
export const G_RCU_HEAD: usize = 4676;
export const G_RCU_TAIL: usize = 4680;
export const G_RCU_COUNT: usize = 4684;
export const G_RCU_SINCE: usize = 4688;
/** Chunks: lock, next never used chunk, free list of chunks given back, chunks in use. */
export const G_PAGE_LOCK: usize = 4736;
export const G_PAGE_BUMP: usize = 4740;
export const G_PAGE_FREE: usize = 4744;
export const G_PAGE_USED: usize = 4748;
/** Unused dentries: lock, newest, oldest, count. */
export const G_LRU_LOCK: usize = 4800;
export const G_LRU_HEAD: usize = 4804;
export const G_LRU_TAIL: usize = 4808;
export const G_LRU_COUNT: usize = 4812;
export const G_INODE_LOCK: usize = 4864;
export const G_DRIVER_LOCK: usize = 4928;
export const G_CTX_LOCK: usize = 4992;
/** Contexts ever made: the generation in their numbers. */
export const G_CTX_MADE: usize = 4996;
/** Numbers given out: device numbers of file systems, ids of mounts. */
export const G_NEXT_DEV: usize = 5056;
export const G_NEXT_MNT: usize = 5060;
/** Counts of live objects. */
export const G_NR_DENTRY: usize = 5120;
export const G_NR_INODE: usize = 5184;
export const G_NR_FILES: usize = 5248;
export const G_NR_MOUNTS: usize = 5312;
/** Root mount, head of the list of all mounts (under the mount lock). */
export const G_ROOT_MNT: usize = 5376;
export const G_MOUNTS: usize = 5380;
/** Slots ever used, and the lock that hands them out. */
export const G_SLOTS_USED: usize = 5440;
export const G_SLOT_LOCK: usize = 5444;
/** Memos handed out (under the slot lock). */
export const G_PREFIX_CACHES: usize = 5448;
/** Keeps the shrinker and the end of a file system apart. */
export const G_SHRINK_LOCK: usize = 5508;
/** A word nobody writes: sleeping is waiting on it. */
export const G_SLEEP: usize = 5520;
/** Who sweeps (a thread's name as in a lock), and how many dead threads may have held something that no sweep has looked for. */
export const G_RECOUNT_OWNER: usize = 6144;
export const G_LEAKS: usize = 6148;
/** Totals of what threads that left had counted, NR_COUNTERS x u64. */
export const G_OLD_COUNTERS: usize = 5568;

export const G_CACHES: usize = 8192;

export const BUCKET_LOCKS: usize = 16384;

export const MOUNT_HEADS: usize = 32768;
export const MOUNT_HASH: u32 = 256;
export const INODE_HEADS: usize = 33792;
export const INODE_HASH: u32 = 2048;
export const CTX_TABLE: usize = 41984;
export const MAX_CONTEXTS: u32 = 1024;
/** Drivers: 32 x 128 bytes, see super.ts. */
export const DRIVERS: usize = 46080;
export const MAX_DRIVERS: u32 = 32;
export const DRIVER_SIZE: u32 = 128;

export const SLOTS: usize = shared.SLOTS;
export const SLOT_SIZE: u32 = shared.SLOT_SIZE;
export const MAX_THREADS: u32 = shared.MAX_THREADS;

/** First address behind the slots. */
export const FIXED_END: usize = SLOTS + MAX_THREADS * SLOT_SIZE;

/** Bytes of the chunk table for one chunk. */
export const CHUNK_ENTRY: u32 = 32;

export const S_ND: u32 = 16640;
/** What an entry of the memo is gathered in. */
export const S_PREFIX_CHAIN: u32 = 20480;
export const S_ND2: u32 = 24576;
/** Tags of the memo's entries, 16 bytes a set. */
export const S_PREFIX_TAGS: u32 = 28672;

/**
 * The memo of directories walked (fs/memo.ts), beside the scratch area: sets of three entries of so many bytes, in so many chunks.
 * Those of all threads take at most this share of the arena; who comes later has none.
 */
export const PREFIX_CACHE_SETS: u32 = 226;
export const PREFIX_CACHE_ENTRY: u32 = 192;
export const PREFIX_CACHE_CHUNKS: u32 = 2;
export const PREFIX_CACHE_SHARE: u32 = 16;
/** Shortest path that is looked for in it, and a length that no path has. */
export const PREFIX_CACHE_MIN_PATH: u32 = 32;
export const PREFIX_CACHE_OFF: u32 = 0xffffffff;

/** Thread slot: the epoch its read side entered at (0 outside), and what the slot is. */
export const SLOT_EPOCH: u32 = 0;
/** Line 1: state and the host's id of the thread (0: none), scratch address. Line 2 on: counters. */
export const SLOT_STATE: u32 = shared.SLOT_STATE;
export const SLOT_HOST_ID: u32 = shared.SLOT_HOST_ID;
/** The context this thread holds (context-ref.ts), so that a dead thread's can be given back. */
export const SLOT_CONTEXT: u32 = 88;
export const SLOT_SCRATCH: u32 = 92;
/** 1 while the thread is in a call that may hold references. */
export const SLOT_ACTIVE: u32 = 96;
/** Address of the memo, 0: it has none. It stays with the slot, as the scratch area does. */
export const SLOT_PREFIX_CACHE: u32 = 100;
export const SLOT_COUNTERS: u32 = 128;

/** What the thread is in the middle of: log.ts. */
export const SLOT_UNDO_LOG: u32 = 384;

/** Counters in a slot and in the totals, u64 each (abi/counters.ts). */
export const NR_COUNTERS: u32 = COUNTER.seqRetries + 1;
