/**
 * Leaving rcu mode (Linux: try_to_unlazy()): the walk takes references on what it has pointers to, or has to start
 * again.
 *
 * Guarantees
 *  - All or nothing. On success every pair is referenced, and its sequence has not changed since the walk read it. On
 *    failure the references already taken are dropped after the read-side section has ended, and nothing is left in the
 *    walk's state.
 *  - A walk that has left rcu mode never returns to it. Dropping does not wait: a lock that stays taken counts as a
 *    failure.
 */

import * as COUNTER from "../../../abi/counters";
import * as DRIVER_OP from "../../../abi/driver-ops";
import * as DROP from "../../../abi/drop";
import { ECHILD, ESTALE } from "../../../abi/errno";
import * as HOOK from "../../../abi/hooks";
import * as POINT from "../../../abi/points";
import { driverPutLink, driverRevalidate, revalidatedSeq } from "../../fs/driver/hooks";
import { slabFree } from "../../mem/alloc/slab";
import { lock, unlock } from "../../mem/lock/lock";
import { lockrefGetNotDead } from "../../mem/lock/lockref";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadUnlock, rcuValid } from "../../mem/smr/smr";
import { count } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { dgetParent } from "../dcache/d-lookup";
import { dentryModeChanged, dput } from "../dcache/dcache";
import { D_GENERATION, D_OP_REVALIDATE, D_REVAL_DOT, Dentry, isCurrent } from "../dcache/dentry";
import { refreshDriver } from "../inode/icache";
import { I_DRIVER } from "../inode/inode";
import { G_MOUNT_SEQ } from "../layout";
import { Mount, mntgetNotZero, mntput, mntputNoExpire, rootMount } from "../mount/namespace";
import { SuperBlock } from "../mount/super";
import { tryEnterActive } from "../recovery/quiescence";
import { holdContext } from "../task/context-ref";
import { Context } from "../task/cred";
import {
  LOOKUP_CACHED,
  LOOKUP_IS_SCOPED,
  LOOKUP_RCU,
  LOOKUP_REVAL,
  Nameidata,
  ND_DROPPED,
  ND_JUMPED,
  ND_ROOT_GRABBED,
} from "./nameidata";

/** The walk is complete and its caller wants references: not a fallback, and not counted. */
export const DROP_NONE: u32 = 6;

/** Compile-time check: each reason has the counter of its name. */
function checkReasons(): void {
  if (COUNTER.dropUncached + DROP.PERMISSION != COUNTER.dropPermission) ERROR("dropPermission");
  if (COUNTER.dropUncached + DROP.REVALIDATE != COUNTER.dropRevalidate) ERROR("dropRevalidate");
  if (COUNTER.dropUncached + DROP.LINK != COUNTER.dropLink) ERROR("dropLink");
  if (COUNTER.dropUncached + DROP.REVAL_DOT != COUNTER.dropRevalDot) ERROR("dropRevalDot");
  if (COUNTER.dropUncached + DROP.CREATE != COUNTER.dropCreate) ERROR("dropCreate");
}

function recordDrop(nd: Nameidata, reason: u32): void {
  checkReasons();
  nd.state |= ND_DROPPED;
  if (reason == DROP_NONE) return;
  count(COUNTER.dropUncached + reason);
  tracepoint(POINT.DROP, reason, nd.dentry_);
}

/** Takes a reference on a mount; valid if the mount sequence has not changed since the walk began. */
function legitimizeMnt(nd: Nameidata, m: Mount): bool {
  if (!mntgetNotZero(m)) return false;
  nd.addPending(<u32>m.at | 1);
  return !readSeqRetry(G_MOUNT_SEQ, nd.mSeq);
}

/** __d_rcu_to_refcount(): takes a reference; valid if the sequence is still the one that the walk read. */
function legitimizeDentry(nd: Nameidata, d: Dentry, seq: u32): bool {
  if (!lockrefGetNotDead(d.lockref, false)) return false;
  nd.addPending(<u32>d.at);
  tracepoint(POINT.UNLAZY_HALF, d.at, seq);
  return !readSeqRetry(d.seq, seq);
}

function legitimizePath(nd: Nameidata, m: Mount, d: Dentry, seq: u32): bool {
  return legitimizeMnt(nd, m) && legitimizeDentry(nd, d, seq);
}

