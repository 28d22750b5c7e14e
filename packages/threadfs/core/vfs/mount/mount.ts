/** mount(2) and umount(2); also chdir, chroot, and the creation and end of contexts. */

import * as DRIVER_OP from "../../../abi/driver-ops";
import { EBADF, EBUSY, EINVAL, ENODEV, ENOSPC, ENOTDIR, EPERM } from "../../../abi/errno";
import { MNT_DETACH, MS_NOEXEC, MS_RDONLY } from "../../../abi/flags";
import { CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAPS_OF_UID, MAY_EXEC } from "../../../abi/permissions";
import * as POINT from "../../../abi/points";
import { callDriver } from "../../fs/driver/hooks";
import { tmpfsSuper } from "../../fs/tmpfs/tmpfs";
import { slabFree } from "../../mem/alloc/slab";
import { corrupt } from "../../mem/bounds";
import { lock, mutexLock, mutexUnlock, unlock } from "../../mem/lock/lock";
import { writeSeqBegin, writeSeqEnd } from "../../mem/lock/seqlock";
import { put32 } from "../../mem/undo/log";
import { tracepoint } from "../../tracepoints";
import { dAllocRoot, dget, dInstantiate, dput } from "../dcache/dcache";
import { Dentry } from "../dcache/dentry";
import { fdClose, fput, putUnusedFd } from "../file/file";
import { igetDriver, iput } from "../inode/icache";
import { Inode } from "../inode/inode";
import { MAX_CONTEXTS } from "../layout";
import { retire } from "../recovery/reclaim";
import { putContext } from "../task/context-ref";
import { Context, capable, NR_OPEN, newContext, removeContext, setGroups } from "../task/cred";
import { FOR_PATH, filenameLookup, pathPut } from "../walk/namei";
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, Nameidata } from "../walk/nameidata";
import { inodePermission } from "../walk/permission";
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
import { addDriverMounts, newSuper, SuperBlock } from "./super";
import { umountTree } from "./umount";

/** Bound of mounts stacked at one place. */
const STACKED_MAX: i32 = 100000;
const MOUNT_FLAGS: u32 = MS_RDONLY | MS_NOEXEC;

/** Creates a file system: type 0 in memory, else a driver's number. null: nd.err. */
function makeSuper(nd: Nameidata, type: i32, readonly: bool): SuperBlock {
  const none = changetype<SuperBlock>(0);
  if (type == 0) {
    const sb = tmpfsSuper(0x3ff, 0, 0, readonly);
    if (!sb) nd.err = -ENOSPC;
    return sb;
  }
  // Count the mount first, so that the driver cannot be unregistered while it is asked for its root.
  nd.err = addDriverMounts(type, 1);
  if (nd.err != 0) return none;
  const sb = newSuper(type, readonly);
  if (!sb) {
    nd.err = -ENOSPC;
    addDriverMounts(type, -1);
    return none;
  }
  nd.err = driverRoot(sb);
  if (nd.err == 0) return sb;
  addDriverMounts(type, -1);
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
  return move ? moveMount(m, onMnt, on) : attachMount(m, onMnt, on);
}

/** Whether a mount is attached nowhere (any more). Under the namespace lock. */
function isDetached(m: Mount): bool {
  return m.parent == m && m != rootMount();
}

/** Mounts a new file system at the path in nd. */
export function doNewMount(nd: Nameidata, type: i32, flags: u32): i32 {
  if (!capable(nd.ctx, CAP_SYS_ADMIN)) return -EPERM;
  let err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return err;
  const sb = makeSuper(nd, type, (flags & MS_RDONLY) != 0);
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
  addDriverMounts(sb.driver, -1);
  retire(sb.at);
  return -ENOSPC;
}

/** mount --bind: mounts the directory or file in `from` at the path in nd too. */
export function doBind(from: Nameidata, nd: Nameidata, flags: u32): i32 {
  if (!capable(nd.ctx, CAP_SYS_ADMIN)) return -EPERM;
  let err = filenameLookup(from, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return err;
  err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err == 0) {
    const m = newMount(from.mnt.sb, dget(from.dentry), (from.mnt.flags | flags) & MOUNT_FLAGS);
    if (m) err = graftMount(m, nd, from.mnt, false);
    else {
      dput(from.dentry);
      err = -ENOSPC;
    }
    pathPut(nd);
  }
  pathPut(from);
  return err;
}

