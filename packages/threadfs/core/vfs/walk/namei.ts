/**
 * The walk: from a path to a dentry.
 *
 *   filenameLookup()          a whole lookup: as rcu-walk; on -ECHILD again as ref-walk, on -ESTALE again with LOOKUP_REVAL
 *     rcuAttempt()            the first attempt; lookupAttempt(): any other
 *       pathInit()            the starting point                                                   path-init.ts
 *       walkFast()            in rcu mode, the hot path:
 *         rcuWalk()             plain directories                                                  rcu-walk.ts
 *         prefixCacheWalk()     the same, starting at the directory that the prefix cache knows    prefix-cache.ts
 *       pathLookupat()        the rest of the path, in either mode
 *         linkPathWalk()      every component but the last
 *           mayLookup()         search permission                                                  permission.ts
 *           walkComponent()     one component: lookupFast() or lookupSlow(),                       lookup.ts
 *                               then stepInto(): mounts, links, ".."                               step.ts
 *           walkFast()          continues in rcu mode after a special component
 *         lookupLast()        the last component
 *       finishRcu()           the result without a reference, or
 *       endAttempt()          the result with references where the caller wants them
 *
 * Both modes share these functions. In rcu mode the walk holds no references and stores nothing but its own nameidata;
 * once it has left rcu mode (drop.ts) it never returns to it.
 *
 * Guarantee: whatever a walk in rcu mode decides, errors included, was true at one moment during the call. A child's
 * sequence is read before its parent's is checked, and no error leaves rcu mode before checkRcu() has validated the
 * last dentry's sequence again.
 */

import * as COUNTER from "../../../abi/counters";
import * as DROP from "../../../abi/drop";
import { EACCES, EAGAIN, ECHILD, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS, ESTALE } from "../../../abi/errno";
import { MS_NOEXEC, MS_RDONLY } from "../../../abi/flags";
import { NAME_MAX } from "../../../abi/limits";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../../abi/mode";
import { MAY_EXEC, MAY_WRITE } from "../../../abi/permissions";
import * as POINT from "../../../abi/points";
import { driverHash } from "../../fs/driver/hooks";
import * as host from "../../host";
import { DOT, hashName, hashNameLen, hasNul, SLASH } from "../../mem/hash";
import { readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadUnlock, rcuValid } from "../../mem/smr/smr";
import { count } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { dput } from "../dcache/dcache";
import { D_DIRECTORY, D_EXEC_ANY, D_OP_HASH, D_TYPE } from "../dcache/dentry";
import { vfsGetattr } from "../inode/attr";
import { I_DEAD } from "../inode/inode";
import { G_MOUNT_SEQ } from "../layout";
import { mntput } from "../mount/namespace";
import { enterActive } from "../recovery/quiescence";
import { forceRef, hasAudit, hasSecurity, prefixCacheMinPath } from "../task/thread";
import { completeWalk, dropRcu, mustRevalidateJump, putLink, terminateWalk } from "./drop";
import { checkFence, isRaced } from "./fence";
import { lookupFast, lookupSlow } from "./lookup";
import {
  LAST_DOT,
  LAST_DOTDOT,
  LAST_NORM,
  LOOKUP_CACHED,
  LOOKUP_DIRECTORY,
  LOOKUP_FOLLOW,
  LOOKUP_IS_FENCED,
  LOOKUP_PARENT,
  LOOKUP_RCU,
  LOOKUP_REVAL,
  Nameidata,
  ND_JUMPED,
  ND_MOUNTS,
  ND_TRAILING,
} from "./nameidata";
import { pathInit } from "./path-init";
import { inodePermission } from "./permission";
import { prefixCacheWalk } from "./prefix-cache";
import { canResume, rcuWalk, rcuWalkRest } from "./rcu-walk";
import { handleDots, stepInto } from "./step";

/** The purpose of a lookup. */
export const FOR_PATH: u32 = 0;
export const FOR_STAT: u32 = 1;
export const FOR_ACCESS: u32 = 2;

// ------------------------------------------------------------------------------------------------- components

/**
 * may_lookup(): search permission on the directory. Where rcu mode cannot decide, the walk drops to ref mode and asks
 * again.
 */