/** Whether the walk's root is still the context's, from which it has it. */
function isContextRoot(nd: Nameidata): bool {
  const c = nd.ctx;
  const seq = readSeqBegin(c.seq);
  const same =
    atomic.load<u32>(c.at + offsetof<Context>("rootMnt_")) == nd.rootMnt_ &&
    atomic.load<u32>(c.at + offsetof<Context>("root_")) == nd.root_;
  return same && !readSeqRetry(c.seq, seq);
}

/** Takes references on the walk's root, if it has one, which must be unchanged. */
function legitimizeRoot(nd: Nameidata): bool {
  if (nd.root_ == 0) return true;
  if (!(nd.flags & LOOKUP_IS_SCOPED) && !isContextRoot(nd)) return false;
  // The root of the root mount lasts as long as the tree, and never changes: every walk that left rcu mode would write its count.
  if (nd.rootMnt == rootMount() && nd.root == nd.rootMnt.root) return true;
  if (!legitimizePath(nd, nd.rootMnt, nd.root, nd.rootSeq)) return false;
  nd.state |= ND_ROOT_GRABBED;
  return true;
}

/** Ends rcu mode. On failure clears the pointers in the walk's state. */
function leaveRcu(nd: Nameidata, legitimate: bool): bool {
  const ok = legitimate && holdContext(nd.ctx, nd.ctxNumber);
  nd.flags &= ~LOOKUP_RCU;
  rcuReadUnlock();
  if (ok) {
    nd.pending = 0;
  } else {
    putPending(nd);
    nd.mnt_ = 0;
    nd.dentry_ = 0;
    nd.inode_ = 0;
    nd.root_ = 0;
    nd.rootMnt_ = 0;
    nd.state &= ~ND_ROOT_GRABBED;
    count(COUNTER.dropFailed);
  }
  tracepoint(POINT.DROPPED, ok ? 1 : 0, nd.dentry_);
  return ok;
}

function putPending(nd: Nameidata): void {
  while (nd.pending != 0) {
    const ref = load<u32>(nd.pendingAt(--nd.pending));
    if (ref & 1) mntputNoExpire(changetype<Mount>(<usize>(ref & ~1)));
    else dput(changetype<Dentry>(<usize>ref));
  }
}

/** Whether the walk may take references. One with RESOLVE_CACHED takes them at its end alone. */
function mayLeaveRcu(nd: Nameidata): bool {
  return !(nd.flags & LOOKUP_CACHED) && tryEnterActive() && rcuValid();
}

/** try_to_unlazy(), nameidata_drop_rcu(): takes references at the current dentry; false: -ECHILD. */
export function dropRcu(nd: Nameidata, reason: u32): bool {
  recordDrop(nd, reason);
  const ok = mayLeaveRcu(nd) && legitimizePath(nd, nd.mnt, nd.dentry, nd.seq) && legitimizeRoot(nd);
  return leaveRcu(nd, ok);
}

/**
 * try_to_unlazy_next(), nameidata_dentry_drop_rcu(): takes references on the current dentry and on the child just
 * found. The child's sequence validates both, because the parent's was checked after the child's was read.
 */
export function dropRcuNext(nd: Nameidata, child: Dentry, reason: u32): bool {
  recordDrop(nd, reason);
  let ok = mayLeaveRcu(nd) && legitimizeMnt(nd, nd.mnt);
  if (ok) {
    ok = lockrefGetNotDead(nd.dentry.lockref, false);
    if (ok) nd.addPending(nd.dentry_);
  }
  ok = ok && legitimizeDentry(nd, child, nd.nextSeq) && legitimizeRoot(nd);
  return leaveRcu(nd, ok);
}

/**
 * The same for a link at (pMnt, pDentry), which may be in another mount: takes references on the link and on the
 * current position.
 */
export function dropRcuLink(nd: Nameidata, reason: u32): bool {
  recordDrop(nd, reason);
  const ok =
    mayLeaveRcu(nd) &&
    legitimizePath(nd, nd.pMnt, nd.pDentry, nd.nextSeq) &&
    legitimizePath(nd, nd.mnt, nd.dentry, nd.seq) &&
    legitimizeRoot(nd);
  return leaveRcu(nd, ok);
}

/**
 * complete_walk(), nameidata_drop_rcu_last(): takes references at the end of the walk. If the path ended in a jump on a
 * file system with FS_REVAL_DOT, revalidates the last dentry. Returns 0, -ECHILD, -ESTALE or the driver's error.
 */
