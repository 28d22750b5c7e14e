/**
 * Where things lie in the shared memory, for the checkers. Written down by hand from the drawings in core/mem/*.ts and core/fs/*.ts,
 * under the core's own names, so that the checkers share no code with what they check. packages/verify/test/arena/layout.test.ts parses
 * the core's sources and compares every number: a change of the layout is noticed there, and made here and nowhere else.
 *
 * Numbers are constants of the same name in the core; objects in {@link CLASSES} are classes, field by field.
 */
import { COUNTERS } from "../../../threadfs/dist/abi/abi.js";

export {
  ABI_VERSION as VERSION,
  ACL_GROUP,
  ACL_GROUP_OBJ,
  ACL_MASK,
  ACL_OTHER,
  ACL_USER,
  ACL_USER_OBJ,
  DRIVER_NAME_MAX,
  FS_REVAL_DOT,
  HOOK,
  MS_NOEXEC,
  MS_RDONLY,
  NAME_MAX,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  SCRATCH,
} from "../../../threadfs/dist/abi/abi.js";

// ------------------------------------------------------------------------------------------------- core/mem/layout.ts

export const MAGIC = 0x53464854;
export const CHUNK_SHIFT = 16;
export const CHUNK = 65536;

export const H_MAGIC = 1024;
export const H_VERSION = 1028;
export const H_MAX_CHUNKS = 1032;
export const H_CHUNK_TABLE = 1036;
export const H_BUCKETS = 1040;
export const H_MAX_BUCKETS = 1044;
export const H_FIRST_CHUNK = 1048;
export const H_SALT = 1056;
export const KEYS = 2048;

export const G_HASH_N = 4096;
export const G_HASH_SEQ = 4100;
export const G_HASH_MASK = 4104;
export const G_HASH_COUNT = 4160;
export const G_SPLIT_LOCK = 4224;
export const G_RENAME_SEQ = 4288;
export const G_RENAME_LOCK = 4352;
export const G_MOUNT_SEQ = 4416;
export const G_MOUNT_LOCK = 4480;
export const G_NS_LOCK = 4544;
export const G_EPOCH = 4608;
export const G_RCU_LOCK = 4672;
export const G_RCU_HEAD = 4676;
export const G_RCU_TAIL = 4680;
export const G_RCU_COUNT = 4684;
export const G_RCU_SINCE = 4688;
export const G_PAGE_LOCK = 4736;
export const G_PAGE_BUMP = 4740;
export const G_PAGE_FREE = 4744;
export const G_PAGE_USED = 4748;
export const G_LRU_LOCK = 4800;
export const G_LRU_HEAD = 4804;
export const G_LRU_TAIL = 4808;
export const G_LRU_COUNT = 4812;
export const G_INODE_LOCK = 4864;
export const G_DRIVER_LOCK = 4928;
export const G_CTX_LOCK = 4992;
export const G_CTX_MADE = 4996;
export const G_NEXT_DEV = 5056;
export const G_NEXT_MNT = 5060;
export const G_NR_DENTRY = 5120;
export const G_NR_INODE = 5184;
export const G_NR_FILES = 5248;
export const G_NR_MOUNTS = 5312;
export const G_ROOT_MNT = 5376;
export const G_MOUNTS = 5380;
export const G_SLOTS_USED = 5440;
export const G_SLOT_LOCK = 5444;
export const G_PREFIX_CACHES = 5448;
export const G_SHRINK_LOCK = 5508;
export const G_SLEEP = 5520;
export const G_RECOUNT_OWNER = 6144;
export const G_LEAKS = 6148;

