/** Calls by descriptor that neither read nor write contents, and those for sockets, of which there are none. */
import { SEEK_CUR, SEEK_END, SEEK_SET } from "../../../abi/flags.js";
import { fdflagsOf, openFlagsOf, putFilestat, timesOf } from "../attributes.js";
import { wasiErrno } from "../errno.js";
import { ERRNO, FDSTAT_SIZE, FILESTAT_SIZE, FILETYPE, RIGHT, RIGHTS_ALL } from "../preview1.js";
import type { Program } from "../program.js";

const OFFSET_MAX = 2n ** 53n - 1n;
const WHENCES: readonly number[] = [SEEK_SET, SEEK_CUR, SEEK_END];
const ADVICE_MAX = 5;

/** An offset or a length as the core takes it; NaN: it is negative, or larger than that. */
function toNumber(value: bigint): number {
  const unsigned = BigInt.asUintN(64, value);
  return unsigned > OFFSET_MAX ? Number.NaN : Number(unsigned);
}

/** What is read of a descriptor and changed in it: state, attributes, room. */
function makeAttributeCalls(program: Program) {
  const { memory, descriptors, calls } = program;
  const { core, ctx, attachment } = calls;
  return {
    fd_fdstat_get(fd: number, result: number): number {
      const at = result >>> 0;
      const failed = program.enterFd(fd, 0);
      if (failed !== 0) return failed;
      if (!memory.has(at, FDSTAT_SIZE)) return ERRNO.EFAULT;
      const { rights, inheriting, filetype } = descriptors;
      const flags = descriptors.fd >= 0 ? core.sysFileFlags(ctx, descriptors.fd, -1) : 0;
      if (flags < 0) return wasiErrno(flags);
      memory.setU64(at, filetype | (fdflagsOf(flags) << 16));
      memory.setU64(at + 8, rights);
      memory.setU64(at + 16, inheriting);
      return 0;
    },
    fd_fdstat_set_flags(fd: number, flags: number): number {
      const failed = program.enterFd(fd, RIGHT.FD_FDSTAT_SET_FLAGS);
      if (failed !== 0 || descriptors.fd < 0) return failed;
      return wasiErrno(core.sysFileFlags(ctx, descriptors.fd, openFlagsOf(flags)));
    },
    fd_fdstat_set_rights(fd: number, rights: bigint, inheriting: bigint): number {
      program.enter();
      const added = BigInt.asUintN(64, rights | inheriting) & ~BigInt(RIGHTS_ALL);
      if (added !== 0n) return descriptors.find(fd, 0) || ERRNO.ENOTCAPABLE;
      return descriptors.reduce(fd, Number(rights), Number(inheriting));
    },
    fd_filestat_get(fd: number, result: number): number {
      const at = result >>> 0;
      const failed = program.enterFd(fd, RIGHT.FD_FILESTAT_GET);
      if (failed !== 0) return failed;
      if (!memory.has(at, FILESTAT_SIZE)) return ERRNO.EFAULT;
      if (descriptors.fd >= 0) {
        const got = core.sysFstat(ctx, descriptors.fd);
        if (got < 0) return wasiErrno(got);
        putFilestat(memory, at, attachment.stat);
        return 0;
      }
      memory.bytes.fill(0, at, at + FILESTAT_SIZE);
      memory.bytes[at + 16] = descriptors.filetype;
      return 0;
    },
    fd_filestat_set_size(fd: number, size: bigint): number {
      const failed = program.enterFd(fd, RIGHT.FD_FILESTAT_SET_SIZE);
      if (failed !== 0) return failed;
      if (descriptors.fd < 0) return ERRNO.EINVAL;
      const to = toNumber(size);
      return Number.isNaN(to) ? ERRNO.EFBIG : wasiErrno(core.sysFtruncate(ctx, descriptors.fd, to));
    },
    fd_filestat_set_times(fd: number, atim: bigint, mtim: bigint, flags: number): number {
      const failed = program.enterFd(fd, RIGHT.FD_FILESTAT_SET_TIMES);
      if (failed !== 0) return failed;
      const times = timesOf(atim, mtim, flags);
      if (times === undefined || descriptors.fd < 0) return ERRNO.EINVAL;
      return wasiErrno(core.sysFutimens(ctx, descriptors.fd, ...times));
    },
    fd_allocate(fd: number, offset: bigint, length: bigint): number {
      const failed = program.enterFd(fd, RIGHT.FD_ALLOCATE);
      if (failed !== 0) return failed;
      if (descriptors.fd < 0) return ERRNO.EINVAL;
      const [from, bytes] = [toNumber(offset), toNumber(length)];
      if (Number.isNaN(from + bytes)) return ERRNO.EFBIG;
      return wasiErrno(core.sysFallocate(ctx, descriptors.fd, 0, from, bytes));
    },
    fd_advise(fd: number, _offset: bigint, _length: bigint, advice: number): number {
      const failed = program.enterFd(fd, RIGHT.FD_ADVISE);
      if (failed !== 0) return failed;
      // What is in memory needs no advice.
      return advice >>> 0 > ADVICE_MAX ? ERRNO.EINVAL : 0;
    },
  };
}

