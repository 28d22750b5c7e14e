/** Contexts: their creation and end, and changes of root and working directory. */

import { EBADF, EINVAL, ENOSPC, EPERM } from "../../../abi/errno";
import {
  CAP_SETGID,
  CAP_SETUID,
  CAP_SYS_ADMIN,
  CAP_SYS_CHROOT,
  CAPS_OF_MAKER,
  CAPS_OF_UID,
  MAY_EXEC,
} from "../../../abi/permissions";
import { corrupt } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { tid } from "../../mem/thread";
import { put32 } from "../../mem/undo/log";
import { dget, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { closed, fdClose } from "../file/close";
import { fdUnreserve } from "../file/fdtable";
import { File, fdCloseOpening, fput } from "../file/file";
import { CTX_TABLE, MAX_CONTEXTS } from "../layout";
import { wakeAllBlocked } from "../locks/file-lock";
import { copiedPwdMnt, copiedRootMnt, copyMntNs, putMntNs } from "../mount/copy-mnt-ns";
import { contextNamespace } from "../mount/mnt-ns";
import { Mount, mntget, mntput } from "../mount/namespace";
import { happened } from "../recovery/outcome";
import { FOR_PATH, filenameLookup, pathPut } from "../walk/namei";
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, Nameidata } from "../walk/nameidata";
import { inodePermission } from "../walk/permission";
import { acquireContext, contextNumberAt, putContext } from "./context-ref";
import {
  Context,
  capable,
  contextPlace,
  FD_BLOCK,
  isAlive,
  NGROUPS_MAX,
  NR_OPEN,
  newContext,
  newContextErr,
  removeContext,
  setGroups,
} from "./cred";

/**
 * set_fs_pwd(), set_fs_root(): takes over the new references and puts the old ones. False: the context has been closed
 * meanwhile; the new references are put. `result`: what the call then returns; NaN: it has more to do.
 */
function setFsPath(c: Context, mnt: Mount, d: Dentry, isRoot: bool, result: f64 = NaN): bool {
  lock(c.lock);
  if (d && !isAlive(c)) {
    unlock(c.lock);
    dput(d);
    mntput(mnt);
    return false;
  }
  const oldMnt = isRoot ? c.rootMnt_ : c.pwdMnt_;
  const old = isRoot ? c.root_ : c.pwd_;
  writeSeqBegin(c.seq);
  const base = c.at + (isRoot ? offsetof<Context>("rootMnt_") : offsetof<Context>("pwdMnt_"));
  put32(base, <u32>changetype<usize>(mnt));
  put32(base + 4, <u32>changetype<usize>(d));
  writeSeqEnd(c.seq);
  unlock(c.lock);
  happened(result);
  if (old != 0) dput(changetype<Dentry>(<usize>old));
  if (oldMnt != 0) mntput(changetype<Mount>(<usize>oldMnt));
  return true;
}

/** chdir(2), chroot(2) */
export function doChdir(nd: Nameidata, root: bool): i32 {
  let err = filenameLookup(nd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, FOR_PATH, 0);
  if (err != 0) return err;
  err = inodePermission(nd.ctx, nd.inode, MAY_EXEC, false);
  if (err == 0 && root && !capable(nd.ctx, CAP_SYS_CHROOT)) err = -EPERM;
  if (err != 0) {
    pathPut(nd);
    return err;
  }
  const set = setFsPath(nd.ctx, nd.mnt, nd.dentry, root, 0);
  nd.mnt_ = 0;
  nd.dentry_ = 0;
  return set ? 0 : -EBADF;
}

/** Creates the first context: uid 0 with all capabilities. No thread's end closes it. */
export function createRootContext(m: Mount, d: Dentry): bool {
  const c = newContext(0);
  if (c == null) return false;
  c.caps = 0xffffffff;
  store<u32>(c.umaskAt, 0x12);
  setFsPath(c, mntget(m), dget(d), true);
  setFsPath(c, mntget(m), dget(d), false);
  return true;
}

/**
 * Whether `from` may create a context with these credentials, as setresuid(2), setgroups(2) and capset(2) decide. A context
 * never has a capability that its maker does not have.
 */
function mayTake(from: Context, uid: u32, gid: u32, otherGroups: bool, caps: u32): bool {
  if (uid != from.uid && !capable(from, CAP_SETUID)) return false;
  if ((gid != from.gid || otherGroups) && !capable(from, CAP_SETGID)) return false;
  return (caps & ~from.caps) == 0;
}

/** The mask for `caps`, a mask or CAPS_*: as after execve(2), a user other than 0 has none unless they are asked for. */
function capsOf(from: Context, uid: u32, caps: i32): u32 {
  if (caps == CAPS_OF_MAKER || (caps == CAPS_OF_UID && uid == 0)) return from.caps;
  return caps == CAPS_OF_UID ? 0 : <u32>caps;
}

/** The context that this thread's call makes. */
let making: Context | null = null;

/**
 * Creates a context with root and working directory of another one, which ends with the calling thread. `n` < 0: the groups
 * of `from`. `ownMounts`: with a copy of its namespace of mounts, as unshare(2). Returns its number, -EPERM, -ENOSPC, -EAGAIN (MAX_CONTEXTS) or -EBADF.
 */
