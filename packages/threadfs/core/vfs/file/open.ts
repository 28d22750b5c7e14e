/**
 * open(2): takes a descriptor and a file, then walks the path.
 *
 * Without O_CREAT the walk is an ordinary one, in rcu mode to its end. With O_CREAT only the parents are walked in rcu
 * mode. The last component is looked up, and perhaps created, under its directory's i_mutex.
 */

import * as COUNTER from "../../../abi/counters";
import * as DROP from "../../../abi/drop";
import {
  EACCES,
  EAGAIN,
  EBADF,
  ECHILD,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOSPC,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  ESTALE,
} from "../../../abi/errno";
import {
  MS_NODEV,
  O_ACCMODE,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_CACHED,
  VALID_OPEN_FLAGS,
} from "../../../abi/flags";
import { OPENING } from "../../../abi/limits";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from "../../../abi/mode";
import { CAP_FOWNER, MAY_EXEC, MAY_READ, MAY_WRITE } from "../../../abi/permissions";
import * as POINT from "../../../abi/points";
import * as SCRATCH from "../../../abi/scratch";
import * as STAT from "../../../abi/stat";
import { tmpfsTmpfile } from "../../fs/tmpfs/tmpfs";
import * as host from "../../host";
import { mutexLock, mutexUnlock } from "../../mem/lock/lock";
import { count, scratch } from "../../mem/thread";
import { tracepoint } from "../../tracepoints";
import { dAlloc } from "../dcache/d-alloc";
import { dput } from "../dcache/dcache";
import { I_DRIVER, I_LINKABLE, isDeviceType } from "../inode/inode";
import { vfsMknod } from "../ops/create";
import { mayCreate, mntWantWrite, vfsPrepareMode } from "../ops/may";
import { fifoOpening } from "../pipe/fifo";
import { OPEN_WAITS, pipeOpen } from "../pipe/pipe";
import { enterActive } from "../recovery/quiescence";
import { acquireContext } from "../task/context-ref";
import { Context } from "../task/cred";
import { forceRef, hasAudit } from "../task/thread";
import { dropRcu, putLink } from "../walk/drop";
import { checkFence, isRaced, isResolve } from "../walk/fence";
import { mayCreateInSticky } from "../walk/hardening";
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
  ND_TRAILING,
} from "../walk/nameidata";
import { pathInit } from "../walk/path-init";
import { inodePermission, ownerOrCapable } from "../walk/permission";
import { handleDots, stepInto } from "../walk/step";
import { FD_OPENING, getUnusedFd, putUnusedFd } from "./fdtable";
import {
  File,
  FMODE_PATH,
  FMODE_PIPE,
  FMODE_READ,
  FMODE_WRITE,
  fdInstall,
  fileSetPath,
  fput,
  fputSpare,
  getEmptyFilp,
  getEmptyFilpErr,
} from "./file";
import { truncateInode } from "./read-write";

/** build_open_flags(): what openat(2) checks before it looks at the path. 0 or -errno. */
export function checkOpenFlags(flags: u32): i32 {
  if (flags & O_PATH) return 0;
  if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) return -EINVAL;
  // A program that asks an old kernel for O_TMPFILE opens a directory for writing, which fails.
  if (flags & O_TMPFILE_BIT && (!(flags & O_DIRECTORY) || (flags & O_ACCMODE) == O_RDONLY)) return -EINVAL;
  return 0;
}

/** The flags that O_PATH leaves; with others openat2(2) fails. */
const O_PATH_FLAGS: u32 = O_PATH | O_DIRECTORY | O_NOFOLLOW;
const O_CLOEXEC: u32 = 0o2000000;