export function completeWalk(nd: Nameidata): i32 {
  const ask = mustRevalidateJump(nd);
  if (nd.rcu) {
    // The root is not needed any more, so it is not referenced.
    nd.root_ = 0;
    nd.rootMnt_ = 0;
    nd.flags &= ~LOOKUP_CACHED;
    if (!dropRcu(nd, ask ? DROP.REVAL_DOT : DROP_NONE)) return -ECHILD;
  }
  if (!ask || !mustRevalidate(nd, nd.dentry, nd.mnt.sb)) return 0;
  const parent = dgetParent(nd.dentry);
  const r = dRevalidate(nd.dentry, parent, nd.flags & LOOKUP_REVAL ? 1 : 0);
  dput(parent);
  if (r > 0) return 0;
  return r < 0 ? r : -ESTALE;
}

/** Whether the driver has to be asked about a dentry of this file system: it has a revalidate() and no generation number that is unchanged. */
export function mustRevalidate(nd: Nameidata, d: Dentry, sb: SuperBlock): bool {
  const flags = d.flags;
  if (!(flags & D_OP_REVALIDATE)) return false;
  return !(flags & D_GENERATION) || (nd.flags & LOOKUP_REVAL) != 0 || !isCurrent(d, sb);
}

/** Whether a walk that ends here, in a jump, has to ask the driver (FS_REVAL_DOT). */
export function mustRevalidateJump(nd: Nameidata): bool {
  if (!(nd.state & ND_JUMPED) || !(nd.dentry.flags & D_REVAL_DOT)) return false;
  return !(nd.dentry.flags & D_GENERATION) || mustRevalidate(nd, nd.dentry, nd.mnt.sb);
}

/**
 * driverRevalidate(), which may also leave the node's present attributes: takes them over. Those of another node, or for a
 * name that did not exist, mean that the dentry is stale. A dentry that is valid is so under the generation number from before the hook: what
 * the driver takes back meanwhile is asked about again.
 */
export function dRevalidate(d: Dentry, parent: Dentry, flags: u32): i32 {
  const generation = d.sb.generation;
  const r = driverRevalidate(d, parent, flags);
  if (r <= 0) return r;
  const i = d.inode;
  const refreshed = r == DRIVER_OP.REFRESHED;
  if (refreshed && (!i || !refreshDriver(i))) return DRIVER_OP.STALE;
  if (d.flags & D_GENERATION) setGeneration(d, generation, revalidatedSeq);
  if (refreshed && i.isDir) dentryModeChanged(i);
  return r;
}

/** The dentry is good under this generation number, unless it is another name, or the name of another node, since its sequence was `seq`. */
function setGeneration(d: Dentry, generation: u64, seq: u32): void {
  lock(d.lockref);
  if (!(seq & 1) && atomic.load<u32>(d.seq) == seq && d.generation < generation) d.generation = generation;
  unlock(d.lockref);
}

/**
 * put_link(): pops the top link of the stack, and calls its file system's put_link once. One that was followed in rcu mode has no reference
 * to put, whatever mode the walk is in now: only the room of its body's copy is free again.
 */
export function putLink(nd: Nameidata): void {
  const e = nd.linkAt(--nd.depth);
  if (load<u32>(e + 4) == 0) {
    nd.bodies = load<u32>(e + 8);
    return;
  }
  const m = changetype<Mount>(<usize>load<u32>(e));
  const d = changetype<Dentry>(<usize>load<u32>(e + 4));
  const body = <usize>load<u32>(e + 8);
  if (body != 0) {
    const i = d.inode;
    if (i && i.mode & I_DRIVER && i.sb.hooks & HOOK.PUT_LINK) driverPutLink(i);
    slabFree(body);
  }
  dput(d);
  mntput(m);
}

/**
 * terminate_walk(): drops everything the walk still holds. False: the thread was expelled from its read-side section.
 */
export function terminateWalk(nd: Nameidata): bool {
  let valid = true;
  if (nd.rcu) {
    nd.flags &= ~LOOKUP_RCU;
    valid = rcuReadUnlock();
  } else {
    if (nd.dentry_ != 0) dput(nd.dentry);
    if (nd.mnt_ != 0) mntput(nd.mnt);
    if (nd.state & ND_ROOT_GRABBED) {
      dput(nd.root);
      mntput(nd.rootMnt);
    }
  }
  nd.mnt_ = 0;
  nd.dentry_ = 0;
  nd.state &= ~ND_ROOT_GRABBED;
  while (nd.depth != 0) putLink(nd);
  return valid;
}
