/** Changes of attributes, by path and by descriptor. */

import { EINVAL } from "../../abi/errno";
import * as SCRATCH from "../../abi/scratch";
import { scratch } from "../mem/thread";
import { ACL_DEFAULT, doGetacl } from "../vfs/acl/entries";
import { doSetacl } from "../vfs/acl/posix-acl";
import { Dentry } from "../vfs/dcache/dentry";
import { fput } from "../vfs/file/file";
import { checkWritable, doChmod, doChown, doUtimens } from "../vfs/inode/attr";
import { Inode } from "../vfs/inode/inode";
import { Mount } from "../vfs/mount/namespace";
import { Context } from "../vfs/task/cred";
import { FOR_PATH, filenameLookup, pathPut } from "../vfs/walk/namei";
import { fileOf, lookupFlags, pathOrFdArgument, syscallEnterActive, syscallEnterErr, syscallExit } from "./syscall";

/** Operations of attrOperation(). */
const SET_MODE: i32 = 0;
const SET_OWNER: i32 = 1;
const SET_ACL: i32 = 2;
const GET_ACL: i32 = 3;

function attrByPath(ctx: f64, dirfd: i32, len: i32, flags: u32, operation: i32, a: u32, b: u32): i32 {
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  if (!nd) return syscallEnterErr;
  let r = filenameLookup(nd, lookupFlags(flags), FOR_PATH, 0);
  if (r != 0) return r;
  r = attrOperation(nd.ctx, nd.mnt, nd.dentry, nd.inode, operation, a, b);
  pathPut(nd);
  return r;
}

function attrByFd(ctx: f64, fd: i32, operation: i32, a: u32, b: u32): i32 {
  const c = syscallEnterActive(ctx);
  const f = fileOf(c, fd);
  if (c == null || !f) return syscallEnterErr;
  const r = attrOperation(c, f.mnt, f.dentry, f.inode, operation, a, b);
  fput(f);
  return r;
}

function attrOperation(c: Context, m: Mount, d: Dentry, i: Inode, operation: i32, a: u32, b: u32): i32 {
  if (operation == SET_MODE) return doChmod(c, m, d, i, a);
  if (operation == SET_OWNER) return doChown(c, m, d, i, a, b);
  if (operation == GET_ACL) return doGetacl(i, a, scratch + SCRATCH.IO);
  const err = checkWritable(m, i);
  return err != 0 ? err : doSetacl(c, d, i, b, scratch + SCRATCH.IO, a);
}

/** fchmodat2(2) */
export function sysChmod(ctx: f64, dirfd: i32, len: i32, mode: u32, flags: u32): i32 {
  return syscallExit(attrByPath(ctx, dirfd, len, flags, SET_MODE, mode, 0));
}

/** fchmod(2) */
export function sysFchmod(ctx: f64, fd: i32, mode: u32): i32 {
  return syscallExit(attrByFd(ctx, fd, SET_MODE, mode, 0));
}

/** fchownat(2): ID_UNCHANGED leaves an id as it is. */
export function sysChown(ctx: f64, dirfd: i32, len: i32, uid: u32, gid: u32, flags: u32): i32 {
  return syscallExit(attrByPath(ctx, dirfd, len, flags, SET_OWNER, uid, gid));
}

/** fchown(2): ID_UNCHANGED leaves an id as it is. */
export function sysFchown(ctx: f64, fd: i32, uid: u32, gid: u32): i32 {
  return syscallExit(attrByFd(ctx, fd, SET_OWNER, uid, gid));
}

/**
 * Sets a POSIX ACL from `count` entries (ACL_ENTRY_*, abi/memory.ts) in SCRATCH.IO; 0 removes it. `type` 0: the access ACL, 1: the default
 * ACL of a directory.
 */
export function sysSetacl(ctx: f64, dirfd: i32, len: i32, count: u32, type: u32): i32 {
  if (type > ACL_DEFAULT) return syscallExit(-EINVAL);
  return syscallExit(attrByPath(ctx, dirfd, len, 0, SET_ACL, count, type));
}

/** Writes the entries of a POSIX ACL to SCRATCH.IO, returns how many; 0: none is set. */
export function sysGetacl(ctx: f64, dirfd: i32, len: i32, type: u32): i32 {
  if (type > ACL_DEFAULT) return syscallExit(-EINVAL);
  return syscallExit(attrByPath(ctx, dirfd, len, 0, GET_ACL, type, 0));
}

/** utimensat(2): seconds and nanoseconds; UTIME_NOW and UTIME_OMIT in place of nanoseconds. */
export function sysUtimens(
  ctx: f64,
  dirfd: i32,
  len: i32,
  atimeSec: f64,
  atimeNsec: f64,
  mtimeSec: f64,
  mtimeNsec: f64,
  flags: u32,
): i32 {
  const nd = pathOrFdArgument(ctx, dirfd, len, flags);
  if (!nd) return syscallExit(syscallEnterErr);
  let r = filenameLookup(nd, lookupFlags(flags), FOR_PATH, 0);
  if (r != 0) return syscallExit(r);
  r = doUtimens(nd.ctx, nd.mnt, nd.dentry, nd.inode, atimeSec, atimeNsec, mtimeSec, mtimeNsec);
  pathPut(nd);
  return syscallExit(r);
}

/** futimens(3) */
export function sysFutimens(ctx: f64, fd: i32, atimeSec: f64, atimeNsec: f64, mtimeSec: f64, mtimeNsec: f64): i32 {
  const c = syscallEnterActive(ctx);
  const f = fileOf(c, fd);
  if (c == null || !f) return syscallExit(syscallEnterErr);
  const r = doUtimens(c, f.mnt, f.dentry, f.inode, atimeSec, atimeNsec, mtimeSec, mtimeNsec);
  fput(f);
  return syscallExit(r);
}