function mayLookup(nd: Nameidata): i32 {
  if (nd.dentry.flags & D_EXEC_ANY && !hasSecurity) {
    tracepoint(POINT.PERMISSION, nd.inode_, 0);
    return 0;
  }
  let err = inodePermission(nd.ctx, nd.inode, MAY_EXEC, nd.rcu);
  tracepoint(POINT.PERMISSION, nd.inode_, err);
  if (err != -ECHILD || !nd.rcu) return err;
  if (!dropRcu(nd, DROP.PERMISSION)) return -ECHILD;
  err = inodePermission(nd.ctx, nd.inode, MAY_EXEC, false);
  tracepoint(POINT.PERMISSION, nd.inode_, err);
  return err;
}

/** linkPathWalk() returns: the last component has been walked too. */
const WALKED: i32 = 1;

/**
 * link_path_walk(): walks all components but the last, which it leaves in nd.last..., and follows every link on the
 * way. With `all` it may also walk the last component if that is not special, and returns WALKED.
 */
function linkPathWalk(nd: Nameidata, path: usize, all: bool): i32 {
  nd.state &= ~ND_TRAILING;
  let name = path;
  while (load<u8>(name) == SLASH) name++;
  if (load<u8>(name) == 0) return 0;
  let depth: u32 = 0;
  while (true) {
    let r = mayLookup(nd);
    if (r != 0) return r;
    tracepoint(POINT.COMPONENT, nd.dentry_, name);
    let raw = hashName(name);
    let len = hashNameLen;
    let type = LAST_NORM;
    if (load<u8>(name) == DOT) {
      if (len == 1) type = LAST_DOT;
      else if (len == 2 && load<u8>(name + 1) == DOT) type = LAST_DOTDOT;
    }
    if (type == LAST_NORM) {
      if (len > <u32>NAME_MAX) {
        len = nameLength(name);
        if (!isLastName(nd, name + len, depth)) return nd.inode.mode & I_DEAD ? -ENOENT : -ENAMETOOLONG;
      }
      nd.state &= ~ND_JUMPED;
      if (nd.dentry.flags & D_OP_HASH && len <= <u32>NAME_MAX) raw = driverHash(nd.dentry.sb, nd.inode, name, len);
    } else {
      nd.state |= ND_JUMPED;
    }
    nd.last = <u32>name;
    nd.lastLen = len;
    nd.lastRaw = raw;
    nd.lastType = type;
    name += len;
    while (load<u8>(name) == SLASH) name++;
    if (load<u8>(name) == 0) {
      // The end of the path, or of the body of a link in the middle of it.
      if (depth == 0) return 0;
      name = <usize>load<u32>(nd.linkAt(--depth) + 12);
      r = walkComponent(nd, false, false);
    } else {
      r = walkComponent(nd, true, false);
    }
    if (r < 0) return r;
    if (r > 0) {
      store<u32>(nd.linkAt(depth++) + 12, <u32>name);
      name = <usize>nd.body;
    } else if ((nd.dentry.flags & D_TYPE) != D_DIRECTORY) {
      return -ENOTDIR;
    }
    // The special component has been passed.
    let fast = canWalkFast(nd);
    while (fast) {
      r = walkFast(nd, name, !all && depth == 0);
      if (r < 0 || (r > 0 && depth == 0)) return r;
      name = rcuWalkRest;
      fast = r > 0;
      if (fast) {
        // The body of a link has been walked to its end: back to the path that the link is in.
        putLink(nd);
        if ((nd.dentry.flags & D_TYPE) != D_DIRECTORY) return -ENOTDIR;
        name = <usize>load<u32>(nd.linkAt(--depth) + 12);
        fast = canWalkFast(nd);
      }
    }
  }
}

/** Whether the walk may go on with walkFast() where it is. */
function canWalkFast(nd: Nameidata): bool {
  return nd.rcu && !hasSecurity && canResume(nd.dentry.flags);
}

/** The length of a name that is too long for hashName(). */
function nameLength(name: usize): u32 {
  let end = name + NAME_MAX;
  while (load<u8>(end) != SLASH && load<u8>(end) != 0) end++;
  return <u32>(end - name);
}

/**
 * Whether a name that ends at `end` is left to the caller of the walk, which looks it up under the directory's lock: it
 * finds out there that the name is too long, after its other checks.
 */
function isLastName(nd: Nameidata, end: usize, depth: u32): bool {
  let rest = end;
  while (load<u8>(rest) == SLASH) rest++;
  return nd.flags & LOOKUP_PARENT && depth == 0 ? load<u8>(rest) == 0 : false;
}

