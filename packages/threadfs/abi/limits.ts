/** Limits that callers of the core must respect. */

/** Longest path in bytes without its NUL: one less than Linux's PATH_MAX, which counts it. */
export const PATH_MAX = 4095;
/** Longest name in bytes. */
export const NAME_MAX = 255;
/** Symbolic links that one walk may follow, as in Linux. */
export const MAXSYMLINKS = 40;
/** The most bytes that are in SCRATCH.IO at a time. A longer read or write passes them on in pieces of this size. */
export const IO_SIZE = 65536;
/** Added to an errno of the write in the result of the call that writes a whole file; an errno of its open stands by itself. */
export const WRITE_FAILED = -4096;
/** This less a descriptor is the result of a call that reads or writes a whole file where it has done no more than open it. */
export const OPENED = -8192;
/** This less a descriptor is the result of an open of a FIFO that has to wait for the other end: fifoWait() does. */
export const OPENING = -32768;
/**
 * The result of a call that has to wait for the other end of a pipe, in a thread whose calls wait for less than a millisecond (waitLimit()): it has not happened,
 * and the host awaits the word that is in SCRATCH.IO (REQUEST_*).
 */
export const PIPE_WAITS = -4000;
/** Bytes that one write to a pipe writes in one piece. */
export const PIPE_BUF = 4096;
/** Bytes that a new pipe holds, and the most that one can. */
export const PIPE_DEF_SIZE = 65536;
export const PIPE_MAX_SIZE = 1048576;
/** Contexts of a tree, its own included. */
export const MAX_CONTEXTS = 1024;
/** Advisory locks on one file, of flock(2) and fcntl(2) together. */
export const FILE_LOCKS_MAX = 8192;
/** Requests of a tree that wait for an advisory lock at a time. */
export const BLOCKED_LOCKS_MAX = 1024;
/** Extended attributes: bytes of a name, of a value, and of the list of names. */
export const XATTR_NAME_MAX = 255;
export const XATTR_SIZE_MAX = 65536;
export const XATTR_LIST_MAX = 65536;
/** The most bytes that one read or write transfers, as in Linux (MAX_RW_COUNT). */
export const MAX_RW_COUNT = 0x7ffff000;
/** Longest name of a driver in bytes. */
export const DRIVER_NAME_MAX = 100;
/** A chunk of the arena: a page of WebAssembly. */
export const CHUNK = 65536;
/** The smallest arena in chunks: the fixed part, a thread, and a few chunks to work with. */
export const MIN_CHUNKS = 32;
/** Bytes of a mount's source that are kept for the list of mounts. */
export const MOUNT_SOURCE_MAX = 255;
/** Most mounts of one tree of peer groups: a group, what receives from it, and what that receives from. */
export const PROPAGATION_MAX = 128;
/** Most mounts of one namespace: 2 MiB of the arena, and a list that a call walks under a lock. Linux's default is 100,000 (/proc/sys/fs/mount-max). */
export const MOUNTS_MAX = 16384;
