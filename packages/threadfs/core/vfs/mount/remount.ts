/**
 * mount(2) with MS_REMOUNT: the flags of a mount, with MS_BIND these alone; without it also whether its file system is read-only, and its limits.
 *
 * What makes a mount or a file system read-only waits until every other thread has been outside of a call once (exclusion.ts), and looks at the
 * open files meanwhile. So a call that has found the mount writable has ended, and has left no file open for writing: Linux counts the
 * writers of a mount for this (mnt_hold_writers()). A change of a time of access is no such call.
 */

import { EBUSY, EINVAL } from "../../../abi/errno";
import { MS_BIND, MS_RDONLY } from "../../../abi/flags";
import { changeLimits } from "../../fs/tmpfs/quota";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { File, FMODE_PIPE, FMODE_WRITE } from "../file/file";
import { CACHE_FILE, G_MOUNT_LOCK, G_MOUNT_SEQ } from "../layout";
import { admitOthers, excludeOthers } from "../recovery/exclusion";
import { firstObjectOf, nextObject } from "../recovery/objects";
import { happened } from "../recovery/outcome";
import { Context } from "../task/cred";
import { pathPut } from "../walk/namei";
import { Nameidata } from "../walk/nameidata";
import { checkMnt } from "./mnt-ns";
import { MOUNT_FLAGS, mayMount } from "./mount";
import { Mount } from "./namespace";

/** How long it waits for calls of other threads to end before it is busy. */
const WRITERS_MS: f64 = 100;

/** Whether a file is open for writing in a mount, or with `all` in a file system. While the other threads are quiescent. */
function hasWriters(m: Mount, all: bool): bool {
  firstObjectOf(CACHE_FILE);
  for (let p = nextObject(); p != 0; p = nextObject()) {
    const f = changetype<File>(p);
    if (atomic.load<u32>(f.count) == 0 || (f.mode & (FMODE_WRITE | FMODE_PIPE)) != FMODE_WRITE) continue;
    const mnt = f.mnt;
    if (mnt && (mnt == m || (all && mnt.sb == m.sb))) return true;
  }
  return false;
}

/** Changes the flags in `mask`, and without MS_BIND the file system. In one transaction. */
function change(c: Context, m: Mount, size: f64, inodes: f64, flags: u32, mask: u32): i32 {
  const sb = m.sb;
  const whole = (flags & MS_BIND) == 0;
  const limits = whole && (size >= 0 || inodes >= 0);
  if (limits && sb.driver != 0) return -EINVAL;
  if (limits) lock(sb.quotaLock);
  lock(G_MOUNT_LOCK);
  // A mount moves in one transaction: under this lock it does not look detached meanwhile.
  let err = checkMnt(c, m) ? 0 : -EINVAL;
  if (err == 0 && limits) err = changeLimits(sb, size, inodes);
  if (err == 0) {
    // A walk in rcu mode that fails because of a flag is validated by the mount sequence.
    writeSeqBegin(G_MOUNT_SEQ);
    if (whole && mask & MS_RDONLY) sb.readonly = flags & MS_RDONLY;
    m.flags = (m.flags & ~mask) | (flags & mask);
    writeSeqEnd(G_MOUNT_SEQ);
  }
  unlock(G_MOUNT_LOCK);
  if (limits) unlock(sb.quotaLock);
  return err;
}

/** The same where a mount or a file system becomes read-only. -EBUSY: it has writers, or another thread stays in its call. */
function changeReadonly(c: Context, m: Mount, size: f64, inodes: f64, flags: u32, mask: u32): i32 {
  if (!excludeOthers(WRITERS_MS)) return -EBUSY;
  const err = hasWriters(m, (flags & MS_BIND) == 0) ? -EBUSY : change(c, m, size, inodes, flags, mask);
  admitOthers();
  return err;
}

/**
 * Changes the mount at the path in nd: the flags in `mask` become those in `flags`, MS_BIND among `flags` says that the file system stays as it is.
 * Limits as in doNewMount(); negative: as they were.
 */
export function doRemount(nd: Nameidata, size: f64, inodes: f64, flags: u32, mask: u32): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  const m = nd.mnt;
  const changed = mask & MOUNT_FLAGS;
  const readonly = (flags & changed & MS_RDONLY) != 0;
  if (nd.dentry != m.root) err = -EINVAL;
  else if (readonly) err = changeReadonly(nd.ctx, m, size, inodes, flags, changed);
  else err = change(nd.ctx, m, size, inodes, flags, changed);
  happened(err);
  pathPut(nd);
  return err;
}
