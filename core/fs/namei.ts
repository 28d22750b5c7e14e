/**
 * The walk: from a path to a dentry.
 *
 *   filenameLookup()              one whole lookup: rcu-walk, again as ref-walk on -ECHILD, again with REVAL on -ESTALE
 *     pathLookupat()              one attempt
 *       pathInit()                where it starts
 *       linkPathWalk()            every component but the last; mayLookup() asks for search permission
 *         walkComponent()         one component: lookupFast() or lookupSlow(), then stepInto()
 *       lookupLast()              the last one
 *     finishWalk()                the answer: a reference (completeWalk), or attributes copied out without one
 *
 * Both modes go through the same functions. In rcu mode the walk holds nothing and stores nothing outside its own
 * nameidata; leaving that mode (drop.ts) never goes back. Guarantee: what rcu mode decides by itself, an error too, was
 * true at one moment during the call: the child's sequence is opened before the parent's is checked, and no errno
 * leaves rcu mode before checkError() has looked at the last dentry's sequence once more.
 */
import * as host from "../host";
import { hashLen, hashName, nameLen } from "../mem/hash";
import { C_ECHILD, C_ENDED_RCU, C_ENDED_REF, C_ESTALE, C_MISSES, C_WALKS, G_MOUNT_SEQ } from "../mem/layout";
import { readSeqBegin, readSeqRetry } from "../mem/seqlock";
import { kmalloc } from "../mem/slab";
import { rcuReadLock, rcuReadUnlock, rcuValid } from "../mem/smr";
import { lock, unlock } from "../mem/spin";
import { count, forceRef, hasAudit, hasSecurity, scratch } from "../mem/thread";
import {
  at,
  P_ANSWER,
  P_ATTR_COPIED,
  P_COMPLETE,
  P_COMPONENT,
  P_DOTDOT,
  P_FOUND,
  P_LINK,
  P_LOCKED_LOOKUP,
  P_MISS,
  P_MOUNT_CHECK,
  P_MOUNT_DOWN,
  P_MOUNT_UP,
  P_PARENT_CHECK,
  P_PERMISSION,
  P_RESTART,
  P_START_READ,
  P_WALK_START,
} from "../points";
import { copyAttr } from "./attr";
import { Context } from "./cred";
import {
  dAdd,
  dAlloc,
  dentryModeChanged,
  dFindAlias,
  dget,
  dgetParent,
  dInvalidate,
  dLookup,
  dLookupRcu,
  dMaterialise,
  dput,
  dUpdateNameCase,
  foundSeq,
  isSubdir,
  missIsAnswer,
} from "./dcache";
import {
  D_COMPLETE,
  D_DIRECTORY,
  D_EXEC_ANY,
  D_MOUNTED,
  D_OP_COMPARE,
  D_OP_HASH,
  D_OP_REVALIDATE,
  D_REVAL_DOT,
  D_SYMLINK,
  D_TYPE,
  Dentry,
} from "./dentry";
import {
  completeWalk,
  DROP_LINK,
  DROP_PERMISSION,
  DROP_REVALIDATE,
  DROP_UNCACHED,
  dropLink,
  dropRcu,
  dropRcuNext,
  putLink,
  terminateWalk,
} from "./drop";
import { EACCES, EBADF, ECHILD, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EROFS, ESTALE } from "./errno";
import { fdFile, fget, fput } from "./file";
import { driverHash, driverLookup, driverReadlink, driverRevalidate, S_BODY } from "./hooks";
import { driverInode, iput } from "./icache";
import { I_DEAD, I_DRIVER, Inode, inodeNumber, S_IFDIR, S_IFLNK, S_IFREG } from "./inode";
import {
  LAST_DOT,
  LAST_DOTDOT,
  LAST_NORM,
  LAST_ROOT,
  LOOKUP_DIRECTORY,
  LOOKUP_FOLLOW,
  LOOKUP_PARENT,
  LOOKUP_RCU,
  LOOKUP_REVAL,
  MAXSYMLINKS,
  Nameidata,
  ND_JUMPED,
  ND_MOUNTS,
  ND_ROOT_GRABBED,
} from "./nameidata";
import {
  followUp,
  lookupMnt,
  lookupMntRef,
  MS_NOEXEC,
  MS_RDONLY,
  mntget,
  mntput,
  pathConnected,
  upDentry,
} from "./namespace";
import { inodePermission, MAY_EXEC, MAY_WRITE } from "./permission";
import { rcuWalk, restOfPath } from "./rcuwalk";
import { HOOK_LOOKUP, HOOK_READLINK } from "./super";