/**
 * rcuWalk() from the walk's position; through the prefix cache if the rest of the path, or of the body of the link on top of the
 * stack, is long enough.
 */
function walkFast(nd: Nameidata, name: usize, parents: bool): i32 {
  const from = <u32>(name - <usize>nd.name);
  const rest = from < nd.nameLen ? nd.nameLen - from : nd.depth != 0 ? restOfBody(nd, name) : 0;
  return rest >= prefixCacheMinPath ? prefixCacheWalk(nd, name, rest, parents) : rcuWalk(nd, name, parents);
}

/** Bytes from `name` to the end of the body of the link on top of the stack, which was followed in rcu mode; 0: it is not in there. */
function restOfBody(nd: Nameidata, name: usize): u32 {
  const e = nd.linkAt(nd.depth - 1);
  const end = <usize>load<u32>(e);
  return name >= <usize>load<u32>(e + 8) && name < end ? <u32>(end - name) : 0;
}

/**
 * walk_component(): steps to nd.last. `more`: more path follows in the same string. `trailing`: the last component of
 * the whole path. Returns 0: done, 1: a link to follow (nd.body), -errno.
 */
function walkComponent(nd: Nameidata, more: bool, trailing: bool): i32 {
  if (nd.lastType != LAST_NORM) {
    if (!more && nd.depth != 0) putLink(nd);
    return handleDots(nd);
  }
  let d = lookupFast(nd);
  if (!d) {
    if (nd.err != 0) return nd.err;
    d = lookupSlow(nd);
    if (!d) return nd.err;
  }
  // This was the last component of a link: pop the link before another one may be pushed.
  if (!more && nd.depth != 0) putLink(nd);
  return stepInto(nd, d, !trailing || (nd.flags & LOOKUP_FOLLOW) != 0);
}

/** lookup_last(): the last component. A trailing slash asks for a directory and follows a link to it. */
function lookupLast(nd: Nameidata): i32 {
  if (nd.lastType == LAST_NORM && load<u8>(nd.last + nd.lastLen) != 0) nd.flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
  nd.state |= ND_TRAILING;
  return walkComponent(nd, false, true);
}

// ------------------------------------------------------------------------------------------------- whole walks

/**
 * path_lookupat(): from the walk's position along `path` to the last dentry. The caller finishes and terminates the
 * walk.
 */
function pathLookupat(nd: Nameidata, path: usize): i32 {
  let name = path;
  while (true) {
    let err = linkPathWalk(nd, name, true);
    if (err == WALKED) return mustBeDirectory(nd);
    if (err != 0) return err;
    err = lookupLast(nd);
    if (err < 0) return err;
    if (err == 0) return mustBeDirectory(nd);
    name = <usize>nd.body;
    if (!canWalkFast(nd)) continue;
    err = walkFast(nd, name, false);
    if (err != 0) return err > 0 ? mustBeDirectory(nd) : err;
    name = rcuWalkRest;
  }
}

function mustBeDirectory(nd: Nameidata): i32 {
  return nd.flags & LOOKUP_DIRECTORY && (nd.dentry.flags & D_TYPE) != D_DIRECTORY ? -ENOTDIR : 0;
}

/** A result found in rcu mode is valid only if the last dentry, and the mounts that were crossed, have not changed. */
function checkRcu(nd: Nameidata): bool {
  if (nd.dentry_ != 0 && readSeqRetry(nd.dentry.seq, nd.seq)) return false;
  if (nd.state & ND_MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return false;
  return rcuValid();
}

/** The result for stat and access: without a reference if the walk is still in rcu mode. */
function finishWalk(nd: Nameidata, purpose: u32, arg: u32): i32 {
  const left = checkFence(nd);
  if (left != 0) return left;
  // A path that ends in a jump must be revalidated on file systems that ask for it, which rcu mode cannot do.
  if (purpose == FOR_PATH || !nd.rcu || mustRevalidateJump(nd)) {
    tracepoint(POINT.COMPLETE, nd.dentry_, nd.seq);
    const err = completeWalk(nd);
    if (err != 0 || purpose == FOR_PATH) return err;
  }
  let err = purpose == FOR_STAT ? vfsGetattr(nd.mnt, nd.inode, nd.rcu) : mayAccess(nd, arg);
  tracepoint(POINT.ATTR_COPIED, nd.inode_, nd.dentry_);
  if (!nd.rcu) return err;
  if (err == -ECHILD) {
    if (!dropRcu(nd, DROP.PERMISSION)) return -ECHILD;
    return purpose == FOR_STAT ? vfsGetattr(nd.mnt, nd.inode, false) : mayAccess(nd, arg);
  }
  tracepoint(POINT.COMPLETE, nd.dentry_, nd.seq);
  if (!checkRcu(nd)) err = -ECHILD;
  return err;
}

/** faccessat(). `mask`: MAY_* bits, 0: does the file exist? */
function mayAccess(nd: Nameidata, mask: u32): i32 {
  if (mask == 0) return 0;
  const type = nd.inode.type;
  if (mask & MAY_EXEC && type == S_IFREG && nd.mnt.flags & MS_NOEXEC) return -EACCES;
  const err = inodePermission(nd.ctx, nd.inode, mask, nd.rcu);
  if (POINTS) tracepoint(POINT.ACCESS, nd.inode_, err);
  if (err != 0) return err;
  if (mask & MAY_WRITE && nd.mnt.flags & MS_RDONLY && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK))
    return -EROFS;
  return 0;
}

