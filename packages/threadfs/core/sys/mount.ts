/** Mounts and drivers. */

import { EDEADLK, EINVAL, EPERM } from "../../abi/errno";
import { AT_FDCWD, MS_BIND, MS_MOVE, MS_PROPAGATION } from "../../abi/flags";
import { CAP_SYS_ADMIN, CAP_SYS_MODULE } from "../../abi/permissions";
import * as SCRATCH from "../../abi/scratch";
import { rcuDepth } from "../mem/smr/smr";
import { scratch } from "../mem/thread";
import { showMounts } from "../vfs/mount/list";
import { doBind, doChangeType, doInvalidate, doMoveMount, doNewMount, doUmount } from "../vfs/mount/mount";
import { doPivotRoot } from "../vfs/mount/pivot";
import { doRemount } from "../vfs/mount/remount";
import { registerFilesystem, unregisterFilesystem } from "../vfs/mount/super";
import { capable } from "../vfs/task/cred";
import { pathArgument, syscallEnterActive, syscallEnterErr, syscallExit, syscallExitF } from "./syscall";

/**
 * mount(2) with MS_BIND, with it MS_REC and flags of the new mount; or one of MS_SHARED, MS_PRIVATE, MS_SLAVE and MS_UNBINDABLE, with it MS_REC; or MS_MOVE: the
 * source, which a change of propagation has none of, in SCRATCH.PATH, the target in SCRATCH.PATH2.
 */
export function sysMount(ctx: f64, len: i32, len2: i32, flags: u32): i32 {
  const from = pathArgument(ctx, AT_FDCWD, len, false);
  if (!from) return syscallExit(syscallEnterErr);
  const nd = pathArgument(ctx, AT_FDCWD, len2, true);
  if (!nd) return syscallExit(syscallEnterErr);
  if (!(flags & MS_BIND) && flags & MS_PROPAGATION) return syscallExit(doChangeType(nd, flags));
  if (flags & MS_MOVE) return syscallExit(doMoveMount(from, nd));
  return syscallExit(flags & MS_BIND ? doBind(from, nd, flags) : -EINVAL);
}

/**
 * mount(2) of a new file system at the path in SCRATCH.PATH: `type` 0 is tmpfs, any other number a driver's. Limits of a tmpfs: `size` in
 * bytes, `inodes`; 0: none. The source, for sysMounts(), is in SCRATCH.PATH2: `len2` bytes.
 */
export function sysMountNew(ctx: f64, len: i32, type: f64, flags: u32, size: f64, inodes: f64, len2: u32): i32 {
  const nd = pathArgument(ctx, AT_FDCWD, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  return syscallExit(doNewMount(nd, type, flags, size, inodes, scratch + SCRATCH.PATH2, len2));
}

/**
 * mount(2) with MS_REMOUNT at the path in SCRATCH.PATH: the flags in `mask` become those in `flags`. With MS_BIND among `flags` those of the mount
 * alone; without it the file system's too, and its limits as for sysMountNew(); negative: as it was.
 */
export function sysRemount(ctx: f64, len: i32, size: f64, inodes: f64, flags: u32, mask: u32): i32 {
  const nd = pathArgument(ctx, AT_FDCWD, len, false);
  return syscallExit(nd ? doRemount(nd, size, inodes, flags, mask) : syscallEnterErr);
}

/** pivot_root(2) of the context: the new root in SCRATCH.PATH, where the old one goes in SCRATCH.PATH2. */
export function sysPivotRoot(ctx: f64, len: i32, len2: i32): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  // As in Linux the privilege comes before the paths.
  if (!capable(c, CAP_SYS_ADMIN)) return syscallExit(-EPERM);
  const nd = pathArgument(ctx, AT_FDCWD, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const put = pathArgument(ctx, AT_FDCWD, len2, true);
  return syscallExit(put ? doPivotRoot(nd, put) : syscallEnterErr);
}

/**
 * Lists the mounts that the context can reach, as /proc/self/mountinfo has them (proc(5)): writes a page of records to SCRATCH.IO (MOUNTINFO_*),
 * after the first `skip` mounts of the list. Returns its bytes; -ENAMETOOLONG: a path does not fit; -EBADF. Pages with the same sequence are of one moment.
 */
export function sysMounts(ctx: f64, skip: u32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? showMounts(c, skip) : syscallEnterErr);
}

/**
 * A driver with FS_GENERATION calls none of the entries good any more that it has shown in the file system that is mounted at the path in
 * SCRATCH.PATH: one atomic addition. -EPERM: without CAP_SYS_ADMIN, as mount(2).
 */
export function sysInvalidate(ctx: f64, len: i32): i32 {
  const nd = pathArgument(ctx, AT_FDCWD, len, false);
  return syscallExit(nd ? doInvalidate(nd) : syscallEnterErr);
}

/** umount2(2) */
export function sysUmount(ctx: f64, len: i32, flags: u32): i32 {
  const nd = pathArgument(ctx, AT_FDCWD, len, false);
  return syscallExit(nd ? doUmount(nd, flags) : syscallEnterErr);
}

/**
 * Registers a driver by its name, `len` bytes in SCRATCH.PATH, with its HOOK bits and FS_REVAL_DOT. Returns the driver's number: the
 * same in every thread for the same name and bits. -EEXIST: the name is registered with other bits. -EPERM: the name is new,
 * and the caller lacks CAP_SYS_MODULE (init_module(2)); what is registered may be served by every thread.
 */
export function driverRegister(ctx: f64, len: i32, hooks: u32, fsFlags: u32): f64 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExitF(<f64>syscallEnterErr);
  return syscallExitF(registerFilesystem(scratch + SCRATCH.PATH, len, hooks, fsFlags, capable(c, CAP_SYS_MODULE)));
}

/** Returns after a grace period. -EBUSY: a file system of the driver is mounted. -EPERM: without CAP_SYS_MODULE. */
export function driverUnregister(ctx: f64, driver: f64): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  const err = !capable(c, CAP_SYS_MODULE) ? -EPERM : rcuDepth() != 0 ? -EDEADLK : 0;
  syscallExit(0);
  return err != 0 ? err : unregisterFilesystem(driver);
}
