/**
 * The door between TypeScript and the core: where things lie in a thread's scratch area, what each system call
 * takes and answers. Numbers go in, a number >= 0 or a negative errno comes out; strings, structures and file
 * contents travel through the calling thread's scratch area. `core/mem/layout.ts` holds the other half.
 */

/** Version of the memory layout and of this table. A handle of another version is refused. */
export const ABI_VERSION = 2;

/** Byte offsets inside a thread's scratch area. */
export const SCRATCH = {
  /** First path: bytes, then a NUL. The bytes behind the NUL may be anything. */
  PATH: 0,
  /** Second path of rename, link and symlink. */
  PATH2: 8192,
  /** Answer of the stat calls: 18 float64, see {@link STAT}. */
  STAT: 16384,
  /** Contents, directory entries and link bodies, at most {@link IO_SIZE} bytes a call. */
  IO: 32768,
  /** Exchange area of driver hooks. */
  DRIVER: 98304,
  SIZE: 131072,
} as const;

/** The threads' slots in the shared memory, and the tree's salt, for who watches over threads: byte offsets, and how many. */
export const THREAD_SLOTS = { SALT: 1056, FIRST: 65536, SIZE: 2048, COUNT: 256, STATE: 64, HOST_ID: 68 } as const;

/** Largest number of bytes that one call carries through {@link SCRATCH.IO}. */
export const IO_SIZE = 65536;

/** Longest path in bytes without its NUL (PATH_MAX - 1). */
export const PATH_MAX = 4095;

/** Longest name in bytes. */
export const NAME_MAX = 255;

/** Index of each field in the stat answer; the order is that of Node's own stat array. */
export const STAT = {
  dev: 0,
  mode: 1,
  nlink: 2,
  uid: 3,
  gid: 4,
  rdev: 5,
  blksize: 6,
  ino: 7,
  size: 8,
  blocks: 9,
  atimeSec: 10,
  atimeNsec: 11,
  mtimeSec: 12,
  mtimeNsec: 13,
  ctimeSec: 14,
  ctimeNsec: 15,
  birthtimeSec: 16,
  birthtimeNsec: 17,
} as const;

/** Directory descriptor that stands for the working directory. */
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;

/** Flags of `sysRenameat2`. */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

/** Flags of `sysMount` and `sysUmount`. */
export const MS_RDONLY = 1;
export const MS_NOEXEC = 8;
export const MS_BIND = 4096;
export const MS_MOVE = 8192;
export const MNT_DETACH = 2;

/** nsec values of `sysUtimensat`: the present time; leave as it is. */
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

/** Negative errno values that the core answers with, by Linux's numbers. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOVERFLOW: 75,
  EUSERS: 87,
  EOPNOTSUPP: 95,
  ESTALE: 116,
} as const;

/**
 * The exports of the core. `ctx` is a context's number (credentials, root, working directory, umask, descriptors);
 * `dirfd` a descriptor or {@link AT_FDCWD}; `len`, `len2` the byte lengths of the paths in SCRATCH.PATH and
 * SCRATCH.PATH2; a NUL inside a path is -EINVAL. Every call answers >= 0 or -errno.
 */
export interface CoreExports {
  /** Formats a fresh arena with a tmpfs at "/" and a root context (number 0 means that one everywhere). */
  arenaInit(maxBytes: number, seedLo: number, seedHi: number): number;
  /** Checks magic and version of the arena that this memory holds: 0 or -EINVAL. */
  arenaCheck(): number;
  /**
   * Takes a slot for the calling thread; `canWait` 0 where Atomics.wait is not allowed; `name` what the host calls the
   * thread, 0 nothing. Answers 0 or -EUSERS/-ENOSPC.
   */
  threadAttach(canWait: number, hostId: number): number;
  threadDetach(): number;
  /** Number of this thread's slot, for {@link threadRecover}. */
  threadSlot(): number;
  /** The slot of the thread that attached under a name, or -ENOENT. */
  threadFind(hostId: number): number;
  /**
   * Undoes or completes what a dead thread was in the middle of, and gives back what it held. 0; 1: all but its references,
   * which are looked for when no thread is in a call; -EBUSY: another thread is at it; -EINVAL. `trapped` 1: it died of a trap,
   * and its references are left.
   */
  threadRecover(slot: number, trapped: number): number;
  /** Address of this thread's scratch area (unsigned: `>>> 0`). */
  scratchBase(): number;
  /** Which hooks this thread's host has: bit 0 security, bit 1 audit. */
  hostHooks(bits: number): number;
  /**
   * Sums every thread's counters (`own` not 0: this thread's alone, since it attached) into SCRATCH.IO: COUNTERS.length
   * float64. Answers how many were written. Gauges are always the whole tree's.
   */
  sumCounters(own?: number): number;