/** mount --move: moves the mount whose root is in `from` to the path in nd. */
export function doMoveMount(from: Nameidata, nd: Nameidata): i32 {
  if (!capable(nd.ctx, CAP_SYS_ADMIN)) return -EPERM;
  let err = filenameLookup(from, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return err;
  if (from.dentry != from.mnt.root) err = -EINVAL;
  else {
    err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
    if (err == 0) {
      err = graftMount(from.mnt, nd, changetype<Mount>(0), true);
      pathPut(nd);
    }
  }
  pathPut(from);
  return err;
}

/** umount2(2) */
export function doUmount(nd: Nameidata, flags: u32): i32 {
  if (flags & ~MNT_DETACH) return -EINVAL;
  if (!capable(nd.ctx, CAP_SYS_ADMIN)) return -EPERM;
  let err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
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

// ---------------------------------------------------------------------------------------------------- contexts

/**
 * set_fs_pwd(), set_fs_root(): takes over the new references and puts the old ones. False: the context has been closed
 * meanwhile; the new references are put.
 */
function setFsPath(c: Context, mnt: Mount, d: Dentry, isRoot: bool): bool {
  lock(c.lock);
  if (d && c.alive == 0) {
    unlock(c.lock);
    dput(d);
    mntput(mnt);
    return false;
  }
  const oldMnt = isRoot ? c.rootMnt_ : c.pwdMnt_;
  const old = isRoot ? c.root_ : c.pwd_;
  writeSeqBegin(c.seq);
  const base = c.at + (isRoot ? offsetof<Context>("rootMnt_") : offsetof<Context>("pwdMnt_"));
  put32(base, <u32>changetype<usize>(mnt));
  put32(base + 4, <u32>changetype<usize>(d));
  writeSeqEnd(c.seq);
  unlock(c.lock);
  if (old != 0) dput(changetype<Dentry>(<usize>old));
  if (oldMnt != 0) mntput(changetype<Mount>(<usize>oldMnt));
  return true;
}

/** chdir(2), chroot(2) */
export function doChdir(nd: Nameidata, root: bool): i32 {
  let err = filenameLookup(nd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, FOR_PATH, 0);
  if (err != 0) return err;
  err = inodePermission(nd.ctx, nd.inode, MAY_EXEC, false);
  if (err == 0 && root && !capable(nd.ctx, CAP_SYS_CHROOT)) err = -EPERM;
  if (err != 0) {
    pathPut(nd);
    return err;
  }
  const set = setFsPath(nd.ctx, nd.mnt, nd.dentry, root);
  nd.mnt_ = 0;
  nd.dentry_ = 0;
  return set ? 0 : -EBADF;
}

/** Creates the first context: uid 0 with all capabilities. */
export function createRootContext(m: Mount, d: Dentry): bool {
  const c = newContext();
  if (!c) return false;
  c.caps = 0xffffffff;
  c.umask = 0x12;
  setFsPath(c, mntget(m), dget(d), true);
  setFsPath(c, mntget(m), dget(d), false);
  return true;
}

/** Creates a context with root and working directory of another one. Returns its number or -ENOSPC. */
export function doContextCreate(from: Context, uid: u32, gid: u32, umask: u32, groups: usize, n: u32, caps: i32): i32 {
  const c = newContext();
  if (!c) return -ENOSPC;
  c.uid = uid;
  c.gid = gid;
  c.umask = umask & 0x1ff;
  c.caps = caps == CAPS_OF_UID ? (uid == 0 ? 0xffffffff : 0) : <u32>caps;
  if (!setGroups(c, groups, n)) {
    doContextDestroy(c);
    return -ENOSPC;
  }
  lock(from.lock);
  if (from.root_ == 0 || from.pwd_ == 0) {
    // It has been closed since this call began.
    unlock(from.lock);
    doContextDestroy(c);
    return -EBADF;
  }
  const rootMnt = mntget(changetype<Mount>(<usize>from.rootMnt_));
  const root = dget(changetype<Dentry>(<usize>from.root_));
  const pwdMnt = mntget(changetype<Mount>(<usize>from.pwdMnt_));
  const pwd = dget(changetype<Dentry>(<usize>from.pwd_));
  unlock(from.lock);
  setFsPath(c, rootMnt, root, true);
  setFsPath(c, pwdMnt, pwd, false);
  return <i32>c.number;
}

/** Closes a context's descriptors and puts its root and working directory. */
export function doContextDestroy(c: Context): i32 {
  if ((c.number & (MAX_CONTEXTS - 1)) == 0) return -EINVAL;
  if (!removeContext(c)) return -ENODEV;
  for (let fd: u32 = 0; fd < NR_OPEN; fd++) {
    if (fd % 256 == 0 && load<u32>(c.fdBlock(fd / 256)) == 0) {
      fd += 255;
      continue;
    }
    const f = fdClose(c, fd);
    if (f) fput(f);
    else putUnusedFd(c, fd);
  }
  c.ngroups = 0;
  c.caps = 0;
  setFsPath(c, changetype<Mount>(0), changetype<Dentry>(0), true);
  setFsPath(c, changetype<Mount>(0), changetype<Dentry>(0), false);
  putContext(c);
  return 0;
}