/**
 * One attempt, in the mode that `flags` say. For FOR_PATH the references end up in nd.mnt and nd.dentry. -EINVAL: the
 * path contains a NUL, which is found before any hook is called.
 */
function lookupAttempt(nd: Nameidata, flags: u32, purpose: u32, arg: u32): i32 {
  let err = pathInit(nd, flags);
  if (hasNul(nd.name, nd.nameLen)) err = -EINVAL;
  else if (err == 0) err = pathLookupat(nd, <usize>nd.name);
  return endAttempt(nd, err, purpose, arg);
}

/**
 * The first attempt of nearly every lookup: lookupAttempt() in rcu mode, for a thread without a security hook, by what walkFast() does at the
 * start of a path. It stops at a NUL, so only the part that is not walked yet is checked for one. A function of its own, with one caller,
 * because the compiler then makes one of both.
 */
function rcuAttempt(nd: Nameidata, flags: u32, purpose: u32, arg: u32): i32 {
  let err = pathInit(nd, flags | LOOKUP_RCU);
  const path = <usize>nd.name;
  const len = nd.nameLen;
  if (err != 0) return endAttempt(nd, hasNul(path, len) ? -EINVAL : err, purpose, arg);
  err = len >= prefixCacheMinPath ? prefixCacheWalk(nd, path, len, false) : rcuWalk(nd, path, false);
  const rest = rcuWalkRest;
  if (hasNul(rest, <u32>(path - rest) + len)) err = -EINVAL;
  else if (purpose != FOR_PATH && (err > 0 || err == -ENOENT)) return finishRcu(nd, err, purpose, arg);
  else if (err >= 0) err = err > 0 ? mustBeDirectory(nd) : pathLookupat(nd, rest);
  return endAttempt(nd, err, purpose, arg);
}

/** Fast version of endAttempt() for a walk that stayed in rcuWalk(). */
function finishRcu(nd: Nameidata, walked: i32, purpose: u32, arg: u32): i32 {
  let err = walked;
  if (err > 0) {
    err = mustBeDirectory(nd);
    if (err == 0 && nd.flags & LOOKUP_IS_FENCED) err = checkFence(nd);
    if (err == 0) err = purpose == FOR_STAT ? vfsGetattr(nd.mnt, nd.inode, true) : mayAccess(nd, arg);
    if (err == -ECHILD) return endAttempt(nd, 0, purpose, arg);
    tracepoint(POINT.ATTR_COPIED, nd.inode_, nd.dentry_);
    tracepoint(POINT.COMPLETE, nd.dentry_, nd.seq);
    if (readSeqRetry(nd.dentry.seq, nd.seq)) err = -ECHILD;
  }
  if (nd.state & ND_MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) err = -ECHILD;
  nd.endDentry = nd.dentry_;
  nd.flags &= ~LOOKUP_RCU;
  if (!rcuReadUnlock()) return -ECHILD;
  if (err != -ECHILD) count(COUNTER.endedRcu);
  return err;
}

