/** The public types of what Linux has beside the calls of `node:fs`. */
import type { FileHandle } from "../forms/types.js";
import type { Bytes, PathLike } from "../types.js";

/** Which entries a call with two paths starts at: relative paths start at these directories. Default: where the object's own paths start. */
export interface DirectoryPair {
  /** The descriptor of a directory for the first path. */
  oldDirFd?: number | undefined;
  /** The same for the second path. */
  newDirFd?: number | undefined;
}

/** The flags of renameat2(2), of which one may be given. */
export interface RenameOptions extends DirectoryPair {
  /** RENAME_NOREPLACE: EEXIST if there is something under the new name. */
  noreplace?: boolean | undefined;
  /** RENAME_EXCHANGE: the two names change places, in one step; both must exist. */
  exchange?: boolean | undefined;
}

/** The flags of linkat(2). */
export interface LinkOptions extends DirectoryPair {
  /** AT_SYMLINK_FOLLOW: of a symbolic link its target gets the name. Default: the link itself. */
  follow?: boolean | undefined;
}

/** The modes of fallocate(2) that Linux's tmpfs has. */
export interface FallocateOptions {
  /** FALLOC_FL_PUNCH_HOLE: takes the room of the range away, which then reads as zeros. The size stays. */
  punchHole?: boolean | undefined;
  /** FALLOC_FL_KEEP_SIZE: the size stays. A range that ends beyond the end of the file is ENOTSUP, other than in Linux. */
  keepSize?: boolean | undefined;
}

/** What lseek(2) counts from, or looks for. */
export type SeekWhence = "set" | "cur" | "end" | "data" | "hole";

/** The flags of pipe2(2). */
export interface PipeOptions {
  /** O_NONBLOCK, for both descriptors: EAGAIN where a read or write would wait. Default: they wait. */
  nonblocking?: boolean | undefined;
}

/**
 * What a walk may pass, by the names of openat2(2)'s RESOLVE_ flags.
 * - "beneath": nothing that leads out of the directory that the walk starts at: an absolute path, an absolute link, ".." above it are EXDEV.
 * - "in-root": that directory is the root of the walk: absolute paths and links start there, and ".." stays there.
 * - "no-xdev": no other mount: EXDEV.
 * - "no-symlinks": no link, but one that the call itself is about (O_PATH with O_NOFOLLOW): ELOOP.
 * - "no-magiclinks": refuses nothing yet: there are no magic links.
 * - "cached": nothing that may make the call wait: EAGAIN where the walk cannot stay in rcu mode, and for calls that create or truncate.
 */
export type ResolveFlag = "beneath" | "in-root" | "no-xdev" | "no-symlinks" | "no-magiclinks" | "cached";

/** How openat2(2) opens: struct open_how. */
export interface OpenHow {
  /** Flags of `fs.open`, as letters or a number. Default: "r". Other than there, a number with a bit that open(2) does not know is EINVAL. */
  flags?: string | number | undefined;
  /** Permission bits of a file that is made; EINVAL, unless 0, for flags that make none. Default: 0o666, or 0. */
  mode?: number | undefined;
  /** Default: nothing is refused. */
  resolve?: ResolveFlag | readonly ResolveFlag[] | undefined;
}

/** A time: seconds since 1970, and nanoseconds. */
export interface StatxTime {
  sec: bigint;
  nsec: number;
}

/** What statx(2) tells of a file: the fields of struct statx without their prefix, the numbers of devices in one. */
export interface Statx {
  /** STATX_* bits of the fields that are filled in. */
  mask: number;
  blksize: number;
  /** STATX_ATTR_* bits: STATX_ATTR_MOUNT_ROOT (0x2000), the file is the root of a mount. */
  attributes: number;
  /** The bits of `attributes` that mean something here. */
  attributesMask: number;
  nlink: number;
  uid: number;
  gid: number;
  mode: number;
  ino: bigint;
  size: bigint;
  blocks: bigint;
  dev: bigint;
  rdev: bigint;
  atime: StatxTime;
  mtime: StatxTime;
  ctime: StatxTime;
  /**
   * The number of the mount that the file was found in (STATX_MNT_ID, 0x1000): `id` of {@link Vfs.mounts}. It is never another mount's, so that it
   * is STATX_MNT_ID_UNIQUE (0x4000) too, where `mask` asks for that.
   */
  mntId: bigint;
  /** When the file was made; with STATX_BTIME alone. */
  btime?: StatxTime;
}

