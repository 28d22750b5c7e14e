/** Error numbers of programs that Emscripten has compiled: those of its C library, which are WASI's since Emscripten 1.39. */
import * as LINUX from "../../abi/errno.js";
import { WASI_ERRNO as ERRNO, wasiErrnoOf } from "../errors/wasi-errno.js";

export { ERRNO };

/** What WASI has no numbers for, or another one: by Linux's numbers. */
const OWN: Readonly<Record<number, number>> = {
  [LINUX.ENODATA]: 116,
  [LINUX.EUSERS]: 136,
  [LINUX.EOPNOTSUPP]: 138,
};

/** The program's number of an error. @param errno a negative number of Linux */
export function programErrno(errno: number): number {
  return OWN[-errno] ?? wasiErrnoOf(-errno) ?? ERRNO.EIO;
}

/** The program's number of an exception of this library; undefined: it is a mistake of the embedder, or a failure that no program can handle. */
export function programErrnoOf(error: unknown): number | undefined {
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  if (typeof errno === "number" && errno < 0) return programErrno(errno);
  return code === "ERR_THREADFS_TIMEOUT" ? ERRNO.ETIMEDOUT : undefined;
}