/** Finishes a walk that succeeded so far (`walked` 0) or failed, and drops everything it holds. */
export function endAttempt(nd: Nameidata, walked: i32, purpose: u32, arg: u32): i32 {
  let err = walked;
  if (err == 0) err = finishWalk(nd, purpose, arg);
  else if (nd.rcu && err != -ECHILD && !checkRcu(nd)) err = -ECHILD;
  const keep = purpose == FOR_PATH;
  const ended = nd.rcu ? COUNTER.endedRcu : COUNTER.endedRef;
  const mnt = nd.mnt_;
  const dentry = nd.dentry_;
  nd.endDentry = dentry;
  if (err == 0 && keep) {
    nd.mnt_ = 0;
    nd.dentry_ = 0;
  }
  const valid = terminateWalk(nd);
  if (err == 0 && keep) {
    nd.mnt_ = mnt;
    nd.dentry_ = dentry;
  }
  if (!valid) return -ECHILD;
  if (err != -ECHILD && err != -ESTALE) count(ended);
  return err;
}

/**
 * filename_lookup(): as rcu-walk; on -ECHILD again as ref-walk, which can always finish; on -ESTALE once more with
 * LOOKUP_REVAL. `purpose` FOR_PATH: leaves references in nd.mnt and nd.dentry for the caller to put; FOR_STAT: writes
 * the attributes to scratch; FOR_ACCESS: `arg` is the mask.
 */
export function filenameLookup(nd: Nameidata, flags: u32, purpose: u32, arg: u32): i32 {
  count(COUNTER.walks);
  let err: i32 = -ECHILD;
  if (!forceRef) {
    err = hasSecurity ? lookupAttempt(nd, flags | LOOKUP_RCU, purpose, arg) : rcuAttempt(nd, flags, purpose, arg);
  }
  // A walk in ref mode may wait: the caller makes the call again, without RESOLVE_CACHED.
  if (err == -ECHILD && nd.how & LOOKUP_CACHED) err = -EAGAIN;
  if (err == -ECHILD) {
    if (!forceRef) restart(COUNTER.echildRestarts, ECHILD);
    enterActive();
    err = lookupAttempt(nd, flags, purpose, arg);
  }
  for (let n = 0; isRaced(nd, err, n); n++) err = lookupAttempt(nd, flags, purpose, arg);
  if (err == -ESTALE) {
    restart(COUNTER.estaleRestarts, ESTALE);
    err = lookupAttempt(nd, flags | LOOKUP_REVAL, purpose, arg);
  }
  tracepoint(POINT.ANSWER, err, nd.endDentry);
  if (err == 0 && hasAudit) host.audit(nd.endDentry, nd.inode_);
  return err;
}

/** Counts and reports a restart of the walk. */
export function restart(counter: u32, errno: i32): void {
  count(counter);
  tracepoint(POINT.RESTART, errno, 0);
}

/** path_parentat() */
function parentAttempt(nd: Nameidata, flags: u32): i32 {
  let err = pathInit(nd, flags);
  if (err == 0) err = walkParents(nd, nd.name);
  return endAttempt(nd, err, FOR_PATH, 0);
}

/**
 * filename_parentat(): leaves the parent directory with references in nd, the last component in nd.last and
 * nd.lastType.
 */
export function filenameParentat(nd: Nameidata, flags: u32): i32 {
  count(COUNTER.walks);
  const f = flags | LOOKUP_PARENT;
  let err = forceRef ? -ECHILD : parentAttempt(nd, f | LOOKUP_RCU);
  if (err == -ECHILD) {
    if (!forceRef) restart(COUNTER.echildRestarts, ECHILD);
    enterActive();
    err = parentAttempt(nd, f);
  }
  for (let n = 0; isRaced(nd, err, n); n++) err = parentAttempt(nd, f);
  if (err == -ESTALE) {
    restart(COUNTER.estaleRestarts, ESTALE);
    err = parentAttempt(nd, f | LOOKUP_REVAL);
  }
  if (err == 0 && hasAudit) host.audit(nd.dentry_, nd.inode_);
  return err;
}

/** Puts the references that a lookup has left in nd. */
export function pathPut(nd: Nameidata): void {
  dput(nd.dentry);
  mntput(nd.mnt);
  nd.dentry_ = 0;
  nd.mnt_ = 0;
}

/** Walks all components but the last, for an open with O_CREAT (open.ts). The last one is left in nd.last. */
export function walkParents(nd: Nameidata, name: usize): i32 {
  if (!nd.rcu || hasSecurity) return linkPathWalk(nd, name, false);
  const err = walkFast(nd, name, true);
  return err < 0 ? err : linkPathWalk(nd, rcuWalkRest, false);
}
