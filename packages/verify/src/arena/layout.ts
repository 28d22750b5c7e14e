/**
 * Where things lie in the shared memory, for the checks. The compiler of the core has written every constant and the offset of every
 * field (packages/tools/src/core-declarations.ts), so each number stands once, in the core's source. Here they are put in the order
 * in which the checks need them.
 */
import * as core from "../../../threadfs/dist/generated/core-layout.js";

export {
  ABI_VERSION as VERSION,
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_USER,
  ACL_USER_OBJ,
  DRIVER_NAME_MAX,
  FS_CACHE_LINKS,
  FS_GENERATION,
  FS_REVAL_DOT,
  HOOK,
  MOUNT_SOURCE_MAX,
  MOUNTS_MAX,
  MS_NOATIME,
  MS_NOEXEC,
  MS_RDONLY,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  NAME_MAX,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  SCRATCH,
} from "../../../threadfs/dist/abi/abi.js";
export * from "../../../threadfs/dist/generated/core-layout.js";

const FIXED = /^[GH]_|^(?:KEYS|BUCKET_LOCKS|MOUNT_HEADS|INODE_HEADS|CTX_TABLE|DRIVERS|SLOTS)$/;
/** The tables and words of the fixed part by name: the constants of the core that are addresses in it. */
export const ADDRESSES: { name: string; address: number }[] = Object.entries(core)
  .flatMap(([name, address]) => (typeof address === "number" && FIXED.test(name) ? [{ name, address }] : []))
  .sort((a, b) => a.address - b.address);

/** The counts in a thread's undo log (core/mem/undo/log.ts): all 0 at rest. */
export const UNDO_LOG_COUNTS = {
  entries: core.LOG_NR_ENTRIES,
  pending: core.LOG_ACQUIRING,
  locks: core.LOG_NR_LOCKS,
  sequences: core.LOG_NR_SEQS,
  mutexes: core.LOG_NR_MUTEXES,
  blocks: core.LOG_NR_BLOCKS,
};

/** The addresses whose names match, by name. */
function named(pattern: RegExp): Record<string, number> {
  return Object.fromEntries(ADDRESSES.flatMap(({ name, address }) => (pattern.test(name) ? [[name, address]] : [])));
}
/** The locks and sequences of the fixed part that stand alone; those of buckets and caches are in tables. */
export const LOCKS = named(/^G_\w+_LOCK$/);
export const SEQUENCES = named(/^G_\w+_SEQ$/);

/** Sizes of the caches for blocks of any kind: 16 bytes apart up to 64, then four to each doubling. */
export const SIZES = [
  16,
  32,
  48,
  64,
  ...[64, 128, 256, 512, 1024, 2048].flatMap((n) => [5, 6, 7, 8].map((k) => (n / 4) * k)),
];
/** A slab cache: `link` is the offset of the link in a free or retired object; a retired one has its epoch behind it. */
export interface Cache {
  name: string;
  size: number;
  typed: boolean;
  link: number;
  /** The fields of a typed object by their offsets. */
  fields?: Readonly<Record<string, number>>;
}
const { Dentry, Inode, Mount, SuperBlock, File, Context } = core.CLASSES;
/** The caches by their numbers. */
export const CACHES: Cache[] = [
  { name: "none", size: 0, typed: false, link: 0 },
  { name: "dentry", size: core.DENTRY_SIZE, typed: true, link: core.DENTRY_LINK, fields: Dentry },
  { name: "inode", size: core.INODE_SIZE, typed: true, link: core.INODE_LINK, fields: Inode },
  { name: "mount", size: core.MOUNT_SIZE, typed: true, link: core.MOUNT_LINK, fields: Mount },
  { name: "super", size: core.SUPER_SIZE, typed: true, link: core.SUPER_LINK, fields: SuperBlock },
  { name: "file", size: core.FILE_SIZE, typed: true, link: core.FILE_LINK, fields: File },
  { name: "context", size: core.CONTEXT_SIZE, typed: true, link: core.CONTEXT_LINK, fields: Context },
  ...SIZES.map((size) => ({ name: `size-${size}`, size, typed: false, link: 0 })),
];
export const CACHE_SLOTS = CACHES.length;
/** The cache of this number, which exists. */
export function cache(id: number): Cache {
  const found = CACHES[id];
  if (found === undefined) throw new RangeError(`There is no cache ${id}`);
  return found;
}

/** Offsets of the fields of a dentry. Its hash and the length of its name are one word of 64 bits, as its lock and count are. */
export const DENTRY = {
  ...Dentry,
  hash: Dentry.hashLen,
  len: Dentry.hashLen + 4,
  name: Dentry.name0,
  lock: Dentry.lockref,
  count: Dentry.lockref + 4,
};
export const INODE = Inode;
export const MOUNT = Mount;
export const SUPER = SuperBlock;
export const FILE = File;
export const CONTEXT = Context;

/** The typed caches of whose free objects each slot has a sheaf, in the order of the sheaves. */
export const SHEAF_CACHES = [core.CACHE_DENTRY, core.CACHE_INODE, core.CACHE_FILE];

/** Lock words and sequences inside objects, by cache: they rest whether the object is in use or free. */
export const WORDS_AT_REST: { cache: number; locks: Record<string, number>; seqs: Record<string, number> }[] = [
  {
    cache: core.CACHE_DENTRY,
    locks: { lock: DENTRY.lock, childLock: DENTRY.childLock, lookupMutex: DENTRY.lookupMutex },
    seqs: { seq: DENTRY.seq, dirSeq: DENTRY.dirSeq },
  },
  { cache: core.CACHE_INODE, locks: { mutex: INODE.mutex, lock: INODE.lock }, seqs: { seq: INODE.seq } },
  { cache: core.CACHE_SUPER, locks: { renameMutex: SUPER.renameMutex, quotaLock: SUPER.quotaLock }, seqs: {} },
  { cache: core.CACHE_FILE, locks: { posLock: FILE.posLock }, seqs: {} },
  { cache: core.CACHE_CONTEXT, locks: { lock: CONTEXT.lock, fdLock: CONTEXT.fdLock }, seqs: { seq: CONTEXT.seq } },
];

/** What the word `room` of a tree of pages says: its levels, and the pointers of its uppermost node as a power of two. */
export const shapeOf = (room: number) => ({ levels: room & 0xff, bits: (room - core.RADIX) >>> 8 });
