/**
 * Calls with paths. The bytes of a path go from the program's memory into the scratch area as they are. Every walk starts at a descriptor and stays below it
 * (RESOLVE_BENEATH), as openat2(2) has it, in rcu mode where the core can.
 */
import * as LINUX from "../../../abi/errno.js";
import {
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_BENEATH,
} from "../../../abi/flags.js";
import { OPENING, PATH_MAX } from "../../../abi/limits.js";
import * as STAT from "../../../abi/stat.js";
import { STATE_PANIC } from "../../bridge/attachment.js";
import { filetypeOf, openFlagsOf, putFilestat, timesOf } from "../attributes.js";
import { beneath, leadOut } from "../beneath.js";
import { walkErrno, wasiErrno } from "../errno.js";
import {
  DIRECTORY_RIGHTS,
  ERRNO,
  FILE_RIGHTS,
  FILESTAT_SIZE,
  FILETYPE,
  LOOKUP_SYMLINK_FOLLOW,
  OFLAG,
  RIGHT,
  RIGHTS_ALL,
  STREAM_RIGHTS,
  WRITE_RIGHTS,
} from "../preview1.js";
import type { Program } from "../program.js";
import { openFifo } from "../waiting.js";

const CREATE_MODE = 0o666;
const DIRECTORY_MODE = 0o777;
const SLASH = 0x2f;

const wordsOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Int32Array =>
  new Int32Array(buffer, byteOffset, byteLength >> 2);

/** Paths of calls in the scratch area, and walks below a descriptor. */
class Walks {
  readonly #program: Program;
  readonly #path: Uint8Array;
  readonly #path2: Uint8Array;
  readonly #words: Int32Array;
  readonly #words2: Int32Array;
  /** The descriptors of the context where the first and the second path start. */
  dirfd = -1;
  dirfd2 = -1;

  constructor(program: Program) {
    this.#program = program;
    const { path, path2 } = program.calls.attachment;
    this.#path = path;
    this.#path2 = path2;
    this.#words = wordsOf(path);
    this.#words2 = wordsOf(path2);
  }

