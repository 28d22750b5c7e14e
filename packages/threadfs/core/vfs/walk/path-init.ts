/**
 * Where a walk starts: the root, the working directory or an open directory. In rcu mode under the context's sequence
 * and without a store, in ref mode with references.
 */

import { EBADF, ECHILD, ENOENT, ENOTDIR, EXDEV } from "../../../abi/errno";
import { AT_FDCWD } from "../../../abi/flags";
import * as POINT from "../../../abi/points";
import { SLASH } from "../../mem/hash";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadLock } from "../../mem/smr/smr";
import { tracepoint } from "../../tracepoints";
import { dget, dput } from "../dcache/dcache";
import { D_DIRECTORY, D_TYPE, Dentry } from "../dcache/dentry";
import { FD_OPENING, fdValue } from "../file/fdtable";
import { File, fdFile, fdPath, fdPathDentry, fdPathMnt, fgetRaw, fput } from "../file/file";
import { G_MOUNT_SEQ, G_RENAME_SEQ } from "../layout";
import { mntget, mntput } from "../mount/namespace";
import { acquireContext, contextRcu } from "../task/context-ref";
import { Context } from "../task/cred";
import { beneath } from "../task/thread";
import { isUnderRoot } from "./fence";
import { linkBodies } from "./link-body";
import {
  LAST_ROOT,
  LOOKUP_BENEATH,
  LOOKUP_CONTEXT_BENEATH,
  LOOKUP_CONTEXT_IN_ROOT,
  LOOKUP_IN_ROOT,
  LOOKUP_IS_BENEATH,
  LOOKUP_IS_FENCED,
  LOOKUP_IS_SCOPED,
  LOOKUP_NO_XDEV,
  LOOKUP_RCU,
  LOOKUP_REVAL,
  Nameidata,
  ND_JUMPED,
  ND_ROOT_GRABBED,
} from "./nameidata";

/** Retries while the starting point keeps changing. */
const START_TRIES: i32 = 100;

/**
 * Prepares a walk of the `len` bytes at `name` for the context with this number. A relative path starts at the descriptor,
 * or at the working directory for AT_FDCWD.
 */
export function setNameidata(nd: Nameidata, ctx: f64, dirfd: i32, name: usize, len: u32): void {
  nd.ctx_ = 0;
  nd.ctxNumber = ctx;
  nd.dirfd = dirfd;
  nd.name = <u32>name;
  nd.nameLen = len;
  nd.how = beneath ? LOOKUP_BENEATH : 0;
}

/**
 * path_init(): enters the read-side section, finds the context, reads the mount sequence, and goes to the root, the working
 * directory or the descriptor. In ref mode acquires the context instead. -EBADF: it does not exist (any more).
 */
export function pathInit(nd: Nameidata, flags: u32): i32 {
  // LOOKUP_* bits of the walk, of the call and of the context.
  let all = flags;
  nd.flags = all;
  nd.state = ND_JUMPED;
  nd.lastType = LAST_ROOT;
  nd.depth = 0;
  nd.links = 0;
  nd.pending = 0;
  nd.bodies = <u32>linkBodies();
  nd.root_ = 0;
  nd.rootMnt_ = 0;
  nd.mnt_ = 0;
  nd.dentry_ = 0;
  const absolute = load<u8>(nd.name) == SLASH;
  let err: i32;
  let fromRoot: bool;
  if (flags & LOOKUP_RCU) {
    rcuReadLock();
    // Inside the section, which keeps the context's memory until the walk ends or acquires it (leaveRcu()).
    const c = contextRcu(nd.ctxNumber);
    if (c == null) return -EBADF;
    nd.ctx_ = <u32>c.at;
    all |= nd.how | c.resolve;
    nd.flags = all;
    nd.mSeq = readSeqBegin(G_MOUNT_SEQ);
    fromRoot = absolute && !(all & LOOKUP_IN_ROOT);
    if (all & LOOKUP_IS_FENCED && !beginFenced(nd, absolute)) return -EXDEV;
    err = fromRoot || nd.dirfd == AT_FDCWD ? pathInitRcu(nd, fromRoot) : pathInitFd(nd);
  } else {
    const c = acquireContext(nd.ctxNumber);
    if (c == null) return -EBADF;
    nd.ctx_ = <u32>c.at;
    all |= nd.how | c.resolve;
    nd.flags = all;
    fromRoot = absolute && !(all & LOOKUP_IN_ROOT);
    if (all & LOOKUP_IS_FENCED && !beginFenced(nd, absolute)) return -EXDEV;
    err = fromRoot ? jumpRoot(nd) : nd.dirfd == AT_FDCWD ? pathInitPwd(nd) : pathInitFd(nd);
  }
  if (all & LOOKUP_IS_FENCED && err == 0) err = startFenced(nd, fromRoot);
  if (POINTS && err == 0) {
    tracepoint(POINT.WALK_START, (flags & LOOKUP_RCU ? 1 : 0) | (flags & LOOKUP_REVAL ? 2 : 0), nd.dentry_);
    if (flags & LOOKUP_RCU) tracepoint(POINT.MOUNT_SEQ, nd.mSeq, G_MOUNT_SEQ);
    if (nd.flags & LOOKUP_IS_FENCED) tracepoint(POINT.RENAME_SEQ, nd.rSeq, G_RENAME_SEQ);
  }
  return err;
}

