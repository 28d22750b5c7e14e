/** mount(2) and umount2(2): the calls. What they do to the tree of mounts is in namespace.ts, copy-tree.ts, remount.ts and umount.ts. */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { EBUSY, EINVAL, ENOENT, ENOSPC, ENOTDIR, EOPNOTSUPP, EPERM } from "../../../abi/errno";
import {
  FS_GENERATION,
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_REC,
  MS_STRICTATIME,
  UMOUNT_NOFOLLOW,
} from "../../../abi/flags";
import { CAP_SYS_ADMIN } from "../../../abi/permissions";
import * as POINT from "../../../abi/points";
import { callDriver } from "../../fs/driver/hooks";
import { tmpfsSuper } from "../../fs/tmpfs/tmpfs";
import { slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, mutexLock, mutexUnlock, unlock } from "../../mem/lock/lock";
import { tracepoint } from "../../tracepoints";
import { dAllocRoot } from "../dcache/d-alloc";
import { dget, dInstantiate, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { igetDriver } from "../inode/icache";
import { Inode } from "../inode/inode";
import { iput } from "../inode/iput";
import { G_MOUNT_LOCK } from "../layout";
import { happened } from "../recovery/outcome";
import { retire } from "../recovery/reclaim";
import { Context, capable } from "../task/cred";
import { FOR_PATH, filenameLookup, pathPut } from "../walk/namei";
import { LOOKUP_FOLLOW, Nameidata } from "../walk/nameidata";
import { attachTree, beginAttach, left, movedFrom, movedFromPoint, moveMount } from "./attach";
import { beginOrigins, COPY_CLONE, copied, copyList, dropCopies } from "./copy-tree";
import { umountTree } from "./do-umount";
import { checkMnt } from "./mnt-ns";
import {
  cannotMount,
  listAdd,
  lockNamespace,
  lookupMntRef,
  Mount,
  mntget,
  mntput,
  mntputNoExpire,
  newMount,
  unlockNamespace,
} from "./namespace";
import { changeType, hasRoom, listTree } from "./pnode";
import { addDriverMount, dropDriverMount, newSuper, SuperBlock, setSource } from "./super";
import { putDetached } from "./umount";

/** Bound of mounts stacked at one place. */
const STACKED_MAX: i32 = 100000;
/** The flags of a mount itself. */
export const MOUNT_FLAGS: u32 =
  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW | MS_NOATIME | MS_NODIRATIME | MS_STRICTATIME;

/** The flags of a mount that had `old`, where `flags` are given too. As in mount(2), MS_STRICTATIME wins over MS_NOATIME. */
function withFlags(old: u32, flags: u32): u32 {
  const times: u32 = MS_NOATIME | MS_STRICTATIME;
  const kept = flags & times ? old & ~times : old;
  const all = (kept | flags) & MOUNT_FLAGS;
  return all & MS_STRICTATIME ? all & ~MS_NOATIME : all;
}

/** Creates a file system: type 0 in memory, else a driver's number. null: nd.err. */
function makeSuper(nd: Nameidata, type: f64, readonly: bool, size: f64, inodes: f64): SuperBlock {
  const none = changetype<SuperBlock>(0);
  if (type == 0) {
    const sb = tmpfsSuper(0x3ff, readonly, size, inodes);
    if (!sb) nd.err = -ENOSPC;
    return sb;
  }
  // Count the mount first, so that the driver cannot be unregistered while it is asked for its root.
  const driver = addDriverMount(type);
  nd.err = min(driver, 0);
  if (nd.err != 0) return none;
  const sb = newSuper(driver, readonly);
  if (!sb) {
    nd.err = -ENOSPC;
    dropDriverMount(driver);
    return none;
  }
  nd.err = driverRoot(sb);
  if (nd.err == 0) return sb;
  dropDriverMount(driver);
  slabFree(sb.at);
  return none;
}

function driverRoot(sb: SuperBlock): i32 {
  const err = <i32>callDriver(DRIVER_OP.ROOT, sb, 0, 0, 0, 0);
  if (err != 0) return err;
  const i = igetDriver(sb, changetype<Inode>(0));
  if (!i) return -ENOSPC;
  if (!i.isDir) {
    iput(i);
    return -ENOTDIR;
  }
  const d = dAllocRoot(sb);
  if (!d) {
    iput(i);
    return -ENOSPC;
  }
  dInstantiate(d, i);
  sb.root_ = <u32>d.at;
  return 0;
}

/** Return values of lockMount(): the place, with references for the caller to put. */
export let lockedMnt: Mount = changetype<Mount>(0);
export let lockedOn: Dentry = changetype<Dentry>(0);
let lockedMutex: usize = 0;

/**
 * lock_mount(): locks the place at the path in nd, whose references it does not take over, on top of what another thread may have mounted
 * there since the walk: its i_mutex and the namespace, until unlockMount().
 */
export function lockMount(nd: Nameidata): void {
  let onMnt = mntget(nd.mnt);
  let on = dget(nd.dentry);
  for (let n = 0; ; n++) {
    const mutex = on.inode.mutex;
    mutexLock(mutex);
    lockNamespace();
    const above = lookupMntRef(onMnt, on);
    if (!above) break;
    unlockNamespace();
    mutexUnlock(mutex);
    if (n == STACKED_MAX) corrupt(onMnt.at);
    dput(on);
    mntput(onMnt);
    onMnt = above;
    on = dget(above.root);
  }
  lockedMnt = onMnt;
  lockedOn = on;
  lockedMutex = on.inode.mutex;
}

/** unlock_mount(). The references stay. */
export function unlockMount(): void {
  unlockNamespace();
  mutexUnlock(lockedMutex);
}

/** What is to be mounted: a new mount; a bind of the mount in `source`, alone or with those below it; a mount that moves. */
const GRAFT_NEW: i32 = 0;
const GRAFT_BIND: i32 = 1;
const GRAFT_TREE: i32 = 2;
const GRAFT_MOVE: i32 = 3;

/** The flags of a bind, beside those of its source. */
let bindFlags: u32 = 0;

/**
 * graft_tree(): mounts `m` at the path in nd, as lockMount() finds it; for a bind a copy of `m` with `root` as its root. On failure a new mount
 * is put.
 */
function graftMount(m: Mount, root: Dentry, nd: Nameidata, how: i32): i32 {
  lockMount(nd);
  const onMnt = lockedMnt;
  const on = lockedOn;
  failed = changetype<Mount>(0);
  const err = graftMountLocked(nd.ctx, m, root, onMnt, on, how);
  const list = failed;
  unlockMount();
  if (err != 0) {
    putDetached(list);
    dput(on);
    mntput(onMnt);
    if (how == GRAFT_NEW) mntput(m);
  } else if (how == GRAFT_MOVE) {
    dput(movedFromPoint);
    mntput(movedFrom);
  }
  return err;
}

/** What a graft that failed leaves to be put. */
let failed: Mount = changetype<Mount>(0);

/** Whether a mount is detached is known only under the namespace lock: it looks so in the middle of a move. */
function graftMountLocked(c: Context, m: Mount, root: Dentry, onMnt: Mount, on: Dentry, how: i32): i32 {
  tracepoint(POINT.MOUNT_CHECK, on.at, 1);
  if (cannotMount(on)) return -ENOENT;
  tracepoint(POINT.MOUNT_CHECK, on.at, 2);
  // A lazily unmounted mount takes no more mounts, because nothing could unmount them again.
  if ((how != GRAFT_NEW && !checkMnt(c, m)) || !checkMnt(c, onMnt)) return -EINVAL;
  let err = 0;
  if (how == GRAFT_MOVE) {
    err = moveMount(m, onMnt, on);
    failed = left;
  } else {
    if (how != GRAFT_NEW && m.unbindable) return -EINVAL;
    if (on.inode.isDir != root.inode.isDir) return -ENOTDIR;
    beginAttach();
    if (how == GRAFT_NEW) {
      lock(G_MOUNT_LOCK);
      listAdd(m);
      unlock(G_MOUNT_LOCK);
      m.copyNext = 0;
      err = attachTree(m, onMnt, on, false);
      failed = left;
      if (err != 0) failed = dropCopies(m, failed);
    } else err = bindLocked(m, root, onMnt, on, how == GRAFT_TREE);
  }
  if (err == 0) happened(0);
  return err;
}

/** Attaches a copy of `source`, with `root` as its root. */
function bindLocked(source: Mount, root: Dentry, onMnt: Mount, on: Dentry, recursive: bool): i32 {
  let n: u32 = 1;
  if (recursive) n = listTree(source, root, true);
  else source.copyNext = 0;
  beginOrigins(source);
  for (let p = source; p; p = changetype<Mount>(<usize>p.copyNext))
    if ((p.group != 0 || p.master) && !hasRoom(p, n)) return -ENOSPC;
  let err = copyList(source, root, source, COPY_CLONE);
  const m = copied;
  if (!m) return err;
  m.flags = withFlags(m.flags, bindFlags);
  if (err == 0) err = attachTree(m, onMnt, on, false);
  if (err == 0) return 0;
  // It stands nowhere, so there are no references on a place to put.
  failed = dropCopies(m, left);
  m.oldParent = <u32>mntget(onMnt).at;
  m.oldPoint = <u32>dget(on).at;
  m.detachedNext = <u32>changetype<usize>(failed);
  failed = m;
  return err;
}

/**
 * Walks to the place of a mount, then asks for the privilege (may_mount()). On success nd has references; the privilege is
 * asked for after the walk because only the walk finds the context, and as in Linux a missing path is ENOENT for everyone.
 */
export function mayMount(nd: Nameidata): i32 {
  return mayMountAt(nd, LOOKUP_FOLLOW);
}

function mayMountAt(nd: Nameidata, lookup: u32): i32 {
  const err = filenameLookup(nd, lookup, FOR_PATH, 0);
  if (err != 0 || capable(nd.ctx, CAP_SYS_ADMIN)) return err;
  pathPut(nd);
  return -EPERM;
}

/**
 * Mounts a new file system at the path in nd. Limits of one in memory: `size` in bytes, `inodes`; 0: none. `source`: what the list of mounts
 * shows, `sourceLen` bytes.
 */
export function doNewMount(
  nd: Nameidata,
  type: f64,
  flags: u32,
  size: f64,
  inodes: f64,
  source: usize,
  sourceLen: u32,
): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  const sb = makeSuper(nd, type, (flags & MS_RDONLY) != 0, size, inodes);
  if (!sb) {
    pathPut(nd);
    return nd.err;
  }
  setSource(sb, source, sourceLen);
  const m = newMount(sb, dget(sb.root), withFlags(0, flags));
  if (m) err = graftMount(m, m.root, nd, GRAFT_NEW);
  else {
    // The first mount would have taken these over.
    dput(sb.root);
    err = dropSuper(sb);
  }
  pathPut(nd);
  return err;
}