  /**
   * Begins a call with a path of a directory: copies it to the scratch area's first or second path. Returns its length, which is never 0 with an error, or
   * WASI's error, negative.
   */
  #put(fd: number, rights: number, address: number, length: number, second: boolean): number {
    const { descriptors } = this.#program;
    const failed = descriptors.find(fd, rights);
    if (failed !== 0) return -failed;
    if (descriptors.fd < 0 || descriptors.filetype !== FILETYPE.DIRECTORY) return -ERRNO.ENOTDIR;
    const bytes = this.putBytes(second, address >>> 0, length >>> 0);
    if (bytes < 0) return bytes;
    if (second) this.dirfd2 = descriptors.fd;
    else this.dirfd = descriptors.fd;
    return bytes;
  }

  /** Copies bytes of the program and a NUL to the first or the second path. Returns their number or WASI's error, negative. */
  putBytes(second: boolean, address: number, length: number): number {
    const { memory } = this.#program;
    const into = second ? this.#path2 : this.#path;
    if (length > PATH_MAX) return -ERRNO.ENAMETOOLONG;
    if (!memory.has(address, length)) return -ERRNO.EFAULT;
    memory.copyTo(into, second ? this.#words2 : this.#words, address, length);
    into[length] = 0;
    return length;
  }

  first(fd: number, rights: number, address: number, length: number): number {
    this.#program.enter();
    return this.#put(fd, rights, address, length, false);
  }

  second(fd: number, rights: number, address: number, length: number): number {
    return this.#put(fd, rights, address, length, true);
  }

  /** Makes a call of the core whose paths are below their descriptors. Its result. */
  beneath(call: () => number): number {
    return beneath(this.#program.calls, call);
  }

  /**
   * WASI's error of a call with two paths: EXDEV is ENOTCAPABLE if one of the paths leads out of its directory, and else says that they are of two file
   * systems.
   * @param flags how the first path is walked
   */
  errnoOfTwo(result: number, length: number, length2: number, flags = AT_SYMLINK_NOFOLLOW): number {
    if (result !== -LINUX.EXDEV) return wasiErrno(result);
    const { dirfd, dirfd2 } = this;
    return leadOut(this.#program.calls, { dirfd, length, flags, dirfd2, length2 }) ? ERRNO.ENOTCAPABLE : ERRNO.EXDEV;
  }
}

/** The rights that a file of this type can have. */
function rightsOf(type: number): number {
  if (type === FILETYPE.DIRECTORY) return DIRECTORY_RIGHTS;
  return type === FILETYPE.REGULAR_FILE ? FILE_RIGHTS : STREAM_RIGHTS;
}

/** The flags of open(2) for a path_open. */
function openFlags(dirflags: number, oflags: number, rights: number, fdflags: number): number {
  const reads = (rights & (RIGHT.FD_READ | RIGHT.FD_READDIR)) !== 0;
  const writes = (rights & WRITE_RIGHTS) !== 0;
  let flags = writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (!(dirflags & LOOKUP_SYMLINK_FOLLOW)) flags |= O_NOFOLLOW;
  if (oflags & OFLAG.CREAT) flags |= O_CREAT;
  if (oflags & OFLAG.EXCL) flags |= O_EXCL;
  if (oflags & OFLAG.TRUNC) flags |= O_TRUNC;
  if (oflags & OFLAG.DIRECTORY) flags |= O_DIRECTORY;
  return flags | openFlagsOf(fdflags);
}

/** The rights that a path_open needs of its directory. */
function neededRights(oflags: number): number {
  let rights: number = RIGHT.PATH_OPEN;
  if (oflags & OFLAG.CREAT) rights |= RIGHT.PATH_CREATE_FILE;
  if (oflags & OFLAG.TRUNC) rights |= RIGHT.PATH_FILESTAT_SET_SIZE;
  return rights;
}

/** path_open. */
function makeOpen(program: Program, walks: Walks) {
  const { memory, descriptors, calls } = program;
  const { ctx, attachment } = calls;
  const { sysOpenTagged } = attachment.unguarded;
  const { thread } = descriptors;

  /** A u64 of a call, and its lower half. */
  const wide = new BigInt64Array(1);
  const low = new Int32Array(wide.buffer);

  const open = (bytes: number, flags: number, tag: number): number => {
    const mode = flags & O_CREAT ? CREATE_MODE : 0;
    let opened: number;
    try {
      opened = sysOpenTagged(ctx, walks.dirfd, bytes, flags, mode, RESOLVE_BENEATH, thread.name, tag);
    } catch (error) {
      attachment.state = STATE_PANIC;
      return attachment.leave(error);
    }
    if (opened === -LINUX.ENXIO) attachment.drivers.checkRegistered();
    return opened;
  };

  /** Waits for the other end of a FIFO, whose open has begun. A function of its own, for what it keeps. */
  const waitFifo = (begun: number, path: number, bytes: number, flags: number, tag: number): number => {
    const { dirfd } = walks;
    return openFifo(
      calls,
      () => program.enter(),
      begun,
      () => {
        walks.dirfd = dirfd;
        walks.putBytes(false, path, bytes);
        return open(bytes, flags, tag);
      },
    );
  };

  /** Gives a number that was claimed its open file of the context, whose mode the open has left. */
  const number = (claimed: number, fd: number, base: number, inheriting: number, result: number): number => {
    const type = filetypeOf(attachment.stat[STAT.mode]);
    descriptors.set(claimed, fd, type, base & rightsOf(type), type === FILETYPE.DIRECTORY ? inheriting : 0);
    memory.setU32(result, claimed);
    return 0;
  };

  return (
    fd: number,
    dirflags: number,
    path: number,
    length: number,
    oflags: number,
    rights: bigint,
    inherited: bigint,
    fdflags: number,
    result: number,
  ): number => {
    const at = result >>> 0;
    const bytes = walks.first(fd, neededRights(oflags), path, length);
    if (bytes < 0) return -bytes;
    if (!memory.has(at, 4)) return ERRNO.EFAULT;
    // Through memory: there a BigInt becomes a number without another BigInt.
    wide[0] = rights;
    const base = (low[0] as number) & RIGHTS_ALL;
    wide[0] = inherited;
    const inheriting = (low[0] as number) & RIGHTS_ALL;
    if (((base | inheriting) & ~descriptors.inheriting) !== 0) return ERRNO.ENOTCAPABLE;
    const flags = openFlags(dirflags, oflags, base, fdflags);
    const claimed = descriptors.reserve();
    if (claimed < 0) return ERRNO.EMFILE;
    const tag = descriptors.tag(claimed);
    let opened: number;
    try {
      opened = open(bytes, flags, tag);
      if (opened <= OPENING) opened = waitFifo(opened, path >>> 0, bytes, flags, tag);
    } catch (error) {
      // It has waited too long, and has not happened. What a panic leaves another thread settles.
      if (attachment.sharable) descriptors.release(claimed);
      throw error;
    }
    if (opened >= 0) return number(claimed, opened, base, inheriting, at);
    descriptors.release(claimed);
    return walkErrno(opened);
  };
}

/** Calls that look at a path. */
function makeLookups(program: Program, walks: Walks) {
  const { memory, calls } = program;
  const { core, ctx, attachment } = calls;
  const nofollow = (flags: number): number => (flags & LOOKUP_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
  return {
    path_filestat_get(fd: number, flags: number, path: number, length: number, result: number): number {
      const bytes = walks.first(fd, RIGHT.PATH_FILESTAT_GET, path, length);
      if (bytes < 0) return -bytes;
      if (!memory.has(result >>> 0, FILESTAT_SIZE)) return ERRNO.EFAULT;
      const got = core.sysWalk(ctx, walks.dirfd, bytes, nofollow(flags), -1, RESOLVE_BENEATH);
      if (got < 0) return walkErrno(got);
      putFilestat(memory, result >>> 0, attachment.stat);
      return 0;
    },
    path_filestat_set_times(
      fd: number,
      flags: number,
      path: number,
      length: number,
      atim: bigint,
      mtim: bigint,
      fstflags: number,
    ): number {
      const bytes = walks.first(fd, RIGHT.PATH_FILESTAT_SET_TIMES, path, length);
      if (bytes < 0) return -bytes;
      const times = timesOf(atim, mtim, fstflags);
      if (times === undefined) return ERRNO.EINVAL;
      const { dirfd } = walks;
      return walkErrno(walks.beneath(() => core.sysUtimens(ctx, dirfd, bytes, ...times, nofollow(flags))));
    },
    path_readlink(fd: number, path: number, length: number, buffer: number, size: number, result: number): number {
      const bytes = walks.first(fd, RIGHT.PATH_READLINK, path, length);
      if (bytes < 0) return -bytes;
      const [to, room] = [buffer >>> 0, size >>> 0];
      if (!memory.has(to, room) || !memory.has(result >>> 0, 4)) return ERRNO.EFAULT;
      const got = walks.beneath(() => core.sysReadlink(ctx, walks.dirfd, bytes));
      if (got < 0) return walkErrno(got);
      const taken = Math.min(got, room);
      memory.refresh();
      memory.bytes.set(attachment.io.subarray(0, taken), to);
      memory.setU32(result >>> 0, taken);
      return 0;
    },
  };
}

/** Calls that make, move and remove names. */
function makeChanges(program: Program, walks: Walks) {
  const { core, ctx, attachment } = program.calls;

  const remove = (fd: number, rights: number, path: number, length: number, flags: number): number => {
    const bytes = walks.first(fd, rights, path, length);
    if (bytes < 0) return -bytes;
    return walkErrno(walks.beneath(() => core.sysUnlink(ctx, walks.dirfd, bytes, flags)));
  };

  return {
    path_create_directory(fd: number, path: number, length: number): number {
      const bytes = walks.first(fd, RIGHT.PATH_CREATE_DIRECTORY, path, length);
      if (bytes < 0) return -bytes;
      return walkErrno(walks.beneath(() => core.sysMkdir(ctx, walks.dirfd, bytes, DIRECTORY_MODE)));
    },
    path_remove_directory: (fd: number, path: number, length: number): number =>
      remove(fd, RIGHT.PATH_REMOVE_DIRECTORY, path, length, AT_REMOVEDIR),
    path_unlink_file(fd: number, path: number, length: number): number {
      return remove(fd, RIGHT.PATH_UNLINK_FILE, path, length, 0);
    },
    path_link(
      fd: number,
      flags: number,
      path: number,
      length: number,
      fd2: number,
      path2: number,
      length2: number,
    ): number {
      const bytes = walks.first(fd, RIGHT.PATH_LINK_SOURCE, path, length);
      if (bytes < 0) return -bytes;
      const bytes2 = walks.second(fd2, RIGHT.PATH_LINK_TARGET, path2, length2);
      if (bytes2 < 0) return -bytes2;
      const { dirfd, dirfd2 } = walks;
      const follow = flags & LOOKUP_SYMLINK_FOLLOW ? AT_SYMLINK_FOLLOW : 0;
      const made = walks.beneath(() => core.sysLink(ctx, dirfd, bytes, dirfd2, bytes2, follow));
      return walks.errnoOfTwo(made, bytes, bytes2, follow === 0 ? AT_SYMLINK_NOFOLLOW : 0);
    },
    path_rename(fd: number, path: number, length: number, fd2: number, path2: number, length2: number): number {
      const bytes = walks.first(fd, RIGHT.PATH_RENAME_SOURCE, path, length);
      if (bytes < 0) return -bytes;
      const bytes2 = walks.second(fd2, RIGHT.PATH_RENAME_TARGET, path2, length2);
      if (bytes2 < 0) return -bytes2;
      const { dirfd, dirfd2 } = walks;
      const moved = walks.beneath(() => core.sysRename(ctx, dirfd, bytes, dirfd2, bytes2, 0));
      return walks.errnoOfTwo(moved, bytes, bytes2);
    },
    path_symlink(body: number, bodyLength: number, fd: number, path: number, length: number): number {
      program.enter();
      const bytes2 = walks.second(fd, RIGHT.PATH_SYMLINK, path, length);
      if (bytes2 < 0) return -bytes2;
      const bytes = walks.putBytes(false, body >>> 0, bodyLength >>> 0);
      if (bytes < 0) return -bytes;
      // No walk of the program could follow it.
      if (attachment.path[0] === SLASH) return ERRNO.ENOTCAPABLE;
      return walkErrno(walks.beneath(() => core.sysSymlink(ctx, bytes, walks.dirfd2, bytes2)));
    },
  };
}

export function makePathCalls(program: Program) {
  const walks = new Walks(program);
  return {
    path_open: makeOpen(program, walks),
    ...makeLookups(program, walks),
    ...makeChanges(program, walks),
  };
}
