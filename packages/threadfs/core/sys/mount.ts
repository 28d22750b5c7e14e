/** Mounts and drivers. */

import { EBADF, EDEADLK, EINVAL } from "../../abi/errno";
import { AT_FDCWD, MS_BIND, MS_MOVE } from "../../abi/flags";
import * as SCRATCH from "../../abi/scratch";
import { rcuDepth } from "../mem/smr/smr";
import { scratch, tid } from "../mem/thread";
import { doBind, doMoveMount, doNewMount, doUmount } from "../vfs/mount/mount";
import { registerFilesystem, unregisterFilesystem } from "../vfs/mount/super";
import { hookDepth } from "../vfs/task/thread";
import { pathArgument, syscallEnterErr, syscallExit } from "./syscall";

/** mount(2) with MS_BIND or MS_MOVE: the source in SCRATCH.PATH, the target in SCRATCH.PATH2. */
export function sysMount(ctx: i32, len: i32, len2: i32, flags: u32): i32 {
  const from = pathArgument(ctx, AT_FDCWD, len, false);
  if (!from) return syscallExit(syscallEnterErr);
  const nd = pathArgument(ctx, AT_FDCWD, len2, true);
  if (!nd) return syscallExit(syscallEnterErr);
  if (flags & MS_MOVE) return syscallExit(doMoveMount(from, nd));
  return syscallExit(flags & MS_BIND ? doBind(from, nd, flags) : -EINVAL);
}

/** mount(2) of a new file system at the path in SCRATCH.PATH: `type` 0 is tmpfs, any other number a driver's. */
export function sysMountNew(ctx: i32, len: i32, type: i32, flags: u32): i32 {
  const nd = pathArgument(ctx, AT_FDCWD, len, false);
  return syscallExit(nd ? doNewMount(nd, type, flags) : syscallEnterErr);
}

/** umount2(2) */
export function sysUmount(ctx: i32, len: i32, flags: u32): i32 {
  const nd = pathArgument(ctx, AT_FDCWD, len, false);
  return syscallExit(nd ? doUmount(nd, flags) : syscallEnterErr);
}

/**
 * Registers a driver by its name, `len` bytes in SCRATCH.PATH, with its HOOK bits and FS_REVAL_DOT. Returns the driver's number: the
 * same in every thread for the same name and bits. -EEXIST: the name is registered with other bits.
 */
export function driverRegister(len: i32, hooks: u32, fsFlags: u32): i32 {
  if (tid == 0) return -EBADF;
  return registerFilesystem(scratch + SCRATCH.PATH, len, hooks, fsFlags);
}

/** Returns after a grace period. -EBUSY: a file system of the driver is mounted. */
export function driverUnregister(driver: i32): i32 {
  if (tid == 0) return -EBADF;
  if (hookDepth != 0 || rcuDepth() != 0) return -EDEADLK;
  return unregisterFilesystem(driver);
}