export const G_CACHES = 8192;
export const BUCKET_LOCKS = 16384;
export const MOUNT_HEADS = 32768;
export const MOUNT_HASH = 256;
export const INODE_HEADS = 33792;
export const INODE_HASH = 2048;
export const CTX_TABLE = 41984;
export const MAX_CONTEXTS = 1024;
export const DRIVERS = 46080;
export const MAX_DRIVERS = 32;
export const DRIVER_SIZE = 128;
export const SLOTS = 65536;
export const SLOT_SIZE = 2048;
export const MAX_THREADS = 256;
export const FIXED_END = 589824;
export const CHUNK_ENTRY = 32;
export const PREFIX_CACHE_CHUNKS = 2;
export const PREFIX_CACHE_SHARE = 16;

export const SLOT_EPOCH = 0;
export const SLOT_STATE = 64;
export const SLOT_HOST_ID = 68;
export const SLOT_SCRATCH = 92;
export const SLOT_CONTEXT = 88;
export const SLOT_ACTIVE = 96;
export const SLOT_PREFIX_CACHE = 100;
export const SLOT_UNDO_LOG = 384;
/** The counts in a thread's undo log (core/mem/undo/log.ts): all 0 at rest. */
export const UNDO_LOG_COUNTS = { entries: 0, pending: 4, locks: 8, sequences: 12, mutexes: 16, blocks: 20 };
export const SLOT_COUNTERS = 128;
export const NR_COUNTERS = COUNTERS.length;

/** Every lock of the fixed part that stands alone; bucket locks and caches' locks are arrays. */
export const LOCKS = {
  G_SPLIT_LOCK,
  G_RENAME_LOCK,
  G_MOUNT_LOCK,
  G_NS_LOCK,
  G_RCU_LOCK,
  G_PAGE_LOCK,
  G_LRU_LOCK,
  G_INODE_LOCK,
  G_DRIVER_LOCK,
  G_CTX_LOCK,
  G_SLOT_LOCK,
  G_SHRINK_LOCK,
};
export const SEQUENCES = { G_HASH_SEQ, G_RENAME_SEQ, G_MOUNT_SEQ };

// ------------------------------------------------------------------------------------------------- slabs, chunks, retired objects

/** A chunk's entry in the table (core/mem/alloc/pages.ts). */
export const ENTRY = { cache: 0, used: 4, free: 8, never: 12, prev: 16, next: 20 };
/** A slab cache (core/mem/alloc/slab.ts); bytes of one: 64. */
export const CACHE = { lock: 0, size: 4, perChunk: 8, room: 12, typed: 16, link: 20 };
export const CACHE_BYTES = 64;

export const CACHE_DENTRY = 1;
export const CACHE_INODE = 2;
export const CACHE_MOUNT = 3;
export const CACHE_SUPER = 4;
export const CACHE_FILE = 5;
export const CACHE_CONTEXT = 6;
export const CACHE_SIZED = 7;
export const KMALLOC_MAX = 4096;

export const DENTRY_SIZE = 128;
export const DENTRY_LINK = 96;
export const INODE_SIZE = 128;
export const INODE_LINK = 116;
export const MOUNT_SIZE = 128;
export const MOUNT_LINK = 40;
export const SUPER_SIZE = 256;
export const SUPER_LINK = 36;
export const FILE_SIZE = 128;
export const FILE_LINK = 40;
export const CONTEXT_SIZE = 512;
export const CONTEXT_LINK = 52;

/** What each cache holds, by its number; `link` is where a free or retired object keeps its link (a retired one its epoch behind it). */
/** Sizes of the caches for blocks of any kind: 16 bytes apart up to 64, then four to each doubling. */
export const SIZES = [
  16,
  32,
  48,
  64,
  ...[64, 128, 256, 512, 1024, 2048].flatMap((n) => [5, 6, 7, 8].map((k) => (n / 4) * k)),
];
/** A slab cache: `link` is the offset of the list pointer in a free or retired object. */
export interface Cache {
  name: string;
  size: number;
  typed: boolean;
  link: number;
}
export const CACHES: Cache[] = [
  { name: "none", size: 0, typed: false, link: 0 },
  { name: "dentry", size: DENTRY_SIZE, typed: true, link: DENTRY_LINK },
  { name: "inode", size: INODE_SIZE, typed: true, link: INODE_LINK },
  { name: "mount", size: MOUNT_SIZE, typed: true, link: MOUNT_LINK },
  { name: "super", size: SUPER_SIZE, typed: true, link: SUPER_LINK },
  { name: "file", size: FILE_SIZE, typed: true, link: FILE_LINK },
  { name: "context", size: CONTEXT_SIZE, typed: true, link: CONTEXT_LINK },
  ...SIZES.map((size) => ({ name: `size-${size}`, size, typed: false, link: 0 })),
];
export const CACHE_SLOTS = CACHES.length;
/** The cache of this number, which exists. */
export function cache(id: number): Cache {
  const found = CACHES[id];
  if (found === undefined) throw new RangeError(`There is no cache ${id}`);
  return found;
}