/** What statfs(2) tells of the file system that a path is on, and of the mount: the fields of struct statfs without their prefix. */
export interface LinuxStatFs {
  /** TMPFS_MAGIC, 0x01021994, whatever it is. */
  type: number;
  bsize: number;
  frsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
  /** The longest name, in bytes. */
  namelen: number;
  /**
   * ST_* bits: ST_RDONLY 1, ST_NOSUID 2, ST_NODEV 4, ST_NOEXEC 8, ST_NOATIME 0x400, ST_NODIRATIME 0x800, ST_RELATIME 0x1000, ST_NOSYMFOLLOW 0x2000, as the
   * mount has them. Without ST_VALID, which the C library takes away too.
   */
  flags: number;
}

/** Options of `statx`. */
export interface StatxOptions {
  /** Of a symbolic link the link itself (AT_SYMLINK_NOFOLLOW). Default: its target. */
  nofollow?: boolean | undefined;
  /** STATX_* bits, by Linux's numbers. The basic fields (0x7ff) are filled in always. Default: 0xfff, these and STATX_BTIME. */
  mask?: number | undefined;
}

/** How the file of an extended attribute is found. */
export interface XattrOptions {
  /** Of a symbolic link the link itself (lgetxattr(2) and its like). Default: its target. */
  nofollow?: boolean | undefined;
}

export interface SetXattrOptions extends XattrOptions {
  /** XATTR_CREATE: EEXIST if the attribute exists. */
  create?: boolean | undefined;
  /** XATTR_REPLACE: ENODATA if there is none. */
  replace?: boolean | undefined;
}

/**
 * Calls that Linux has and `node:fs` has not. Each has two forms: `...Sync` does its work at once; the other returns a promise, and awaits
 * a lock that another thread holds. Errors are those of `fs`: `code`, `errno`, `syscall`, `path`, `dest`; bad arguments are ERR_INVALID_... and ERR_OUT_OF_RANGE.
 */
export interface LinuxCalls {
  /**
   * The same calls with relative paths that start at an open directory. An absolute path still starts at the root, and ".." leads out.
   * @param fd stays the caller's: calls fail with EBADF when it is closed
   * @throws system call errors with syscall "openat": EBADF, ENOTDIR
   */
  at(fd: number): LinuxCalls;

  /**
   * fdopen(3): a FileHandle for an open descriptor of the context, also for one that another thread of the context has opened: to hand a handle over, post `handle.fd`, and
   * let the other thread alone use and close it. Each call makes another handle; the close of one closes the descriptor.
   * @throws system call errors with syscall "fdopen": EBADF
   */
  fdopen(fd: number): FileHandle;

  /**
   * openat2(2): opens a file, as `fs.open` does, and says what the walk to it may pass. With "beneath" and "in-root" it ends below the directory that it starts at, whatever
   * other threads rename meanwhile. docs/containment.md has a guide.
   * @param dir a descriptor of the directory that the walk starts at; null: where the object's own paths start
   * @returns a descriptor
   * @throws system call errors with syscall "openat2": EXDEV, ELOOP, EAGAIN for `resolve` ({@link ResolveFlag}); EAGAIN also, after a hundred attempts, if renames may each time have led
   * the walk out of its directory (Linux makes one attempt); EINVAL for "beneath" with "in-root", and for flags and modes that mean nothing; those of `fs.open`
   */
  openat2Sync(dir: number | null, path: PathLike, how?: OpenHow): number;
  openat2(dir: number | null, path: PathLike, how?: OpenHow): Promise<number>;

  /** renameat2(2). @throws system call errors with syscall "renameat2": EEXIST, ENOENT, EINVAL for both flags ... */
  renameat2Sync(oldPath: PathLike, newPath: PathLike, options?: RenameOptions): void;
  renameat2(oldPath: PathLike, newPath: PathLike, options?: RenameOptions): Promise<void>;

