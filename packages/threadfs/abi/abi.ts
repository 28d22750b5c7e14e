/**
 * The numbers that the core and its callers share, as TypeScript sees them: every file of this folder under one name each. The
 * compiler of the core reads the other files and not this one.
 *
 * A call takes numbers and returns a number >= 0 or a negative errno. Strings, structures and file contents travel through the
 * calling thread's scratch area.
 */
import * as COUNTER from "./counters.js";

export * as COUNTER from "./counters.js";
export * as DRIVER_OP from "./driver-ops.js";
export * as DROP from "./drop.js";
export * as ERRNO from "./errno.js";
export * from "./flags.js";
export * as HOOK from "./hooks.js";
export * from "./host.js";
export * from "./limits.js";
export * from "./memory.js";
export * from "./mode.js";
export * from "./permissions.js";
export * as POINT from "./points.js";
export * as SCRATCH from "./scratch.js";
export * as STAT from "./stat.js";

export type CounterName = keyof typeof COUNTER;

/** Names of the counters in the order of their indices. */
export const COUNTERS: readonly CounterName[] = /* @__PURE__ */ Object.entries(COUNTER)
  .sort(([, a], [, b]) => a - b)
  .map(([name]) => name as CounterName);

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
