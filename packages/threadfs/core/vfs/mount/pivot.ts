/**
 * pivot_root(2): the mount that is a context's root moves to another place, and a mount below it takes its place and is the context's root.
 *
 * One transaction for both moves and for the context, so that at no moment one of the mounts stands nowhere. In Linux every process
 * whose root or working directory is the old root follows; here only the calling context does, and others keep what they have.
 */

import { EBADF, EBUSY, EINVAL, ENOENT } from "../../../abi/errno";
import { corrupt, objectsMax } from "../../mem/bounds";
import { lock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { put32 } from "../../mem/undo/log";
import { isSubdir } from "../dcache/d-lookup";
import { dget, dput } from "../dcache/dcache";
import { D_UNHASHED, Dentry } from "../dcache/dentry";
import { G_MOUNT_LOCK, G_MOUNT_SEQ, G_RENAME_LOCK } from "../layout";
import { happened } from "../recovery/outcome";
import { Context, isAlive } from "../task/cred";
import { FOR_PATH, filenameLookup, pathPut } from "../walk/namei";
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, Nameidata } from "../walk/nameidata";
import { checkMnt } from "./mnt-ns";
import { lockedMnt, lockedOn, lockMount, unlockMount } from "./mount";
import { cannotMount, hashMount, hashMountAt, Mount, mntget, mntput, unhashMount } from "./namespace";

const DIRECTORY: u32 = LOOKUP_FOLLOW | LOOKUP_DIRECTORY;

/** is_path_reachable(): whether the way up from (m, d) leads to (rootMnt, root). Under the mount lock and the rename lock. */
export function isPathReachable(startMnt: Mount, start: Dentry, rootMnt: Mount, root: Dentry): bool {
  let m = startMnt;
  let d = start;
  for (let left = objectsMax(); m != rootMnt && m.parent != m; left--) {
    if (left == 0) corrupt(m.at);
    d = m.mountpoint;
    m = m.parent;
  }
  return m == rootMnt && isSubdir(d, root);
}

/** What the references of the move are on, which pivotLocked() leaves to its caller: where the new root was, and the old root. */
let fromMnt: Mount = changetype<Mount>(0);
let fromPoint: Dentry = changetype<Dentry>(0);
let oldMnt: Mount = changetype<Mount>(0);
let oldRoot: Dentry = changetype<Dentry>(0);
/** Whether the working directory was the old root too. */
let oldPwd: bool = false;

/** What pivot_root(2) refuses, in Linux's order. Under all locks. */
function checkPivot(c: Context, newMnt: Mount, newRoot: Dentry, onMnt: Mount, on: Dentry): i32 {
  if (!isAlive(c)) return -EBADF;
  const rootMnt = changetype<Mount>(<usize>c.rootMnt_);
  const root = changetype<Dentry>(<usize>c.root_);
  if (!checkMnt(c, rootMnt) || !checkMnt(c, newMnt) || !checkMnt(c, onMnt)) return -EINVAL;
  if (onMnt.group != 0 || newMnt.parent.group != 0 || rootMnt.parent.group != 0) return -EINVAL;
  if (newRoot.flags & D_UNHASHED && !newRoot.isRoot) return -ENOENT;
  if (newMnt == rootMnt || onMnt == rootMnt) return -EBUSY;
  if (root != rootMnt.root || rootMnt.parent == rootMnt) return -EINVAL;
  if (newRoot != newMnt.root || newMnt.parent == newMnt) return -EINVAL;
  if (!isPathReachable(onMnt, on, newMnt, newRoot)) return -EINVAL;
  return isPathReachable(newMnt, newRoot, rootMnt, root) ? 0 : -EINVAL;
}

/** Both moves. -ENOENT: the place of the old root has been removed, and everything is as it was. */
function exchange(rootMnt: Mount, newMnt: Mount, onMnt: Mount, on: Dentry): i32 {
  const parent = rootMnt.parent;
  const point = rootMnt.mountpoint;
  fromMnt = newMnt.parent;
  fromPoint = newMnt.mountpoint;
  unhashMount(newMnt);
  unhashMount(rootMnt);
  const err = hashMount(rootMnt, onMnt, on);
  if (err == 0) {
    // The old root's place, also if its name was removed meanwhile: the remover detaches what stands there then.
    hashMountAt(newMnt, parent, point);
    return 0;
  }
  hashMountAt(rootMnt, parent, point);
  hashMountAt(newMnt, fromMnt, fromPoint);
  return err;
}

/** Takes over the references on onMnt and on. Under the namespace lock. */
function pivotLocked(c: Context, newMnt: Mount, newRoot: Dentry, onMnt: Mount, on: Dentry): i32 {
  lock(c.lock);
  lock(G_MOUNT_LOCK);
  lock(G_RENAME_LOCK);
  let err = checkPivot(c, newMnt, newRoot, onMnt, on);
  if (err == 0) {
    oldMnt = changetype<Mount>(<usize>c.rootMnt_);
    oldRoot = changetype<Dentry>(<usize>c.root_);
    oldPwd = c.pwdMnt_ == c.rootMnt_ && c.pwd_ == c.root_;
    writeSeqBegin(G_MOUNT_SEQ);
    err = exchange(oldMnt, newMnt, onMnt, on);
    writeSeqEnd(G_MOUNT_SEQ);
    if (err == 0) {
      mntget(newMnt);
      dget(newRoot);
      if (oldPwd) {
        mntget(newMnt);
        dget(newRoot);
      }
      writeSeqBegin(c.seq);
      const words = oldPwd ? 4 : 2;
      for (let n = 0; n < words; n++) {
        const v = n & 1 ? newRoot.at : newMnt.at;
        put32(c.at + offsetof<Context>("rootMnt_") + (n << 2), <u32>v);
      }
      writeSeqEnd(c.seq);
    }
  }
  unlock(G_RENAME_LOCK);
  unlock(G_MOUNT_LOCK);
  unlock(c.lock);
  if (err == 0) happened(0);
  return err;
}

/** pivot_root(2) of the walks' context: `nd` leads to the new root, `put` to where the old one goes. */
export function doPivotRoot(nd: Nameidata, put: Nameidata): i32 {
  let err = filenameLookup(nd, DIRECTORY, FOR_PATH, 0);
  if (err != 0) return err;
  err = filenameLookup(put, DIRECTORY, FOR_PATH, 0);
  if (err == 0) {
    err = pivot(nd, put);
    pathPut(put);
  }
  pathPut(nd);
  return err;
}

/** Pivots, with the place of the old root locked. */
function pivot(nd: Nameidata, put: Nameidata): i32 {
  lockMount(put);
  const onMnt = lockedMnt;
  const on = lockedOn;
  const err = cannotMount(on) ? -ENOENT : pivotLocked(nd.ctx, nd.mnt, nd.dentry, onMnt, on);
  unlockMount();
  if (err != 0) {
    dput(on);
    mntput(onMnt);
    return err;
  }
  dput(fromPoint);
  mntput(fromMnt);
  for (let n = oldPwd ? 2 : 1; n > 0; n--) {
    dput(oldRoot);
    mntput(oldMnt);
  }
  return 0;
}
