/** Calls that take a path: lookups, open, and changes to the tree. */

import * as DRIVER_OP from "../../abi/driver-ops";
import { EINVAL, EISDIR, ENOENT, EPERM } from "../../abi/errno";
import {
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_STRICTATIME,
  O_APPEND,
  O_CREAT,
  O_TRUNC,
  O_WRONLY,
  ST_NOSYMFOLLOW,
  ST_RELATIME,
  STATX_ATTR_MOUNT_ROOT,
  VALID_OPEN_FLAGS,
} from "../../abi/flags";
import * as HOOK from "../../abi/hooks";
import { IO_SIZE, PATH_MAX } from "../../abi/limits";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/mode";
import { MAY_WRITE } from "../../abi/permissions";
import * as SCRATCH from "../../abi/scratch";
import { driverPutLink, driverReadlink, S_BODY } from "../fs/driver/hooks";
import { tmpfsStatfs } from "../fs/tmpfs/quota";
import { corrupt } from "../mem/bounds";
import { hasNul } from "../mem/hash";
import { scratch } from "../mem/thread";
import { dPath } from "../vfs/dcache/d-path";
import { fgetRaw, fput } from "../vfs/file/file";
import { checkOpenFlags, checkOpenHow, doOpen } from "../vfs/file/open";
import { truncateInode } from "../vfs/file/read-write";
import { doScandir } from "../vfs/file/scandir";
import { doReadFile, doWriteFile } from "../vfs/file/whole-file";
import { touchAtime } from "../vfs/inode/atime";
import { vfsGetattr } from "../vfs/inode/attr";
import { I_DRIVER, isDeviceType } from "../vfs/inode/inode";
import { keepLinkBody, keepsLinkBody, linkBody, linkBodySize } from "../vfs/inode/link";
import { Mount } from "../vfs/mount/namespace";
import { doCreate } from "../vfs/ops/create";
import { doLink } from "../vfs/ops/link";
import { mntWantWrite } from "../vfs/ops/may";
import { checkRenameFlags, doRename } from "../vfs/ops/rename";
import { doUnlink } from "../vfs/ops/unlink";
import { happened } from "../vfs/recovery/outcome";
import { Context } from "../vfs/task/cred";
import { isResolve, resolveFlags } from "../vfs/walk/fence";
import { FOR_ACCESS, FOR_PATH, FOR_STAT, filenameLookup, filenameParentat, pathPut } from "../vfs/walk/namei";
import { LOOKUP_FOLLOW, Nameidata } from "../vfs/walk/nameidata";
import { inodePermission } from "../vfs/walk/permission";
import { badPathLength, lookupFlags, pathArgument, pathOrFdArgument, syscallEnterErr, syscallExit } from "./syscall";

/** faccessat2(2) */
export function sysAccess(ctx: f64, dirfd: i32, len: i32, mode: u32, flags: u32): i32 {
  if (mode > 7) return syscallExit(-EINVAL);
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  return syscallExit(nd ? filenameLookup(nd, lookupFlags(flags), FOR_ACCESS, mode) : syscallEnterErr);
}

/** newfstatat(2): fills SCRATCH.STAT. flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
export function sysStat(ctx: f64, dirfd: i32, len: i32, flags: u32): i32 {
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  return syscallExit(nd ? filenameLookup(nd, lookupFlags(flags), FOR_STAT, 0) : syscallEnterErr);
}

/**
 * The walk of a call, for a replay and for programs of Emscripten: that of faccessat2(2) for `mode` 0 to 7, that of newfstatat(2) for -1, with the RESOLVE_* bits of
 * openat2(2).
 */
export function sysWalk(ctx: f64, dirfd: i32, len: i32, flags: u32, mode: i32, resolve: u32): i32 {
  if (mode < -1 || mode > 7 || !isResolve(resolve)) return syscallExit(-EINVAL);
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  if (!nd) return syscallExit(syscallEnterErr);
  nd.how |= resolveFlags(resolve, false);
  return syscallExit(filenameLookup(nd, lookupFlags(flags), mode < 0 ? FOR_STAT : FOR_ACCESS, max<i32>(mode, 0)));
}

