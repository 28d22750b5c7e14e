/** Contexts: credentials, root, working directory, umask and descriptors. */

import { EBADF, EINVAL, ENOENT, EPERM } from "../../abi/errno";
import { CLONE_NEWNS, ID_UNCHANGED, UMASK_UNCHANGED } from "../../abi/flags";
import { CAP_SYS_ADMIN, OF_MAKER } from "../../abi/permissions";
import * as SCRATCH from "../../abi/scratch";
import { G_SLOTS_USED, MAX_THREADS, SLOT_STATE } from "../mem/layout";
import { lock, unlock } from "../mem/lock/lock";
import { scratch, slot } from "../mem/thread";
import { dPath } from "../vfs/dcache/d-path";
import { dget, dput } from "../vfs/dcache/dcache";
import { Dentry } from "../vfs/dcache/dentry";
import { MAX_CONTEXTS, SLOT_HOME } from "../vfs/layout";
import { Mount, mntget, mntput } from "../vfs/mount/namespace";
import { doChdir, doContextCreate, doContextDestroy } from "../vfs/task/context";
import { acquireContext, contextExists, contextNumberAt } from "../vfs/task/context-ref";
import { Context, capable, NGROUPS_MAX } from "../vfs/task/cred";
import { isContextResolve, resolveFlags } from "../vfs/walk/fence";
import { SLOT_STATES, SLOT_USED, slotAt } from "./slot";
import { pathArgument, syscallEnter, syscallEnterActive, syscallEnterErr, syscallExit, syscallExitF } from "./syscall";

/**
 * Creates a context with root and working directory of `from`. `ngroups` group ids, uint32 each, are in SCRATCH.IO. uid and
 * gid ID_UNCHANGED, umask and ngroups OF_MAKER: those of `from`. `caps` is a mask of CAP_* bits or CAPS_*; `resolve` RESOLVE_*
 * bits but RESOLVE_CACHED; `unshare` CLONE_NEWNS or 0: with it the context has a copy of the namespace of mounts of `from`,
 * which ends with the last context that has it; EPERM without CAP_SYS_ADMIN, as unshare(2), ENOSPC if a tree of peer groups
 * would be too large. The context ends with the calling thread, see contextKeep. Returns its number or -errno: EPERM where
 * setresuid(2), setgroups(2) or capset(2) would, EAGAIN if there are as many contexts as there can be.
 */
export function contextCreate(
  from: f64,
  uid: u32,
  gid: u32,
  umask: i32,
  ngroups: i32,
  caps: i32,
  resolve: u32,
  unshare: u32,
): f64 {
  const c = syscallEnterActive(from);
  if (c == null) return syscallExitF(<f64>syscallEnterErr);
  if (ngroups > <i32>NGROUPS_MAX || !isContextResolve(resolve) || unshare & ~CLONE_NEWNS) return syscallExitF(-EINVAL);
  return syscallExitF(
    doContextCreate(
      c,
      uid == <u32>ID_UNCHANGED ? c.uid : uid,
      gid == <u32>ID_UNCHANGED ? c.gid : gid,
      umask == OF_MAKER ? c.umask : <u32>umask,
      scratch + SCRATCH.IO,
      ngroups,
      caps,
      resolveFlags(resolve, true),
      (unshare & CLONE_NEWNS) != 0,
    ),
  );
}

export function contextDestroy(ctx: f64): i32 {
  const c = syscallEnterActive(ctx);
  return syscallExit(c != null ? doContextDestroy(c) : syscallEnterErr);
}

/** The context does not end with the thread that created it: its handle may be on the way to another one. */
export function contextKeep(ctx: f64): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  c.maker = 0;
  return syscallExit(0);
}

/**
 * Notes which context the calling thread has attached to the tree with: 0 or, if it does not exist, -EBADF. `again` not 0:
 * it has attached before; if that was with another context, it counts as a thread of every one from now on.
 */
export function contextAttach(ctx: f64, again: i32): i32 {
  if (!syscallEnter()) return syscallEnterErr;
  if (!contextExists(ctx)) return -EBADF;
  const home = reinterpret<u64>(ctx);
  const many = again != 0 && atomic.load<u64>(slot + SLOT_HOME) != home;
  atomic.store<u64>(slot + SLOT_HOME, many ? HOME_MANY : home);
  return 0;
}

/**
 * Lists the contexts: writes the next one at place `from` of the table or behind it to SCRATCH.IO, a float64 each: its
 * number, uid, gid, and how many threads have attached with it. Returns its place, -ENOENT: there are no more, or -EPERM
 * without CAP_SYS_ADMIN.
 */
export function contextList(ctx: f64, from: u32): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  if (!capable(c, CAP_SYS_ADMIN)) return syscallExit(-EPERM);
  for (let i = from; i < MAX_CONTEXTS; i++) {
    const number = contextNumberAt(i, 0);
    if (number == 0 && i != 0) continue;
    const next = acquireContext(number);
    // One without a root is being made, and has not got its user yet.
    if (next == null || atomic.load<u32>(next.at + offsetof<Context>("root_")) == 0) continue;
    const to = scratch + SCRATCH.IO;
    store<f64>(to, number);
    store<f64>(to + 8, <f64>next.uid);
    store<f64>(to + 16, <f64>next.gid);
    store<f64>(to + 24, <f64>threadsOf(number));
    return syscallExit(<i32>i);
  }
  return syscallExit(-ENOENT);
}

/** In SLOT_HOME: the thread has attached with several contexts. */
const HOME_MANY: u64 = 0xffffffffffffffff;

/** How many threads have attached with a context's handle. */
function threadsOf(number: f64): u32 {
  let n: u32 = 0;
  const used = min<u32>(atomic.load<u32>(G_SLOTS_USED), MAX_THREADS);
  for (let i: u32 = 0; i < used; i++) {
    const s = slotAt(i);
    const home = atomic.load<u64>(s + SLOT_HOME);
    if ((atomic.load<u32>(s + SLOT_STATE) & SLOT_STATES) != SLOT_USED) continue;
    if (home == reinterpret<u64>(number) || home == HOME_MANY) n++;
  }
  return n;
}

/** Closes another context: -EPERM without CAP_SYS_ADMIN, -EINVAL for the tree's own, -EBADF for one that does not exist. */
export function contextClose(ctx: f64, other: f64): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  if (!capable(c, CAP_SYS_ADMIN)) return syscallExit(-EPERM);
  const victim = acquireContext(other);
  return syscallExit(victim != null ? doContextDestroy(victim) : -EBADF);
}

/** umask(2): returns the previous mask. UMASK_UNCHANGED: only returns it. */
export function sysUmask(ctx: f64, mask: i32): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
  const old = mask == UMASK_UNCHANGED ? c.umask : atomic.xchg<u32>(c.umaskAt, <u32>mask & 0x1ff);
  return syscallExit(<i32>old);
}

/** chdir(2) */
export function sysChdir(ctx: f64, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doChdir(nd, false) : syscallEnterErr);
}

/** chroot(2) */
export function sysChroot(ctx: f64, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doChdir(nd, true) : syscallEnterErr);
}

/** getcwd(2): writes the path to SCRATCH.IO, returns its length. */
export function sysGetcwd(ctx: f64): i32 {
  const c = syscallEnterActive(ctx);
  if (c == null) return syscallExit(syscallEnterErr);
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