/** Descriptors themselves: their positions, their ends, their numbers. */
function makeDescriptorCalls(program: Program) {
  const { memory, descriptors, calls } = program;
  const { core, ctx } = calls;

  const seek = (offset: number, whence: number, result: number): number => {
    if (descriptors.fd < 0) return ERRNO.ESPIPE;
    if (descriptors.filetype === FILETYPE.DIRECTORY) return ERRNO.EISDIR;
    if (!memory.has(result, 8)) return ERRNO.EFAULT;
    const to = core.sysLseek(ctx, descriptors.fd, offset, whence);
    if (to < 0) return wasiErrno(to);
    memory.setU64(result, to);
    return 0;
  };

  const sync = (fd: number, rights: number): number => {
    const failed = program.enterFd(fd, rights);
    if (failed !== 0 || descriptors.fd < 0) return failed;
    return wasiErrno(core.sysFsync(ctx, descriptors.fd));
  };

  /** The right to seek implies that to tell. */
  const enterTell = (fd: number): number => {
    const failed = program.enterFd(fd, 0);
    if (failed !== 0) return failed;
    return descriptors.rights & (RIGHT.FD_TELL | RIGHT.FD_SEEK) ? 0 : ERRNO.ENOTCAPABLE;
  };

  return {
    fd_seek(fd: number, offset: bigint, whence: number, result: number): number {
      const tells = offset === 0n && whence === SEEK_CUR;
      const failed = tells ? enterTell(fd) : program.enterFd(fd, RIGHT.FD_SEEK);
      if (failed !== 0) return failed;
      const linux = WHENCES[whence];
      if (linux === undefined) return ERRNO.EINVAL;
      return seek(Number(offset), linux, result >>> 0);
    },
    fd_tell(fd: number, result: number): number {
      return enterTell(fd) || seek(0, SEEK_CUR, result >>> 0);
    },
    fd_sync: (fd: number): number => sync(fd, RIGHT.FD_SYNC),
    fd_datasync: (fd: number): number => sync(fd, RIGHT.FD_DATASYNC),
    fd_close(fd: number): number {
      program.enter();
      const closed = descriptors.take(fd);
      if (closed < -1) return ERRNO.EBADF;
      try {
        return program.close(fd, closed);
      } catch (error) {
        // It has waited too long, and has not happened. What a panic leaves another thread settles.
        if (program.calls.attachment.sharable) descriptors.giveBack(fd);
        throw error;
      }
    },
    fd_renumber(from: number, to: number): number {
      program.enter();
      if (from === to) return descriptors.find(from, 0);
      const replaced = descriptors.move(from, to);
      if (replaced < -1) return ERRNO.EBADF;
      program.close(from, replaced);
      return 0;
    },
    fd_prestat_get(fd: number, result: number): number {
      const at = result >>> 0;
      const failed = program.enterFd(fd, 0);
      if (failed !== 0) return failed;
      const name = program.preopens[descriptors.preopen];
      if (name === undefined) return ERRNO.EBADF;
      if (!memory.has(at, 8)) return ERRNO.EFAULT;
      // 0: a directory.
      memory.setU32(at, 0);
      memory.setU32(at + 4, name.length);
      return 0;
    },
    fd_prestat_dir_name(fd: number, address: number, length: number): number {
      const failed = program.enterFd(fd, 0);
      if (failed !== 0) return failed;
      const name = program.preopens[descriptors.preopen];
      if (name === undefined) return ERRNO.EBADF;
      if (length >>> 0 < name.length) return ERRNO.ENAMETOOLONG;
      if (!memory.has(address >>> 0, name.length)) return ERRNO.EFAULT;
      memory.bytes.set(name, address >>> 0);
      return 0;
    },
  };
}

/** Calls on sockets: no descriptor is one. */
function makeSocketCalls(program: Program) {
  const refused = (fd: number): number => program.enterFd(fd, 0) || ERRNO.ENOTSOCK;
  return { sock_accept: refused, sock_recv: refused, sock_send: refused, sock_shutdown: refused };
}

export function makeFileCalls(program: Program) {
  return { ...makeAttributeCalls(program), ...makeDescriptorCalls(program), ...makeSocketCalls(program) };
}
