/**
 * Where the words and tables of the vfs are in the shared memory and in a thread's scratch area, between the parts in
 * mem/layout.ts, and the numbers of the slab caches of its objects. sys/arena/check-layout.ts checks that no parts overlap.
 */

import * as limits from "../../abi/limits";
import * as shared from "../../abi/memory";
import { SLOT_PARTS } from "../mem/layout";

/** Address of the hash buckets, and the largest number of buckets. */
export const H_BUCKETS: usize = 1040;
export const H_MAX_BUCKETS: usize = 1044;

/**
 * Hash table: number of buckets; its sequence, odd while a bucket is being split; the next power of two of buckets,
 * minus one.
 */
export const G_HASH_N: usize = 4096;
export const G_HASH_SEQ: usize = 4100;
export const G_HASH_MASK: usize = 4104;
export const G_HASH_COUNT: usize = 4160;
export const G_SPLIT_LOCK: usize = 4224;
export const G_RENAME_SEQ: usize = 4288;
export const G_RENAME_LOCK: usize = 4352;
export const G_MOUNT_SEQ: usize = 4416;
export const G_MOUNT_LOCK: usize = 4480;
export const G_NS_LOCK: usize = 4544;
/**
 * How often what a path leads through has changed, twice: the dentry of a directory or a link (dWriteBegin() in dentry.ts), the attributes of
 * a link (beginAttr() in inode.ts). On a line of its own, which every walk reads.
 */
export const G_DIR_CHANGES: usize = 4672;
/** Unused dentries (dcache/d-lru.ts): lock; lists of LRU_LIST_SIZE bytes; the most names that exist, and that do not. */
export const G_LRU_LOCK: usize = 4800;
export const G_LRU_LISTS: usize = 4804;
export const G_MAX_POSITIVE: usize = 4852;
export const G_MAX_NEGATIVE: usize = 4856;
/** The number of a list: names that do not exist, and of both kinds those that have not been used lately. */
export const LRU_NEGATIVE: u32 = 1;
export const LRU_IDLE: u32 = 2;
export const NR_LRU_LISTS: u32 = 4;
/** In a list: the dentry that was listed last, the one that was listed first, how many. */
export const LRU_LIST_SIZE: u32 = 12;
export const LRU_HEAD: u32 = 0;
export const LRU_TAIL: u32 = 4;
export const LRU_COUNT: u32 = 8;
export const G_INODE_LOCK: usize = 4864;
export const G_DRIVER_LOCK: usize = 4928;
export const G_CTX_LOCK: usize = 4992;
/** Contexts created so far, u64: the generation in their numbers. */
export const G_CTX_MADE: usize = 5000;
/** The last device number of a file system, u64: 53 bits are shown, and they never come round. */
export const G_NEXT_DEV: usize = 5056;
/** Generations of inodes in memory that serves inodes for the first time, or again, are greater than this. */
export const G_INODE_GENERATION: usize = 5064;
/** The number of the last mount, u64: 53 bits are shown, and they never come round. */
export const G_NEXT_MNT_ID: usize = 5072;
/** Number of live objects of each type. */
export const G_NR_DENTRY: usize = 5120;
export const G_NR_INODE: usize = 5184;
export const G_NR_FILES: usize = 5248;
export const G_NR_MOUNTS: usize = 5312;
/** The root mount, and the head of the list of all mounts (under the mount lock). */
export const G_ROOT_MNT: usize = 5376;
export const G_MOUNTS: usize = 5380;
/** PROTECTED_* bits, written when the arena is made (walk/hardening.ts). */
export const G_PROTECTED: usize = 5384;
/** Prefix caches allocated (under the slot lock); the size of each in chunks and in sets, written when the arena is made. */
export const G_PREFIX_CACHES: usize = 5448;
export const G_PREFIX_CHUNKS: usize = 5452;
export const G_PREFIX_SETS: usize = 5456;
/** Excludes the shrinker from the end of a file system. */
export const G_SHRINK_LOCK: usize = 5508;
/**
 * The thread that recounts references (its number, as in lock words), and how many dead threads may have left
 * references that no recount has dropped (recovery/quiescence.ts).
 */
export const G_RECOUNT_OWNER: usize = 6144;
export const G_LEAKS: usize = 6148;

/**
 * The log of changes (notify/changes.ts): lock, sequence, cookie of the last rename, bytes written (u64); on a line of their own, which
 * every change reads, the threads that follow it and the chunks of the ring; the addresses of the chunks.
 */
export const G_CHANGES_LOCK: usize = 6208;
export const G_CHANGES_SEQ: usize = shared.G_CHANGES_SEQ;
export const G_CHANGES_COOKIE: usize = 6216;
export const G_CHANGES_TAIL: usize = 6224;
export const G_CHANGES_READERS: usize = 6272;
export const G_CHANGES_CHUNKS: usize = 6276;
export const CHANGES_RING: usize = 6336;
export const CHANGES_CHUNKS_MAX: u32 = 16;

/** Requests that wait for advisory locks (locks/blocked.ts): lock, head of the list, how many; then the words that they wait on. */
export const G_BLOCKED_LOCK: usize = 6464;
export const G_BLOCKED_HEAD: usize = 6468;
export const G_BLOCKED_COUNT: usize = 6472;
export const LOCK_WAITS: usize = shared.LOCK_WAITS;
export const NR_LOCK_WAITS: u32 = shared.NR_LOCK_WAITS;