/** Reference count of a dead dentry (core/mem/lock/lockref.ts). */
export const DEAD = -128;
/** Retirements between two polls (core/mem/smr/smr.ts). */
export const POLL_EVERY = 32;

// ------------------------------------------------------------------------------------------------- objects

/** Classes of the core, the offset of each field. A name that ends in "_" there has none here. */
export const CLASSES = {
  Dentry: {
    seq: 0,
    flags: 4,
    hashLen: 8,
    parent: 16,
    inode: 20,
    next: 24,
    dirSeq: 28,
    name0: 32,
    name1: 40,
    name2: 48,
    name3: 56,
    lockref: 64,
    sb: 72,
    sibNext: 76,
    sibPrev: 80,
    firstChild: 84,
    lastChild: 88,
    childLock: 92,
    lruNext: 96,
    lruPrev: 100,
    aliasNext: 104,
    cookie: 108,
    nextCookie: 112,
    nrChildren: 116,
    mounts: 120,
    recount: 124,
  },
  Inode: {
    seq: 0,
    mode: 4,
    uid: 8,
    gid: 12,
    generation: 16,
    nlink: 20,
    size: 24,
    mtime: 32,
    ctime: 40,
    atime: 48,
    btime: 56,
    mutex: 64,
    count: 68,
    lock: 72,
    sb: 76,
    alias: 80,
    data: 84,
    pages: 88,
    rdev: 92,
    acl: 96,
    hashNext: 100,
    ino64: 104,
    shape: 112,
    rcuNext: 116,
    rcuTag: 120,
    recount: 124,
  },
  Mount: {
    parent: 0,
    mountpoint: 4,
    root: 8,
    sb: 12,
    spare0: 16,
    flags: 20,
    id: 24,
    hashNext: 28,
    allNext: 32,
    allPrev: 36,
    rcuNext: 40,
    rcuTag: 44,
    recount: 48,
    nrChildren: 52,
    spare1: 56,
    spare2: 60,
    count: 64,
  },
  SuperBlock: {
    dev: 0,
    driver: 4,
    hooks: 8,
    fsFlags: 12,
    dflags: 16,
    root: 20,
    active: 24,
    readonly: 28,
    renameMutex: 32,
    rcuNext: 36,
    rcuTag: 40,
    recount: 44,
  },
  File: {
    count: 0,
    flags: 4,
    mnt: 8,
    dentry: 12,
    inode: 16,
    posLock: 20,
    pos: 24,
    hint: 32,
    hintCookie: 36,
    rcuNext: 40,
    rcuTag: 44,
    mode: 48,
    recount: 52,
  },
  Context: {
    seq: 0,
    spare: 4,
    rootMnt: 8,
    root: 12,
    pwdMnt: 16,
    pwd: 20,
    number: 24,
    umask: 28,
    uid: 32,
    gid: 36,
    caps: 40,
    ngroups: 44,
    groups: 48,
    rcuNext: 52,
    rcuTag: 56,
    alive: 60,
    fdLock: 64,
    fdHint: 68,
    users: 72,
    lock: 76,
    recount: 80,
  },
};