  /** uid, gid, umask, and `ngroups` uint32 group ids in SCRATCH.IO; caps: bit mask of CAP_*, -1: all when uid is 0, none otherwise. */
  contextCreate(from: number, uid: number, gid: number, umask: number, ngroups: number, caps: number): number;
  contextDestroy(ctx: number): number;
  /** Checks that `ctx` is a live context: 0 or -EBADF. */
  contextCheck(ctx: number): number;
  sysUmask(ctx: number, mask: number): number;
  sysChdir(ctx: number, dirfd: number, len: number): number;
  sysChroot(ctx: number, dirfd: number, len: number): number;
  /** Writes the path to SCRATCH.IO, answers its length. */
  sysGetcwd(ctx: number): number;

  sysAccess(ctx: number, dirfd: number, len: number, mode: number, flags: number): number;
  /** Fills SCRATCH.STAT. flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
  sysStat(ctx: number, dirfd: number, len: number, flags: number): number;
  sysFstat(ctx: number, fd: number): number;
  /** Resolves the path (all links followed) and writes the canonical path to SCRATCH.IO; answers its length. */
  sysRealpath(ctx: number, dirfd: number, len: number): number;

  sysOpen(ctx: number, dirfd: number, len: number, flags: number, mode: number): number;
  sysClose(ctx: number, fd: number): number;
  /** Reads at most min(n, IO_SIZE) bytes to SCRATCH.IO; offset -1 reads at the file's position and moves it. */
  sysRead(ctx: number, fd: number, offset: number, n: number): number;
  /** Writes n <= IO_SIZE bytes from SCRATCH.IO. */
  sysWrite(ctx: number, fd: number, offset: number, n: number): number;
  /** Answers the new position as float64, or a negative errno. whence 0 set, 1 current, 2 end. */
  sysLseek(ctx: number, fd: number, offset: number, whence: number): number;
  sysFtruncate(ctx: number, fd: number, size: number): number;
  sysTruncate(ctx: number, dirfd: number, len: number, size: number): number;
  /**
   * Fills SCRATCH.IO with entries from the descriptor's position on, without "." and "..": each is a float64 ino,
   * uint8 type (DT_*), uint8 name length, name bytes, padded to 8 bytes. Answers the bytes filled, 0 at the end.
   */
  sysGetdents(ctx: number, fd: number): number;
  sysFsync(ctx: number, fd: number): number;

  sysMkdir(ctx: number, dirfd: number, len: number, mode: number): number;
  /** mode carries S_IFIFO, S_IFSOCK or S_IFREG. */
  sysMknod(ctx: number, dirfd: number, len: number, mode: number): number;
  /** AT_REMOVEDIR for rmdir. */
  sysUnlink(ctx: number, dirfd: number, len: number, flags: number): number;
  sysRename(ctx: number, dirfd: number, len: number, dirfd2: number, len2: number, flags: number): number;
  sysLink(ctx: number, dirfd: number, len: number, dirfd2: number, len2: number, flags: number): number;
  /** Target in SCRATCH.PATH, place of the link in SCRATCH.PATH2. */
  sysSymlink(ctx: number, len: number, dirfd2: number, len2: number): number;
  /** Writes the body to SCRATCH.IO, answers its length. */
  sysReadlink(ctx: number, dirfd: number, len: number): number;