export const AT_FDCWD: i32 = -100;
const NAME_MAX: u32 = 255;
const SLASH: u32 = 47;
const DOT: u32 = 46;
/** Rounds at a start path that keeps changing, mounts on top of each other. */
const START_TRIES: i32 = 100;
const MOUNTS_MAX: i32 = 10000;

/** What a walk is for. */
export const FOR_PATH: u32 = 0;
export const FOR_STAT: u32 = 1;
export const FOR_ACCESS: u32 = 2;

/** Why a step that answered null has none: 0 not in the cache, else -errno. */
let stepError: i32 = 0;

function noDentry(err: i32): Dentry {
  stepError = err;
  return changetype<Dentry>(0);
}

// ------------------------------------------------------------------------------------------------- the start

/** Prepares a walk of the path at `name` for a context, from a descriptor or AT_FDCWD where it is relative. */
export function setNameidata(nd: Nameidata, c: Context, dirfd: i32, name: usize): void {
  nd.ctx_ = <u32>c.at;
  nd.dirfd = dirfd;
  nd.name = <u32>name;
}

/** path_init(): read side, mount sequence, then root, working directory or descriptor. */
function pathInit(nd: Nameidata, flags: u32): i32 {
  nd.flags = flags;
  nd.state = ND_JUMPED;
  nd.lastType = LAST_ROOT;
  nd.depth = 0;
  nd.links = 0;
  nd.pending = 0;
  nd.root_ = 0;
  nd.rootMnt_ = 0;
  nd.mnt_ = 0;
  nd.dentry_ = 0;
  const absolute = load<u8>(nd.name) == SLASH;
  let err: i32;
  if (flags & LOOKUP_RCU) {
    rcuReadLock();
    nd.mSeq = readSeqBegin(G_MOUNT_SEQ);
    err = absolute || nd.dirfd == AT_FDCWD ? startRcu(nd, absolute) : startAtFd(nd);
  } else {
    err = absolute ? jumpRoot(nd) : nd.dirfd == AT_FDCWD ? startAtPwd(nd) : startAtFd(nd);
  }
  if (err == 0) at(P_WALK_START, (flags & LOOKUP_RCU ? 1 : 0) | (flags & LOOKUP_REVAL ? 2 : 0), nd.dentry_);
  return err;
}

