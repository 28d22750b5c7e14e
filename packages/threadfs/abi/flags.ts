/** Flags and special values of system calls, by Linux's numbers on x86-64. */

/** The directory descriptor that means the working directory. */
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_ACCMODE = 3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DIRECT = 0o40000;
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
export const O_NOATIME = 0o1000000;
export const O_PATH = 0o10000000;
/** The bit that O_TMPFILE has beside O_DIRECTORY. */
export const O_TMPFILE_BIT = 0o20000000;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export const MS_RDONLY = 1;
export const MS_NOEXEC = 8;
export const MS_BIND = 4096;
export const MS_MOVE = 8192;
export const MNT_DETACH = 2;

/** Nanoseconds of utimensat that mean: now; do not change. */
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

/** Flag of a file system: a walk that ends in ".", ".." or "/" is revalidated too. */
export const FS_REVAL_DOT = 1;
/** An entry that was found or revalidated is good until the generation number of its file system moves. */
export const FS_GENERATION = 2;
/** The text of a link never changes: a driver is asked for it once. */
export const FS_CACHE_LINKS = 4;

/** umask that means: do not change. */
export const UMASK_UNCHANGED = -1;

/** uid or gid of chown that means: do not change. */
export const ID_UNCHANGED = -1;

export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** Modes of fallocate(2). */
export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;

/** How setxattr(2) sets an attribute: only a new one; only one that exists. */
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;

/** Operations of flock(2). */
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

/** Commands of fcntl(2) for locks of ranges: of the context; and OFD ones, of the open file description. */
export const F_GETLK = 5;
export const F_SETLK = 6;
export const F_SETLKW = 7;
export const F_OFD_GETLK = 36;
export const F_OFD_SETLK = 37;
export const F_OFD_SETLKW = 38;
/** Types of these locks. */
export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;

/** Events of the log of changes: the bits that inotify(7) has for them. */
export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
/** The file system has ended: its inodes are no more. */
export const IN_UNMOUNT = 0x2000;
/** The subject is a directory. */
export const IN_ISDIR = 0x40000000;

/**
 * What a walk may pass: openat2(2), by call or for all calls of a context. Of a call, RESOLVE_BENEATH and RESOLVE_IN_ROOT are about the
 * directory that it starts at, of a context about its root.
 */
export const RESOLVE_NO_XDEV = 1;
export const RESOLVE_NO_MAGICLINKS = 2;
export const RESOLVE_NO_SYMLINKS = 4;
export const RESOLVE_BENEATH = 8;
export const RESOLVE_IN_ROOT = 16;
export const RESOLVE_CACHED = 32;
/** The flags of open(2) that openat2(2) knows; the other bits are errors there. */
export const VALID_OPEN_FLAGS = 0o37777703;

/** What statx(2) is asked for, and what it tells beside stat(2): the place is the root of a mount. */
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;
export const STATX_RESERVED = 0x80000000;
export const STATX_ATTR_MOUNT_ROOT = 0x2000;
/** Options of a mount (mount(2)), beside MS_RDONLY and MS_NOEXEC. A mount without MS_NOATIME and MS_STRICTATIME has relatime. */
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOSYMFOLLOW = 256;
export const MS_NOATIME = 1024;
export const MS_NODIRATIME = 2048;
export const MS_STRICTATIME = 0x1000000;
/** With MS_BIND: the mounts below the source too. */
export const MS_REC = 16384;
/** Flags of umount2(2), beside MNT_DETACH. */
export const MNT_FORCE = 1;
export const MNT_EXPIRE = 4;
export const UMOUNT_NOFOLLOW = 8;
/** How a mount shares what is mounted in it (mount_namespaces(7)): of these mount(2) takes one, with MS_REC or without. */
export const MS_UNBINDABLE = 0x20000;
export const MS_PRIVATE = 0x40000;
export const MS_SLAVE = 0x80000;
export const MS_SHARED = 0x100000;
export const MS_PROPAGATION = 0x1e0000;
/** unshare(2): a new context has a copy of its maker's namespace of mounts. */
export const CLONE_NEWNS = 0x20000;

/** statx(2): the number of the mount; and that of a mount which has no other's after it is gone, which is the same here. */
export const STATX_MNT_ID = 0x1000;
export const STATX_MNT_ID_UNIQUE = 0x4000;
/** Flags of statfs(2), by the flags of the mount. */
export const ST_RELATIME = 0x1000;
export const ST_NOSYMFOLLOW = 0x2000;

/** Events of poll(2). */
export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLHUP = 16;
