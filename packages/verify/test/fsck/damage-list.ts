/** Damage to a tree: which words change, and the kind of problem that the checker must report. */
import { CHANGE_BYTES, CHANGE_MASK, CHANGE_NAME, IN_DELETE } from "../../../threadfs/dist/abi/abi.js";
import * as L from "../../dist/arena/layout.js";
import { defined } from "../../dist/support/defined.js";
import { INODE_DAMAGE } from "./damage-inodes.js";
import type { Damage, MemoryEditor } from "./damaged-tree.js";
import { LONG } from "./tree.js";

const { DENTRY, INODE, MOUNT, SUPER, FILE, CONTEXT } = L;
const { FileLock: LOCK, BlockedLock: REQUEST, Pipe: PIPE } = L.CLASSES;

/** The cache of blocks of 4 KiB. */
const PAGES = L.CACHE_SIZED + L.SIZES.indexOf(4096);

/** The first and the last object that the tree's first thread has retired. */
const LRU = L.G_LRU_LISTS;
/** Those of names that do not exist: two. */
const NEGATIVE = LRU + L.LRU_NEGATIVE * L.LRU_LIST_SIZE;
const RETIRED = L.SLOTS + L.SLOT_RCU_HEAD;
const RETIRED_TAIL = L.SLOTS + L.SLOT_RCU_TAIL;

/** Where a retired object in use of this cache keeps its link. */
const linkOf = (w: MemoryEditor, object: number) =>
  object + defined(L.CACHES[w.get(w.entry(object >>> 16))], "cache of the object").link;

/** Counts one more object of a cache as in use, in its first chunk with room; nothing refers to it. */
function leak(w: MemoryEditor, cache: number, size: number): void {
  const e = w.entry(w.room(cache));
  w.add(e + L.ENTRY_NEVER_USED, size);
  w.add(e + L.ENTRY_USED, 1);
}