function dropSuper(sb: SuperBlock): i32 {
  const d = sb.root;
  sb.root_ = 0;
  dput(d);
  dropDriverMount(sb.driver);
  retire(sb.at);
  return -ENOSPC;
}

/**
 * mount --bind: mounts the directory or file in `from` at the path in nd too, with the flags of its mount and those in `flags`; with MS_REC
 * also the mounts below it, with their own.
 */
export function doBind(from: Nameidata, nd: Nameidata, flags: u32): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  err = filenameLookup(from, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err == 0) {
    bindFlags = flags;
    err = graftMount(from.mnt, from.dentry, nd, flags & MS_REC ? GRAFT_TREE : GRAFT_BIND);
    pathPut(from);
  }
  pathPut(nd);
  return err;
}

/** mount --move: moves the mount whose root is in `from` to the path in nd. */
export function doMoveMount(from: Nameidata, nd: Nameidata): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  err = filenameLookup(from, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err == 0) {
    err = from.dentry == from.mnt.root ? graftMount(from.mnt, from.dentry, nd, GRAFT_MOVE) : -EINVAL;
    pathPut(from);
  }
  pathPut(nd);
  return err;
}

/** mount --make-shared and the like: how the mount at the path in nd, with MS_REC also those below it, shares what is mounted in it. */
export function doChangeType(nd: Nameidata, flags: u32): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  if (nd.dentry != nd.mnt.root) err = -EINVAL;
  else {
    lockNamespace();
    err = checkMnt(nd.ctx, nd.mnt) ? changeType(nd.mnt, flags) : -EINVAL;
    happened(err);
    unlockNamespace();
  }
  pathPut(nd);
  return err;
}

