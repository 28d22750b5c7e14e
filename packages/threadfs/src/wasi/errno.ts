/** The errors of the core as those of WASI. */
import * as LINUX from "../../abi/errno.js";
import { ERRNO } from "./preview1.js";

/** WASI's number of each of Linux's. A walk that would leave its directory is EXDEV in the core: the calls with paths make ENOTCAPABLE of it. */
const PAIRS: readonly (readonly [linux: number, wasi: number])[] = [
  [LINUX.EPERM, ERRNO.EPERM],
  [LINUX.ENOENT, ERRNO.ENOENT],
  [LINUX.EINTR, ERRNO.EINTR],
  [LINUX.EIO, ERRNO.EIO],
  [LINUX.ENXIO, ERRNO.ENXIO],
  [LINUX.E2BIG, ERRNO.E2BIG],
  [LINUX.EBADF, ERRNO.EBADF],
  [LINUX.EAGAIN, ERRNO.EAGAIN],
  [LINUX.ENOMEM, ERRNO.ENOMEM],
  [LINUX.EACCES, ERRNO.EACCES],
  [LINUX.EFAULT, ERRNO.EFAULT],
  [LINUX.EBUSY, ERRNO.EBUSY],
  [LINUX.EEXIST, ERRNO.EEXIST],
  [LINUX.EXDEV, ERRNO.EXDEV],
  [LINUX.ENODEV, ERRNO.ENODEV],
  [LINUX.ENOTDIR, ERRNO.ENOTDIR],
  [LINUX.EISDIR, ERRNO.EISDIR],
  [LINUX.EINVAL, ERRNO.EINVAL],
  [LINUX.ENFILE, ERRNO.ENFILE],
  [LINUX.EMFILE, ERRNO.EMFILE],
  [LINUX.EFBIG, ERRNO.EFBIG],
  [LINUX.ENOSPC, ERRNO.ENOSPC],
  [LINUX.ESPIPE, ERRNO.ESPIPE],
  [LINUX.EROFS, ERRNO.EROFS],
  [LINUX.EMLINK, ERRNO.EMLINK],
  [LINUX.EPIPE, ERRNO.EPIPE],
  [LINUX.ERANGE, ERRNO.ERANGE],
  [LINUX.EDEADLK, ERRNO.EDEADLK],
  [LINUX.ENAMETOOLONG, ERRNO.ENAMETOOLONG],
  [LINUX.ENOLCK, ERRNO.ENOLCK],
  [LINUX.ENOSYS, ERRNO.ENOSYS],
  [LINUX.ENOTEMPTY, ERRNO.ENOTEMPTY],
  [LINUX.ELOOP, ERRNO.ELOOP],
  [LINUX.EOVERFLOW, ERRNO.EOVERFLOW],
  [LINUX.EOPNOTSUPP, ERRNO.ENOTSUP],
  [LINUX.ETIMEDOUT, ERRNO.ETIMEDOUT],
  [LINUX.ESTALE, ERRNO.ESTALE],
];

const WASI_OF: ReadonlyMap<number, number> = /* @__PURE__ */ new Map(PAIRS);

/** 0 for a result of the core that is no error, else WASI's number of it; EIO for one that WASI does not know. */
export function wasiErrno(result: number): number {
  return result >= 0 ? ERRNO.SUCCESS : (WASI_OF.get(-result) ?? ERRNO.EIO);
}

/** The same for a call that walks below a directory: what would lead out of it is ENOTCAPABLE. */
export function walkErrno(result: number): number {
  return result === -LINUX.EXDEV ? ERRNO.ENOTCAPABLE : wasiErrno(result);
}