export const DAMAGE: readonly Damage[] = [
  // The fixed part.
  ["the magic", "header", (w) => w.flip(L.H_MAGIC, 1)],
  ["the version", "header", (w) => w.add(L.H_VERSION, 1)],
  ["the size of the arena", "header", (w) => w.add(L.H_MAX_CHUNKS, 1)],
  ["the address of the buckets", "header", (w) => w.add(L.H_BUCKETS, 64)],
  ["a word under a null pointer", "null", (w) => w.set(64, 1)],
  ...Object.entries(L.LOCKS).map(([name, at]) => [`${name} held`, "lock", (w: MemoryEditor) => w.set(at, 1)] as const),
  ["a bucket lock held", "lock", (w) => w.set(L.BUCKET_LOCKS + 5 * 64, 2)],
  ["a cache's lock held", "lock", (w) => w.set(L.G_CACHES + 3 * L.KMEM_CACHE_SIZE, 2)],
  ["the word of sleepers written", "lock", (w) => w.set(L.G_SLEEP, 2)],
  ...Object.entries(L.SEQUENCES).map(
    ([name, at]) => [`${name} odd`, "sequence", (w: MemoryEditor) => w.add(at, 1)] as const,
  ),
  // Threads.
  ["an epoch shown", "epoch", (w) => w.set(L.SLOTS, 4)],
  ["a slot in an unknown state", "slot", (w) => w.set(L.SLOTS + L.SLOT_STATE, 7)],
  ["a slot in use beyond those ever used", "slot", (w) => w.set(L.G_SLOTS_USED, 1)],
  ["a free slot that holds a context", "slot", (w) => w.set(L.SLOTS + 9 * L.SLOT_SIZE + L.SLOT_CONTEXT, w.context)],
  ["a free slot that has counted", "slot", (w) => w.set(L.SLOTS + 9 * L.SLOT_SIZE + L.SLOT_COUNTERS, 1)],
  ["a slot that holds an invalid context", "context-held", (w) => w.set(L.SLOTS + L.SLOT_CONTEXT, w.context + 64)],
  [
    "a slot that holds a context uncounted",
    "context-users",
    (w) => w.set(L.SLOTS + L.SLOT_CONTEXT, w.get(L.CTX_TABLE)),
  ],
  [
    "two slots with one scratch area",
    "scratch",
    (w) => w.set(L.SLOTS + L.SLOT_SIZE + L.SLOT_SCRATCH, w.get(L.SLOTS + L.SLOT_SCRATCH)),
  ],
  // The log of changes, whose first record creates "dir".
  ["the number of threads that follow the log", "changes", (w) => w.add(L.G_CHANGES_READERS, 1)],
  ["a free slot that follows the log", "changes", (w) => w.set(L.SLOTS + 9 * L.SLOT_SIZE + L.SLOT_CHANGES, 1)],
  ["a log that ends within a record", "changes", (w) => w.add(L.G_CHANGES_TAIL, -8)],
  ["a log that is followed without a ring", "changes", (w) => w.set(L.G_CHANGES_CHUNKS, 0)],
  ["the position of a record", "changes", (w) => w.add(w.get(L.CHANGES_RING), 8)],
  ["the size of a record", "changes", (w) => w.add(w.get(L.CHANGES_RING) + CHANGE_BYTES, 4)],
  ["the name in a record", "changes", (w) => w.byte(w.get(L.CHANGES_RING) + CHANGE_NAME, 0x71)],
  ["a record of a name that is gone", "changes", (w) => w.set(w.get(L.CHANGES_RING) + CHANGE_MASK, IN_DELETE)],
  ["a chunk of the ring that a slot has too", "scratch", (w) => w.set(L.CHANGES_RING, w.get(L.SLOTS + L.SLOT_SCRATCH))],
  // Retired objects.
  ["an odd global epoch", "epoch", (w) => w.add(L.G_EPOCH, 1)],
  ["the number of retired objects", "retired", (w) => w.add(L.SLOTS + L.SLOT_RCU_COUNT, 1)],
  ["the tail of retired objects", "retired", (w) => w.set(RETIRED_TAIL, w.get(RETIRED))],
  ["the polls", "retired", (w) => w.set(L.SLOTS + L.SLOT_RCU_SINCE, 32)],
  ["a list of retired objects that is cut", "retired", (w) => w.set(RETIRED, 0)],
  ["a free slot that has retired some", "retired", (w) => w.set(L.SLOTS + 9 * L.SLOT_SIZE + L.SLOT_RCU_COUNT, 1)],
  ["the lists of a slot locked", "lock", (w) => w.set(L.SLOTS + L.SLOT_LISTS_LOCK, 2)],
  // Parts of counters.
  ["a part of the number of entries", "hash-count", (w) => w.add(L.SLOTS + 9 * L.SLOT_SIZE + L.SLOT_HASH_COUNT, 1)],
  ["a part of the gauge of dentries", "gauge", (w) => w.add(L.SLOTS + L.SLOT_NR_DENTRY, 1)],
  ["a part of the gauge of inodes", "gauge", (w) => w.add(L.SLOTS + L.SLOT_NR_INODE, -1)],
  ["a part of the gauge of files", "gauge", (w) => w.add(L.SLOTS + L.SLOT_NR_FILES, 1)],
  ["a part of the root mount's count", "mount-count", (w) => w.add(L.SLOTS + L.SLOT_ROOT_COUNT, -1)],
  ["an odd contents sequence", "sequence", (w) => w.add(w.i("/dir/file") + L.CONTENTS_SEQ, 1)],
  // The file that a slot keeps.
  [
    "a spare file that a descriptor means",
    "file-count",
    (w) => w.set(L.SLOTS + 9 * L.SLOT_SIZE + L.SLOT_SPARE_FILE, w.file(w.numbers.fd)),
  ],
  ["a spare file that is none", "spare", (w) => w.set(L.SLOTS + 9 * L.SLOT_SIZE + L.SLOT_SPARE_FILE, w.d("/mnt"))],
  // Sheaves.
  ["the number of objects on a sheaf", "sheaf", (w) => w.add(L.SLOTS + L.SLOT_SHEAVES + L.SHEAF_SIZE, 1)],
  ["a sheaf that is cut", "sheaf", (w) => w.set(L.SLOTS + L.SLOT_SHEAVES, 0)],
  [
    "an object on two sheaves",
    "sheaf",
    (w) => w.set(L.SLOTS + L.SLOT_SIZE + L.SLOT_SHEAVES, w.get(L.SLOTS + L.SLOT_SHEAVES)),
  ],
  [
    "a live dentry on a sheaf",
    "dentry-list",
    (w) => w.set(w.get(L.SLOTS + L.SLOT_SHEAVES) + L.DENTRY_LINK, w.d("/mnt")),
  ],
  [
    "a cache without its sheaf",
    "cache",
    (w) => w.set(L.G_CACHES + L.CACHE_DENTRY * L.KMEM_CACHE_SIZE + L.KMEM_SHEAF, 0),
  ],
  [
    "a live object among the retired",
    "retired-state",
    (w) => {
      const tail = w.get(RETIRED_TAIL);
      w.set(linkOf(w, tail), w.d("/mnt"));
    },
  ],
  [
    "an object retired in the future",
    "retired-epoch",
    (w) => {
      const head = w.get(RETIRED);
      w.set(linkOf(w, head) + 4, w.get(L.G_EPOCH) + 2);
    },
  ],
  // Chunks and slabs.
  ["the number of chunks in use", "chunk-used", (w) => w.add(L.G_PAGE_USED, -1)],
  ["the next chunk never used", "chunk-bump", (w) => w.set(L.G_PAGE_BUMP, w.get(L.H_MAX_CHUNKS) + 1)],
  ["a chunk left out", "chunk-lost", (w) => w.add(L.G_PAGE_BUMP, 1)],
  ["a chunk in use that is free", "chunk-owner", (w) => w.set(L.G_PAGE_FREE, w.room(L.CACHE_DENTRY))],
  ["a chunk of an unknown cache", "chunk-owner", (w) => w.set(w.entry(w.room(L.CACHE_SUPER)), 77)],
  ["a list of free chunks that leads outside", "chunk-free", (w) => w.set(L.G_PAGE_FREE, 60_000)],
  ["an entry for a chunk not in use", "chunk-table", (w) => w.set(w.entry(w.get(L.H_MAX_CHUNKS) - 1), 1)],
  ["the size of a cache's objects", "cache", (w) => w.set(L.G_CACHES + L.KMEM_CACHE_SIZE + L.KMEM_SIZE, 64)],
  ["a typed cache that is not", "cache", (w) => w.set(L.G_CACHES + L.KMEM_CACHE_SIZE + L.KMEM_TYPED, 0)],
  [
    "a chunk with room that is in no list",
    "slab-room",
    (w) => w.set(L.G_CACHES + L.KMEM_CACHE_SIZE + L.KMEM_PARTIAL, 0),
  ],
  [
    "a chunk of another cache in a list",
    "slab-list",
    (w) => w.set(L.G_CACHES + L.KMEM_CACHE_SIZE + L.KMEM_PARTIAL, w.room(L.CACHE_INODE)),
  ],
  ["a list of chunks that goes round", "slab-list", (w) => w.set(w.entry(w.room(1)) + L.ENTRY_NEXT, w.room(1))],
  [
    "two empty chunks of a cache that keeps one",
    "slab-empty",
    (w) => {
      for (let n = 0; n < 2; n++) {
        w.set(w.entry(w.get(L.G_PAGE_BUMP)) + L.ENTRY_CACHE, L.CACHE_SIZED);
        w.add(L.G_PAGE_BUMP, 1);
      }
    },
  ],
  ["the chunk before a chunk", "slab-list", (w) => w.set(w.entry(w.room(1)) + L.ENTRY_PREV, w.room(1))],
  ["the number of objects in use", "slab-count", (w) => w.add(w.entry(w.room(1)) + L.ENTRY_USED, 1)],
  ["how far a chunk was used", "slab-never", (w) => w.add(w.entry(w.room(1)) + L.ENTRY_NEVER_USED, 4)],
  [
    "a free list into the middle of an object",
    "slab-free",
    (w) => w.set(w.entry(w.room(1)) + L.ENTRY_FREE, w.root + 16),
  ],
  [
    "a free object in use",
    "dentry-list",
    (w) => {
      const e = w.entry(w.d("/mnt") >>> 16);
      w.set(w.d("/mnt") + L.DENTRY_LINK, w.get(e + L.ENTRY_FREE));
      w.set(e + L.ENTRY_FREE, w.d("/mnt"));
      w.add(e + L.ENTRY_USED, -1);
    },
  ],
  [
    "a free list that goes round",
    "slab-free",
    (w) => {
      const e = w.entry(w.room(PAGES));
      const [never, used] = [w.get(e + L.ENTRY_NEVER_USED), w.get(e + L.ENTRY_USED)];
      w.set(e + L.ENTRY_NEVER_USED, never + 4096);
      const p = w.room(PAGES) * L.CHUNK + never;
      w.set(e + L.ENTRY_USED, used);
      w.set(e + L.ENTRY_FREE, p);
      w.set(p, p);
    },
  ],
  ["memory that nothing refers to", "leak", (w) => leak(w, L.CACHE_SIZED, 16)],
  ["a dentry that nothing refers to", "leak", (w) => leak(w, L.CACHE_DENTRY, 128)],
  // Dentries.
  ["a dentry's d_lock held", "lock", (w) => w.set(w.d("/dir") + DENTRY.lock, 1)],
  ["a directory's childLock held", "lock", (w) => w.set(w.d("/dir") + DENTRY.childLock, 1)],
  ["a dentry's lookup mutex held", "lock", (w) => w.set(w.d("/dir/file") + DENTRY.lookupMutex, 1)],
  ["a dentry in lookup", "dentry-flags", (w) => w.flip(w.d("/dir/file") + DENTRY.flags, L.D_PAR_LOOKUP)],
  ["a dentry's sequence odd", "sequence", (w) => w.add(w.d("/dir") + DENTRY.seq, 1)],
  ["dirSeq odd", "sequence", (w) => w.add(w.d("/dir") + DENTRY.dirSeq, 1)],
  ["a dentry's parent", "dentry-parent", (w) => w.set(w.d("/dir/file") + DENTRY.parent, w.root)],
  ["a dentry's super block", "dentry-sb", (w) => w.add(w.d("/dir/file") + DENTRY.sb, 256)],
  [
    "a dentry without its parent's list",
    "leak",
    (w) => w.set(w.d("/dir") + DENTRY.firstChild, w.get(w.d("/dir/sub") + DENTRY.sibNext)),
  ],
  ["sibPrev", "dentry-list", (w) => w.set(w.d("/dir/file") + DENTRY.sibPrev, w.root)],
  ["sibNext that goes round", "dentry-list", (w) => w.set(w.d("/dir/file") + DENTRY.sibNext, w.d("/dir/sub"))],
  ["lastChild", "dentry-list", (w) => w.set(w.d("/dir") + DENTRY.lastChild, w.d("/dir/sub"))],
  [
    "a cookie given twice",
    "dentry-cookie",
    (w) => w.set(w.d("/dir/file") + DENTRY.cookie, w.get(w.d("/dir/other") + DENTRY.cookie)),
  ],
  ["the last cookie given", "dentry-cookie", (w) => w.set(w.get(w.d("/dir") + DENTRY.inode) + INODE.ino64, 1)],
  ["one reference too many", "dentry-count", (w) => w.add(w.d("/dir/file") + DENTRY.count, 1)],
  ["one reference too few", "dentry-count", (w) => w.add(w.d("/dir/plain") + DENTRY.count, -1)],
  ["a reference too few on a working directory", "dentry-count", (w) => w.add(w.d("/dir/sub") + DENTRY.count, -1)],
  ["a reference too few on a root", "dentry-count", (w) => w.add(w.root + DENTRY.count, -1)],
  ["a reference too many on a mount point", "dentry-count", (w) => w.add(w.d("/mnt") + DENTRY.count, 1)],
  [
    "a reference too few on an unlinked, open file's",
    "dentry-count",
    (w) => w.add(w.get(w.file(4) + FILE.dentry) + DENTRY.count, -1),
  ],
  ["a dentry's type", "dentry-type", (w) => w.flip(w.d("/dir/file") + DENTRY.flags, 3)],
  ["a flag of the file system", "dentry-flags", (w) => w.flip(w.d("/dir") + DENTRY.flags, L.D_OP_REVALIDATE)],
  [
    "a generation that there has not been",
    "dentry-flags",
    (w) => w.set(w.child(w.driverRoot, "a") + DENTRY.cookie, 99),
  ],
  ["a flag that there is not", "dentry-flags", (w) => w.flip(w.d("/dir") + DENTRY.flags, 1 << 30)],
  ["D_ROOT", "dentry-flags", (w) => w.flip(w.root + DENTRY.flags, L.D_ROOT)],
  ["D_MOUNTED", "dentry-flags", (w) => w.flip(w.d("/mnt") + DENTRY.flags, L.D_MOUNTED)],
  ["D_CANT_MOUNT", "dentry-flags", (w) => w.flip(w.d("/dir") + DENTRY.flags, L.D_CANT_MOUNT)],
  ["D_EXEC_ANY", "dentry-flags", (w) => w.flip(w.d("/dir") + DENTRY.flags, L.D_EXEC_ANY)],
  ["D_COMPLETE", "dentry-flags", (w) => w.flip(w.d("/dir") + DENTRY.flags, L.D_COMPLETE)],
  ["D_LONG_NAME", "dentry-flags", (w) => w.flip(w.d("/dir") + DENTRY.flags, L.D_LONG_NAME)],
  ["a dentry's inode", "dentry-inode", (w) => w.add(w.d("/dir/file") + DENTRY.inode, 4)],
  ["the mounts on a dentry", "dentry-mounts", (w) => w.add(w.d("/mnt") + DENTRY.mounts, 1)],
  ["a byte behind a name", "name", (w) => w.byte(w.d("/dir") + DENTRY.name + 20, 1)],
  ["a byte behind a long name", "name", (w) => w.byte(w.get(w.d(`/dir/${LONG}`) + DENTRY.name) + 103, 1)],
  ["a slash in a name", "name", (w) => w.byte(w.d("/dir") + DENTRY.name, 0x2f)],
  ["a letter of a name", "name-hash", (w) => w.byte(w.d("/dir") + DENTRY.name, 0x65)],
  ["a letter of a long name", "name-hash", (w) => w.byte(w.get(w.d(`/dir/${LONG}`) + DENTRY.name) + 99, 0x65)],
  ["a long name outside of any block", "owner", (w) => w.set(w.d(`/dir/${LONG}`) + DENTRY.name, 0)],
  ["the number of children", "children", (w) => w.add(w.d("/dir") + DENTRY.nrChildren, 1)],
  // The table.
  ["a hash", "name-hash", (w) => w.flip(w.d("/dir") + DENTRY.hash, 1)],
  ["a dentry in the wrong chain", "hash-chain", (w) => w.flip(w.d("/dir") + DENTRY.hash, 1)],
  [
    "the end of a chain",
    "hash-end",
    (w) => {
      let d = w.d("/dir");
      while ((w.get(d + DENTRY.next) & 1) === 0) d = w.get(d + DENTRY.next);
      w.add(d + DENTRY.next, 2);
    },
  ],
  ["a hashed dentry in no chain", "hash-lost", (w) => w.set(w.chain(w.get(w.d("/dir") + DENTRY.hash)), 0)],
  ["an unhashed dentry in a chain", "hash-lost", (w) => w.flip(w.d("/dir/plain") + DENTRY.flags, L.D_UNHASHED)],
  ["a chain that goes round", "hash-chain", (w) => w.set(w.d("/dir") + DENTRY.next, w.d("/dir"))],
  ["the number of entries", "hash-count", (w) => w.add(L.G_HASH_COUNT, 1)],
  ["the number of buckets", "hash-size", (w) => w.set(L.G_HASH_N, 255)],
  ["the mask", "hash-size", (w) => w.set(L.G_HASH_MASK, 1023)],
  ["a bucket not in use yet", "hash-size", (w) => w.set(w.get(L.H_BUCKETS) + (w.get(L.H_MAX_BUCKETS) - 1) * 4, 8)],
  [
    "one name twice",
    "hash-twice",
    (w) => {
      const [from, to] = [w.d("/dir/big"), w.d("/dir/plain")];
      for (let k = 0; k < 32; k += 4) w.set(to + DENTRY.name + k, w.get(from + DENTRY.name + k));
      w.set(to + DENTRY.len, 3);
    },
  ],
  // Unused dentries.
  ["the number of unused dentries", "lru", (w) => w.add(LRU + L.LRU_COUNT, 1)],
  ["D_ON_LRU", "lru", (w) => w.flip(w.get(LRU + L.LRU_HEAD) + DENTRY.flags, L.D_ON_LRU)],
  ["lruPrev", "lru", (w) => w.set(w.get(NEGATIVE + L.LRU_TAIL) + DENTRY.lruPrev, 0)],
  [
    "an unused dentry outside the list",
    "lru",
    (w) => w.set(NEGATIVE + L.LRU_HEAD, w.get(w.get(NEGATIVE + L.LRU_HEAD) + DENTRY.lruNext)),
  ],
  ["the oldest unused dentry", "lru", (w) => w.set(NEGATIVE + L.LRU_TAIL, w.get(NEGATIVE + L.LRU_HEAD))],
  ["D_REFERENCED outside the list", "lru", (w) => w.flip(w.d("/dir") + DENTRY.flags, L.D_REFERENCED)],
  ["D_IDLE outside the list", "lru", (w) => w.flip(w.d("/dir") + DENTRY.flags, L.D_IDLE)],
  ["an idle dentry among the others", "lru", (w) => w.flip(w.get(LRU + L.LRU_HEAD) + DENTRY.flags, L.D_IDLE)],
  [
    "a name that exists among those that do not",
    "lru",
    (w) => {
      for (let k = 0; k < L.LRU_LIST_SIZE; k += 4) {
        const [one, other] = [w.get(LRU + k), w.get(LRU + L.LRU_LIST_SIZE + k)];
        w.set(LRU + k, other);
        w.set(LRU + L.LRU_LIST_SIZE + k, one);
      }
    },
  ],
  ...INODE_DAMAGE,
  // Mounts, super blocks, drivers.
  ["a mount's count", "mount-count", (w) => w.add(w.mount + MOUNT.count, 1)],
  ["the root mount's count", "mount-count", (w) => w.add(w.rootMount + MOUNT.count, -1)],
  ["a mount's number of children", "mount-children", (w) => w.add(w.rootMount + MOUNT.nrChildren, 1)],
  ["a mount's parent", "mount-parent", (w) => w.add(w.mount + MOUNT.parent, 4)],
  ["a mount's place", "mount-place", (w) => w.add(w.mount + MOUNT.mountpoint, 4)],
  ["a mount on a file", "mount-place", (w) => w.set(w.mount + MOUNT.mountpoint, w.d("/dir/file"))],
  ["a mount's super block", "mount", (w) => w.add(w.mount + MOUNT.sb, 4)],
  ["a mount's flags", "mount", (w) => w.set(w.mount + MOUNT.flags, 64)],
  ["two rules for times of access of a mount", "mount", (w) => w.set(w.mount + MOUNT.flags, 0x1000400)],
  ["the mark of a mount", "mount", (w) => w.set(w.mount + MOUNT.expire, 2)],
  ["a mount's number", "mount", (w) => w.set(w.mount + MOUNT.id, 0)],
  ["the number of another mount", "mount", (w) => w.set(w.mount + MOUNT.id, w.get(w.rootMount + MOUNT.id))],
  ["the length of a source", "super", (w) => w.set(w.super + L.SUPER_SOURCE_LEN, 300)],
  ["the root mount", "mount", (w) => w.set(L.G_ROOT_MNT, 0)],
  [
    "a mount in no chain",
    "mount-table",
    (w) => {
      for (let b = 0; b < L.MOUNT_HASH; b++) w.set(L.MOUNT_HEADS + b * 4, 0);
    },
  ],
  ["a ring of peers that does not close", "mount-group", (w) => w.set(w.mount + MOUNT.peerNext, w.rootMount)],
  ["a group without a mount's peer", "mount-group", (w) => w.set(w.rootMount + MOUNT.group, 1000)],
  ["a mount's master, which does not know it", "mount-master", (w) => w.set(w.mount + MOUNT.master, w.rootMount)],
  ["a slave of a mount that is not shared", "mount-group", (w) => w.set(w.rootMount + MOUNT.slaves, w.mount)],
  ["a next slave of no master", "mount-master", (w) => w.set(w.mount + MOUNT.slaveNext, w.rootMount)],
  ["the number of mounts of a namespace", "mount-namespace", (w) => w.add(w.rootMount + MOUNT.nrMounts, 1)],
  ["a root of a namespace in the middle of another", "mount-namespace", (w) => w.set(w.mount + MOUNT.nrMounts, 1)],
  ["a mount not in the list", "mount-list", (w) => w.set(L.G_MOUNTS, w.get(w.mount + MOUNT.allNext))],
  ["a list of mounts that goes round", "mount-list", (w) => w.set(w.rootMount + MOUNT.allNext, w.mount)],
  ["the mount before a mount", "mount-list", (w) => w.set(w.rootMount + MOUNT.allPrev, 0)],
  ["the mounts of a super block", "super-active", (w) => w.add(w.super + SUPER.active, 1)],
  ["renameMutex held", "lock", (w) => w.set(w.super + SUPER.renameMutex, 1)],
  ["a super block's device", "super", (w) => w.set(w.super + SUPER.dev, 1000)],
  ["quotaLock held", "lock", (w) => w.set(w.super + SUPER.quotaLock, 1)],
  ["the pages of a file system", "quota", (w) => w.add(w.limited + SUPER.usedBlocks, 1)],
  ["the space of a file system", "quota", (w) => w.add(w.limited + SUPER.usedSpace, -1024)],
  ["a limit below what is used", "quota", (w) => w.set(w.limited + SUPER.maxSpace, 1024)],
  ["a driver's file system with a limit", "quota", (w) => w.set(w.get(w.mount + MOUNT.sb) + SUPER.maxBlocks, 8)],
  ["a super block's flags", "super", (w) => w.set(w.super + SUPER.dflags, 0)],
  ["a super block's root", "dentry-list", (w) => w.add(w.super + SUPER.root, 4)],
  ["the file systems of a driver", "driver", (w) => w.add(L.DRIVERS + L.DRIVER_MOUNTED, 1)],
  ["a driver that is gone", "driver", (w) => w.set(L.DRIVERS, 0)],
  ["a driver's hooks", "super", (w) => w.flip(L.DRIVERS + L.DRIVER_HOOKS, L.HOOK.HASH)],
  // Contexts, files.
  ["a context's lock held", "lock", (w) => w.set(w.context + CONTEXT.lock, 1)],
  ["fdLock held", "lock", (w) => w.set(w.context + CONTEXT.fdLock, 1)],
  ["a context's sequence odd", "sequence", (w) => w.add(w.context + CONTEXT.seq, 1)],
  ["a context's users", "context-users", (w) => w.add(w.context + CONTEXT.users, 1)],
  ["a context's number", "context-table", (w) => w.add(w.context + CONTEXT.number, 1)],
  ["a context out of the table", "context-place", (w) => w.set(L.CTX_TABLE + (w.numbers.context & 1023) * 4, 0)],
  ["context 0 gone", "context-table", (w) => w.set(L.CTX_TABLE, 0)],
  ["a context's root", "context-place", (w) => w.add(w.context + CONTEXT.root, 4)],
  ["a namespace that is none", "context-namespace", (w) => w.set(w.context + CONTEXT.mntNs, w.mount)],
  ["a context's mount", "context-place", (w) => w.set(w.context + CONTEXT.pwdMnt, 0)],
  ["a working directory that is a file", "context-place", (w) => w.set(w.context + CONTEXT.pwd, w.d("/dir/file"))],
  ["the number of groups", "groups", (w) => w.set(w.context + CONTEXT.ngroups, 2000)],
  ["groups lost", "groups", (w) => w.set(w.context + CONTEXT.groups, 0)],
  ["groups outside of any block", "owner", (w) => w.add(w.context + CONTEXT.groups, 4)],
  ["the lowest free descriptor", "fd-hint", (w) => w.set(w.get(L.CTX_TABLE) + CONTEXT.fdHint, 200)],
  [
    "the lowest free descriptor of a block with a lock",
    "fd-hint",
    (w) => w.add(w.blockOf(w.numbers.any) + L.FD_BLOCK_HINT, 1),
  ],
  ["the lock of a block of descriptors held", "lock", (w) => w.set(w.blockOf(w.numbers.any) + L.FD_BLOCK_LOCK, 1)],
  ["a block of descriptors that is not shown", "fd", (w) => w.add(w.get(L.CTX_TABLE) + L.CONTEXT_FD_BLOCKS, 1)],
  [
    "a block of descriptors lost",
    "leak",
    (w) => w.set(w.get(L.CTX_TABLE) + L.CONTEXT_FD_BLOCKS + Math.floor(w.numbers.any / L.FD_BLOCK) * 4, 0),
  ],
  ["a descriptor of a block with a lock", "fd", (w) => w.set(w.blockOf(w.numbers.any) + 100 * 4, 4096)],
  ["a descriptor taken and not open", "fd", (w) => w.set(w.block + 50 * 4, L.FD_RESERVED)],
  ["a descriptor that points to no open file", "fd", (w) => w.set(w.block + 50 * 4, 4096)],
  ["a standard descriptor", "fd", (w) => w.set(w.block, w.file(3))],
  ["a file without its descriptor", "leak", (w) => w.set(w.block + w.numbers.fd * 4, 0)],
  ["a file's count", "file-count", (w) => w.add(w.file(w.numbers.fd) + FILE.count, 1)],
  ["a file's inode", "file", (w) => w.set(w.file(w.numbers.fd) + FILE.inode, w.i("/dir/big"))],
  ["a file's dentry", "file", (w) => w.set(w.file(w.numbers.fd) + FILE.dentry, 0)],
  ["a file's mount", "file", (w) => w.set(w.file(w.numbers.fd) + FILE.mnt, 0)],
  ["a file's mode", "file", (w) => w.set(w.file(w.numbers.fd) + FILE.mode, 5)],
  ["a file's position", "file", (w) => w.set(w.file(w.numbers.fd) + FILE.pos + 4, 0xf0000000)],
  ["posLock held", "lock", (w) => w.set(w.file(w.numbers.fd) + FILE.posLock, 1)],
  ["the entry shown last", "file", (w) => w.add(w.file(w.numbers.dir) + FILE.hint, 4)],
  // Advisory locks: a flock, a lock on bytes 0 to 9, one on 20 to 29, a request for a flock.
  ["a lock's flags", "file-lock", (w) => w.set(w.lock(1) + LOCK.flags, L.FL_POSIX | 2)],
  ["a lock's owner", "file-lock", (w) => w.set(w.lock(0) + LOCK.owner, w.file(w.numbers.dir))],
  ["a lock of a context that there is not", "file-lock", (w) => w.set(w.lock(2) + LOCK.owner + 4, 0x40900000)],
  ["a lock's range", "file-lock", (w) => w.set(w.lock(2) + LOCK.start, 40)],
  ["a flock on a range", "file-lock", (w) => w.set(w.lock(0) + LOCK.start, 1)],
  ["locks that overlap", "file-lock", (w) => w.set(w.lock(1) + LOCK.end, 25)],
  ["locks that touch", "file-lock", (w) => w.set(w.lock(2) + LOCK.start, 10)],
  ["locks lost", "leak", (w) => w.set(w.i("/dir/file") + INODE.flctx, 0)],
  ["a list of locks that goes round", "owner", (w) => w.set(w.lock(2) + LOCK.next, w.lock(0))],
  ["locks not freed", "file-lock", (w) => w.set(L.SLOTS + L.SLOT_FREE_LOCKS, w.lock(0))],
  ["the number of requests", "file-lock", (w) => w.add(L.G_BLOCKED_COUNT, 1)],
  ["a request lost", "leak", (w) => w.set(L.G_BLOCKED_HEAD, 0)],
  ["a request's thread", "file-lock", (w) => w.set(w.get(L.G_BLOCKED_HEAD) + REQUEST.thread, 99)],
  ["a request's open file", "file-lock", (w) => w.set(w.get(L.G_BLOCKED_HEAD) + REQUEST.file, 0)],
  ["a request's word", "file-lock", (w) => w.add(w.get(L.G_BLOCKED_HEAD) + REQUEST.word, 4)],
  ["a request that nothing keeps waiting", "file-lock", (w) => w.set(w.i("/dir/file") + INODE.flctx, w.lock(1))],
  // Pipes: one with pages of 4096 and 904 bytes, and the open of a FIFO that waits.
  ["a pipe's readers", "pipe", (w) => w.add(w.pipe + PIPE.readers, 1)],
  ["a pipe's writers", "pipe", (w) => w.set(w.pipe + PIPE.writers, 0)],
  ["a pipe's files", "pipe", (w) => w.add(w.pipe + PIPE.files, 1)],
  ["a pipe's slots", "pipe", (w) => w.set(w.pipe + PIPE.ringSize, 12)],
  ["a pipe's head", "pipe", (w) => w.add(w.pipe + PIPE.head, 1)],
  ["a pipe's tail", "pipe", (w) => w.add(w.pipe + PIPE.tail, 20)],
  ["a page of a pipe lost", "leak", (w) => w.set(w.slot(1), 0)],
  ["one page of a pipe twice", "owner", (w) => w.set(w.slot(1), w.get(w.slot(0)))],
  ["a page of a pipe without bytes", "pipe", (w) => w.set(w.slot(1) + L.SLOT_BYTES, 0)],
  ["bytes behind a page of a pipe", "pipe", (w) => w.add(w.slot(1) + L.SLOT_BYTES, 4000)],
  ["a ring of another size", "owner", (w) => w.set(w.pipe + PIPE.ringSize, 64)],
  ["a pipe lost", "leak", (w) => w.set(w.get(w.file(w.numbers.from) + FILE.inode) + INODE.data, 0)],
  ["a pipe with a name", "pipe", (w) => w.flip(w.i("/fifo") + INODE.mode, L.I_PIPE)],
  ["a file that is no end of its pipe", "file", (w) => w.set(w.file(w.numbers.from) + FILE.mode, L.FMODE_READ)],
  ["a file that is an end and no pipe", "file", (w) => w.flip(w.file(w.numbers.fd) + FILE.mode, L.FMODE_PIPE)],
  ["an open that waits for no thread", "pipe", (w) => w.set(w.file(w.numbers.opening) - 1 + FILE.opener, 99)],
  ["an open that waits in a file that is none", "fd", (w) => w.set(w.block + w.numbers.opening * 4, 4097)],
  [
    "an open that waits and is open",
    "pipe",
    (w) => w.set(w.file(w.numbers.opening) - 1 + FILE.mode, L.FMODE_READ | L.FMODE_WRITE | L.FMODE_PIPE),
  ],
  // Calls that are under way.
  ["an undo log with an entry", "undo-log", (w) => w.set(L.SLOTS + L.SLOT_UNDO_LOG + L.UNDO_LOG_COUNTS.entries, 1)],
  ["an undo log with a mutex", "undo-log", (w) => w.set(L.SLOTS + L.SLOT_UNDO_LOG + L.UNDO_LOG_COUNTS.mutexes, 1)],
  ["an undo log with a block", "undo-log", (w) => w.set(L.SLOTS + L.SLOT_UNDO_LOG + L.UNDO_LOG_COUNTS.blocks, 1)],
  ["a thread in a call", "slot", (w) => w.set(L.SLOTS + L.SLOT_ACTIVE, 1)],
  ["a thread that has a mutex shared", "slot", (w) => w.set(L.SLOTS + L.SLOT_SHARED, w.i("/dir") + INODE.mutex)],
  ["a recount that is under way", "recount", (w) => w.set(L.G_RECOUNT_OWNER, 1)],
  ["references of dead threads", "recount", (w) => w.set(L.G_LEAKS, 1)],
  // Gauges.
  ["the gauge of dentries", "gauge", (w) => w.add(L.G_NR_DENTRY, 1)],
  ["the gauge of inodes", "gauge", (w) => w.add(L.G_NR_INODE, -1)],
  ["the gauge of files", "gauge", (w) => w.add(L.G_NR_FILES, 1)],
  ["the gauge of mounts", "gauge", (w) => w.add(L.G_NR_MOUNTS, 1)],
];