/** statx(2): fills SCRATCH.STAT as sysStat() does, and SCRATCH.IO with the mount's number, a float64. Returns STATX_ATTR_* bits. */
export function sysStatx(ctx: f64, dirfd: i32, len: i32, flags: u32): i32 {
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  if (!nd) return syscallExit(syscallEnterErr);
  const err = filenameLookup(nd, lookupFlags(flags), FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  vfsGetattr(nd.mnt, nd.inode, false);
  store<f64>(scratch + SCRATCH.IO, <f64>nd.mnt.id);
  const attributes = nd.dentry == nd.mnt.root ? STATX_ATTR_MOUNT_ROOT : 0;
  pathPut(nd);
  return syscallExit(attributes);
}

/** statfs(2): fills SCRATCH.STAT with the room of the file system (tmpfsStatfs()). Returns ST_* bits. */
export function sysStatfs(ctx: f64, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  tmpfsStatfs(nd.mnt.sb, scratch + SCRATCH.STAT);
  const flags = statfsFlags(nd.mnt);
  pathPut(nd);
  return syscallExit(flags);
}

/** calculate_f_flags(): the options of the mount, and "read-only" of the file system. */
function statfsFlags(m: Mount): i32 {
  const flags = m.flags;
  const same: u32 = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME;
  let st = flags & same;
  if (m.sb.readonly != 0) st |= MS_RDONLY;
  if (flags & MS_NOSYMFOLLOW) st |= ST_NOSYMFOLLOW;
  if (!(flags & (MS_NOATIME | MS_STRICTATIME))) st |= ST_RELATIME;
  return <i32>st;
}

/** realpath(3): follows all links, writes the canonical path to SCRATCH.IO, returns its length. */
export function sysRealpath(ctx: f64, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  const r = dPath(nd.ctx, nd.mnt, nd.dentry);
  pathPut(nd);
  return syscallExit(r);
}

/** readlinkat(2): writes the body to SCRATCH.IO, returns its length. */
export function sysReadlink(ctx: f64, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const err = filenameLookup(nd, 0, FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  const r = readLink(nd);
  if (r >= 0) {
    happened(r);
    touchAtime(nd.mnt, nd.inode);
  }
  pathPut(nd);
  return syscallExit(r);
}

function readLink(nd: Nameidata): i32 {
  const i = nd.inode;
  if (!i.isLink) return -EINVAL;
  const to = scratch + SCRATCH.IO;
  const body = linkBody(i);
  if (!(i.mode & I_DRIVER) || body != 0) {
    const size = linkBodySize(i);
    if (<u64>size > <u64>PATH_MAX) corrupt(i.at);
    memory.copy(to, body, <usize>size);
    return <i32>size;
  }
  if (!(i.sb.hooks & HOOK.READLINK)) return -EINVAL;
  const r = driverReadlink(i);
  if (r < 0) return r;
  if (r >= DRIVER_OP.MAGIC_LINK) return pathOfFile(nd.ctx, r - DRIVER_OP.MAGIC_LINK);
  memory.copy(to, scratch + S_BODY, r);
  // Without room for it the call succeeds as well, and the driver is asked again.
  if (keepsLinkBody(i) && r != 0 && r <= PATH_MAX) keepLinkBody(i, to, r);
  if (i.sb.hooks & HOOK.PUT_LINK) driverPutLink(i);
  return r;
}

/** Where the open file of a descriptor is at present, in SCRATCH.IO: the length, or -errno. */
function pathOfFile(c: Context, fd: i32): i32 {
  const f = fgetRaw(c, fd);
  if (!f) return -ENOENT;
  const r = dPath(c, f.mnt, f.dentry);
  fput(f);
  return r;
}

/** openat(2): returns a descriptor. Flags that there are not are ignored, as in Linux. */
export function sysOpen(ctx: f64, dirfd: i32, len: i32, flags: u32, mode: u32): i32 {
  return openat(ctx, dirfd, len, flags, mode, false);
}

/** The same for a caller that has numbers of its own for its files: it gets any free descriptor, which threads of one context take and free side by side. */
export function sysOpenAny(ctx: f64, dirfd: i32, len: i32, flags: u32, mode: u32): i32 {
  return openat(ctx, dirfd, len, flags, mode, true);
}

function openat(ctx: f64, dirfd: i32, len: i32, flags: u32, mode: u32, any: bool): i32 {
  const err = checkOpenFlags(flags);
  if (err != 0) return syscallExit(err);
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doOpen(nd, flags & VALID_OPEN_FLAGS, mode & 0xfff, any, 0) : syscallEnterErr);
}

/** openat2(2): `flags`, `mode` and `resolve` (RESOLVE_*) as in struct open_how. Leaves the mode of what it has opened in SCRATCH.STAT. */
export function sysOpenat2(ctx: f64, dirfd: i32, len: i32, flags: u32, mode: u32, resolve: u32): i32 {
  return openat2(ctx, dirfd, len, flags, mode, resolve, false, 0);
}

/**
 * The same, with any free descriptor as sysOpenAny(), and the file has a tag, 64 bits that its opener makes up, 0: none. sysCloseTagged() closes it by that,
 * whichever thread has got the descriptor.
 */
export function sysOpenTagged(
  ctx: f64,
  dirfd: i32,
  len: i32,
  flags: u32,
  mode: u32,
  resolve: u32,
  tagHigh: u32,
  tagLow: u32,
): i32 {
  return openat2(ctx, dirfd, len, flags, mode, resolve, true, ((<u64>tagHigh) << 32) | <u64>tagLow);
}

function openat2(ctx: f64, dirfd: i32, len: i32, flags: u32, mode: u32, resolve: u32, any: bool, tag: u64): i32 {
  const err = checkOpenHow(flags, mode, resolve);
  if (err != 0) return syscallExit(err);
  const nd = pathArgument(ctx, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  nd.how |= resolveFlags(resolve, false);
  return syscallExit(doOpen(nd, flags, mode, any, tag));
}

/**
 * Opens, reads and closes a file: up to `window` bytes, at most IO_SIZE, to SCRATCH.IO, unless they are more than a page and one run; else by the
 * host's copyToUser(), with the size in SCRATCH.STAT before. Returns the bytes read, or OPENED less a descriptor: it is a directory or a driver's file, or longer than MAX_RW_COUNT.
 */
export function sysReadFile(ctx: f64, dirfd: i32, len: i32, window: u32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doReadFile(nd, min<u32>(window, IO_SIZE)) : syscallEnterErr);
}

/**
 * Opens a directory, reads all its entries and closes it. They come to SCRATCH.IO; each time that it is full the host's copyToUser() takes
 * them. Returns the bytes of all entries, of which the last ones are still there, or OPENED less a descriptor: it is a driver's directory.
 * abi/memory.ts has what an entry is (SCAN_NAME), and what SCRATCH.STAT says of all of them (SCAN_PLAIN, SCAN_COMMON).
 */
export function sysScandir(ctx: f64, dirfd: i32, len: i32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doScandir(nd) : syscallEnterErr);
}

