/**
 * Walks that stay below their root: RESOLVE_BENEATH and RESOLVE_IN_ROOT of a call (openat2(2)), whose root is where the walk starts, and
 * those of a context, whose root is the context's.
 *
 * Guarantees
 *  - ".." leads such a walk only to a directory that was below the root after the step had been decided, at a moment at which no
 *    rename and no change of mounts was in progress.
 *  - A fenced walk (LOOKUP_IS_FENCED) ends with a place that was below the root when the walk had reached it, or with an error. So a
 *    directory that is moved away under the walk does not take it along.
 *  - -EXDEV says that the path leads out of the root. If a rename or a change of mounts may be what has led the walk out, it begins
 *    again, and after RACE_TRIES attempts the call returns -EAGAIN, which Linux does at once.
 */

import { EAGAIN, ECHILD, EXDEV } from "../../../abi/errno";
import {
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../../abi/flags";
import * as POINT from "../../../abi/points";
import { lock, unlock } from "../../mem/lock/lock";
import { readSeqBegin, readSeqRetry } from "../../mem/lock/seqlock";
import { rcuReadLock, rcuReadUnlock } from "../../mem/smr/smr";
import { sleepUs } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { isSubdir } from "../dcache/d-lookup";
import { Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_RENAME_LOCK, G_RENAME_SEQ } from "../layout";
import { Mount, SEQ_TRIES } from "../mount/namespace";
import {
  LOOKUP_BENEATH,
  LOOKUP_CACHED,
  LOOKUP_CONTEXT_BENEATH,
  LOOKUP_CONTEXT_IN_ROOT,
  LOOKUP_IN_ROOT,
  LOOKUP_IS_FENCED,
  LOOKUP_NO_MAGICLINKS,
  LOOKUP_NO_SYMLINKS,
  LOOKUP_NO_XDEV,
  Nameidata,
  ND_CREATED,
  ND_RACED,
} from "./nameidata";

/** Mounts stacked on each other. */
export const MOUNTS_MAX: i32 = 10000;
/** How often a walk begins again that a rename may have led out of its root. */
const RACE_TRIES: i32 = 100;

/** What the RESOLVE_* bits of a call allow. */
const RESOLVE_VALID: u32 =
  RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;

/** Whether a call may ask for these RESOLVE_* bits. */
export function isResolve(resolve: u32): bool {
  const both: u32 = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
  return (resolve & ~RESOLVE_VALID) == 0 && (resolve & both) != both;
}

/** Whether a context may have them: RESOLVE_CACHED is for a call that is made again without it. */
export function isContextResolve(resolve: u32): bool {
  return (resolve & ~(RESOLVE_VALID & ~RESOLVE_CACHED)) == 0;
}

/** LOOKUP_* bits for the RESOLVE_* bits of a call; `ofContext`: of a context. */
export function resolveFlags(resolve: u32, ofContext: bool): u32 {
  let flags: u32 = 0;
  if (resolve & RESOLVE_NO_XDEV) flags |= LOOKUP_NO_XDEV;
  if (resolve & RESOLVE_NO_MAGICLINKS) flags |= LOOKUP_NO_MAGICLINKS;
  if (resolve & RESOLVE_NO_SYMLINKS) flags |= LOOKUP_NO_SYMLINKS;
  if (resolve & RESOLVE_BENEATH) flags |= ofContext ? LOOKUP_CONTEXT_BENEATH : LOOKUP_BENEATH;
  if (resolve & RESOLVE_IN_ROOT) flags |= ofContext ? LOOKUP_CONTEXT_IN_ROOT : LOOKUP_IN_ROOT;
  if (resolve & RESOLVE_CACHED) flags |= LOOKUP_CACHED;
  return flags;
}

/**
 * path_is_under(): whether (m, d) is the walk's root or below it, at a moment at which no rename and no change of mounts was
 * in progress. -1 in rcu mode (`wait` false): one is, ask again in ref mode.
 */
export function isUnderRoot(nd: Nameidata, m: Mount, d: Dentry, wait: bool): i32 {
  for (let n = 0; n < SEQ_TRIES; n++) {
    if (wait) rcuReadLock();
    const rename = readSeqBegin(G_RENAME_SEQ);
    const mounts = readSeqBegin(G_MOUNT_SEQ);
    tracepoint(POINT.RENAME_SEQ, rename, G_RENAME_SEQ);
    const under = climbsToRoot(nd, m, d);
    let ok = !readSeqRetry(G_RENAME_SEQ, rename) && !readSeqRetry(G_MOUNT_SEQ, mounts);
    if (wait && !rcuReadUnlock()) ok = false;
    if (ok) return under ? 1 : 0;
    if (!wait) return -1;
    sleepUs(10);
  }
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  const under = climbsToRoot(nd, m, d);
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  return under ? 1 : 0;
}

function climbsToRoot(nd: Nameidata, startMnt: Mount, start: Dentry): bool {
  let m = startMnt;
  let d = start;
  for (let n = 0; n < MOUNTS_MAX; n++) {
    if (m == nd.rootMnt) return isSubdir(d, nd.root);
    const parent = m.parent;
    if (parent == m) return false;
    d = m.mountpoint;
    m = parent;
  }
  return false;
}

/**
 * The error of a fenced walk at a place outside of its root: -EXDEV, if nothing has been moved since the walk began; else it may have been
 * led there, and begins again (isRaced()).
 */
export function outside(nd: Nameidata): i32 {
  if (!readSeqRetry(G_RENAME_SEQ, nd.rSeq) && !readSeqRetry(G_MOUNT_SEQ, nd.mSeq)) return -EXDEV;
  if (nd.rcu) return -ECHILD;
  nd.state |= ND_RACED;
  return -EAGAIN;
}

/** Whether the walk begins again, after this many attempts that began again. */
export function isRaced(nd: Nameidata, err: i32, attempts: i32): bool {
  return err == -EAGAIN && (nd.state & ND_RACED) != 0 && attempts < RACE_TRIES;
}

/**
 * Checks that a fenced walk has ended below its root. What an open has created is where it was checked before. An empty path is
 * the descriptor's file: nothing is walked.
 */
export function checkFence(nd: Nameidata): i32 {
  if (!(nd.flags & LOOKUP_IS_FENCED) || nd.state & ND_CREATED || nd.nameLen == 0) return 0;
  if (nd.root_ == 0) return 0;
  const under = isUnderRoot(nd, nd.mnt, nd.dentry, !nd.rcu);
  if (under == 1) return 0;
  return under == 0 ? outside(nd) : -ECHILD;
}
