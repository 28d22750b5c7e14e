/** Error numbers of programs that Emscripten has compiled: those of its C library, which are WASI's since Emscripten 1.39. */
import * as LINUX from "../../abi/errno.js";

export const EBADF = 8;
export const EDOM = 18;
export const EEXIST = 20;
export const EFAULT = 21;
export const EINVAL = 28;
export const EIO = 29;
export const ELOOP = 32;
export const EMFILE = 33;
export const ENODEV = 43;
export const ENOENT = 44;
export const EPERM = 63;
export const ETIMEDOUT = 73;
export const EXDEV = 75;

/** By Linux's numbers. EUSERS, ENODATA and EOPNOTSUPP are not WASI's: the C library has numbers of its own for them. */
const NUMBERS: Readonly<Record<number, number>> = {
  [LINUX.EPERM]: EPERM,
  [LINUX.ENOENT]: ENOENT,
  [LINUX.EINTR]: 27,
  [LINUX.EIO]: EIO,
  [LINUX.ENXIO]: 60,
  [LINUX.E2BIG]: 1,
  [LINUX.EBADF]: EBADF,
  [LINUX.ECHILD]: 12,
  [LINUX.EAGAIN]: 6,
  [LINUX.ENOMEM]: 48,
  [LINUX.EACCES]: 2,
  [LINUX.EFAULT]: EFAULT,
  [LINUX.EBUSY]: 10,
  [LINUX.EEXIST]: EEXIST,
  [LINUX.EXDEV]: EXDEV,
  [LINUX.ENODEV]: ENODEV,
  [LINUX.ENOTDIR]: 54,
  [LINUX.EISDIR]: 31,
  [LINUX.EINVAL]: EINVAL,
  [LINUX.ENFILE]: 41,
  [LINUX.EMFILE]: EMFILE,
  [LINUX.EFBIG]: 22,
  [LINUX.ENOSPC]: 51,
  [LINUX.ESPIPE]: 70,
  [LINUX.EROFS]: 69,
  [LINUX.EMLINK]: 34,
  [LINUX.EPIPE]: 64,
  [LINUX.ERANGE]: 68,
  [LINUX.EDEADLK]: 16,
  [LINUX.ENAMETOOLONG]: 37,
  [LINUX.ENOLCK]: 46,
  [LINUX.ENOSYS]: 52,
  [LINUX.ENOTEMPTY]: 55,
  [LINUX.ELOOP]: ELOOP,
  [LINUX.ENODATA]: 116,
  [LINUX.EOVERFLOW]: 61,
  [LINUX.EUSERS]: 136,
  [LINUX.EOPNOTSUPP]: 138,
  [LINUX.ETIMEDOUT]: ETIMEDOUT,
  [LINUX.ESTALE]: 72,
};

/** The program's number of an error. @param errno a negative number of Linux */
export function programErrno(errno: number): number {
  return NUMBERS[-errno] ?? EIO;
}

/** The program's number of an exception of this library; undefined: it is a mistake of the embedder, or a failure that no program can handle. */
export function programErrnoOf(error: unknown): number | undefined {
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  if (typeof errno === "number" && errno < 0) return programErrno(errno);
  return code === "ERR_THREADFS_TIMEOUT" ? ETIMEDOUT : undefined;
}