export const DENTRY = { ...CLASSES.Dentry, hash: 8, len: 12, name: 32, lock: 64, count: 68 };
export const INODE = CLASSES.Inode;
export const MOUNT = CLASSES.Mount;
export const SUPER = CLASSES.SuperBlock;
export const FILE = CLASSES.File;
export const CONTEXT = CLASSES.Context;
/** Blocks of descriptors in a context, as core/vfs/task/cred.ts draws them. */
export const CONTEXT_BLOCKS = 128;

/** Lock words and sequences inside objects, by cache: they rest whether the object is in use or free. */
export const WORDS_AT_REST: { cache: number; locks: Record<string, number>; seqs: Record<string, number> }[] = [
  { cache: CACHE_DENTRY, locks: { lock: DENTRY.lock, childLock: DENTRY.childLock }, seqs: { seq: 0, dirSeq: 28 } },
  { cache: CACHE_INODE, locks: { mutex: INODE.mutex, lock: INODE.lock }, seqs: { seq: INODE.seq } },
  { cache: CACHE_SUPER, locks: { renameMutex: SUPER.renameMutex }, seqs: {} },
  { cache: CACHE_FILE, locks: { posLock: FILE.posLock }, seqs: {} },
  { cache: CACHE_CONTEXT, locks: { lock: CONTEXT.lock, fdLock: CONTEXT.fdLock }, seqs: { seq: CONTEXT.seq } },
];

export const INLINE_NAME = 32;
export const D_TYPE = 7;
export const D_NEGATIVE = 0;
export const D_DIRECTORY = 1;
export const D_REGULAR = 2;
export const D_SYMLINK = 3;
export const D_SPECIAL = 4;
export const D_UNHASHED = 1 << 3;
export const D_MOUNTED = 1 << 4;
export const D_CANT_MOUNT = 1 << 5;
export const D_EXEC_ANY = 1 << 6;
export const D_COMPLETE = 1 << 7;
export const D_OP_HASH = 1 << 8;
export const D_OP_COMPARE = 1 << 9;
export const D_OP_REVALIDATE = 1 << 10;
export const D_OP_DELETE = 1 << 11;
export const D_NO_CACHE = 1 << 12;
export const D_ON_LRU = 1 << 13;
export const D_REFERENCED = 1 << 14;
export const D_ROOT = 1 << 15;
export const D_REVAL_DOT = 1 << 16;
export const D_LONG_NAME = 1 << 17;
export const D_CHAINED = 1 << 18;

export const I_OP_PERMISSION = 1 << 16;
export const I_ACL = 1 << 17;
export const I_DRIVER = 1 << 18;
export const I_SPARSE = 1 << 19;
export const I_DEAD = 1 << 20;

/** Contents (core/fs/tmpfs/data.ts). */
export const RADIX = 0x80000000;
export const PAGE = 4096;
export const NODE_BITS = 10;
export const TOP_BITS_MIN = 4;
/** What the word `room` of a tree of pages says: its levels, and the pointers of its uppermost node as a power of two. */
export const shapeOf = (room: number) => ({ levels: room & 0xff, bits: (room - RADIX) >>> 8 });
export const MAX_LEVELS = 3;
export const MAX_FILE_SIZE = 4398046511104;
/** What each entry adds to a directory's size (core/fs/tmpfs/tmpfs.ts). */
export const DIRENT_SIZE = 20;

export const MIN_BUCKETS = 256;

/** Entry of a driver (core/vfs/mount/super.ts). */
export const DRIVER = { state: 0, generation: 4, hooks: 8, fsFlags: 12, mounted: 16, nameLength: 20, name: 24 };

export const FD_BLOCKS = 64;
export const FD_BLOCK = 256;
export const FD_FIRST = 3;
/** A descriptor that is taken and not yet open. */
export const FD_RESERVED = 1;
export const NGROUPS_MAX = 1024;
export const FMODE_READ = 1;
export const FMODE_WRITE = 2;

/** Tags of an ACL's entries, in the order in which they stand (core/vfs/walk/permission.ts). */
