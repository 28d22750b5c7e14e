/**
 * open(2): takes a descriptor and a file, then walks the path.
 *
 * Without O_CREAT the walk is an ordinary one, in rcu mode to its end. With O_CREAT only the parents are walked in rcu
 * mode. The last component is looked up, and perhaps created, under its directory's i_mutex.
 */

import * as COUNTER from "../../../abi/counters";
import * as DROP from "../../../abi/drop";
import { EBADF, ECHILD, EEXIST, EINVAL, EISDIR, ELOOP, ENOTDIR, ENXIO, EOPNOTSUPP, ESTALE } from "../../../abi/errno";
import {
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
} from "../../../abi/flags";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../../abi/mode";
import { MAY_READ, MAY_WRITE } from "../../../abi/permissions";
import * as POINT from "../../../abi/points";
import * as host from "../../host";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { count } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { dget, dput } from "../dcache/dcache";
import { I_DRIVER } from "../inode/inode";
import { mntget } from "../mount/namespace";
import { vfsMknod } from "../ops/create";
import { mayCreate, mntWantWrite, vfsPrepareMode } from "../ops/may";
import { enterActive } from "../recovery/quiescence";
import { acquireContext } from "../task/context-ref";
import { forceRef, hasAudit } from "../task/thread";
import { dropRcu, putLink } from "../walk/drop";
import { lockAndLookup } from "../walk/lookup";
import { endAttempt, FOR_PATH, filenameLookup, pathPut, restart, walkParents } from "../walk/namei";
import {
  LAST_NORM,
  LOOKUP_CREATE,
  LOOKUP_DIRECTORY,
  LOOKUP_EXCL,
  LOOKUP_FOLLOW,
  LOOKUP_OPEN,
  LOOKUP_PARENT,
  LOOKUP_RCU,
  LOOKUP_REVAL,
  Nameidata,
  ND_CREATED,
} from "../walk/nameidata";
import { pathInit } from "../walk/path-init";
import { inodePermission } from "../walk/permission";
import { handleDots, stepInto } from "../walk/step";
import {
  File,
  FMODE_READ,
  FMODE_WRITE,
  fdInstall,
  fileSetPath,
  fput,
  getEmptyFilp,
  getEmptyFilpErr,
  getUnusedFd,
  putUnusedFd,
} from "./file";
import { driverTruncate, truncateLocked } from "./read-write";

/** openat(2): a descriptor or -errno. */
export function doOpen(nd: Nameidata, flags: u32, mode: u32): i32 {
  if (flags & (O_PATH | O_TMPFILE_BIT)) return -EOPNOTSUPP;
  if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) return -EINVAL;
  // Taking a descriptor needs an active thread, and comes before the walk.
  enterActive();
  const c = acquireContext(nd.ctxNumber);
  if (c == null) return -EBADF;
  const f = getEmptyFilp();
  if (!f) return getEmptyFilpErr;
  const fd = getUnusedFd(c);
  if (fd < 0) {
    fput(f);
    return fd;
  }
  let err = flags & O_CREAT ? openCreate(nd, flags, mode) : openPlain(nd, flags);
  if (err == 0) {
    err = mayOpen(nd, flags);
    if (err == 0) err = openFile(nd, f, flags);
    pathPut(nd);
  }
  if (err != 0) {
    putUnusedFd(c, fd);
    fput(f);
    return err;
  }
  if (fdInstall(c, fd, f)) return fd;
  fput(f);
  return -EBADF;
}

function openPlain(nd: Nameidata, flags: u32): i32 {
  let lookup = LOOKUP_OPEN;
  if (!(flags & O_NOFOLLOW)) lookup |= LOOKUP_FOLLOW;
  if (flags & O_DIRECTORY) lookup |= LOOKUP_DIRECTORY;
  return filenameLookup(nd, lookup, FOR_PATH, 0);
}

/** The attempts of a walk that may create its last component. */
function openCreate(nd: Nameidata, flags: u32, mode: u32): i32 {
  let lookup = LOOKUP_OPEN | LOOKUP_CREATE | LOOKUP_PARENT;
  if (flags & O_EXCL) lookup |= LOOKUP_EXCL;
  count(COUNTER.walks);
  let err = forceRef ? -ECHILD : createAttempt(nd, lookup | LOOKUP_RCU, flags, mode);
  if (err == -ECHILD) {
    if (!forceRef) restart(COUNTER.echildRestarts, ECHILD);
    err = createAttempt(nd, lookup, flags, mode);
  }
  if (err == -ESTALE) {
    restart(COUNTER.estaleRestarts, ESTALE);
    err = createAttempt(nd, lookup | LOOKUP_REVAL, flags, mode);
  }
  tracepoint(POINT.ANSWER, err, nd.dentry_);
  if (err == 0 && hasAudit) host.audit(nd.dentry_, nd.inode_);
  return err;
}