/**
 * Before a walk that stays below its root reads its start: notes the sequences that outside() compares. False: RESOLVE_BENEATH has no
 * absolute paths.
 */
function beginFenced(nd: Nameidata, absolute: bool): bool {
  if (!nd.rcu) nd.mSeq = readSeqBegin(G_MOUNT_SEQ);
  nd.rSeq = readSeqBegin(G_RENAME_SEQ);
  return !absolute || !(nd.flags & LOOKUP_BENEATH);
}

/**
 * Checks the start. In a context that may not leave its root a relative path starts below it, or is -EXDEV: a descriptor or a working
 * directory may have been moved out. A call with RESOLVE_BENEATH or RESOLVE_IN_ROOT has its start as the root.
 */
function startFenced(nd: Nameidata, fromRoot: bool): i32 {
  if (nd.flags & LOOKUP_CONTEXT_BENEATH && !fromRoot && nd.nameLen != 0) {
    const err = setRoot(nd);
    if (err != 0) return err;
    const under = isUnderRoot(nd, nd.mnt, nd.dentry, !nd.rcu);
    if (under != 1) return under == 0 ? -EXDEV : -ECHILD;
  }
  if (nd.flags & LOOKUP_IS_SCOPED) startIsRoot(nd);
  return 0;
}

/** Makes the start the walk's root. What is below it is below the context's root too. */
function startIsRoot(nd: Nameidata): void {
  nd.flags &= ~(LOOKUP_CONTEXT_BENEATH | LOOKUP_CONTEXT_IN_ROOT);
  if (nd.state & ND_ROOT_GRABBED) {
    dput(nd.root);
    mntput(nd.rootMnt);
  }
  nd.rootMnt_ = nd.mnt_;
  nd.root_ = nd.dentry_;
  nd.rootSeq = nd.seq;
  if (nd.rcu) return;
  mntget(nd.rootMnt);
  dget(nd.root);
  nd.state |= ND_ROOT_GRABBED;
}

/** path_init_rcu(): the context's root or working directory, read under the context's sequence. */
function pathInitRcu(nd: Nameidata, absolute: bool): i32 {
  const c = nd.ctx;
  const from = c.at + (absolute ? offsetof<Context>("rootMnt_") : offsetof<Context>("pwdMnt_"));
  for (let n = 0; n < START_TRIES; n++) {
    const fs = readSeqBegin(c.seq);
    // Mount (low) and dentry (high) in one load.
    const pair = atomic.load<u64>(from);
    const d = changetype<Dentry>(<usize>(pair >> 32));
    if (!d) return -EBADF;
    const seq = readSeqBegin(d.seq);
    tracepoint(POINT.START_READ, d.at, seq);
    const inode = d.inode;
    if (readSeqRetry(c.seq, fs)) continue;
    if (!inode || readSeqRetry(d.seq, seq)) return -ECHILD;
    nd.mnt_ = <u32>pair;
    nd.dentry = d;
    nd.seq = seq;
    nd.inode = inode;
    if (absolute) {
      nd.rootMnt_ = <u32>pair;
      nd.root = d;
      nd.rootSeq = seq;
    }
    return 0;
  }
  return -ECHILD;
}

/**
 * set_root(), set_root_rcu(): the context's root, once per walk. In rcu mode under the context's sequence and without a
 * store.
 */
