/**
 * Steps from a directory to what a component names: over mounts, up by "..", or to a link's body. Pairs of functions
 * exist where the two modes really differ.
 */

import * as DRIVER_OP from "../../../abi/driver-ops";
import * as DROP from "../../../abi/drop";
import { ECHILD, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOSPC, EXDEV } from "../../../abi/errno";
import { MS_NOSYMFOLLOW } from "../../../abi/flags";
import * as HOOK from "../../../abi/hooks";
import { PATH_MAX } from "../../../abi/limits";
import * as POINT from "../../../abi/points";
import { driverPutLink, driverReadlink, S_BODY } from "../../fs/driver/hooks";
import * as host from "../../host";
import { SLASH } from "../../mem/hash";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { scratch } from "../../mem/thread";
import { sleepUs } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { dgetParent, isSubdir } from "../dcache/d-lookup";
import { dget, dput } from "../dcache/dcache";
import { D_MOUNTED, D_NEGATIVE, D_SYMLINK, D_TYPE, Dentry } from "../dcache/dentry";
import { fgetRaw, fput } from "../file/file";
import { atimeNeedsUpdateRcu, touchAtime } from "../inode/atime";
import { I_DRIVER, Inode, inodeNumber } from "../inode/inode";
import { keepLinkBody, keepsLinkBody, linkBlockSize, linkBody } from "../inode/link";
import { G_MOUNT_SEQ, G_RENAME_LOCK, G_RENAME_SEQ } from "../layout";
import { followUp, followUpMountpoint } from "../mount/follow-up";
import { isMounted, lookupMnt, lookupMntRef, Mount, mntget, mntput, SEQ_TRIES } from "../mount/namespace";
import { kmallocSpace } from "../recovery/space";
import { hasSecurity } from "../task/thread";
import { dropRcuLink, putLink } from "./drop";
import { isUnderRoot, MOUNTS_MAX, outside } from "./fence";
import { mayFollowLink } from "./hardening";
import { askLinkBodyRcu, copyLinkBody, copyLinkBodyEnd, copyLinkBodyNul } from "./link-body";
import { errDentry } from "./lookup";
import {
  LAST_DOTDOT,
  LOOKUP_CONTEXT_IN_ROOT,
  LOOKUP_IN_ROOT,
  LOOKUP_IS_BENEATH,
  LOOKUP_IS_FENCED,
  LOOKUP_NO_MAGICLINKS,
  LOOKUP_NO_XDEV,
  MAXSYMLINKS,
  Nameidata,
  ND_JUMPED,
  ND_MOUNTS,
} from "./nameidata";
import { jumpRoot, setRoot } from "./path-init";