function createAttempt(nd: Nameidata, lookup: u32, flags: u32, mode: u32): i32 {
  let err = pathInit(nd, lookup);
  let name = <usize>nd.name;
  while (err == 0) {
    err = walkParents(nd, name);
    if (err != 0) break;
    err = doLast(nd, flags, mode);
    if (err <= 0) break;
    err = 0;
    name = <usize>nd.body;
  }
  return endAttempt(nd, err, FOR_PATH, 0);
}

/**
 * do_last(): the last component of an open with O_CREAT. Returns 0: nd is at the file; 1: a link to follow, nd.body;
 * -errno.
 */
function doLast(nd: Nameidata, flags: u32, mode: u32): i32 {
  if (nd.lastType != LAST_NORM) {
    if (nd.depth != 0) putLink(nd);
    return handleDots(nd);
  }
  if (nd.rcu && !dropRcu(nd, DROP.CREATE)) return -ECHILD;
  if (load<u8>(nd.last + nd.lastLen) != 0) return -EISDIR;
  const dir = nd.inode;
  const d = lockAndLookup(nd, true);
  if (!d) return nd.err;
  let err = 0;
  if (!d.inode) {
    err = mntWantWrite(nd.mnt);
    if (err == 0) err = mayCreate(nd.ctx, dir);
    if (err == 0) err = vfsMknod(nd.ctx, nd, d, S_IFREG | vfsPrepareMode(nd.ctx, dir, mode & 0xfff), 0, 0);
    if (err == 0) nd.state |= ND_CREATED;
    else dput(d);
  }
  mutexUnlock(dir.mutex);
  if (err != 0) return err;
  if (nd.depth != 0) putLink(nd);
  return stepInto(nd, d, !(flags & (O_NOFOLLOW | O_EXCL)));
}

/** may_open(): checks type, flags and permissions. */
function mayOpen(nd: Nameidata, flags: u32): i32 {
  const i = nd.inode;
  const type = i.type;
  if (flags & O_CREAT) {
    if (flags & O_EXCL && !(nd.state & ND_CREATED)) return -EEXIST;
    if (type == S_IFDIR) return -EISDIR;
  }
  if (type == S_IFLNK) return -ELOOP;
  if (flags & O_DIRECTORY && type != S_IFDIR) return -ENOTDIR;
  const mask = accessMask(flags);
  if (type == S_IFDIR && mask & MAY_WRITE) return -EISDIR;
  // A truncation asks the mount first, any other write after the permission (do_open(), do_dentry_open()).
  const writes = (mask & MAY_WRITE) != 0 && type == S_IFREG;
  let err = writes && flags & O_TRUNC ? mntWantWrite(nd.mnt) : 0;
  if (err == 0 && !(nd.state & ND_CREATED)) err = inodePermission(nd.ctx, i, mask, false);
  if (err == 0 && writes) err = mntWantWrite(nd.mnt);
  if (err != 0) return err;
  // Pipes, sockets and devices exist as names only.
  return type == S_IFREG || type == S_IFDIR ? 0 : -ENXIO;
}

function accessMask(flags: u32): u32 {
  const acc = flags & O_ACCMODE;
  let mask: u32 = acc == O_RDONLY ? MAY_READ : acc == O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  if (flags & O_TRUNC) mask |= MAY_WRITE;
  return mask;
}

/** do_dentry_open(), and the truncation. The file takes references of its own. */
function openFile(nd: Nameidata, f: File, flags: u32): i32 {
  const i = nd.inode;
  if (flags & O_TRUNC && !(nd.state & ND_CREATED) && i.isReg) {
    mutexLock(i.mutex);
    const err = i.mode & I_DRIVER ? driverTruncate(i, 0) : truncateLocked(nd.ctx, i, 0);
    mutexUnlock(i.mutex);
    if (err != 0) return err;
  }
  const acc = flags & O_ACCMODE;
  const mode = acc == O_RDONLY ? FMODE_READ : acc == O_WRONLY ? FMODE_WRITE : FMODE_READ | FMODE_WRITE;
  mntget(nd.mnt);
  dget(nd.dentry);
  fileSetPath(f, nd.mnt, nd.dentry, i, flags, mode);
  return 0;
}
