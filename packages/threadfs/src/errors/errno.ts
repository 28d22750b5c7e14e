import * as ERRNO from "../../abi/errno.js";

/**
 * libuv's texts of error numbers, by Linux's numbers: what `node:fs` writes after the code in an error's message.
 * Numbers that libuv does not know (the last rows) have Linux's names instead of libuv's "UNKNOWN".
 */
const ROWS: readonly (readonly [errno: number, code: string, text: string])[] = [
  [ERRNO.EPERM, "EPERM", "operation not permitted"],
  [ERRNO.ENOENT, "ENOENT", "no such file or directory"],
  [3, "ESRCH", "no such process"],
  [ERRNO.EINTR, "EINTR", "interrupted system call"],
  [ERRNO.EIO, "EIO", "i/o error"],
  [ERRNO.ENXIO, "ENXIO", "no such device or address"],
  [ERRNO.E2BIG, "E2BIG", "argument list too long"],
  [ERRNO.EBADF, "EBADF", "bad file descriptor"],
  [ERRNO.EAGAIN, "EAGAIN", "resource temporarily unavailable"],
  [ERRNO.ENOMEM, "ENOMEM", "not enough memory"],
  [ERRNO.EACCES, "EACCES", "permission denied"],
  [ERRNO.EFAULT, "EFAULT", "bad address in system call argument"],
  [ERRNO.EBUSY, "EBUSY", "resource busy or locked"],
  [ERRNO.EEXIST, "EEXIST", "file already exists"],
  [ERRNO.EXDEV, "EXDEV", "cross-device link not permitted"],
  [ERRNO.ENODEV, "ENODEV", "no such device"],
  [ERRNO.ENOTDIR, "ENOTDIR", "not a directory"],
  [ERRNO.EISDIR, "EISDIR", "illegal operation on a directory"],
  [ERRNO.EINVAL, "EINVAL", "invalid argument"],
  [ERRNO.ENFILE, "ENFILE", "file table overflow"],
  [ERRNO.EMFILE, "EMFILE", "too many open files"],
  [25, "ENOTTY", "inappropriate ioctl for device"],
  [26, "ETXTBSY", "text file is busy"],
  [ERRNO.EFBIG, "EFBIG", "file too large"],
  [ERRNO.ENOSPC, "ENOSPC", "no space left on device"],
  [ERRNO.ESPIPE, "ESPIPE", "invalid seek"],
  [ERRNO.EROFS, "EROFS", "read-only file system"],
  [ERRNO.EMLINK, "EMLINK", "too many links"],
  [32, "EPIPE", "broken pipe"],
  [ERRNO.ERANGE, "ERANGE", "result too large"],
  [ERRNO.ENAMETOOLONG, "ENAMETOOLONG", "name too long"],
  [ERRNO.ENOSYS, "ENOSYS", "function not implemented"],
  [ERRNO.ENOTEMPTY, "ENOTEMPTY", "directory not empty"],
  [ERRNO.ELOOP, "ELOOP", "too many symbolic links encountered"],
  [49, "EUNATCH", "protocol driver not attached"],
  [ERRNO.ENODATA, "ENODATA", "no data available"],
  [64, "ENONET", "machine is not on the network"],
  [71, "EPROTO", "protocol error"],
  [ERRNO.EOVERFLOW, "EOVERFLOW", "value too large for defined data type"],
  [84, "EILSEQ", "illegal byte sequence"],
  [88, "ENOTSOCK", "socket operation on non-socket"],
  [89, "EDESTADDRREQ", "destination address required"],
  [90, "EMSGSIZE", "message too long"],
  [91, "EPROTOTYPE", "protocol wrong type for socket"],
  [92, "ENOPROTOOPT", "protocol not available"],
  [93, "EPROTONOSUPPORT", "protocol not supported"],
  [94, "ESOCKTNOSUPPORT", "socket type not supported"],
  [ERRNO.EOPNOTSUPP, "ENOTSUP", "operation not supported on socket"],
  [97, "EAFNOSUPPORT", "address family not supported"],
  [98, "EADDRINUSE", "address already in use"],
  [99, "EADDRNOTAVAIL", "address not available"],
  [100, "ENETDOWN", "network is down"],
  [101, "ENETUNREACH", "network is unreachable"],
  [103, "ECONNABORTED", "software caused connection abort"],
  [104, "ECONNRESET", "connection reset by peer"],
  [105, "ENOBUFS", "no buffer space available"],
  [106, "EISCONN", "socket is already connected"],
  [107, "ENOTCONN", "socket is not connected"],
  [108, "ESHUTDOWN", "cannot send after transport endpoint shutdown"],
  [ERRNO.ETIMEDOUT, "ETIMEDOUT", "connection timed out"],
  [111, "ECONNREFUSED", "connection refused"],
  [112, "EHOSTDOWN", "host is down"],
  [113, "EHOSTUNREACH", "host is unreachable"],
  [114, "EALREADY", "connection already in progress"],
  [121, "EREMOTEIO", "remote I/O error"],
  [125, "ECANCELED", "operation canceled"],
  [ERRNO.ECHILD, "ECHILD", "no child processes"],
  [ERRNO.EDEADLK, "EDEADLK", "resource deadlock would occur"],
  [ERRNO.ENOLCK, "ENOLCK", "no locks available"],
  [ERRNO.EUSERS, "EUSERS", "too many users"],
  [ERRNO.ESTALE, "ESTALE", "stale file handle"],
];

const BY_NUMBER: ReadonlyMap<number, readonly [string, string]> = new Map(
  ROWS.map(([n, code, text]) => [n, [code, text]]),
);

/** Name and text of an error number (positive or negative). */
export function errnoText(errno: number): readonly [code: string, text: string] {
  return BY_NUMBER.get(Math.abs(errno)) ?? ["UNKNOWN", "unknown error"];
}

/** Texts of the C library where they are not those of libuv with a capital letter. */
const C_TEXTS: Readonly<Record<string, string>> = {
  EBUSY: "Device or resource busy",
  EEXIST: "File exists",
  EIO: "Input/output error",
  EISDIR: "Is a directory",
  ELOOP: "Too many levels of symbolic links",
  EMFILE: "Too many open files",
  ENAMETOOLONG: "File name too long",
  ENFILE: "Too many open files in system",
  ENOMEM: "Cannot allocate memory",
  ENOTSUP: "Operation not supported",
  EROFS: "Read-only file system",
};

/** Name and text of an error number as strerror(3) gives it, which Node's C++ parts use. */
export function strerror(errno: number): readonly [code: string, text: string] {
  const [code, text] = errnoText(errno);
  return [code, C_TEXTS[code] ?? text.charAt(0).toUpperCase() + text.slice(1)];
}
