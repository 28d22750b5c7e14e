/** Extended attributes, of a path, of a descriptor with AT_EMPTY_PATH, or of a link with AT_SYMLINK_NOFOLLOW. The name is in SCRATCH.PATH2, of `len2` bytes. */
import { checkName, checkSet, doGetxattr, doListxattr, doSetxattr } from "../vfs/xattr/xattr";
import { lookupFlags, pathOrFdArgument, syscallEnterErr, syscallExit } from "./syscall";

/** setxattr(2): the value is the `size` bytes in SCRATCH.IO. `how`: XATTR_CREATE, XATTR_REPLACE or 0. */
export function sysSetxattr(ctx: f64, dirfd: i32, len: i32, len2: i32, size: u32, how: u32, flags: u32): i32 {
  const err = checkSet(len2, size, how);
  if (err != 0) return syscallExit(err);
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  return syscallExit(nd ? doSetxattr(nd, flags, lookupFlags(flags), len2, size, how, false) : syscallEnterErr);
}

/** removexattr(2) */
export function sysRemovexattr(ctx: f64, dirfd: i32, len: i32, len2: i32, flags: u32): i32 {
  const err = checkName(len2);
  if (err != 0) return syscallExit(err);
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  return syscallExit(nd ? doSetxattr(nd, flags, lookupFlags(flags), len2, 0, 0, true) : syscallEnterErr);
}

/** getxattr(2): writes the value to SCRATCH.IO, returns its length. */
export function sysGetxattr(ctx: f64, dirfd: i32, len: i32, len2: i32, flags: u32): i32 {
  const err = checkName(len2);
  if (err != 0) return syscallExit(err);
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  return syscallExit(nd ? doGetxattr(nd, flags, lookupFlags(flags), len2) : syscallEnterErr);
}

/** listxattr(2): writes the names to SCRATCH.IO, each with a NUL behind it, returns their length. */
export function sysListxattr(ctx: f64, dirfd: i32, len: i32, flags: u32): i32 {
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  return syscallExit(nd ? doListxattr(nd, flags, lookupFlags(flags)) : syscallEnterErr);
}