/** path_init_rcu(): the context's root or working directory with its sequence, under the context's, without a store. */
function startRcu(nd: Nameidata, absolute: bool): i32 {
  const c = nd.ctx;
  const from = c.at + (absolute ? offsetof<Context>("rootMnt_") : offsetof<Context>("pwdMnt_"));
  for (let n = 0; n < START_TRIES; n++) {
    const fs = readSeqBegin(c.seq);
    // Mount (low) and dentry (high) in one load.
    const pair = atomic.load<u64>(from);
    const d = changetype<Dentry>(<usize>(pair >> 32));
    if (!d) return -EBADF;
    const seq = readSeqBegin(d.seq);
    at(P_START_READ, d.at, seq);
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

/** set_root(), set_root_rcu(): the context's root, once a walk. In rcu mode under the context's sequence, without a store. */
function setRoot(nd: Nameidata): i32 {
  const c = nd.ctx;
  if (nd.rcu) {
    for (let n = 0; n < START_TRIES; n++) {
      const seq = readSeqBegin(c.seq);
      nd.rootMnt_ = atomic.load<u32>(c.at + offsetof<Context>("rootMnt_"));
      nd.root_ = atomic.load<u32>(c.at + offsetof<Context>("root_"));
      if (nd.root_ == 0) return -EBADF;
      nd.rootSeq = readSeqBegin(nd.root.seq);
      at(P_START_READ, nd.root_, nd.rootSeq);
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

/** nd_jump_root(): on at the root, from the start or from a link's body. */
function jumpRoot(nd: Nameidata): i32 {
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
  return takeInode(nd);
}

/** The validated copy of the start's inode. */
function takeInode(nd: Nameidata): i32 {
  nd.inode = nd.dentry.inode;
  if (nd.rcu && (readSeqRetry(nd.dentry.seq, nd.seq) || nd.inode_ == 0)) return -ECHILD;
  return nd.inode_ != 0 ? 0 : -ENOENT;
}

/** The working directory with references. */
function startAtPwd(nd: Nameidata): i32 {
  const c = nd.ctx;
  lock(c.lock);
  nd.mnt_ = c.pwdMnt_;
  nd.dentry_ = c.pwd_;
  if (nd.dentry_ != 0) {
    mntget(nd.mnt);
    dget(nd.dentry);
  }
  unlock(c.lock);
  return nd.dentry_ != 0 ? takeInode(nd) : -EBADF;
}

/** The start at an open directory. In rcu mode the descriptor is read, not referenced, and read again. */
function startAtFd(nd: Nameidata): i32 {
  const c = nd.ctx;
  let err = 0;
  if (nd.rcu) {
    const f = fdFile(c, nd.dirfd);
    if (!f || !f.dentry) return -EBADF;
    nd.mnt = f.mnt;
    nd.dentry = f.dentry;
    nd.seq = readSeqBegin(nd.dentry.seq);
    at(P_START_READ, nd.dentry_, nd.seq);
    err = takeInode(nd);
    if (fdFile(c, nd.dirfd) != f) return -ECHILD;
  } else {
    const f = fget(c, nd.dirfd);
    if (!f) return -EBADF;
    nd.mnt = mntget(f.mnt);
    nd.dentry = dget(f.dentry);
    fput(f);
    err = takeInode(nd);
  }
  if (err == 0 && load<u8>(nd.name) != 0 && (nd.dentry.flags & D_TYPE) != D_DIRECTORY) return -ENOTDIR;
  return err;
}

// ------------------------------------------------------------------------------------------------- components

/** may_lookup(): search permission on the directory; where rcu mode cannot tell, the same component again in ref mode. */
function mayLookup(nd: Nameidata): i32 {
  if (nd.dentry.flags & D_EXEC_ANY && !hasSecurity) {
    at(P_PERMISSION, nd.inode_, 0);
    return 0;
  }
  let err = inodePermission(nd.ctx, nd.inode, MAY_EXEC, nd.rcu);
  at(P_PERMISSION, nd.inode_, err);
  if (err != -ECHILD || !nd.rcu) return err;
  if (!dropRcu(nd, DROP_PERMISSION)) return -ECHILD;
  err = inodePermission(nd.ctx, nd.inode, MAY_EXEC, false);
  at(P_PERMISSION, nd.inode_, err);
  return err;
}

/** link_path_walk(): walks all but the last component, which is left in nd.last...; follows every link on the way. */
function linkPathWalk(nd: Nameidata, path: usize): i32 {
  let name = path;
  while (load<u8>(name) == SLASH) name++;
  if (load<u8>(name) == 0) return 0;
  let depth: u32 = 0;
  while (true) {
    let r = mayLookup(nd);
    if (r != 0) return r;
    at(P_COMPONENT, nd.dentry_, name);
    let raw = hashName(name);
    const len = nameLen;
    let type = LAST_NORM;
    if (load<u8>(name) == DOT) {
      if (len == 1) type = LAST_DOT;
      else if (len == 2 && load<u8>(name + 1) == DOT) type = LAST_DOTDOT;
    }
    if (type == LAST_NORM) {
      if (len > NAME_MAX) return -ENAMETOOLONG;
      nd.state &= ~ND_JUMPED;
      if (nd.dentry.flags & D_OP_HASH) raw = driverHash(nd.dentry.sb, nd.inode, name, len);
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
      // The end of the path, or of a link's body in the middle of it.
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
      continue;
    }
    if ((nd.dentry.flags & D_TYPE) != D_DIRECTORY) return -ENOTDIR;
  }
}

/**
 * walk_component(): steps to nd.last. `more`: path follows behind it in the same string; `trailing`: the last component of
 * the whole path. 0 done, 1 a link to follow (nd.body), -errno.
 */
function walkComponent(nd: Nameidata, more: bool, trailing: bool): i32 {
  if (nd.lastType != LAST_NORM) {
    if (!more && nd.depth != 0) putLink(nd);
    return handleDots(nd);
  }
  let d = lookupFast(nd);
  if (!d) {
    if (stepError != 0) return stepError;
    d = lookupSlow(nd);
    if (!d) return stepError;
  }
  // The link whose last component this was is done with before another may be pushed.
  if (!more && nd.depth != 0) putLink(nd);
  return stepInto(nd, d, !trailing || (nd.flags & LOOKUP_FOLLOW) != 0);
}

/** lookup_fast(): from the cache; null with stepError 0: not there, look in the file system. */
function lookupFast(nd: Nameidata): Dentry {
  const parent = nd.dentry;
  const hl = hashLen(nd.lastRaw, nd.lastLen, parent.at);
  let d: Dentry;
  if (nd.rcu) {
    d = dLookupRcu(parent, nd.inode, nd.last, hl);
    if (!d) {
      at(P_MISS, parent.at, missIsAnswer ? 1 : 0);
      if (!missIsAnswer) return noDentry(dropRcu(nd, DROP_UNCACHED) ? 0 : -ECHILD);
      if (readSeqRetry(parent.seq, nd.seq)) return noDentry(-ECHILD);
      count(C_MISSES);
      return noDentry(-ENOENT);
    }
    nd.nextSeq = foundSeq;
    at(P_FOUND, d.at, foundSeq);
    at(P_PARENT_CHECK, parent.at, nd.seq);
    // Hand over hand: the child's sequence was opened before the parent's is checked.
    if (readSeqRetry(parent.seq, nd.seq)) return noDentry(-ECHILD);
    if (!(d.flags & D_OP_REVALIDATE)) return d;
    if (!dropRcuNext(nd, d, DROP_REVALIDATE)) return noDentry(-ECHILD);
  } else {
    d = dLookup(parent, nd.inode, nd.last, hl);
    if (!d) return noDentry(0);
    at(P_FOUND, d.at, 0);
    if (!(d.flags & D_OP_REVALIDATE)) return d;
  }
  const r = driverRevalidate(d, nd.inode, nd.flags & LOOKUP_REVAL ? 1 : 0);
  if (r > 0) return d;
  if (r == 0) dInvalidate(d);
  dput(d);
  return noDentry(r);
}

/** lookup_slow(): under the directory's i_mutex, where nobody else can make the name. Ref mode only. */
function lookupSlow(nd: Nameidata): Dentry {
  at(P_LOCKED_LOOKUP, nd.dentry_, 0);
  lock(nd.inode.mutex);
  const d = lookupLocked(nd, false);
  unlock(nd.inode.mutex);
  return d;
}

/**
 * The dentry of nd.last, positive or negative, with a reference; the caller holds the directory's i_mutex. `create`: one
 * that is not there is made, unhashed in memory, hashed and negative for a driver. null: lookupError().
 */
export function lookupLocked(nd: Nameidata, create: bool): Dentry {
  const parent = nd.dentry;
  const dir = nd.inode;
  const hl = hashLen(nd.lastRaw, nd.lastLen, parent.at);
  let d = dLookup(parent, dir, nd.last, hl);
  if (d && d.flags & D_OP_REVALIDATE) {
    const r = driverRevalidate(d, dir, nd.flags & LOOKUP_REVAL ? 1 : 0);
    if (r > 0) return d;
    // Stale here too: it goes, and the file system is asked, whatever the cache says.
    dInvalidate(d);
    dput(d);
    if (r < 0) return noDentry(r);
    d = changetype<Dentry>(0);
  }
  // What is made gets the spelling it is made with: a negative entry takes it on, or goes when the lengths differ.
  if (d && create && !d.inode && parent.flags & D_OP_COMPARE && !dUpdateNameCase(d, nd.last, nd.lastLen)) {
    dInvalidate(d);
    dput(d);
    d = changetype<Dentry>(0);
  }
  if (d) return d;
  if (dir.mode & I_DEAD) return noDentry(-ENOENT);
  if (parent.flags & D_COMPLETE) {
    if (!create) return noDentry(-ENOENT);
    d = dAlloc(parent, nd.last, nd.lastLen, hl);
    return d ? d : noDentry(-ENOSPC);
  }
  return lookupReal(nd, hl);
}

export function lookupError(): i32 {
  return stepError;
}

/** i_op->lookup(): asks the driver, and puts its answer, a negative one too, into the cache. */
function lookupReal(nd: Nameidata, hl: u64): Dentry {
  const parent = nd.dentry;
  const sb = parent.sb;
  const d = dAlloc(parent, nd.last, nd.lastLen, hl);
  if (!d) return noDentry(-ENOSPC);
  const r = sb.hooks & HOOK_LOOKUP ? driverLookup(sb, nd.inode, nd.last, nd.lastLen) : -ENOENT;
  if (r != 0 && r != -ENOENT) {
    dput(d);
    return noDentry(r);
  }
  if (r == -ENOENT) {
    dAdd(d, changetype<Inode>(0));
    return d;
  }
  const i = driverInode(sb);
  if (!i) {
    dput(d);
    return noDentry(-ENOSPC);
  }
  return spliceAlias(d, i);
}

/** d_splice_alias(): a directory that is already known elsewhere moves here; anything else is bound. */
function spliceAlias(d: Dentry, i: Inode): Dentry {
  if (i.isDir) {
    dentryModeChanged(i);
    const alias = dFindAlias(i);
    if (alias) {
      iput(i);
      if (isSubdir(d, alias)) {
        dput(alias);
        dput(d);
        return noDentry(-ELOOP);
      }
      return dMaterialise(d, alias);
    }
  }
  dAdd(d, i);
  return d;
}

// ------------------------------------------------------------------------------------------------- steps

/** step_into(): over mounts, then onto the dentry, or to its link's body. `follow`: a link is to be followed. */
function stepInto(nd: Nameidata, d: Dentry, follow: bool): i32 {
  const err = nd.rcu ? followMountRcu(nd, d) : traverseMounts(nd, d);
  if (err != 0) return err;
  const to = nd.pDentry;
  const inode = to.inode;
  const flags = to.flags;
  if (nd.rcu) {
    // First everything is read, then the sequence is checked, then it is decided on.
    if (readSeqRetry(to.seq, nd.nextSeq)) return -ECHILD;
    if (!inode) return -ENOENT;
    if ((flags & D_TYPE) == D_SYMLINK && follow) return pickLink(nd, inode);
    nd.seq = nd.nextSeq;
  } else {
    if (!inode) {
      putStep(nd);
      return -ENOENT;
    }
    if ((flags & D_TYPE) == D_SYMLINK && follow) return pickLink(nd, inode);
    dput(nd.dentry);
    if (nd.pMnt != nd.mnt) mntput(nd.mnt);
  }
  nd.mnt = nd.pMnt;
  nd.dentry = to;
  nd.inode = inode;
  return 0;
}

/** Drops the references of a step that is not taken. */
function putStep(nd: Nameidata): void {
  dput(nd.pDentry);
  if (nd.pMnt != nd.mnt) mntput(nd.pMnt);
}

/** __follow_mount_rcu(): down through whatever is mounted here; the mount sequence says whether the table was stable. */
function followMountRcu(nd: Nameidata, d: Dentry): i32 {
  nd.pMnt = nd.mnt;
  nd.pDentry = d;
  if (!(d.flags & D_MOUNTED)) return 0;
  nd.state |= ND_MOUNTS;
  at(P_MOUNT_CHECK, d.at, 0);
  if (readSeqRetry(d.seq, nd.nextSeq)) return -ECHILD;
  for (let n = 0; n < MOUNTS_MAX && nd.pDentry.flags & D_MOUNTED; n++) {
    const m = lookupMnt(nd.pMnt, nd.pDentry);
    if (!m) break;
    nd.pMnt = m;
    nd.pDentry = m.root;
    nd.nextSeq = readSeqBegin(nd.pDentry.seq);
    at(P_MOUNT_DOWN, m.at, nd.pDentry_);
  }
  return readSeqRetry(G_MOUNT_SEQ, nd.mSeq) ? -ECHILD : 0;
}

/** traverse_mounts(): the same with references. Takes over the one on `d`. */
function traverseMounts(nd: Nameidata, d: Dentry): i32 {
  nd.pMnt = nd.mnt;
  nd.pDentry = d;
  for (let n = 0; n < MOUNTS_MAX && nd.pDentry.flags & D_MOUNTED; n++) {
    const m = lookupMntRef(nd.pMnt, nd.pDentry);
    if (!m) break;
    dput(nd.pDentry);
    if (nd.pMnt != nd.mnt) mntput(nd.pMnt);
    nd.pMnt = m;
    nd.pDentry = dget(m.root);
    at(P_MOUNT_DOWN, m.at, nd.pDentry_);
  }
  return 0;
}

/** handle_dots(): "." stays, ".." goes up, over mounts and never above the root. */
function handleDots(nd: Nameidata): i32 {
  if (nd.lastType != LAST_DOTDOT) return 0;
  if (nd.root_ == 0) {
    const err = setRoot(nd);
    if (err != 0) return err;
  }
  const up = nd.rcu ? followDotdotRcu(nd) : followDotdot(nd);
  if (!up) return stepError;
  return stepInto(nd, up, false);
}

/** follow_dotdot_rcu() */
function followDotdotRcu(nd: Nameidata): Dentry {
  if (atRoot(nd)) return stayRcu(nd);
  if (nd.dentry == nd.mnt.root) {
    nd.state |= ND_MOUNTS;
    let m = nd.mnt;
    for (let n = 0; ; n++) {
      const parent = m.parent;
      if (parent == m || n == MOUNTS_MAX) return stayRcu(nd);
      const place = m.mountpoint;
      const seq = readSeqBegin(place.seq);
      at(P_MOUNT_UP, m.at, place.at);
      if (parent == nd.rootMnt && place == nd.root) {
        // The root itself is mounted over: that is where this ends.
        if (readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return noDentry(-ECHILD);
        return stayRcu(nd);
      }
      if (place != parent.root) {
        const inode = place.inode;
        if (readSeqRetry(G_MOUNT_SEQ, nd.mSeq) || readSeqRetry(place.seq, seq)) return noDentry(-ECHILD);
        nd.mnt = parent;
        nd.dentry = place;
        nd.inode = inode;
        nd.seq = seq;
        break;
      }
      m = parent;
    }
  }
  const old = nd.dentry;
  const parent = old.parent;
  nd.nextSeq = readSeqBegin(parent.seq);
  at(P_DOTDOT, old.at, parent.at);
  // Hand over hand upward: the parent's sequence is open, the child's must not have moved.
  if (readSeqRetry(old.seq, nd.seq)) return noDentry(-ECHILD);
  if (pathConnected(nd.mnt, parent, false) <= 0) return noDentry(-ECHILD);
  return parent;
}

function atRoot(nd: Nameidata): bool {
  return nd.dentry == nd.root && nd.mnt == nd.rootMnt;
}

function stayRcu(nd: Nameidata): Dentry {
  at(P_DOTDOT, nd.dentry_, nd.dentry_);
  nd.nextSeq = nd.seq;
  return nd.dentry;
}

/** follow_dotdot(): the same with references; -ENOENT where a rename has taken the directory out of its bind mount. */
function followDotdot(nd: Nameidata): Dentry {
  if (atRoot(nd) || (nd.dentry == nd.mnt.root && !climb(nd))) {
    at(P_DOTDOT, nd.dentry_, nd.dentry_);
    return dget(nd.dentry);
  }
  const parent = dgetParent(nd.dentry);
  at(P_DOTDOT, nd.dentry_, parent.at);
  if (pathConnected(nd.mnt, parent, true) == 1) return parent;
  dput(parent);
  return noDentry(-ENOENT);
}

/** Up from a mount's root to the first mount point that is not a root itself; false: there is none below the root. */
function climb(nd: Nameidata): bool {
  let m = mntget(nd.mnt);
  for (let n = 0; n < MOUNTS_MAX; n++) {
    const parent = followUp(m);
    if (!parent) break;
    const place = upDentry;
    at(P_MOUNT_UP, m.at, place.at);
    mntput(m);
    m = parent;
    if (parent == nd.rootMnt && place == nd.root) {
      dput(place);
      break;
    }
    if (place != parent.root) {
      dput(nd.dentry);
      mntput(nd.mnt);
      nd.mnt = parent;
      nd.dentry = place;
      nd.inode = place.inode;
      return true;
    }
    dput(place);
  }
  mntput(m);
  return false;
}

/**
 * pick_link(): pushes the link at (pMnt, pDentry) on the stack and finds its body. The walk leaves rcu mode for it. 1: go on
 * with nd.body; 0: the body was "/" and is done.
 */
function pickLink(nd: Nameidata, inode: Inode): i32 {
  if (nd.links >= MAXSYMLINKS) {
    if (!nd.rcu) putStep(nd);
    return -ELOOP;
  }
  nd.links += 1;
  if (nd.rcu) {
    if (!dropLink(nd, DROP_LINK)) return -ECHILD;
  } else if (nd.pMnt == nd.mnt) {
    mntget(nd.pMnt);
  }
  const e = nd.linkAt(nd.depth);
  store<u32>(e, nd.pMnt_);
  store<u32>(e + 4, nd.pDentry_);
  store<u32>(e + 8, 0);
  nd.depth += 1;
  if (hasSecurity) {
    const err = host.security(inodeNumber(inode), 0, 0);
    if (err != 0) return err;
  }
  let body = <usize>inode.data;
  if (inode.mode & I_DRIVER) {
    const err = readDriverLink(inode, e);
    if (err != 0) return err;
    body = <usize>load<u32>(e + 8);
  }
  if (body == 0 || load<u8>(body) == 0) return -ENOENT;
  at(P_LINK, inode.at, body);
  if (load<u8>(body) == SLASH) {
    const err = jumpRoot(nd);
    if (err != 0) return err;
    while (load<u8>(body) == SLASH) body++;
    if (load<u8>(body) == 0) return 0;
  }
  nd.body = <u32>body;
  return 1;
}

/** i_op->follow_link(): the driver's body is copied, since the area it came in belongs to the next hook. */
function readDriverLink(inode: Inode, e: usize): i32 {
  if (!(inode.sb.hooks & HOOK_READLINK)) return -EINVAL;
  const n = driverReadlink(inode);
  if (n < 0) return n;
  if (n > 4095) return -ENAMETOOLONG;
  const body = kmalloc(min<u32>(<u32>n + 9, 4096), false);
  if (body == 0) return -ENOSPC;
  memory.copy(body, scratch + S_BODY, n);
  store<u8>(body + n, 0);
  store<u32>(e + 8, <u32>body);
  return 0;
}

/** lookup_last(): the last component; a slash behind it asks for a directory and follows a link to it. */
function lookupLast(nd: Nameidata): i32 {
  if (nd.lastType == LAST_NORM && load<u8>(nd.last + nd.lastLen) != 0) nd.flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
  return walkComponent(nd, false, true);
}

// ------------------------------------------------------------------------------------------------- whole walks

/** path_lookupat() from where nd is, along the path at `path`, to the last dentry; the caller finishes and terminates. */
function walkOn(nd: Nameidata, path: usize): i32 {
  let name = path;
  while (true) {
    let err = linkPathWalk(nd, name);
    if (err != 0) return err;
    err = lookupLast(nd);
    if (err < 0) return err;
    if (err == 0) return mustBeDirectory(nd);
    name = <usize>nd.body;
  }
}

function mustBeDirectory(nd: Nameidata): i32 {
  return nd.flags & LOOKUP_DIRECTORY && (nd.dentry.flags & D_TYPE) != D_DIRECTORY ? -ENOTDIR : 0;
}

/** What rcu mode found out by itself stands only if the last dentry, and the mounts it came over, are still the same. */
function checkRcu(nd: Nameidata): bool {
  if (nd.dentry_ != 0 && readSeqRetry(nd.dentry.seq, nd.seq)) return false;
  if (nd.state & ND_MOUNTS && readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return false;
  return rcuValid();
}

/** The answer of a walk for stat or access: without a reference where it is still in rcu mode. */
function finishWalk(nd: Nameidata, what: u32, arg: u32): i32 {
  // A path that ended in a jump on a file system that wants it revalidated cannot be answered in rcu mode.
  if (what == FOR_PATH || !nd.rcu || (nd.state & ND_JUMPED && nd.dentry.flags & D_REVAL_DOT)) {
    at(P_COMPLETE, nd.dentry_, nd.seq);
    const err = completeWalk(nd);
    if (err != 0 || what == FOR_PATH) return err;
  }
  let err = what == FOR_STAT ? copyAttr(nd.mnt, nd.inode, nd.rcu) : mayAccess(nd, arg);
  at(P_ATTR_COPIED, nd.inode_, nd.dentry_);
  if (!nd.rcu) return err;
  if (err == -ECHILD) {
    if (!dropRcu(nd, DROP_PERMISSION)) return -ECHILD;
    return what == FOR_STAT ? copyAttr(nd.mnt, nd.inode, false) : mayAccess(nd, arg);
  }
  at(P_COMPLETE, nd.dentry_, nd.seq);
  if (!checkRcu(nd)) err = -ECHILD;
  return err;
}

/** faccessat(): `mask` of MAY_*, 0: is it there. */
function mayAccess(nd: Nameidata, mask: u32): i32 {
  if (mask == 0) return 0;
  const type = nd.inode.type;
  if (mask & MAY_EXEC && type == S_IFREG && nd.mnt.flags & MS_NOEXEC) return -EACCES;
  const err = inodePermission(nd.ctx, nd.inode, mask, nd.rcu);
  if (err != 0) return err;
  if (mask & MAY_WRITE && nd.mnt.flags & MS_RDONLY && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK))
    return -EROFS;
  return 0;
}

/** One attempt in the mode that `flags` say. For FOR_PATH the references end up in nd.mnt and nd.dentry. */
function attempt(nd: Nameidata, flags: u32, what: u32, arg: u32): i32 {
  let err = pathInit(nd, flags);
  if (err == 0) {
    if (flags & LOOKUP_RCU && !hasSecurity) {
      err = rcuWalk(nd, nd.name, false);
      if (what != FOR_PATH && (err > 0 || err == -ENOENT)) return finishRcu(nd, err, what, arg);
      err = err > 0 ? mustBeDirectory(nd) : err < 0 ? err : walkOn(nd, restOfPath);
    } else {
      err = walkOn(nd, nd.name);
    }
  }
  return endAttempt(nd, err, what, arg);
}

/** The end of a walk that rcuWalk() took all the way: what endAttempt() does, less what cannot have come up. */
function finishRcu(nd: Nameidata, walked: i32, what: u32, arg: u32): i32 {
  let err = walked;
  if (err > 0) {
    err = mustBeDirectory(nd);
    if (err == 0) err = what == FOR_STAT ? copyAttr(nd.mnt, nd.inode, true) : mayAccess(nd, arg);
    if (err == -ECHILD) return endAttempt(nd, 0, what, arg);
    at(P_ATTR_COPIED, nd.inode_, nd.dentry_);
    at(P_COMPLETE, nd.dentry_, nd.seq);
    if (readSeqRetry(nd.dentry.seq, nd.seq)) err = -ECHILD;
  }
  answered = nd.dentry_;
  nd.flags &= ~LOOKUP_RCU;
  if (!rcuReadUnlock()) return -ECHILD;
  if (err != -ECHILD) count(C_ENDED_RCU);
  return err;
}

/** Finishes a walk that came to its end (`walked` 0) or to an error, and lets go of all that it holds. */
function endAttempt(nd: Nameidata, walked: i32, what: u32, arg: u32): i32 {
  let err = walked;
  if (err == 0) err = finishWalk(nd, what, arg);
  else if (nd.rcu && err != -ECHILD && !checkRcu(nd)) err = -ECHILD;
  const keep = what == FOR_PATH;
  const ended = nd.rcu ? C_ENDED_RCU : C_ENDED_REF;
  const mnt = nd.mnt_;
  const dentry = nd.dentry_;
  answered = dentry;
  if (err == 0 && keep) {
    nd.mnt_ = 0;
    nd.dentry_ = 0;
  }
  const whole = terminateWalk(nd);
  if (err == 0 && keep) {
    nd.mnt_ = mnt;
    nd.dentry_ = dentry;
  }
  if (!whole) return -ECHILD;
  if (err != -ECHILD && err != -ESTALE) count(ended);
  return err;
}

/**
 * filename_lookup(): rcu-walk; on -ECHILD the whole of it as ref-walk, which can always finish; on -ESTALE once more with
 * LOOKUP_REVAL. `what` FOR_PATH: references in nd.mnt, nd.dentry, for the caller to put; FOR_STAT: attributes in scratch;
 * FOR_ACCESS: `arg` is the mask.
 */
export function filenameLookup(nd: Nameidata, flags: u32, what: u32, arg: u32): i32 {
  count(C_WALKS);
  let err = forceRef ? -ECHILD : attempt(nd, flags | LOOKUP_RCU, what, arg);
  if (err == -ECHILD) {
    if (!forceRef) restart(C_ECHILD, ECHILD);
    err = attempt(nd, flags, what, arg);
  }
  if (err == -ESTALE) {
    restart(C_ESTALE, ESTALE);
    err = attempt(nd, flags | LOOKUP_REVAL, what, arg);
  }
  at(P_ANSWER, err, answered);
  if (err == 0 && hasAudit) host.audit(answered, nd.inode_);
  return err;
}

/** The dentry that the last attempt came to: a number to show, not a reference. */
let answered: u32 = 0;

function restart(counter: u32, errno: i32): void {
  count(counter);
  at(P_RESTART, errno, 0);
}

/** path_parentat() */
function parentAttempt(nd: Nameidata, flags: u32): i32 {
  let err = pathInit(nd, flags);
  if (err == 0) err = walkParents(nd, nd.name);
  return endAttempt(nd, err, FOR_PATH, 0);
}

/** filename_parentat(): the directory of the last component with references, the component in nd.last and nd.lastType. */
export function filenameParentat(nd: Nameidata, flags: u32): i32 {
  count(C_WALKS);
  const f = flags | LOOKUP_PARENT;
  let err = forceRef ? -ECHILD : parentAttempt(nd, f | LOOKUP_RCU);
  if (err == -ECHILD) {
    if (!forceRef) restart(C_ECHILD, ECHILD);
    err = parentAttempt(nd, f);
  }
  if (err == -ESTALE) {
    restart(C_ESTALE, ESTALE);
    err = parentAttempt(nd, f | LOOKUP_REVAL);
  }
  if (err == 0 && hasAudit) host.audit(nd.dentry_, nd.inode_);
  return err;
}

/** Puts the references that a lookup left in nd. */
export function pathPut(nd: Nameidata): void {
  dput(nd.dentry);
  mntput(nd.mnt);
  nd.dentry_ = 0;
  nd.mnt_ = 0;
}

// The parts of a walk that open() with O_CREAT puts together in its own way (open.ts).
export function walkInit(nd: Nameidata, flags: u32): i32 {
  return pathInit(nd, flags);
}
export function walkParents(nd: Nameidata, name: usize): i32 {
  if (!nd.rcu || hasSecurity) return linkPathWalk(nd, name);
  const err = rcuWalk(nd, name, true);
  return err < 0 ? err : linkPathWalk(nd, restOfPath);
}
export function walkLast(nd: Nameidata, d: Dentry, follow: bool): i32 {
  return stepInto(nd, d, follow);
}
export function walkDots(nd: Nameidata): i32 {
  return handleDots(nd);
}
export function walkError(nd: Nameidata, err: i32): i32 {
  return nd.rcu && err != -ECHILD && !checkRcu(nd) ? -ECHILD : err;
}