/** step_into(): crosses mounts, then steps onto the dentry or to its link's body. `follow`: follow a link. */
export function stepInto(nd: Nameidata, d: Dentry, follow: bool): i32 {
  const err = nd.rcu ? followMountRcu(nd, d) : traverseMounts(nd, d);
  if (err != 0) return err;
  const to = nd.pDentry;
  // The flags first: their type bits are set after the inode and cleared before it.
  const flags = to.flags;
  const inode = to.inode;
  if (nd.rcu) {
    // Decide only after the sequence is checked, and check it only after everything is read.
    if (POINTS && !inode) tracepoint(POINT.NEGATIVE, to.at, 0);
    if (readSeqRetry(to.seq, nd.nextSeq)) return -ECHILD;
    if (!inode) return -ENOENT;
    if ((flags & D_TYPE) == D_SYMLINK && follow) return pickLink(nd, inode);
    nd.seq = nd.nextSeq;
  } else {
    if (!inode || (flags & D_TYPE) == D_NEGATIVE) {
      if (POINTS) tracepoint(POINT.NEGATIVE, to.at, 0);
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

/**
 * __follow_mount_rcu(): goes down through all mounts at this dentry. The mount sequence validates what was read from
 * the table.
 */
function followMountRcu(nd: Nameidata, d: Dentry): i32 {
  nd.pMnt = nd.mnt;
  nd.pDentry = d;
  if (!(d.flags & D_MOUNTED)) return 0;
  nd.state |= ND_MOUNTS;
  tracepoint(POINT.MOUNT_CHECK, d.at, 0);
  if (readSeqRetry(d.seq, nd.nextSeq)) return -ECHILD;
  for (let n = 0; n < MOUNTS_MAX && nd.pDentry.flags & D_MOUNTED; n++) {
    const m = lookupMnt(nd.pMnt, nd.pDentry);
    if (!m) break;
    if (nd.flags & LOOKUP_NO_XDEV) return readSeqRetry(G_MOUNT_SEQ, nd.mSeq) ? -ECHILD : -EXDEV;
    // Only a reference shows an umount with MNT_EXPIRE that the mount is in use.
    if (m.expire != 0) return -ECHILD;
    nd.pMnt = m;
    nd.pDentry = m.root;
    nd.nextSeq = readSeqBegin(nd.pDentry.seq);
    tracepoint(POINT.MOUNT_DOWN, m.at, nd.pDentry_);
  }
  return readSeqRetry(G_MOUNT_SEQ, nd.mSeq) ? -ECHILD : 0;
}

/** traverse_mounts(): the same with references. Takes over the reference on `d`. */
function traverseMounts(nd: Nameidata, d: Dentry): i32 {
  nd.pMnt = nd.mnt;
  nd.pDentry = d;
  let crossed = false;
  for (let n = 0; n < MOUNTS_MAX && isMounted(nd.pDentry); n++) {
    const m = lookupMntRef(nd.pMnt, nd.pDentry);
    if (!m) break;
    if (nd.flags & LOOKUP_NO_XDEV) {
      mntput(m);
      putStep(nd);
      return -EXDEV;
    }
    dput(nd.pDentry);
    if (crossed) mntput(nd.pMnt);
    crossed = true;
    nd.pMnt = m;
    nd.pDentry = dget(m.root);
    tracepoint(POINT.MOUNT_DOWN, m.at, nd.pDentry_);
  }
  // Mounts that move meanwhile may lead back to the walk's own mount, on which it has a reference.
  if (crossed && nd.pMnt == nd.mnt) mntput(nd.pMnt);
  return 0;
}

/** handle_dots(): "." stays, ".." goes up, across mounts and never above the root. */
export function handleDots(nd: Nameidata): i32 {
  if (nd.lastType != LAST_DOTDOT) return 0;
  if (nd.root_ == 0) {
    const err = setRoot(nd);
    if (err != 0) return err;
  }
  const up = nd.rcu ? followDotdotRcu(nd) : followDotdot(nd);
  if (!up) return nd.err;
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
      tracepoint(POINT.MOUNT_UP, m.at, place.at);
      if (parent == nd.rootMnt && place == nd.root) {
        // A mount stands on the root itself: ".." stays below it.
        if (readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return errDentry(nd, -ECHILD);
        return stayRcu(nd);
      }
      if (place != parent.root) {
        if (nd.flags & LOOKUP_NO_XDEV) return errDentry(nd, readSeqRetry(G_MOUNT_SEQ, nd.mSeq) ? -ECHILD : -EXDEV);
        const inode = place.inode;
        if (readSeqRetry(G_MOUNT_SEQ, nd.mSeq) || readSeqRetry(place.seq, seq)) return errDentry(nd, -ECHILD);
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
  tracepoint(POINT.DOTDOT, old.at, parent.at);
  // Hand over hand upward: the parent's sequence has been read, and the child's must not have changed.
  if (readSeqRetry(old.seq, nd.seq)) return errDentry(nd, -ECHILD);
  if (inRoot(nd) && isUnderRoot(nd, nd.mnt, parent, false) != 1) return errDentry(nd, -ECHILD);
  if (pathConnected(nd.mnt, parent, false) <= 0) return errDentry(nd, -ECHILD);
  return parent;
}

/**
 * path_connected(): whether `d` is below the mount's root. A rename may move a directory out of a bind mount; then ".."
 * must not lead out of the mount. -1 in rcu mode (`wait` false): a rename is in progress, ask again in ref mode.
 */
function pathConnected(m: Mount, d: Dentry, wait: bool): i32 {
  const root = m.root;
  if (root.parent == root) return 1;
  for (let n = 0; n < SEQ_TRIES; n++) {
    if (wait) rcuReadLock();
    const seq = readSeqBegin(G_RENAME_SEQ);
    tracepoint(POINT.RENAME_SEQ, seq, G_RENAME_SEQ);
    const below = isSubdir(d, root);
    const ok = !readSeqRetry(G_RENAME_SEQ, seq);
    if (wait) rcuReadUnlock();
    if (ok) return below ? 1 : 0;
    if (!wait) return -1;
    sleepUs(10);
  }
  lock(G_RENAME_LOCK);
  const below = isSubdir(d, root);
  unlock(G_RENAME_LOCK);
  return below ? 1 : 0;
}

/** Whether ".." must not lead out of the walk's root. */
function inRoot(nd: Nameidata): bool {
  return (nd.flags & (LOOKUP_IS_FENCED | LOOKUP_CONTEXT_IN_ROOT)) != 0;
}

function atRoot(nd: Nameidata): bool {
  return nd.dentry == nd.root && nd.mnt == nd.rootMnt;
}

/** ".." at the walk's root, and where there is nothing above. */
function stayRcu(nd: Nameidata): Dentry {
  if (nd.flags & LOOKUP_IS_BENEATH) return errDentry(nd, outside(nd));
  tracepoint(POINT.DOTDOT, nd.dentry_, nd.dentry_);
  nd.nextSeq = nd.seq;
  return nd.dentry;
}

function stayRef(nd: Nameidata): Dentry {
  if (nd.flags & LOOKUP_IS_BENEATH) return errDentry(nd, outside(nd));
  tracepoint(POINT.DOTDOT, nd.dentry_, nd.dentry_);
  return dget(nd.dentry);
}

/** ".." in a directory that the walk's root is no ancestor of. The root of a call is above all that its walk has passed. */
function stayOutside(nd: Nameidata): Dentry {
  return nd.flags & LOOKUP_IN_ROOT ? errDentry(nd, outside(nd)) : stayRef(nd);
}

/**
 * follow_dotdot(): the same with references. -ENOENT if a rename has moved the directory out of its bind mount. With
 * a root to stay in the parent is checked, not the directory: so whatever is renamed meanwhile, the walk goes up only to a
 * place that was below its root after the step had been decided.
 */
function followDotdot(nd: Nameidata): Dentry {
  if (atRoot(nd)) return stayRef(nd);
  const from = nd.dentry;
  if (from == nd.mnt.root) {
    if (inRoot(nd) && isUnderRoot(nd, nd.mnt, from, true) != 1) return stayOutside(nd);
    const chosen = chooseMountpoint(nd);
    if (chosen < 0) return errDentry(nd, chosen);
    if (chosen == 0) return stayRef(nd);
  }
  const parent = dgetParent(nd.dentry);
  tracepoint(POINT.DOTDOT, nd.dentry_, parent.at);
  if (inRoot(nd) && isUnderRoot(nd, nd.mnt, parent, true) != 1) {
    dput(parent);
    // Behind a mount point the walk no longer has the directory that it came from.
    return nd.dentry == from || nd.flags & LOOKUP_IS_FENCED ? stayOutside(nd) : errDentry(nd, -ENOENT);
  }
  if (pathConnected(nd.mnt, parent, true) == 1) return parent;
  dput(parent);
  return errDentry(nd, -ENOENT);
}

/**
 * choose_mountpoint(): goes up from a mount's root to the first mount point that is not itself a root. 0: there is
 * none below the walk's root; -EXDEV: the walk may not leave its mount.
 */
function chooseMountpoint(nd: Nameidata): i32 {
  let m = mntget(nd.mnt);
  let err = 0;
  for (let n = 0; n < MOUNTS_MAX; n++) {
    const parent = followUp(m);
    if (!parent) break;
    const place = followUpMountpoint;
    tracepoint(POINT.MOUNT_UP, m.at, place.at);
    mntput(m);
    m = parent;
    if (parent == nd.rootMnt && place == nd.root) {
      dput(place);
      break;
    }
    if (place != parent.root) {
      if (nd.flags & LOOKUP_NO_XDEV) {
        dput(place);
        err = -EXDEV;
        break;
      }
      dput(nd.dentry);
      mntput(nd.mnt);
      nd.mnt = parent;
      nd.dentry = place;
      nd.inode = place.inode;
      return 1;
    }
    dput(place);
  }
  mntput(m);
  return err;
}

/**
 * pick_link(): pushes the link at (pMnt, pDentry) on the stack and finds its body. Takes the walk out of rcu mode where
 * pickLinkRcu() cannot follow it. Returns 1: continue with nd.body; 0: the body was "/" and is walked.
 */
function pickLink(nd: Nameidata, inode: Inode): i32 {
  const refused = nd.links >= MAXSYMLINKS ? -ELOOP : mayFollowLink(nd, inode);
  if (refused != 0) {
    if (!nd.rcu) putStep(nd);
    return refused;
  }
  nd.links += 1;
  if (nd.pMnt.flags & MS_NOSYMFOLLOW) {
    tracepoint(POINT.PERMISSION, nd.pMnt_, -ELOOP);
    // The mount sequence validates the flags, which are perhaps just being changed.
    if (nd.rcu) nd.state |= ND_MOUNTS;
    else putStep(nd);
    return -ELOOP;
  }
  if (nd.rcu) {
    const err = pickLinkRcu(nd, inode);
    if (err == 0) return followBody(nd, nd.body);
    if (err != -ECHILD) return err;
    if (!dropRcuLink(nd, DROP.LINK)) return -ECHILD;
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
  touchAtime(nd.pMnt, inode);
  let body = linkBody(inode);
  // A driver's link has a body in memory once its driver was asked for one that never changes.
  if (body == 0 && inode.mode & I_DRIVER) {
    const r = readDriverLink(inode, e);
    if (r >= DRIVER_OP.MAGIC_LINK) return jumpLink(nd, r - DRIVER_OP.MAGIC_LINK);
    if (r != 0) return r;
    body = readDriverLinkBody;
  }
  if (body == 0 || load<u8>(body) == 0) return -ENOENT;
  tracepoint(POINT.LINK, inode.at, body);
  return followBody(nd, body);
}

/**
 * pick_link() in rcu mode: pushes the link with a copy of its body (nd.body) and without a reference, so that nothing is put when it is
 * popped. -ECHILD: the driver of the link has to be asked in ref mode; the time of access must be updated; the host's hook wants to be
 * asked outside; or the body has no room.
 */
function pickLinkRcu(nd: Nameidata, inode: Inode): i32 {
  if (POINTS) tellLink(nd, inode);
  const body = <usize>nd.bodies;
  if (inode.mode & I_DRIVER) {
    // The number of the inode is still the dentry's: stepInto() has checked that, and an inode that is freed meanwhile stays one.
    const asked = linkBody(inode) == 0;
    const err = asked ? askLinkBodyRcu(inode, body) : 0;
    if (err != 0) return err;
    if (!asked && !copyLinkBody(inode, nd.pDentry.seq, nd.nextSeq, body)) return -ECHILD;
  } else if (atimeNeedsUpdateRcu(nd.pMnt, inode) || !copyLinkBody(inode, nd.pDentry.seq, nd.nextSeq, body)) {
    return -ECHILD;
  }
  if (hasSecurity) {
    const err = host.security(inodeNumber(inode), 0, 1);
    if (err != 0) return err;
  }
  if (load<u8>(body) == 0) return -ENOENT;
  const e = nd.linkAt(nd.depth);
  store<u32>(e, <u32>copyLinkBodyNul);
  store<u32>(e + 4, 0);
  store<u32>(e + 8, <u32>body);
  nd.depth += 1;
  nd.bodies = <u32>copyLinkBodyEnd;
  nd.body = <u32>body;
  tracepoint(POINT.LINK, inode.at, body);
  return 0;
}

/** Reports why a link is not followed in rcu mode: in the debug build. */
function tellLink(nd: Nameidata, inode: Inode): void {
  if (inode.mode & I_DRIVER) {
    const inRcu = linkBody(inode) != 0 || (inode.sb.hooks & HOOK.RCU_READLINK && !keepsLinkBody(inode));
    if (!inRcu) tracepoint(POINT.LINK_REF, inode.at, 1);
  } else if (atimeNeedsUpdateRcu(nd.pMnt, inode)) tracepoint(POINT.LINK_REF, inode.at, 2);
}

/** Begins with the body of the link on top of the stack: 1: continue with nd.body; 0: it was "/", is walked and popped. */
function followBody(nd: Nameidata, start: usize): i32 {
  let body = start;
  if (load<u8>(body) == SLASH) {
    const err = jumpRoot(nd);
    if (err != 0) return err;
    while (load<u8>(body) == SLASH) body++;
    if (load<u8>(body) == 0) {
      putLink(nd);
      return 0;
    }
  }
  nd.body = <u32>body;
  return 1;
}

/**
 * nd_jump_link(): the link leads to the open file of a descriptor of the caller itself, by whatever name it was opened, and to no path. Pops
 * the link. Returns 0 or -errno.
 */
function jumpLink(nd: Nameidata, fd: i32): i32 {
  if (nd.flags & LOOKUP_NO_MAGICLINKS) return -ELOOP;
  if (inRoot(nd)) return -EXDEV;
  const f = fgetRaw(nd.ctx, fd);
  if (!f) return -ENOENT;
  if (nd.flags & LOOKUP_NO_XDEV && f.mnt != nd.mnt) {
    fput(f);
    return -EXDEV;
  }
  const oldMnt = nd.mnt;
  const old = nd.dentry;
  nd.mnt = mntget(f.mnt);
  nd.dentry = dget(f.dentry);
  nd.inode = f.inode;
  nd.state |= ND_JUMPED;
  fput(f);
  dput(old);
  mntput(oldMnt);
  putLink(nd);
  return 0;
}

/** Second return value of readDriverLink(): the body. */
let readDriverLinkBody: usize = 0;

/**
 * i_op->get_link(): 0, -errno, or from DRIVER_OP.MAGIC_LINK on a descriptor. Copies the driver's body, because the next hook overwrites the area that
 * it is in: into the inode, if it never changes, else to the link at `e` of the stack.
 */
function readDriverLink(inode: Inode, e: usize): i32 {
  if (!(inode.sb.hooks & HOOK.READLINK)) return -EINVAL;
  const n = driverReadlink(inode);
  if (n < 0 || n >= DRIVER_OP.MAGIC_LINK) return n;
  if (n > PATH_MAX) return -ENAMETOOLONG;
  if (keepsLinkBody(inode) && n != 0) {
    readDriverLinkBody = keepLinkBody(inode, scratch + S_BODY, n);
    if (inode.sb.hooks & HOOK.PUT_LINK) driverPutLink(inode);
    return readDriverLinkBody == 0 ? -ENOSPC : 0;
  }
  const body = kmallocSpace(linkBlockSize(n));
  if (body == 0) return -ENOSPC;
  memory.copy(body, scratch + S_BODY, n);
  store<u8>(body + n, 0);
  store<u32>(e + 8, <u32>body);
  readDriverLinkBody = body;
  return 0;
}
