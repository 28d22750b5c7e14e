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
 * The exports of the core. `ctx` is the number of a context (credentials, root, working directory, umask, descriptors);
 * `dirfd` a descriptor or {@link AT_FDCWD}; `len` and `len2` are the byte lengths of the paths in SCRATCH.PATH and
 * SCRATCH.PATH2. A NUL inside a path is -EINVAL. Every call returns a number >= 0 or -errno.
 */
export interface CoreExports {
  /** Formats a new arena with a tmpfs at "/" and the root context, whose number is 0. */
  arenaInit(maxBytes: number, seedLo: number, seedHi: number): number;
  /** Checks magic and version of the arena in this memory: 0 or -EINVAL. */
  arenaCheck(): number;
  /**
   * Takes a slot for the calling thread. `canWait` 0: Atomics.wait is not allowed. `hostId`: the host's id of the
   * thread, 0: none. Returns 0, -EUSERS or -ENOSPC.
   */
  threadAttach(canWait: number, hostId: number): number;
  threadDetach(): number;
  /** Number of this thread's slot, for {@link threadRecover}. */
  threadSlot(): number;
  /** The slot of the thread that attached with this id, or -ENOENT. */
  threadFind(hostId: number): number;
  /**
   * Recovers a dead thread: rolls its open transaction back, releases its locks and drops its references. Returns 0; 1:
   * all but the references, which are dropped when the other threads are quiescent; -EBUSY: another thread is
   * recovering it; -EINVAL. `trapped` 1: the thread trapped; its references are kept.
   */
  threadRecover(slot: number, trapped: number): number;
  /** Address of this thread's scratch area (unsigned: `>>> 0`). */
  scratchBase(): number;
  /** The hooks of this thread's host: bit 0 security, bit 1 audit. */
  hostHooks(bits: number): number;
  /**
   * Sums the counters of all threads (`own` not 0: of this thread alone, since it attached) to SCRATCH.IO:
   * COUNTERS.length float64. Returns how many. Gauges are always those of the whole tree.
   */
  sumCounters(own?: number): number;

  /** `ngroups` uint32 group ids are in SCRATCH.IO. `caps`: a mask of CAP_* bits; -1: all for uid 0, else none. */
  contextCreate(from: number, uid: number, gid: number, umask: number, ngroups: number, caps: number): number;
  contextDestroy(ctx: number): number;
  /** Checks that `ctx` is a live context: 0 or -EBADF. */
  contextCheck(ctx: number): number;
  sysUmask(ctx: number, mask: number): number;
  sysChdir(ctx: number, dirfd: number, len: number): number;
  sysChroot(ctx: number, dirfd: number, len: number): number;
  /** Writes the path to SCRATCH.IO. Returns its length. */
  sysGetcwd(ctx: number): number;

  sysAccess(ctx: number, dirfd: number, len: number, mode: number, flags: number): number;
  /** Fills SCRATCH.STAT. flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
  sysStat(ctx: number, dirfd: number, len: number, flags: number): number;
  sysFstat(ctx: number, fd: number): number;
  /** Resolves the path, following all links, and writes the canonical path to SCRATCH.IO. Returns its length. */
  sysRealpath(ctx: number, dirfd: number, len: number): number;

  sysOpen(ctx: number, dirfd: number, len: number, flags: number, mode: number): number;
  sysClose(ctx: number, fd: number): number;
  /** Reads at most min(n, IO_SIZE) bytes to SCRATCH.IO. offset -1: at the file's position, which advances. */
  sysRead(ctx: number, fd: number, offset: number, n: number): number;
  /** Writes n <= IO_SIZE bytes from SCRATCH.IO. */
  sysWrite(ctx: number, fd: number, offset: number, n: number): number;
  /** Returns the new position as float64, or a negative errno. whence: 0 set, 1 current, 2 end. */
  sysLseek(ctx: number, fd: number, offset: number, whence: number): number;
  sysFtruncate(ctx: number, fd: number, size: number): number;
  sysTruncate(ctx: number, dirfd: number, len: number, size: number): number;
  /**
   * Fills SCRATCH.IO with entries from the descriptor's position on, without "." and "..": each is a float64 ino, uint8
   * type (DT_*), uint8 name length, and the name, padded to 8 bytes. Returns the number of bytes, 0 at the end.
   */
  sysGetdents(ctx: number, fd: number): number;
  sysFsync(ctx: number, fd: number): number;

  sysMkdir(ctx: number, dirfd: number, len: number, mode: number): number;
  /** `mode` includes S_IFIFO, S_IFSOCK or S_IFREG. */
  sysMknod(ctx: number, dirfd: number, len: number, mode: number): number;
  /** AT_REMOVEDIR for rmdir. */
  sysUnlink(ctx: number, dirfd: number, len: number, flags: number): number;
  sysRename(ctx: number, dirfd: number, len: number, dirfd2: number, len2: number, flags: number): number;
  sysLink(ctx: number, dirfd: number, len: number, dirfd2: number, len2: number, flags: number): number;
  /** The target is in SCRATCH.PATH, the path of the link in SCRATCH.PATH2. */
  sysSymlink(ctx: number, len: number, dirfd2: number, len2: number): number;
  /** Writes the body to SCRATCH.IO. Returns its length. */
  sysReadlink(ctx: number, dirfd: number, len: number): number;

  sysChmod(ctx: number, dirfd: number, len: number, mode: number, flags: number): number;
  sysFchmod(ctx: number, fd: number, mode: number): number;
  /** uid or gid -1: do not change. */
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

  /** Bind mount (MS_BIND) or move (MS_MOVE): the source is in SCRATCH.PATH, the target in SCRATCH.PATH2. */
  sysMount(ctx: number, len: number, len2: number, flags: number): number;
  /** Mounts a new file system at the path in SCRATCH.PATH. Type 0 is tmpfs, any other a driver's number. */
  sysMountNew(ctx: number, len: number, type: number, flags: number): number;
  sysUmount(ctx: number, len: number, flags: number): number;

  /**
   * Registers a driver with its name (`len` bytes in SCRATCH.PATH), {@link HOOK} bits and {@link FS_REVAL_DOT}. Returns
   * the driver's number, the same in every thread; -EEXIST: the name has other bits.
   */
  driverRegister(len: number, hooks: number, fsFlags: number): number;
  /** -EBUSY while a file system of the driver exists. Returns after a grace period. */
  driverUnregister(driver: number): number;

  /**
   * Sets the thread's walk modes. bit 0: walks start in ref mode; bit 1: without the prefix cache; bit 2: with the
   * prefix cache in the debug build too, where it is off by default. Returns the previous modes.
   */
  walkMode(modes: number): number;
  /** Waits until every read-side section that is open now has ended. */
  synchronizeRcu(): number;
  /** Frees up to `count` unused dentries, and objects whose grace period is over. Returns how many dentries. */
  shrink(count: number): number;
}