  /**
   * linkat(2): gives a file another name.
   * @param existing a path, or a descriptor (AT_EMPTY_PATH): so a file that was opened with O_TMPFILE and without O_EXCL gets its first name
   * @throws system call errors with syscall "linkat": EEXIST, EPERM for a directory, EXDEV, ENOENT for a file that has lost its last name ...
   */
  linkatSync(existing: PathLike | number, newPath: PathLike, options?: LinkOptions): void;
  linkat(existing: PathLike | number, newPath: PathLike, options?: LinkOptions): Promise<void>;

  /**
   * mknod(2): makes a named pipe, a socket, a device or an empty file. Sockets and devices exist as names, with their attributes: to open one is ENXIO.
   * @param mode a type of `fs.constants`, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK or S_IFREG, and permission bits, less the umask; default: a file with 0o666
   * @param dev the number of a device, which `stat` shows as `rdev`: 0, the default, to 2 ** 32 - 1, with the major number in bits 8 to 19 and the minor one in the others.
   *   Other files have none
   * @throws system call errors with syscall "mknod": EEXIST, EPERM for a directory, for a device without CAP_MKNOD (but not the character device 0, a whiteout) and
   *   for one in a driver's file system, EINVAL for any other type ...
   */
  mknodSync(path: PathLike, mode?: number, dev?: number): void;
  mknod(path: PathLike, mode?: number, dev?: number): Promise<void>;

  /**
   * mkfifo(3): makes a named pipe, as fifo(7) has it. All threads open it by its name: to open it for reading waits for a writer, for writing for a reader, unless
   * it is opened with O_NONBLOCK or "r+".
   * @param mode default 0o666
   * @throws as {@link mknodSync}, with syscall "mkfifo"
   */
  mkfifoSync(path: PathLike, mode?: number | string): void;
  mkfifo(path: PathLike, mode?: number | string): Promise<void>;

  /**
   * pipe2(2): makes a pipe without a name, as pipe(7) has it. Its descriptors are the context's: any thread of the context reads and writes with the calls of `fs`.
   * @returns the descriptor to read from and the one to write to
   * @throws system call errors with syscall "pipe2": EMFILE, ENFILE, ENOSPC
   */
  pipeSync(options?: PipeOptions): [number, number];
  pipe(options?: PipeOptions): Promise<[number, number]>;

  /** fcntl(2) with F_GETPIPE_SZ: how many bytes a pipe holds. @throws system call errors with syscall "fcntl": EBADF for what is no pipe */
  getPipeSizeSync(fd: number): number;
  getPipeSize(fd: number): Promise<number>;

  /**
   * fcntl(2) with F_SETPIPE_SZ: has a pipe hold at least `size` bytes. A new pipe holds 65,536.
   * @param size bytes; rounded up to a power of two, 4,096 at least
   * @returns the new size
   * @throws system call errors with syscall "fcntl": EBADF, EBUSY if the pipe has more bytes, EPERM above 1,048,576 (for the superuser too, other than in Linux), ENOSPC
   */
  setPipeSizeSync(fd: number, size: number): number;
  setPipeSize(fd: number, size: number): Promise<number>;

  /**
   * fallocate(2): makes room for a range of a file, so that writes to it do not fail with ENOSPC; the file grows to the end of the range. All of the room is made,
   * or none. What was not written reads as zeros.
   * @param offset, length bytes; the range ends at 4 TiB at most
   * @throws system call errors with syscall "fallocate": EBADF also if the descriptor is not open for writing, EFBIG, EINVAL, ENOSPC, EISDIR,
   * ENODEV, ENOTSUP for a driver's file
   */
  fallocateSync(fd: number, offset: number, length: number, options?: FallocateOptions): void;
  fallocate(fd: number, offset: number, length: number, options?: FallocateOptions): Promise<void>;

