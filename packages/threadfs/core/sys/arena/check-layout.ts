/** Checks of the memory's layout when the core is compiled. ERROR() is an error of the compiler where its condition holds. */

import { IO_SIZE, PATH_MAX } from "../../../abi/limits";
import { DRIVER_BODY, SLOT_NONCE } from "../../../abi/memory";
import * as SCRATCH from "../../../abi/scratch";
import * as STAT from "../../../abi/stat";
import { LOG_REDO, REDO_SIZE } from "../../fs/tmpfs/data";
import { CACHE_SIZED, KMEM_CACHE_SIZE, NR_SIZED_CACHES } from "../../mem/alloc/slab";
import * as L from "../../mem/layout";
import * as V from "../../vfs/layout";
import { NAMEIDATA_SIZE } from "../../vfs/walk/nameidata";
import { PREFIX_CHAIN_SIZE } from "../../vfs/walk/prefix-cache";
import { PREFIX_LINKS_GATHER } from "../../vfs/walk/prefix-links";

/** No table, no part of a slot and no part of a scratch area overlaps the next one. */
export function checkLayout(): void {
  if (L.KEYS + L.KEYS_SIZE > V.G_HASH_N) ERROR("keys of the name hash");
  if (V.G_LRU_LISTS + V.NR_LRU_LISTS * V.LRU_LIST_SIZE > V.G_MAX_POSITIVE) ERROR("lists of unused dentries");
  if (V.G_MAX_NEGATIVE + 4 > V.G_INODE_LOCK) ERROR("limits of unused dentries");
  if (L.G_OLD_COUNTERS + (L.NR_COUNTERS << 3) > V.G_RECOUNT_OWNER) ERROR("totals of counters");
  if (V.CHANGES_RING + (V.CHANGES_CHUNKS_MAX << 2) > V.G_BLOCKED_LOCK) ERROR("chunks of the log");
  if (V.G_BLOCKED_COUNT + 4 > V.LOCK_WAITS) ERROR("requests for locks");
  if (V.LOCK_WAITS + (V.NR_LOCK_WAITS << 2) > V.PIPE_WORDS) ERROR("words of locks");
  if (V.PIPE_WORDS + (V.NR_PIPE_WORDS << 2) > L.G_CACHES) ERROR("words of pipes");
  if (V.CACHE_CONTEXT >= CACHE_SIZED) ERROR("numbers of caches");
  if (L.G_CACHES + (CACHE_SIZED + NR_SIZED_CACHES) * KMEM_CACHE_SIZE > V.BUCKET_LOCKS) ERROR("caches");
  if (V.BUCKET_LOCKS + (V.MIN_BUCKETS << 6) > V.MOUNT_HEADS) ERROR("bucket locks");
  if (V.MOUNT_HEADS + (V.MOUNT_HASH << 2) > V.INODE_HEADS) ERROR("mount heads");
  if (V.INODE_HEADS + (V.INODE_HASH << 2) > V.CTX_TABLE) ERROR("inode heads");
  if (V.CTX_TABLE + (V.MAX_CONTEXTS << 2) > V.DRIVERS) ERROR("contexts");
  if (V.DRIVERS + V.MAX_DRIVERS * V.DRIVER_SIZE > L.SLOTS) ERROR("drivers");

  if (L.SLOT_STALL_EPOCH + 4 > V.SLOT_OPENS) ERROR("words of a slot");
  if (V.SLOT_OPENS + 4 > L.SLOT_STALL_SINCE) ERROR("words of a slot");
  if (V.SLOT_HOME + 8 > L.SLOT_GENERATION) ERROR("words of a slot");
  if (L.SLOT_GENERATION + 8 > V.SLOT_CHANGES) ERROR("words of a slot");
  if (V.SLOT_CHANGES + 4 > V.SLOT_FREE_LOCKS) ERROR("words of a slot");
  if (V.SLOT_FREE_LOCKS + 4 > L.SLOT_COUNTERS) ERROR("words of a slot");
  if (L.SLOT_COUNTERS + (L.NR_COUNTERS << 3) > L.SLOT_FLAGS) ERROR("counters of a slot");
  if (L.SLOT_FLAGS + 4 > L.SLOT_ANCESTORS) ERROR("flags of a slot");
  if (L.SLOT_ANCESTORS + (L.NR_ANCESTORS << 2) > <u32>SLOT_NONCE) ERROR("ancestors of a slot");
  if (<u32>SLOT_NONCE + 4 > L.SLOT_SHARED) ERROR("nonce of a slot");
  if (L.SLOT_SHARED + 4 > L.SLOT_UNDO_LOG) ERROR("the lock that a slot's thread holds shared");
  if (L.SLOT_UNDO_LOG + LOG_REDO + REDO_SIZE > L.SLOT_LISTS_LOCK) ERROR("undo log of a slot");
  if (L.SLOT_SHEAVES + L.NR_SHEAVES * L.SHEAF_BYTES > L.SLOT_PARTS) ERROR("sheaves of a slot");
  if (V.SLOT_ROOT_COUNT + 4 > L.SLOT_PARTS + (L.NR_PARTS << 2)) ERROR("parts of counters of a slot");
  if (L.SLOT_PARTS + (L.NR_PARTS << 2) > L.SLOT_BARRIER) ERROR("parts of counters of a slot");
  if (L.SLOT_BARRIER + 4 > L.SLOT_SPARE_FILE) ERROR("the barrier's word of a slot");
  if (L.SLOT_SPARE_FILE + 4 > L.SLOT_SIZE) ERROR("the spare file of a slot");
  if ((L.SLOT_SIZE & 63) != 0) ERROR("lines of a slot");

  if (SCRATCH.PATH + PATH_MAX >= SCRATCH.PATH2) ERROR("first path");
  if (SCRATCH.PATH2 + PATH_MAX >= SCRATCH.STAT) ERROR("second path");
  if (<u32>SCRATCH.STAT + ((STAT.birthtimeNsec + 1) << 3) > V.S_ND) ERROR("stat");
  if (V.S_ND + NAMEIDATA_SIZE > V.S_PREFIX_CHAIN) ERROR("first walk");
  if (V.S_PREFIX_CHAIN + max<u32>(PREFIX_CHAIN_SIZE, PREFIX_LINKS_GATHER) > V.S_SEARCHED)
    ERROR("chain of the prefix cache");
  if (V.S_SEARCHED + (V.SEARCHED << 4) > V.S_ND2) ERROR("directories that were found searchable");
  if (V.S_ND2 + NAMEIDATA_SIZE > <u32>SCRATCH.IO) ERROR("second walk");
  if (SCRATCH.IO + IO_SIZE > SCRATCH.DRIVER) ERROR("contents");
  if (<u32>SCRATCH.DRIVER + DRIVER_BODY + PATH_MAX > V.S_LINK_BODIES) ERROR("driver");
  if (V.S_LINK_BODIES + V.LINK_BODIES_SIZE > V.S_PREFIX_WRITTEN) ERROR("bodies of links");
  if (V.S_PREFIX_WRITTEN + 8 > <u32>SCRATCH.SIZE) ERROR("bytes written to the ring of the prefix cache");
  if (<u32>SCRATCH.SIZE > L.CHUNK << 1) ERROR("scratch area");
  if (V.PREFIX_CACHE_SHARE > V.PREFIX_CACHE_PART) ERROR("prefix caches");
}