/** Words on which threads wait for pipes (pipe/wait.ts). */
export const PIPE_WORDS: usize = shared.PIPE_WORDS;
export const NR_PIPE_WORDS: u32 = shared.NR_PIPE_WORDS;

export const BUCKET_LOCKS: usize = 16384;
/** The smallest number of hash buckets, which is also the number of bucket locks, each in a cache line of its own. */
export const MIN_BUCKETS: u32 = 256;
export const MOUNT_HEADS: usize = 32768;
export const MOUNT_HASH: u32 = 256;
export const INODE_HEADS: usize = 33792;
export const INODE_HASH: u32 = 2048;
export const CTX_TABLE: usize = 41984;
export const MAX_CONTEXTS: u32 = limits.MAX_CONTEXTS;
/** Drivers: super.ts. */
export const DRIVERS: usize = shared.DRIVERS;
export const MAX_DRIVERS: u32 = 32;
export const DRIVER_SIZE: u32 = shared.DRIVER_SIZE;

/** 1: the thread has had an open(2) of a FIFO that waited, so that its end looks for one. */
export const SLOT_OPENS: u32 = 76;
/** In a slot, on line 1: the context that the thread has acquired (context-ref.ts), so that recovery can release it. */
export const SLOT_CONTEXT: u32 = 88;
/** 1 while the thread is active, that is, may hold references (recovery/quiescence.ts). */
export const SLOT_ACTIVE: u32 = 96;
/** Address of the prefix cache, 0: none. It stays with the slot, like the scratch area. */
export const SLOT_PREFIX_CACHE: u32 = 100;
/** Number of the context whose handle the thread attached with, f64, 0: the tree's own. */
export const SLOT_HOME: u32 = 104;
/** 1 while the thread follows the log of changes. */
export const SLOT_CHANGES: u32 = 120;

/** In a slot, i32 each: the thread's parts of G_NR_DENTRY, G_NR_INODE, G_NR_FILES, G_HASH_COUNT, and of the root mount's references. */
export const SLOT_NR_DENTRY: u32 = SLOT_PARTS;
export const SLOT_NR_INODE: u32 = SLOT_PARTS + 4;
export const SLOT_NR_FILES: u32 = SLOT_PARTS + 8;
export const SLOT_HASH_COUNT: u32 = SLOT_PARTS + 12;
export const SLOT_ROOT_COUNT: u32 = SLOT_PARTS + 16;

/** Blocks of advisory locks and extended attributes that the thread has taken off a file and not freed yet: the head of a list (locks/file-lock.ts). */
export const SLOT_FREE_LOCKS: u32 = 124;

/** In the scratch area: the states of a call's two walks, and the chain of a new entry of the prefix cache. */
export const S_ND: u32 = 16640;
export const S_PREFIX_CHAIN: u32 = 20480;
/** Directories that were found searchable (walk/searched.ts), and how many entries. */
export const S_SEARCHED: u32 = 23552;
export const SEARCHED: u32 = 64;
export const S_ND2: u32 = 24576;
/** Behind the arguments of hooks: copies of the bodies of links that a walk follows in rcu mode (walk/link-body.ts). */
export const S_LINK_BODIES: u32 = 104448;
export const LINK_BODIES_SIZE: u32 = 8192;
/** How many bytes were ever written to the ring of the prefix cache, u64. */
export const S_PREFIX_WRITTEN: u32 = 112640;

/**
 * A prefix cache (walk/prefix-cache.ts) is not in the scratch area: its first half has sets of three entries of this many bytes, and behind them
 * the tags of each set, its second half is a ring of chains (walk/prefix-links.ts).
 */
export const PREFIX_CACHE_ENTRY: u32 = 192;
export const PREFIX_CACHE_SET: u32 = 3 * PREFIX_CACHE_ENTRY;
export const PREFIX_CACHE_TAGS: u32 = 16;
/** It has one of this many parts of the arena, but at least and at most so many chunks: powers of two. */
export const PREFIX_CACHE_PART: u32 = 256;
export const PREFIX_CACHE_CHUNKS: u32 = 4;
export const PREFIX_CACHE_MAX_CHUNKS: u32 = 32;
/** All prefix caches take at most one of this many parts of the arena; threads that attach later have none. */
export const PREFIX_CACHE_SHARE: u32 = 8;
/** An arena of fewer chunks has none. */
export const PREFIX_CACHE_MIN_CHUNKS: u32 = 48;
/** How many bytes of the ring a chain takes at most. */
export const PREFIX_LINKS_CHAIN: u32 = 256;
/** The shortest path that is looked up in it, and a length that no path has. */
export const PREFIX_CACHE_MIN_PATH: u32 = 32;
export const PREFIX_CACHE_OFF: u32 = 0xffffffff;

/** Numbers of the typed caches. */
export const CACHE_DENTRY: u32 = 1;
export const CACHE_INODE: u32 = 2;
export const CACHE_MOUNT: u32 = 3;
export const CACHE_SUPER: u32 = 4;
export const CACHE_FILE: u32 = 5;
export const CACHE_CONTEXT: u32 = 6;
