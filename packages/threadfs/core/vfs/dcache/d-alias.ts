/**
 * Binds the inode that a file system has found for a name. A directory has one dentry: if it is known under another name
 * or in another directory, that dentry moves here, with all mounts on it and below it.
 *
 * Guarantees
 *  - What decides about the move (the old parent, whether the directories are below each other, whether a mount would
 *    get out of reach) is read under locks that hold until the move has been made. So the tree stays a tree.
 *  - The caller holds the new parent's i_mutex. s_vfs_rename_mutex and the old parent's i_mutex come before it in the
 *    lock order, and are only tried: if another thread holds one, the caller releases all of its mutexes and looks again.
 */

import { ELOOP, ESTALE } from "../../../abi/errno";
import * as POINT from "../../../abi/points";
import { corrupt } from "../../mem/bounds";
import { isOwner, lock, mutexTryLock, mutexUnlock, unlock } from "../../mem/lock/lock";
import { lockrefGetNotDead, lockrefIsDead } from "../../mem/lock/lockref";
import { waitFor } from "../../mem/wait";
import { tracepoint } from "../../tracepoints";
import { Inode } from "../inode/inode";
import { iput } from "../inode/iput";
import { G_MOUNT_LOCK, G_RENAME_LOCK } from "../layout";
import { hasMountBelow } from "../mount/mountpoint";
import { isBelowRemoved, isSubdir } from "./d-lookup";
import { dMove } from "./d-move";
import { dAdd, dget, dput } from "./dcache";
import { Dentry } from "./dentry";

/** ERESTARTNOINTR: never leaves the core. The caller releases its mutexes, waits a little, and looks again. */
export const ERESTARTNOINTR: i32 = 513;
/** Turns of a search for the dentry of a directory; each further one was caused by another thread's change. */
const ALIAS_TRIES: i32 = 1 << 16;

/** Second return value of dSpliceAlias() when it returns null: -errno or -ERESTARTNOINTR. */
export let spliceError: i32 = 0;
/** With -ERESTARTNOINTR: the mutex that another thread holds. */
export let spliceBusy: usize = 0;

function noDentry(): Dentry {
  return changetype<Dentry>(0);
}

/**
 * d_splice_alias(): binds `i`, whose reference it takes over, to `d`, which is in lookup, and hashes it; or moves the
 * dentry that the directory has to the place of `d`. Returns the dentry with the caller's reference; null:
 * `spliceError`. -ELOOP: the directory is `d`'s own ancestor. -ESTALE: `d` is below a directory that has been removed,
 * and a mount on the directory would get out of reach (Linux moves it there). The caller holds the parent's i_mutex.
 */
export function dSpliceAlias(d: Dentry, i: Inode): Dentry {
  for (let n = 0; n < ALIAS_TRIES; n++) {
    if (dAdd(d, i)) return d;
    const alias = dFindAlias(i);
    // It has been freed meanwhile.
    if (!alias) continue;
    iput(i);
    const err = dUnalias(d, alias);
    dput(d);
    if (err == 0) return alias;
    dput(alias);
    spliceError = err;
    return noDentry();
  }
  corrupt(i.at);
  return noDentry();
}

/** __d_find_any_alias(): the dentry of a directory's inode, with a reference; null if there is none. */
export function dFindAlias(i: Inode): Dentry {
  let deadline: f64 = 0;
  while (true) {
    lock(i.lock);
    const d = changetype<Dentry>(<usize>i.alias);
    const got = d ? lockrefGetNotDead(d.lockref, false) : false;
    const none = !d || (!got && lockrefIsDead(d.lockref));
    unlock(i.lock);
    if (got) return d;
    if (none) return noDentry();
    // Its lock is held, perhaps to kill it. d_lock comes before i_lock, so waiting happens outside.
    deadline = waitFor(deadline, d.lockref);
  }
}

/**
 * __d_unalias(): moves a directory's dentry to the place of `d`. The caller's mutex keeps entries of d's parent there
 * and others out, so whether `alias` is one of them is known before any other lock is taken.
 */
function dUnalias(d: Dentry, alias: Dentry): i32 {
  if (isAncestor(alias, d)) return -ELOOP;
  if (alias.parent == d.parent) return moveAlias(d, alias);
  const rename = d.sb.renameMutex;
  const tookRename = !isOwner(rename);
  if (tookRename && !mutexTryLock(rename)) return busy(rename);
  // No directory gets another parent while s_vfs_rename_mutex is held.
  const from = dget(alias.parent);
  const mutex = from.inode.mutex;
  const tookFrom = !isOwner(mutex);
  let err = 0;
  if (tookFrom && !mutexTryLock(mutex)) {
    err = busy(mutex);
  } else {
    err = moveAlias(d, alias);
    if (tookFrom) mutexUnlock(mutex);
  }
  if (tookRename) mutexUnlock(rename);
  // The move may have taken its last entry.
  dput(from);
  return err;
}

function busy(mutex: usize): i32 {
  spliceBusy = mutex;
  return -ERESTARTNOINTR;
}

function isAncestor(above: Dentry, d: Dentry): bool {
  lock(G_RENAME_LOCK);
  const is = isSubdir(d, above);
  unlock(G_RENAME_LOCK);
  return is;
}

/** The move and what it depends on, in one transaction. */
function moveAlias(d: Dentry, alias: Dentry): i32 {
  tracepoint(POINT.UNALIAS, d.at, alias.at);
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  const from = alias.parent;
  let err = 0;
  let left = false;
  if (isSubdir(d, alias)) err = -ELOOP;
  else if (isBelowRemoved(d) && hasMountBelow(alias)) err = -ESTALE;
  else left = dMove(alias, d, false);
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  if (left) dput(from);
  return err;
}