export function doContextCreate(
  from: Context,
  uid: u32,
  gid: u32,
  umask: u32,
  groups: usize,
  n: i32,
  caps: i32,
  resolve: u32,
  ownMounts: bool,
): f64 {
  const mask = capsOf(from, uid, caps);
  const otherGroups = n > 0 || (n == 0 && from.ngroups != 0);
  if (!mayTake(from, uid, gid, otherGroups, mask) || (ownMounts && !capable(from, CAP_SYS_ADMIN))) return -EPERM;
  const c = newContext(tid);
  if (c == null) return <f64>newContextErr;
  making = c;
  c.uid = uid;
  c.gid = gid;
  store<u32>(c.umaskAt, umask & 0x1ff);
  c.caps = mask;
  c.resolve = from.resolve | resolve;
  const ngroups = n < 0 ? from.ngroups : <u32>n;
  if (ngroups > NGROUPS_MAX) corrupt(from.at);
  if (!setGroups(c, n < 0 ? <usize>from.groups : groups, ngroups)) {
    contextAbandon();
    return -ENOSPC;
  }
  const err = takePlaces(from, c, ownMounts);
  if (err != 0) {
    contextAbandon();
    return <f64>err;
  }
  making = null;
  return c.number;
}

/**
 * Gives a new context root, working directory and namespace of mounts of another one; with `ownMounts` a copy of that namespace, and root and working directory in
 * there. -EBADF: the other one has been closed since this call began; else as copyMntNs().
 */
function takePlaces(from: Context, c: Context, ownMounts: bool): i32 {
  lock(from.lock);
  if (from.root_ == 0 || from.pwd_ == 0) {
    unlock(from.lock);
    return -EBADF;
  }
  let rootMnt = mntget(changetype<Mount>(<usize>from.rootMnt_));
  const root = dget(changetype<Dentry>(<usize>from.root_));
  let pwdMnt = mntget(changetype<Mount>(<usize>from.pwdMnt_));
  const pwd = dget(changetype<Dentry>(<usize>from.pwd_));
  const ns = mntget(contextNamespace(from));
  // In this section, so that a thread that closes `from` and then looks for other users of the namespace finds this one.
  const shares = !ownMounts && from.mntNs != 0 && joinMntNs(c, ns);
  unlock(from.lock);
  let err = 0;
  if (ownMounts) {
    err = copyMntNs(c, ns, rootMnt, pwdMnt);
    if (err == 0) {
      mntput(rootMnt);
      mntput(pwdMnt);
      rootMnt = copiedRootMnt;
      pwdMnt = copiedPwdMnt;
    }
  }
  if (!shares) mntput(ns);
  if (err != 0) {
    dput(root);
    mntput(rootMnt);
    dput(pwd);
    mntput(pwdMnt);
    return err;
  }
  setFsPath(c, rootMnt, root, true);
  setFsPath(c, pwdMnt, pwd, false);
  return 0;
}

/** Gives a new context the namespace of its maker, with the caller's reference. False: it has been closed meanwhile. Under the maker's lock. */
function joinMntNs(c: Context, ns: Mount): bool {
  lock(c.lock);
  const alive = isAlive(c);
  if (alive) c.mntNs = <u32>ns.at;
  unlock(c.lock);
  return alive;
}

/** Closes the context that this thread's call has begun to make, because the call fails or the thread leaves it. */
export function contextAbandon(): void {
  const c = making;
  if (c != null && removeContext(c)) closeRemoved(c);
  making = null;
}

/** Ends a context. Its credentials stay until its memory is freed: calls that are still in progress check them. */
export function doContextDestroy(c: Context): i32 {
  if (contextPlace(c.number) == CTX_TABLE) return -EINVAL;
  if (!removeContext(c)) return -EBADF;
  happened(0);
  closeRemoved(c);
  return 0;
}

/** Closes the descriptors of a context that is not in the table any more, and puts its root and working directory. */
function closeRemoved(c: Context): void {
  for (let fd: u32 = 0; fd < NR_OPEN; fd++) {
    if (fd % FD_BLOCK == 0 && c.fdBlock(fd / FD_BLOCK) == 0) {
      fd += FD_BLOCK - 1;
      continue;
    }
    // A descriptor that a call has taken is opened by that call, or freed here; in the first case it is closed as others are.
    while (!closeFd(c, fd) && !fdUnreserve(c, fd)) {}
  }
  // Requests of the context that wait for a lock end with it.
  wakeAllBlocked();
  setFsPath(c, changetype<Mount>(0), changetype<Dentry>(0), true);
  setFsPath(c, changetype<Mount>(0), changetype<Dentry>(0), false);
  putMntNs(c);
  putContext(c);
}

/** Closes a descriptor, also one whose open waits. False: it is not open. */
function closeFd(c: Context, fd: u32): bool {
  const f = fdClose(c, fd);
  const opening = f ? changetype<File>(0) : fdCloseOpening(c, fd, 0);
  if (f) closed(f);
  else if (opening) fput(opening);
  return f != null || opening != null;
}

/** Closes the contexts that end with a thread: its number as in lock words. The caller is active. */
export function closeContextsOf(maker: u32): void {
  for (let i: u32 = 1; i < MAX_CONTEXTS; i++) {
    const number = contextNumberAt(i, maker);
    if (number == 0) continue;
    const c = acquireContext(number);
    if (c != null && removeContext(c)) closeRemoved(c);
  }
}