  sysChmod(ctx: number, dirfd: number, len: number, mode: number, flags: number): number;
  sysFchmod(ctx: number, fd: number, mode: number): number;
  /** uid or gid -1: leave as it is. */
  sysChown(ctx: number, dirfd: number, len: number, uid: number, gid: number, flags: number): number;
  sysFchown(ctx: number, fd: number, uid: number, gid: number): number;
  sysUtimens(
    ctx: number,
    dirfd: number,
    len: number,
    atimeSec: number,
    atimeNsec: number,
    mtimeSec: number,
    mtimeNsec: number,
    flags: number,
  ): number;
  sysFutimens(
    ctx: number,
    fd: number,
    atimeSec: number,
    atimeNsec: number,
    mtimeSec: number,
    mtimeNsec: number,
  ): number;
  /** POSIX access ACL: `count` triples (uint16 tag, uint16 perm, uint32 id; 8 bytes each) in SCRATCH.IO; 0 removes it. */
  sysSetacl(ctx: number, dirfd: number, len: number, count: number): number;
  sysGetacl(ctx: number, dirfd: number, len: number): number;

  /** Bind (MS_BIND) or move (MS_MOVE): source in SCRATCH.PATH, target in SCRATCH.PATH2. */
  sysMount(ctx: number, len: number, len2: number, flags: number): number;
  /** A fresh file system at the target in SCRATCH.PATH: type 0 is tmpfs, otherwise a driver's number. */
  sysMountNew(ctx: number, len: number, type: number, flags: number): number;
  sysUmount(ctx: number, len: number, flags: number): number;

  /**
   * Enters a driver by name (`len` bytes in SCRATCH.PATH) with its {@link HOOK} bits and {@link FS_REVAL_DOT}; the same
   * name with the same bits gives the same number in every thread, other bits -EEXIST. Answers the driver's number.
   */
  driverRegister(len: number, hooks: number, fsFlags: number): number;
  /** -EBUSY while a file system of the driver exists. Returns after a grace period. */
  driverUnregister(driver: number): number;

  /**
   * Sets per-thread walk modes: bit 0 forces ref-walk from the start; bit 1: without the memo of directories walked; bit 2: with
   * it in the debug build too, where it is off by itself. Answers the former modes.
   */
  walkMode(modes: number): number;
  /** Waits until every read-side section that was open at the call has ended. */
  synchronizeRcu(): number;
  /** Frees what can be freed: unused dentries and memory whose grace period ended. Answers the dentries freed. */
  shrink(count: number): number;
}

/** Index of each counter in the answer of {@link CoreExports.sumCounters} . */
export const COUNTERS = [
  "walks",
  "endedRcu",
  "endedRef",
  "echildRestarts",
  "estaleRestarts",
  "dropUncached",
  "dropPermission",
  "dropRevalidate",
  "dropLink",
  "dropRevalDot",
  "dropCreate",
  "dropFailed",
  "gracePeriods",
  "expelledReaders",
  "deferredFrees",
  "lockWaits",
  "hashSplits",
  "shrunkDentries",
  "dentries",
  "inodes",
  "mounts",
  "chunksUsed",
  "chunksMax",
  "openFiles",
  "missesValidated",
  "seqRetries",
] as const;

/** Hooks a driver has; the core calls only those. */
export const HOOK = {
  LOOKUP: 1,
  HASH: 2,
  COMPARE: 4,
  REVALIDATE: 8,
  PERMISSION: 16,
  CHECK_ACL: 32,
  READLINK: 64,
  PUT_LINK: 128,
  IPUT: 256,
  READDIR: 512,
  READ: 1024,
  WRITE: 2048,
  CREATE: 4096,
  UNLINK: 8192,
  DELETE: 16384,
  SETATTR: 32768,
} as const;

/** File system flag: "." and ".." and "/" at the end of a walk are revalidated too. */
export const FS_REVAL_DOT = 1;

/** First argument of the host's `driverCall`; the rest is told in `driver.ts`. */
export const DRIVER_OP = {
  ROOT: 0,
  LOOKUP: 1,
  HASH: 2,
  COMPARE: 3,
  REVALIDATE: 4,
  PERMISSION: 5,
  CHECK_ACL: 6,
  READLINK: 7,
  PUT_LINK: 8,
  IPUT: 9,
  READDIR: 10,
  READ: 11,
  WRITE: 12,
  CREATE: 13,
  UNLINK: 14,
  DELETE: 15,
  SETATTR: 16,
} as const;

/**
 * Places in the core that the debug build reports through the host's `point(id, a, b)`; the shipping build has none.
 * `core/tracepoints.ts` holds the same numbers. Dentries, inodes and mounts are addresses in the shared memory.
 */