/** The same for openat2(2), which ignores nothing. */
export function checkOpenHow(flags: u32, mode: u32, resolve: u32): i32 {
  if (flags & ~VALID_OPEN_FLAGS || !isResolve(resolve)) return -EINVAL;
  const creates = flags & (O_CREAT | O_TMPFILE_BIT);
  if (mode & ~(creates ? 0xfff : 0)) return -EINVAL;
  const err = checkOpenFlags(flags & ~O_PATH);
  if (err != 0) return err;
  if (flags & O_PATH && flags & ~(O_PATH_FLAGS | O_CLOEXEC)) return -EINVAL;
  return resolve & RESOLVE_CACHED && flags & (O_TRUNC | O_CREAT | O_TMPFILE_BIT) ? -EAGAIN : 0;
}

/** openat(2): a descriptor or -errno. The flags have been checked. `any`: it need not be the lowest. `tag`: the file's. */
export function doOpen(nd: Nameidata, asked: u32, mode: u32, any: bool, tag: u64): i32 {
  // With O_PATH all flags are ignored but those that concern the walk.
  const flags = asked & O_PATH ? asked & O_PATH_FLAGS : asked;
  // Taking a descriptor needs an active thread, and comes before the walk.
  enterActive();
  const fd = reserveFile(nd, any);
  if (fd < 0) return fd;
  // Read by others after the exchange that installs the file.
  reservedFile.tag_ = tag;
  let err: i32;
  if (flags & O_TMPFILE_BIT) err = openTmpfile(nd, flags, mode);
  else err = flags & O_CREAT ? openCreate(nd, flags, mode) : openPlain(nd, flags);
  if (err == 0) {
    if (!(flags & O_PATH)) err = mayOpen(nd, flags);
    if (err == 0) err = openFile(nd, reservedFile, flags);
    putRest(nd);
  }
  return installFile(fd, err);
}

/** path_put() of the end of a walk, unless openFile() has taken its references over. */
export function putRest(nd: Nameidata): void {
  if (nd.mnt_ != 0) pathPut(nd);
}

/** open(2) of what a walk has ended at, where mayOpen() has allowed it: a descriptor or -errno. */
export function openWalked(nd: Nameidata, flags: u32): i32 {
  const fd = reserveFile(nd, false);
  return fd < 0 ? fd : installFile(fd, openFile(nd, reservedFile, flags));
}

/** Second return values of reserveFile(): the file and the context of the descriptor. */
let reservedFile: File = changetype<File>(0);
let reservedIn: Context = changetype<Context>(0);

/** Takes a descriptor and a file, not open yet. Returns the descriptor or -errno. The thread is active. */
function reserveFile(nd: Nameidata, any: bool): i32 {
  const c = acquireContext(nd.ctxNumber);
  if (c == null) return -EBADF;
  const f = getEmptyFilp();
  if (!f) return getEmptyFilpErr;
  const fd = getUnusedFd(c, any);
  if (fd < 0) fput(f);
  reservedFile = f;
  reservedIn = c;
  return fd;
}

/** The end of an open with what reserveFile() has taken, and the result so far. Returns the descriptor, OPENING less one, or -errno. */
function installFile(fd: i32, err: i32): i32 {
  if (err == OPEN_WAITS) {
    fifoOpening(reservedFile);
    if (fdInstall(reservedIn, fd, reservedFile, FD_OPENING)) return OPENING - fd;
    fput(reservedFile);
    return -EBADF;
  }
  if (err != 0) {
    putUnusedFd(reservedIn, fd);
    fputSpare(reservedFile);
    return err;
  }
  if (fdInstall(reservedIn, fd, reservedFile, 0)) return fd;
  fput(reservedFile);
  return -EBADF;
}

/** do_tmpfile(): a new file without a name in the directory that the path leads to. */
function openTmpfile(nd: Nameidata, flags: u32, mode: u32): i32 {
  let err = openPlain(nd, flags);
  if (err != 0) return err;
  err = mntWantWrite(nd.mnt);
  if (err == 0) err = inodePermission(nd.ctx, nd.inode, MAY_WRITE | MAY_EXEC, false);
  if (err == 0 && nd.inode.mode & I_DRIVER) err = -EOPNOTSUPP;
  const linkable = flags & O_EXCL ? 0 : I_LINKABLE;
  if (err == 0) {
    // The directory's default ACL stays meanwhile.
    const dir = nd.inode;
    mutexLock(dir.mutex);
    err = createTmpfile(nd, S_IFREG | linkable | vfsPrepareMode(nd.ctx, dir, mode));
    mutexUnlock(dir.mutex);
  }
  if (err != 0) pathPut(nd);
  return err;
}

