/**
 * Mutations that change nothing that a caller could see, by their names without the place in the file, and why. The reason names what
 * else holds the property.
 */
export const EQUIVALENT: Record<string, string> = {
  "off by one, core/mem/layout.ts: export const SLOT_UNDO_LOG: u32 = [384 -> 385];":
    "The undo log is plain memory, which WebAssembly loads and stores at any address; its last byte stays within the slot, and no other part of the slot lies behind it.",
  "swap two stores, core/vfs/task/context.ts doContextCreate(): [c.uid = uid; c.gid = gid -> c.gid = gid; c.uid = uid];":
    "No call and no listing takes a context without a root, which it gets after both.",
  'skip an undo-log entry, core/vfs/mount/namespace.ts root(): [put32(changetype<usize>(this) + offsetof<Mount>("root_"), <u32>changetype<usize>(d)) -> atomic.store<u32>(changetype<usize>(this) + offsetof<Mount>("root_"), <u32>changetype<usize>(d))]':
    "A mount gets its root in newMount() alone, which runs outside of transactions: there put32() logs nothing.",
  "skip an undo-log entry, core/mem/undo/log.ts removePendingBlock(): [set32(at, load<u32>(j + LOG_BLOCK + ((n - 1) << 2))) -> store<u32>(at, load<u32>(j + LOG_BLOCK + ((n - 1) << 2)))]":
    "A thread's pending blocks leave the list newest first, because each block but the bodies of links is linked before the next one is allocated and links are popped in order: the word is stored with the value that it has.",
  "swap two stores, core/vfs/inode/icache.ts setDriverAttr(): [i.uid = driverAttrU32(NODE_UID); i.gid = driverAttrU32(NODE_GID) -> i.gid = driverAttrU32(NODE_GID); i.uid = driverAttrU32(NODE_UID)]":
    "Both stores lie inside one write section of the inode's sequence, which whoever reads owner and group together validates.",
  "drop a put, core/vfs/inode/icache.ts newInode(): [writeSeqEnd(i.seq) -> 0];":
    "The sequence stays on the list of those that the thread has made odd, and the transaction that first shows the inode to another thread makes them even when it commits.",
  "swap two stores, core/vfs/dcache/d-hash.ts split(): [put32(G_HASH_N, n + 1); put32(G_HASH_MASK, maskOf(n + 1)) -> put32(G_HASH_MASK, maskOf(n + 1)); put32(G_HASH_N, n + 1)]":
    "Only the fast walk loads the mask, and it takes a bucket below the table's size from either order; a miss is confirmed under the table's sequence, which is odd during both stores.",
  "swap two stores, core/vfs/walk/namei.ts linkPathWalk(): [nd.lastLen = len; nd.lastRaw = raw -> nd.lastRaw = raw; nd.lastLen = len];":
    "Both are fields of the thread's own walk, and nothing reads them between the stores.",
  "swap two stores, core/vfs/walk/rcu-walk.ts rcuWalk(): [nd.seq = <u32>state; nd.inode_ = inode -> nd.inode_ = inode; nd.seq = <u32>state]":
    "Both are fields of the thread's own walk, and nothing reads them between the stores.",
  "swap two stores, core/fs/tmpfs/data.ts dataWrite(): [store<i64>(w + REDO_POS, pos); store<u32>(w + REDO_BYTES, n) -> store<u32>(w + REDO_BYTES, n); store<i64>(w + REDO_POS, pos)]":
    "The redo record counts from the store of the inode's address on, which follows both.",
  'skip an undo-log entry, core/vfs/task/cred.ts ngroups(): [set32(changetype<usize>(this) + offsetof<Context>("ngroups_"), v) -> store<u32>(changetype<usize>(this) + offsetof<Context>("ngroups_"), v)]':
    "The context has no root yet, so that every call with it ends with EBADF, and the recovery of its maker closes it; its groups are freed by the pointer alone, which is logged.",
  "swap two stores, core/vfs/inode/icache.ts newInode(): [i.alias = 0; i.pages = 0 -> i.pages = 0; i.alias = 0];":
    "No other thread knows the inode, its sequence is odd, and the recount frees an unreferenced inode without a look at either field.",
  "skip an undo-log entry, core/vfs/mount/super.ts addDriverMount(): [set32(e + DRIVER_MOUNTED, load<u32>(e + DRIVER_MOUNTED) + 1) -> store<u32>(e + DRIVER_MOUNTED, load<u32>(e + DRIVER_MOUNTED) + 1)]":
    "The recount, which follows the death of every thread in a call, counts each driver's mounts anew.",
  "swap two stores, core/mem/alloc/slab.ts takeObject(): [p = chunkAddress(chunk) + offset; set32(e + ENTRY_NEVER_USED, offset + size) -> set32(e + ENTRY_NEVER_USED, offset + size); p = chunkAddress(chunk) + offset]":
    "The address is a local variable, computed from a value that was loaded before the store.",
  "skip an undo-log entry, core/mem/smr/smr.ts callRcu(): [set32(l + RETIRED_EPOCH, atomic.load<u32>(G_EPOCH)) -> store<u32>(l + RETIRED_EPOCH, atomic.load<u32>(G_EPOCH))]":
    "The word is read in objects on the list of retired ones only, and the rollback takes the object off that list.",
  "swap two stores, core/vfs/walk/prefix-cache.ts prefixCacheFill(): [backoff = 0; store<u32>(fillTagAddress, 0) -> store<u32>(fillTagAddress, 0); backoff = 0]":
    "The first is the thread's own variable, and a thread that takes the slot after a death clears all tags.",
  "off by one, core/vfs/walk/step.ts followBody(): return [1 -> 2];": "Every caller compares the result with 0 alone.",
  "swap two stores, core/vfs/mount/namespace.ts newMount(): [atomic.store<u32>(m.count, 1); m.flags = flags -> m.flags = flags; atomic.store<u32>(m.count, 1)]":
    "No other thread knows the mount yet, and the recount frees an unreferenced mount without a look at either field.",
  "skip an undo-log entry, core/mem/smr/smr.ts callRcu(): [set32(l, 0) -> store<u32>(l, 0)];":
    "The word is read in objects on the list of retired ones only, and the rollback takes the object off that list.",
  "swap two stores, core/vfs/task/cred.ts newContext(): [put32(c.users, 1); put32(CTX_TABLE + (i << 2), <u32>c.at) -> put32(CTX_TABLE + (i << 2), <u32>c.at); put32(c.users, 1)]":
    "A listing that finds the context before it has users takes it for a closed one, and nothing else finds it before newContext() returns its number.",
  "swap two stores, core/vfs/file/file.ts getEmptyFilp(): [f.dentry_ = 0; f.inode_ = 0 -> f.inode_ = 0; f.dentry_ = 0];":
    "No other thread knows the file yet, and the recount follows the references of files that a descriptor holds only.",
  "drop a put, core/sys/recovery.ts finish(): [leaveActive() -> 0];":
    "closeOwned() follows at once wherever this is reached, finds the thread active and leaves that state itself.",
  "weaken a compare, core/fs/tmpfs/data.ts growBlock(): if (i.shape[> -> >=]shape) corrupt(i.at);":
    "growBlock() is called for more bytes than the block holds, and the rounded size is at least that many.",
  "off by one, core/vfs/recovery/reclaim.ts: const BATCH: u32 = [64 -> 65];":
    "How many retired objects one call frees bounds its work alone; any number above POLL_EVERY keeps the list short.",
  "swap two stores, core/mem/smr/smr.ts callRcu(): [set32(slot + SLOT_RCU_TAIL, <u32>p); put32(slot + SLOT_RCU_COUNT, load<u32>(slot + SLOT_RCU_COUNT) + 1) -> put32(slot + SLOT_RCU_COUNT, load<u32>(slot + SLOT_RCU_COUNT) + 1); set32(slot + SLOT_RCU_TAIL, <u32>p)]":
    "Both words are logged and stored under the list's lock; the count is loaded without it as an estimate alone.",
  "weaken a compare, core/mem/hash.ts hashName(): if (i[> -> >=]<u32>NAME_MAX) {":
    "The position is a multiple of 8, and NAME_MAX is none.",
  "off by one, core/mem/undo/recover.ts release(): if (v & WAITERS) atomic.notify(p, -[1 -> 2]);":
    "The count of threads to wake is unsigned: -2 is more than there are threads.",
  "skip an undo-log entry, core/mem/undo/log.ts addPendingBlock(): [set32(j + LOG_BLOCK + (n << 2), <u32>p) -> store<u32>(j + LOG_BLOCK + (n << 2), <u32>p)];":
    "In a transaction a block is added only before others are removed, so that the old value lies behind the end of the list to which the rollback returns.",
};

/** A name without line and column, so that an entry stays right when lines move. */
export const nameWithoutLine = (name: string): string => name.replace(/(core\/[\w./-]+):\d+:\d+/, "$1");

export const isEquivalent = (name: string): boolean => Object.hasOwn(EQUIVALENT, nameWithoutLine(name));
