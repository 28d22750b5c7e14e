/** mount(2) and umount(2). */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { EBUSY, EINVAL, ENOSPC, ENOTDIR, EOPNOTSUPP, EPERM } from "../../../abi/errno";
import { FS_GENERATION, MNT_DETACH, MS_NOEXEC, MS_RDONLY } from "../../../abi/flags";
import { CAP_SYS_ADMIN } from "../../../abi/permissions";
import * as POINT from "../../../abi/points";
import { callDriver } from "../../fs/driver/hooks";
import { changeLimits } from "../../fs/tmpfs/quota";
import { tmpfsSuper } from "../../fs/tmpfs/tmpfs";
import { slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { tracepoint } from "../../tracepoints";
import { dAllocRoot, dget, dInstantiate, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { igetDriver, iput } from "../inode/icache";
import { Inode } from "../inode/inode";
import { happened } from "../recovery/outcome";
import { retire } from "../recovery/reclaim";
import { capable } from "../task/cred";
import { FOR_PATH, filenameLookup, pathPut } from "../walk/namei";
import { LOOKUP_FOLLOW, Nameidata } from "../walk/nameidata";
import {
  attachMount,
  lockNamespace,
  lookupMntRef,
  Mount,
  mntget,
  mntput,
  movedFrom,
  movedFromPoint,
  moveMount,
  newMount,
  rootMount,
  unlockNamespace,
} from "./namespace";
import { addDriverMount, dropDriverMount, newSuper, SuperBlock } from "./super";
import { umountTree } from "./umount";

/** Bound of mounts stacked at one place. */
const STACKED_MAX: i32 = 100000;
const MOUNT_FLAGS: u32 = MS_RDONLY | MS_NOEXEC;

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

/**
 * lock_mount() and graft_tree(): mounts `m` at the path in nd, whose references it does not take over, on top of what
 * another thread may have mounted there since the walk. `source`: the mount that a bind mount is made from, which must be
 * attached. On failure the mount is put, except with `move`.
 */
function graftMount(m: Mount, nd: Nameidata, source: Mount, move: bool): i32 {
  let err = 0;
  if (nd.dentry.inode.isDir != m.root.inode.isDir) err = -ENOTDIR;
  else {
    let onMnt = mntget(nd.mnt);
    let on = dget(nd.dentry);
    for (let n = 0; ; n++) {
      const mutex = on.inode.mutex;
      mutexLock(mutex);
      lockNamespace();
      const above = lookupMntRef(onMnt, on);
      if (!above) err = graftMountLocked(m, onMnt, on, source, move);
      unlockNamespace();
      mutexUnlock(mutex);
      if (!above) break;
      if (n == STACKED_MAX) corrupt(onMnt.at);
      dput(on);
      mntput(onMnt);
      onMnt = above;
      on = dget(above.root);
    }
    if (err != 0) {
      dput(on);
      mntput(onMnt);
    } else if (move) {
      dput(movedFromPoint);
      mntput(movedFrom);
    }
  }
  if (err != 0 && !move) mntput(m);
  return err;
}

/** Whether a mount is detached is known only under the namespace lock: it looks so in the middle of a move. */
function graftMountLocked(m: Mount, onMnt: Mount, on: Dentry, source: Mount, move: bool): i32 {
  tracepoint(POINT.MOUNT_CHECK, on.at, 1);
  // A lazily unmounted mount takes no more mounts, because nothing could unmount them again.
  if ((source && isDetached(source)) || isDetached(onMnt)) return -EINVAL;
  const err = move ? moveMount(m, onMnt, on) : attachMount(m, onMnt, on);
  if (err == 0) happened(0);
  return err;
}

/** Whether a mount is attached nowhere (any more). Under the namespace lock. */
function isDetached(m: Mount): bool {
  return m.parent == m && m != rootMount();
}

/**
 * Walks to the place of a mount, then asks for the privilege (may_mount()). On success nd has references; the privilege is
 * asked for after the walk because only the walk finds the context, and as in Linux a missing path is ENOENT for everyone.
 */
function mayMount(nd: Nameidata): i32 {
  const err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0 || capable(nd.ctx, CAP_SYS_ADMIN)) return err;
  pathPut(nd);
  return -EPERM;
}

/** Mounts a new file system at the path in nd. Limits of one in memory: `size` in bytes, `inodes`; 0: none. */
export function doNewMount(nd: Nameidata, type: f64, flags: u32, size: f64, inodes: f64): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  const sb = makeSuper(nd, type, (flags & MS_RDONLY) != 0, size, inodes);
  if (!sb) {
    pathPut(nd);
    return nd.err;
  }
  const m = newMount(sb, dget(sb.root), flags & MOUNT_FLAGS);
  if (m) err = graftMount(m, nd, changetype<Mount>(0), false);
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

/** mount --bind: mounts the directory or file in `from` at the path in nd too. */
export function doBind(from: Nameidata, nd: Nameidata, flags: u32): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  err = filenameLookup(from, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err == 0) {
    const m = newMount(from.mnt.sb, dget(from.dentry), (from.mnt.flags | flags) & MOUNT_FLAGS);
    if (m) err = graftMount(m, nd, from.mnt, false);
    else {
      dput(from.dentry);
      err = -ENOSPC;
    }
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
    err = from.dentry == from.mnt.root ? graftMount(from.mnt, nd, changetype<Mount>(0), true) : -EINVAL;
    pathPut(from);
  }
  pathPut(nd);
  return err;
}

/** mount(2) with MS_REMOUNT: changes the limits of the file system that is mounted at the path in nd; negative: as it was. */
export function doRemount(nd: Nameidata, size: f64, inodes: f64): i32 {
  let err = mayMount(nd);
  if (err != 0) return err;
  if (nd.dentry != nd.mnt.root || nd.mnt.sb.driver != 0) err = -EINVAL;
  else err = changeLimits(nd.mnt.sb, size, inodes);
  happened(err);
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
  if (flags & ~MNT_DETACH) return -EINVAL;
  let err = mayMount(nd);
  if (err != 0) return err;
  if (nd.dentry != nd.mnt.root) err = -EINVAL;
  else if (nd.mnt == rootMount()) err = flags & MNT_DETACH ? -EINVAL : -EBUSY;
  else {
    // The walk holds one reference on the mount, which umountTree() allows for.
    err = umountTree(nd.mnt, (flags & MNT_DETACH) != 0);
  }
  pathPut(nd);
  return err;
}