export function setRoot(nd: Nameidata): i32 {
  const c = nd.ctx;
  if (nd.rcu) {
    for (let n = 0; n < START_TRIES; n++) {
      const seq = readSeqBegin(c.seq);
      nd.rootMnt_ = atomic.load<u32>(c.at + offsetof<Context>("rootMnt_"));
      nd.root_ = atomic.load<u32>(c.at + offsetof<Context>("root_"));
      if (nd.root_ == 0) return -EBADF;
      nd.rootSeq = readSeqBegin(nd.root.seq);
      tracepoint(POINT.START_READ, nd.root_, nd.rootSeq);
      if (!readSeqRetry(c.seq, seq)) return 0;
    }
    return -ECHILD;
  }
  lock(c.lock);
  nd.rootMnt_ = c.rootMnt_;
  nd.root_ = c.root_;
  if (nd.root_ != 0) {
    mntget(nd.rootMnt);
    dget(nd.root);
    nd.state |= ND_ROOT_GRABBED;
  }
  unlock(c.lock);
  return nd.root_ != 0 ? 0 : -EBADF;
}

/** nd_jump_root(): continues at the root, for an absolute path or link body. */
export function jumpRoot(nd: Nameidata): i32 {
  if (nd.mnt_ != 0 && nd.flags & (LOOKUP_IS_BENEATH | LOOKUP_NO_XDEV)) {
    const err = mayJump(nd);
    if (err != 0) return err;
  }
  if (nd.root_ == 0) {
    const err = setRoot(nd);
    if (err != 0) return err;
  }
  if (!nd.rcu) {
    const oldMnt = nd.mnt;
    const old = nd.dentry;
    mntget(nd.rootMnt);
    dget(nd.root);
    if (old) dput(old);
    if (oldMnt) mntput(oldMnt);
  }
  nd.mnt = nd.rootMnt;
  nd.dentry = nd.root;
  nd.seq = nd.rootSeq;
  nd.state |= ND_JUMPED;
  return setStartInode(nd);
}

/** Whether a link's absolute body may lead the walk to its root. An absolute path may: it has been nowhere else yet. */
function mayJump(nd: Nameidata): i32 {
  if (nd.flags & LOOKUP_IS_BENEATH) return -EXDEV;
  const err = nd.root_ == 0 ? setRoot(nd) : 0;
  if (err != 0) return err;
  return nd.mnt_ == nd.rootMnt_ ? 0 : -EXDEV;
}

/** Sets nd.inode to a validated copy of the start's inode. */
function setStartInode(nd: Nameidata): i32 {
  nd.inode = nd.dentry.inode;
  if (nd.rcu && (readSeqRetry(nd.dentry.seq, nd.seq) || nd.inode_ == 0)) return -ECHILD;
  return nd.inode_ != 0 ? 0 : -ENOENT;
}

/** Starts at the working directory, with references. */
function pathInitPwd(nd: Nameidata): i32 {
  const c = nd.ctx;
  lock(c.lock);
  nd.mnt_ = c.pwdMnt_;
  nd.dentry_ = c.pwd_;
  if (nd.dentry_ != 0) {
    mntget(nd.mnt);
    dget(nd.dentry);
  }
  unlock(c.lock);
  return nd.dentry_ != 0 ? setStartInode(nd) : -EBADF;
}

/** Starts at an open directory. In rcu mode the descriptor is read without a reference, and read again afterwards. */
function pathInitFd(nd: Nameidata): i32 {
  const c = nd.ctx;
  let err = 0;
  if (nd.rcu) {
    const v = fdValue(c, nd.dirfd);
    // Closed, or a close that is not committed yet: fgetRaw() finds out.
    if (v == 0) return -ECHILD;
    if (v & FD_OPENING) return -EBADF;
    const f = changetype<File>(<usize>v);
    if (!fdPath(c, nd.dirfd, f)) return -ECHILD;
    if (fdPathDentry == 0) return -EBADF;
    nd.mnt_ = fdPathMnt;
    nd.dentry_ = fdPathDentry;
    nd.seq = readSeqBegin(nd.dentry.seq);
    tracepoint(POINT.START_READ, nd.dentry_, nd.seq);
    err = setStartInode(nd);
    if (fdFile(c, nd.dirfd) != f) return -ECHILD;
  } else {
    const f = fgetRaw(c, nd.dirfd);
    if (!f) return -EBADF;
    nd.mnt = mntget(f.mnt);
    nd.dentry = dget(f.dentry);
    fput(f);
    err = setStartInode(nd);
  }
  if (err == 0 && load<u8>(nd.name) != 0 && (nd.dentry.flags & D_TYPE) != D_DIRECTORY) return -ENOTDIR;
  return err;
}