/** "#": the name of a file without a name. */
const NUMBER_SIGN: u8 = 35;

/** Creates the file and makes it the end of the walk, instead of the directory. */
function createTmpfile(nd: Nameidata, mode: u32): i32 {
  const parent = nd.dentry;
  // As in Linux, the name cannot be looked up.
  const name = scratch + SCRATCH.PATH2;
  store<u8>(name, NUMBER_SIGN);
  const d = dAlloc(parent, name, 1, (<u64>1) << 32);
  if (!d) return -ENOSPC;
  const err = tmpfsTmpfile(nd.ctx, parent, d, mode);
  if (err != 0) {
    dput(d);
    return err;
  }
  nd.dentry = d;
  nd.inode = d.inode;
  nd.state |= ND_CREATED;
  dput(parent);
  return 0;
}

export function openPlain(nd: Nameidata, flags: u32): i32 {
  let lookup = flags & O_PATH ? 0 : LOOKUP_OPEN;
  if (!(flags & O_NOFOLLOW)) lookup |= LOOKUP_FOLLOW;
  if (flags & O_DIRECTORY) lookup |= LOOKUP_DIRECTORY;
  return filenameLookup(nd, lookup, FOR_PATH, 0);
}

/** The attempts of a walk that may create its last component. */
export function openCreate(nd: Nameidata, flags: u32, mode: u32): i32 {
  let lookup = LOOKUP_OPEN | LOOKUP_CREATE | LOOKUP_PARENT;
  if (flags & O_EXCL) lookup |= LOOKUP_EXCL;
  count(COUNTER.walks);
  let err = forceRef ? -ECHILD : createAttempt(nd, lookup | LOOKUP_RCU, flags, mode);
  if (err == -ECHILD) {
    if (!forceRef) restart(COUNTER.echildRestarts, ECHILD);
    err = createAttempt(nd, lookup, flags, mode);
  }
  for (let n = 0; isRaced(nd, err, n); n++) err = createAttempt(nd, lookup, flags, mode);
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

/** Second return values of doLast(): mode and owner of the directory of the last component. */
let doLastDirMode: u32 = 0;
let doLastDirUid: u32 = 0;

/**
 * do_last(): the last component of an open with O_CREAT. Returns 0: nd is at the file; 1: a link to follow, nd.body;
 * -errno.
 */
function doLast(nd: Nameidata, flags: u32, mode: u32): i32 {
  doLastDirMode = 0;
  if (nd.lastType != LAST_NORM) {
    if (nd.depth != 0) putLink(nd);
    return handleDots(nd);
  }
  if (nd.rcu && !dropRcu(nd, DROP.CREATE)) return -ECHILD;
  if (load<u8>(nd.last + nd.lastLen) != 0) return -EISDIR;
  // Before anything is created. Linux asks only at the end.
  const left = checkFence(nd);
  if (left != 0) return left;
  const dir = nd.inode;
  doLastDirMode = dir.mode;
  doLastDirUid = dir.uid;
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
  nd.state |= ND_TRAILING;
  return stepInto(nd, d, !(flags & (O_NOFOLLOW | O_EXCL)));
}

/** do_open() and may_open(): checks type, flags and permissions. */
export function mayOpen(nd: Nameidata, flags: u32): i32 {
  const i = nd.inode;
  const type = i.type;
  let err = 0;
  if (flags & O_CREAT) {
    if (flags & O_EXCL && !(nd.state & ND_CREATED)) return -EEXIST;
    if (type == S_IFDIR) return -EISDIR;
    err = mayCreateInSticky(nd.ctx, doLastDirMode, doLastDirUid, i);
    if (err != 0) return err;
  }
  // The directory of O_TMPFILE has been checked by the walk.
  if (flags & O_DIRECTORY && !(flags & O_TMPFILE_BIT) && type != S_IFDIR) return -ENOTDIR;
  if (!(nd.state & ND_CREATED)) {
    if (flags & O_TRUNC && type == S_IFREG) err = mntWantWrite(nd.mnt);
    if (err != 0) return err;
    if (type == S_IFLNK) return -ELOOP;
    const mask = accessMask(flags);
    if (type == S_IFDIR && mask & MAY_WRITE) return -EISDIR;
    if (isDeviceType(type) && nd.mnt.flags & MS_NODEV) return -EACCES;
    err = inodePermission(nd.ctx, i, mask, false);
    if (err != 0) return err;
  }
  if (flags & O_NOATIME && !ownerOrCapable(nd.ctx, i, CAP_FOWNER)) return -EPERM;
  // As in Linux, a socket is not opened, nor a device without a driver, and there are none; a pipe is written through a read-only mount too.
  if (type == S_IFIFO) return 0;
  if (type != S_IFREG && type != S_IFDIR) return -ENXIO;
  return openMode(flags) & FMODE_WRITE ? mntWantWrite(nd.mnt) : 0;
}

/** OPEN_FMODE(): what a descriptor with these flags may do; access mode 3 may neither read nor write. */
function openMode(flags: u32): u32 {
  if (flags & O_PATH) return FMODE_PATH;
  const acc = flags & O_ACCMODE;
  if (acc == O_RDONLY) return FMODE_READ;
  if (acc == O_WRONLY) return FMODE_WRITE;
  return acc == O_RDWR ? FMODE_READ | FMODE_WRITE : 0;
}

/** ACC_MODE(): the permissions that these flags ask for; access mode 3 asks for both. */
function accessMask(flags: u32): u32 {
  const acc = flags & O_ACCMODE;
  let mask: u32 = acc == O_RDONLY ? MAY_READ : acc == O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  if (flags & O_TRUNC) mask |= MAY_WRITE;
  return mask;
}

/** do_dentry_open(), and the truncation. 0 or OPEN_WAITS of a FIFO: the file has taken the walk's references over; or -errno. */
export function openFile(nd: Nameidata, f: File, flags: u32): i32 {
  const i = nd.inode;
  if (i.isFifo && !(flags & O_PATH)) return openFifo(nd, f, flags);
  // Files of tmpfs take O_DIRECT (FMODE_CAN_ODIRECT), directories do not.
  if (flags & O_DIRECT && i.isDir) return -EINVAL;
  if (flags & O_TRUNC && !(nd.state & ND_CREATED) && i.isReg) {
    const err = truncateInode(nd.ctx, nd.dentry, i, 0, NaN);
    if (err != 0) return err;
  }
  takePath(nd, f, flags, openMode(flags));
  return 0;
}

/** Opens a file at the end of a walk, whose references it takes over. Leaves its mode in SCRATCH.STAT. */
function takePath(nd: Nameidata, f: File, flags: u32, mode: u32): void {
  const i = nd.inode;
  fileSetPath(f, nd.mnt, nd.dentry, i, flags, mode);
  nd.dentry_ = 0;
  nd.mnt_ = 0;
  store<f64>(scratch + SCRATCH.STAT + (STAT.mode << 3), <f64>(i.mode & 0xffff));
}

/** fifo_open() */
function openFifo(nd: Nameidata, f: File, flags: u32): i32 {
  const mode = openMode(flags);
  if (mode == 0 || flags & O_DIRECT) return -EINVAL;
  const r = pipeOpen(nd.inode, (mode & FMODE_READ) != 0, (mode & FMODE_WRITE) != 0, flags, true);
  if (r < 0) return r;
  takePath(nd, f, flags, mode | FMODE_PIPE);
  return r;
}
