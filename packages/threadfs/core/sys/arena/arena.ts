/** Formats a new arena: its contents before the first thread attaches. */

import { EINVAL, ENOSPC } from "../../../abi/errno";
import { MIN_CHUNKS } from "../../../abi/limits";
import { ABI_VERSION } from "../../../abi/memory";
import { PROTECTED_ALL } from "../../../abi/permissions";
import { tmpfsSuper } from "../../fs/tmpfs/tmpfs";
import { growMemory } from "../../mem/alloc/pages";
import { cacheHasSheaf, cacheInit, sizedCachesInit } from "../../mem/alloc/slab";
import * as L from "../../mem/layout";
import { rcuInit } from "../../mem/smr/smr";
import { clearThread, setThread } from "../../mem/thread";
import { maskOf } from "../../vfs/dcache/d-hash";
import { dget } from "../../vfs/dcache/dcache";
import { DENTRY_KEEP, DENTRY_LINK, DENTRY_SIZE } from "../../vfs/dcache/dentry";
import { FILE_KEEP, FILE_LINK, FILE_SIZE } from "../../vfs/file/file";
import { INODE_KEEP, INODE_LINK, INODE_SIZE } from "../../vfs/inode/inode";
import * as V from "../../vfs/layout";
import { MOUNT_KEEP, MOUNT_LINK, MOUNT_SIZE, Mount, newMount, setRootMount } from "../../vfs/mount/namespace";
import { SUPER_KEEP, SUPER_LINK, SUPER_SIZE } from "../../vfs/mount/super";
import { createRootContext } from "../../vfs/task/context";
import { CONTEXT_KEEP, CONTEXT_LINK, CONTEXT_SIZE } from "../../vfs/task/cred";
import { checkLayout } from "./check-layout";

/** Unused dentries per chunk of the arena by default: an eighth of it, and as much again of inodes; a sixteenth. */
const POSITIVE_PER_CHUNK: u32 = 64;
const NEGATIVE_PER_CHUNK: u32 = 32;

function limitOf(given: f64, share: u32): u32 {
  return given >= 0 ? <u32>min<f64>(given, 0x7fffffff) : share;
}

/** The chunks of each thread's prefix cache in an arena of `chunks`. */
function prefixCacheChunks(chunks: u32): u32 {
  let n = V.PREFIX_CACHE_CHUNKS;
  while (n < V.PREFIX_CACHE_MAX_CHUNKS && n * 2 * V.PREFIX_CACHE_PART <= chunks) n *= 2;
  return n;
}

/** State of the generator of hash keys (splitmix64). */
let splitmixState: u64 = 0;
function splitmix64(): u64 {
  splitmixState += 0x9e3779b97f4a7c15;
  let z = splitmixState;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/**
 * Formats a new arena with a tmpfs at "/" and the root context, whose number is 0. Limits of the tmpfs: `size` in bytes, `inodes`; 0: none.
 * `protect`: PROTECTED_* bits of the tree. `positive`, `negative`: the most unused dentries of names that exist, and that do not; not a number >= 0:
 * a share of the arena. Returns 0, -EINVAL or -ENOSPC.
 */
export function arenaInit(
  maxBytes: f64,
  seedLo: u32,
  seedHi: u32,
  size: f64,
  inodes: f64,
  protect: u32,
  positive: f64,
  negative: f64,
): i32 {
  checkLayout();
  const chunks = <u32>(maxBytes / <f64>L.CHUNK);
  if (chunks < <u32>MIN_CHUNKS || chunks > 65536) return -EINVAL;
  if (load<u32>(L.H_MAGIC) != 0) return -EINVAL;
  const table = L.FIXED_END;
  const buckets = <usize>((table + chunks * L.CHUNK_ENTRY + 63) & ~63);
  const maxBuckets = max<u32>(V.MIN_BUCKETS, chunks << 9);
  const first = <u32>((buckets + (maxBuckets << 2) + L.CHUNK - 1) >> L.CHUNK_SHIFT);
  if (!growMemory(first, chunks)) return -ENOSPC;
  store<u32>(L.H_MAX_CHUNKS, chunks);
  store<u32>(L.H_CHUNK_TABLE, <u32>table);
  store<u32>(V.H_BUCKETS, <u32>buckets);
  store<u32>(V.H_MAX_BUCKETS, maxBuckets);
  store<u32>(L.H_FIRST_CHUNK, first);
  splitmixState = ((<u64>seedHi) << 32) | seedLo;
  for (let i: usize = 0; i < L.KEYS_SIZE; i += 8) store<u64>(L.KEYS + i, splitmix64());
  store<u64>(L.H_SALT, splitmix64());
  store<u32>(V.G_PROTECTED, protect & PROTECTED_ALL);
  const prefixChunks = prefixCacheChunks(chunks);
  store<u32>(V.G_PREFIX_CHUNKS, prefixChunks);
  store<u32>(V.G_PREFIX_SETS, (prefixChunks << (L.CHUNK_SHIFT - 1)) / (V.PREFIX_CACHE_SET + V.PREFIX_CACHE_TAGS));
  store<u32>(V.G_MAX_POSITIVE, limitOf(positive, chunks * POSITIVE_PER_CHUNK));
  store<u32>(V.G_MAX_NEGATIVE, limitOf(negative, chunks * NEGATIVE_PER_CHUNK));
  store<u32>(V.G_HASH_N, V.MIN_BUCKETS);
  store<u32>(V.G_HASH_MASK, maskOf(V.MIN_BUCKETS));
  store<u32>(L.G_PAGE_BUMP, first);
  store<u32>(L.G_PAGE_USED, first);
  cacheInit(V.CACHE_DENTRY, DENTRY_SIZE, true, DENTRY_LINK, DENTRY_KEEP);
  cacheInit(V.CACHE_INODE, INODE_SIZE, true, INODE_LINK, INODE_KEEP);
  cacheInit(V.CACHE_MOUNT, MOUNT_SIZE, true, MOUNT_LINK, MOUNT_KEEP);
  cacheInit(V.CACHE_SUPER, SUPER_SIZE, true, SUPER_LINK, SUPER_KEEP);
  cacheInit(V.CACHE_FILE, FILE_SIZE, true, FILE_LINK, FILE_KEEP);
  cacheInit(V.CACHE_CONTEXT, CONTEXT_SIZE, true, CONTEXT_LINK, CONTEXT_KEEP);
  sizedCachesInit();
  rcuInit();
  // A lock needs an owner: the caller has slot 0 until the end of the call.
  setThread(0, 0, false);
  const sb = tmpfsSuper(0x1ed, false, size, inodes);
  const m = sb ? newMount(sb, dget(sb.root), 0) : changetype<Mount>(0);
  const ok = m ? createRootContext(m, sb.root) : false;
  if (ok) setRootMount(m);
  clearThread();
  if (!ok) return -ENOSPC;
  // Only now, so that nothing has been on a sheaf, that is free, when a test asks for poison (mem/alloc/poison.ts).
  cacheHasSheaf(V.CACHE_DENTRY, 0);
  cacheHasSheaf(V.CACHE_INODE, 1);
  cacheHasSheaf(V.CACHE_FILE, 2);
  store<u32>(L.H_VERSION, ABI_VERSION);
  atomic.store<u32>(L.H_MAGIC, L.MAGIC);
  return 0;
}

/** Whether this memory contains an arena of this version: 0 or -EINVAL. */
export function arenaCheck(): i32 {
  return atomic.load<u32>(L.H_MAGIC) == L.MAGIC && load<u32>(L.H_VERSION) == ABI_VERSION ? 0 : -EINVAL;
}