/**
 * Moves the generation number of the file system that is mounted at the path in nd: its driver is asked again about every entry. -EINVAL: not
 * the root of a mount; -EOPNOTSUPP: the file system has no generation number.
 */
export function doInvalidate(nd: Nameidata): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  const sb = nd.mnt.sb;
  if (nd.dentry != nd.mnt.root) err = -EINVAL;
  else if (!(sb.fsFlags & FS_GENERATION)) err = -EOPNOTSUPP;
  else {
    // Pairs with the load in isCurrent(): what the driver has changed before is seen by whoever asks it after that.
    atomic.add<u64>(sb.generationAt, 1);
    happened(0);
  }
  pathPut(nd);
  return err;
}

/** umount2(2) */
export function doUmount(nd: Nameidata, flags: u32): i32 {
  if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) return -EINVAL;
  let err = mayMountAt(nd, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
  if (err != 0) return err;
  const m = nd.mnt;
  if (nd.dentry != m.root) err = -EINVAL;
  else if (flags & MNT_EXPIRE && (m == changetype<Mount>(<usize>nd.ctx.rootMnt_) || flags & (MNT_FORCE | MNT_DETACH)))
    err = -EINVAL;
  else if (m.nrMounts != 0) err = flags & MNT_DETACH ? -EINVAL : -EBUSY;
  else {
    // The walk holds one reference on the mount, which umountTree() allows for.
    err = umountTree(nd.ctx, m, flags);
  }
  dput(nd.dentry);
  mntputNoExpire(m);
  nd.dentry_ = 0;
  nd.mnt_ = 0;
  return err;
}
