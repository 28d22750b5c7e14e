/** The errors of the core as those of WASI. A walk that would leave its directory is EXDEV in the core: the calls with paths make ENOTCAPABLE of it. */
import * as LINUX from "../../abi/errno.js";
import { wasiErrnoOf } from "../errors/wasi-errno.js";
import { ERRNO } from "./preview1.js";

/** 0 for a result of the core that is no error, else WASI's number of it; EIO for one that WASI does not know. */
export function wasiErrno(result: number): number {
  if (result >= 0) return ERRNO.SUCCESS;
  return result === -LINUX.EOPNOTSUPP ? ERRNO.ENOTSUP : (wasiErrnoOf(-result) ?? ERRNO.EIO);
}

/** The same for a call that walks below a directory: what would lead out of it is ENOTCAPABLE. */
export function walkErrno(result: number): number {
  return result === -LINUX.EXDEV ? ERRNO.ENOTCAPABLE : wasiErrno(result);
}