  /**
   * lseek(2): moves the position of a descriptor, which `fs.read` with `position` null takes. "data" and "hole" look for the next bytes that are
   * stored, or are not, from `offset` on; pages have 4,096 bytes, and the end of a file is a hole.
   * @param whence default "set"
   * @returns the new position
   * @throws system call errors with syscall "lseek": EBADF, EINVAL, ENXIO if `offset` is not in the file or no data follow it
   */
  lseekSync(fd: number, offset: number, whence?: SeekWhence): number;
  lseek(fd: number, offset: number, whence?: SeekWhence): Promise<number>;

  /**
   * copy_file_range(2): copies bytes from one file to another, or within one, without passing them to the program.
   * @param offsetIn, offsetOut null: the descriptor's position, which advances
   * @param length bytes
   * @returns the bytes copied: fewer at the end of the file, at 2^31 - 4096 bytes, or where the memory gets full
   * @throws system call errors with syscall "copy_file_range": EBADF, also for a target opened with O_APPEND, EINVAL if ranges of one file
   * overlap, EISDIR, EFBIG, ENOSPC, ENOTSUP for a driver's file
   */
  copyFileRangeSync(
    fdIn: number,
    offsetIn: number | null,
    fdOut: number,
    offsetOut: number | null,
    length: number,
  ): number;
  copyFileRange(
    fdIn: number,
    offsetIn: number | null,
    fdOut: number,
    offsetOut: number | null,
    length: number,
  ): Promise<number>;

  /**
   * statx(2): the attributes of a file.
   * @param file a path or a descriptor
   * @throws system call errors with syscall "statx": EINVAL for the reserved bit of `mask`, those of `fs.stat`
   */
  statxSync(file: PathLike | number, options?: StatxOptions): Statx;
  statx(file: PathLike | number, options?: StatxOptions): Promise<Statx>;

  /**
   * statfs(2): the room of the file system that a path is on, as `fs.statfs` tells it, the longest name, and the flags of the mount.
   * @throws system call errors with syscall "statfs", those of `fs.statfs`
   */
  statfsSync(path: PathLike): LinuxStatFs;
  statfs(path: PathLike): Promise<LinuxStatFs>;

  /**
   * setxattr(2): sets an extended attribute of a file in memory. Names have a namespace: "user." needs the permission to write, on a file or a directory; "trusted." and
   * "security." need CAP_SYS_ADMIN. "system.posix_acl_access" and "system.posix_acl_default" are the ACLs of a file, for its owner: version 2 of Linux's form, at most 511 entries
   * (ERANGE); an empty value removes one, and `create` and `replace` mean nothing there.
   * @param file a path or a descriptor
   * @param name at most 255 bytes
   * @param value at most 65,536 bytes; a string in UTF-8
   * @throws system call errors with syscall "setxattr": EACCES, EEXIST, EINVAL, ENODATA, ENOSPC, ENOTSUP for another namespace or a driver's file, EPERM, ERANGE
   * for a name and E2BIG for a value that is too long ...
   */
  setxattrSync(file: PathLike | number, name: string, value: string | Uint8Array, options?: SetXattrOptions): void;
  setxattr(file: PathLike | number, name: string, value: string | Uint8Array, options?: SetXattrOptions): Promise<void>;

  /** getxattr(2). @throws as {@link setxattrSync}, with syscall "getxattr": ENODATA if there is no such attribute */
  getxattrSync(file: PathLike | number, name: string, options?: XattrOptions): Bytes;
  getxattr(file: PathLike | number, name: string, options?: XattrOptions): Promise<Bytes>;

  /**
   * listxattr(2): the names of all attributes, in the order of their bytes, without those of "trusted." for a user without CAP_SYS_ADMIN.
   * @throws system call errors with syscall "listxattr": E2BIG if the names have more than 65,536 bytes together
   */
  listxattrSync(file: PathLike | number, options?: XattrOptions): string[];
  listxattr(file: PathLike | number, options?: XattrOptions): Promise<string[]>;

  /** removexattr(2). @throws as {@link setxattrSync}, with syscall "removexattr": ENODATA if there is no such attribute */
  removexattrSync(file: PathLike | number, name: string, options?: XattrOptions): void;
  removexattr(file: PathLike | number, name: string, options?: XattrOptions): Promise<void>;
}