/**
 * Opens a file with O_WRONLY, O_CREAT and O_TRUNC or O_APPEND, writes n bytes, at most IO_SIZE, from SCRATCH.IO, and closes it. Returns
 * n, -errno of the open, WRITE_FAILED less an errno, or OPENED less a descriptor: it is a driver's file, to which nothing is written.
 */
export function sysWriteFile(ctx: f64, dirfd: i32, len: i32, append: i32, mode: u32, n: u32): i32 {
  if (n > <u32>IO_SIZE) return syscallExit(-EINVAL);
  const nd = pathArgument(ctx, dirfd, len, false);
  const flags: u32 = O_WRONLY | O_CREAT | (append != 0 ? O_APPEND : O_TRUNC);
  return syscallExit(nd ? doWriteFile(nd, flags, mode & 0xfff, n) : syscallEnterErr);
}

/** truncate(2) */
export function sysTruncate(ctx: f64, dirfd: i32, len: i32, size: f64): i32 {
  if (!(size >= 0)) return syscallExit(-EINVAL);
  const nd = pathArgument(ctx, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  let err = filenameLookup(nd, LOOKUP_FOLLOW, FOR_PATH, 0);
  if (err != 0) return syscallExit(err);
  const i = nd.inode;
  if (i.isDir) err = -EISDIR;
  else if (!i.isReg) err = -EINVAL;
  if (err == 0) err = inodePermission(nd.ctx, i, MAY_WRITE, false);
  if (err == 0) err = mntWantWrite(nd.mnt);
  if (err == 0) err = truncateInode(nd.ctx, nd.dentry, i, size, 0);
  pathPut(nd);
  return syscallExit(err);
}

/** mkdirat(2) */
export function sysMkdir(ctx: f64, dirfd: i32, len: i32, mode: u32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doCreate(nd, S_IFDIR | (mode & 0x3ff), 0, 0) : syscallEnterErr);
}

