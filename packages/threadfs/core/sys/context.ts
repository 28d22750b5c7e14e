/** Contexts: credentials, root, working directory, umask and descriptors. */

import { EBADF, EINVAL } from "../../abi/errno";
import * as SCRATCH from "../../abi/scratch";
import { lock, unlock } from "../mem/lock/lock";
import { scratch } from "../mem/thread";
import { dPath } from "../vfs/dcache/d-path";
import { dget, dput } from "../vfs/dcache/dcache";
import { Dentry } from "../vfs/dcache/dentry";
import { doChdir, doContextCreate, doContextDestroy } from "../vfs/mount/mount";
import { Mount, mntget, mntput } from "../vfs/mount/namespace";
import { NGROUPS_MAX } from "../vfs/task/cred";
import { pathArgument, syscallEnter, syscallEnterActive, syscallEnterErr, syscallExit } from "./syscall";

/**
 * Creates a context with root and working directory of `from`, and with `ngroups` group ids, uint32 each, from
 * SCRATCH.IO. `caps` is a mask of CAP_* bits, or CAPS_OF_UID. Returns the context's number or -errno.
 */
export function contextCreate(from: i32, uid: u32, gid: u32, umask: u32, ngroups: u32, caps: i32): i32 {
  const c = syscallEnterActive(from);
  if (!c) return syscallExit(syscallEnterErr);
  if (ngroups > NGROUPS_MAX) return syscallExit(-EINVAL);
  return syscallExit(doContextCreate(c, uid, gid, umask, scratch + SCRATCH.IO, ngroups, caps));
}

export function contextDestroy(ctx: i32): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c ? doContextDestroy(c) : syscallEnterErr);
}

/** Whether the context exists: 0 or -EBADF. */
export function contextCheck(ctx: i32): i32 {
  return syscallEnter(ctx) ? 0 : syscallEnterErr;
}

/** umask(2): returns the previous mask. */
export function sysUmask(ctx: i32, mask: u32): i32 {
  const c = syscallEnterActive(ctx);
  if (!c) return syscallExit(syscallEnterErr);
  const old = c.umask;
  c.umask = mask & 0x1ff;
  return syscallExit(<i32>old);
}

/** chdir(2) */
export function sysChdir(ctx: i32, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doChdir(nd, false) : syscallEnterErr);
}

/** chroot(2) */
export function sysChroot(ctx: i32, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doChdir(nd, true) : syscallEnterErr);
}

/** getcwd(2): writes the path to SCRATCH.IO, returns its length. */
export function sysGetcwd(ctx: i32): i32 {
  const c = syscallEnterActive(ctx);
  if (!c) return syscallExit(syscallEnterErr);
  lock(c.lock);
  if (c.pwd_ == 0) {
    // The context was closed since this call began.
    unlock(c.lock);
    return syscallExit(-EBADF);
  }
  const m = mntget(changetype<Mount>(<usize>c.pwdMnt_));
  const d = dget(changetype<Dentry>(<usize>c.pwd_));
  unlock(c.lock);
  const r = dPath(c, m, d);
  dput(d);
  mntput(m);
  return syscallExit(r);
}