export const POINT = {
  /** A walk begins. a: 1 rcu | 2 reval; b: the dentry it starts at. */
  WALK_START: 1,
  /** A component is next. a: the directory's dentry; b: address of the name, which ends at "/" or NUL. */
  COMPONENT: 2,
  /** A dentry was found. a: dentry; b: its sequence number (0 in ref mode). */
  FOUND: 3,
  /** None was found. a: the directory's dentry; b: 1 when the miss itself is a valid answer (ENOENT without dropping). */
  MISS: 4,
  /** A candidate's sequence was opened, its name not yet compared. a: dentry; b: sequence. */
  SEQ_OPENED: 5,
  /** The names were equal, the sequence not yet checked. a: dentry; b: sequence. */
  COMPARED: 6,
  /** The child is known, the parent's sequence not yet checked. a: parent; b: sequence. */
  PARENT_CHECK: 7,
  /** Down into a mount. a: mount; b: its root dentry. */
  MOUNT_DOWN: 8,
  /** Up out of a mount. a: the mount that is left; b: the mount point's dentry. */
  MOUNT_UP: 9,
  /** "..". a: the dentry; b: its parent. */
  DOTDOT: 10,
  /** Search permission was asked. a: inode; b: the answer, 0 or -errno. */
  PERMISSION: 11,
  /** A link's body follows. a: inode; b: address of the body, which ends in NUL. */
  LINK: 12,
  /** The walk leaves rcu mode. a: the reason, see {@link DROP}; b: dentry. */
  DROP: 13,
  /** It has tried. a: 1 when references were taken, 0 when the walk starts again; b: dentry. */
  DROPPED: 14,
  /** The walk starts again. a: 10 (ECHILD) or 116 (ESTALE). */
  RESTART: 15,
  /** The walk's answer. a: 0 or -errno; b: dentry; the mode it ended in is that of the last DROPPED or WALK_START. */
  ANSWER: 16,
  /** Attributes were copied out, the sequences not yet checked. a: inode; b: dentry. */
  ATTR_COPIED: 17,
  /** The last dentry's sequence is about to be checked. a: dentry; b: sequence. */
  COMPLETE: 18,
  /** A lookup under the directory's lock is about to begin. a: the directory's dentry. */
  LOCKED_LOOKUP: 19,
  /** In tryToUnlazy, between two references. a: dentry. */
  UNLAZY_HALF: 20,
  /** A mount point was seen, the mount table not yet read. a: dentry. */
  MOUNT_CHECK: 21,
  /** A start path was read, its sequence not yet checked. */
  START_READ: 22,
  /**
   * The length of a candidate's long name was read, its address not yet. a: dentry; b: sequence. In ref mode d_lock is held.
   */
  NAME_READ: 23,

  /** Writers. A dentry's sequence is odd and the move has begun. a: dentry; b: target. */
  MOVE_BEGIN: 40,
  /** Names are exchanged, parents not yet. */
  MOVE_NAMES: 41,
  /** All is exchanged, the sequences still odd. */
  MOVE_END: 42,
  /** A dentry left its chain. a: dentry. */
  DROPPED_HASH: 43,
  /** The inode is set, the barrier not yet. a: dentry; b: inode. */
  INSTANTIATE: 44,
  /** The inode is gone, the barrier not yet. a: dentry. */
  UNLINK_INODE: 45,
  /** A bucket is being split. a: bucket. */
  SPLIT: 46,
  /** A new dentry was made and is not hashed yet. a: dentry. */
  ALLOCATED: 47,
  /** The last reference is about to be dropped. a: dentry. */
  KILL: 48,
  /** A mount is in the table, the mount point not yet marked. a: mount. */
  MOUNT_ATTACH: 49,
  /** A mount is out of the table. a: mount. */
  MOUNT_DETACH: 50,
} as const;

/** Why a walk left rcu mode: `a` of {@link POINT.DROP}; the counters dropUncached ... dropCreate in the same order. */
export const DROP = {
  UNCACHED: 0,
  PERMISSION: 1,
  REVALIDATE: 2,
  LINK: 3,
  REVAL_DOT: 4,
  CREATE: 5,
} as const;