/**
 * mknodat(2): the type in `mode` is any but that of directories and links, 0 is S_IFREG. `dev` is the number of a device, as st_rdev has it;
 * it means nothing for other files.
 */
export function sysMknod(ctx: f64, dirfd: i32, len: i32, mode: u32, dev: u32): i32 {
  const type = mode & S_IFMT;
  // may_mknod() comes before the path.
  const device = isDeviceType(type);
  if (type == S_IFDIR) return syscallExit(-EPERM);
  if (type != 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && !device) return syscallExit(-EINVAL);
  const nd = pathArgument(ctx, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  return syscallExit(doCreate(nd, (type == 0 ? S_IFREG : type) | (mode & 0xfff), 0, device ? dev : 0));
}

/** symlinkat(2): the body is in SCRATCH.PATH, the path of the link in SCRATCH.PATH2. */
export function sysSymlink(ctx: f64, len: i32, dirfd2: i32, len2: i32): i32 {
  if (badPathLength(len)) return syscallExit(syscallEnterErr);
  if (hasNul(scratch + SCRATCH.PATH, len)) return syscallExit(-EINVAL);
  const nd = pathArgument(ctx, dirfd2, len2, true);
  return syscallExit(nd ? doCreate(nd, S_IFLNK | 0x1ff, scratch + SCRATCH.PATH, len) : syscallEnterErr);
}

/** linkat(2) */
export function sysLink(ctx: f64, dirfd: i32, len: i32, dirfd2: i32, len2: i32, flags: u32): i32 {
  const from = pathOrFdArgument(ctx, dirfd, len, flags);
  if (!from) return syscallExit(syscallEnterErr);
  const follow = flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
  const nd = pathArgument(ctx, dirfd2, len2, true);
  if (nd) return syscallExit(doLink(from, nd, follow));
  // As in Linux, an error of the first path's walk comes before one in the second path.
  const bad = syscallEnterErr;
  const err = filenameLookup(from, follow, FOR_PATH, 0);
  if (err == 0) pathPut(from);
  return syscallExit(err != 0 ? err : bad);
}

/** unlinkat(2): AT_REMOVEDIR for rmdir. */
export function sysUnlink(ctx: f64, dirfd: i32, len: i32, flags: u32): i32 {
  const nd = pathArgument(ctx, dirfd, len, false);
  return syscallExit(nd ? doUnlink(nd, (flags & AT_REMOVEDIR) != 0) : syscallEnterErr);
}

/** renameat2(2) */
export function sysRename(ctx: f64, dirfd: i32, len: i32, dirfd2: i32, len2: i32, flags: u32): i32 {
  const refused = checkRenameFlags(flags);
  if (refused != 0) return syscallExit(refused);
  const nd = pathArgument(ctx, dirfd, len, false);
  if (!nd) return syscallExit(syscallEnterErr);
  const nd2 = pathArgument(ctx, dirfd2, len2, true);
  if (nd2) return syscallExit(doRename(nd, nd2, flags));
  const bad = syscallEnterErr;
  const err = filenameParentat(nd, 0);
  if (err == 0) pathPut(nd);
  return syscallExit(err != 0 ? err : bad);
}
