/** Entry and exit of a system call: its context, its paths, its descriptor. */

import { EBADF, EDEADLK, EINVAL, ENAMETOOLONG, ENOENT } from "../../abi/errno";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "../../abi/flags";
import { PATH_MAX } from "../../abi/limits";
import * as POINT from "../../abi/points";
import * as SCRATCH from "../../abi/scratch";
import { hasNul } from "../mem/hash";
import * as T from "../mem/thread";
import { tracepoint } from "../tracepoints";
import { File, fget, fgetRaw } from "../vfs/file/file";
import { enterActive, leaveActive } from "../vfs/recovery/quiescence";
import { acquireContext } from "../vfs/task/context-ref";
import { Context } from "../vfs/task/cred";
import { hookDepth } from "../vfs/task/thread";
import { LOOKUP_FOLLOW, Nameidata, nameidata } from "../vfs/walk/nameidata";
import { setNameidata } from "../vfs/walk/path-init";

/** Second return value of every function in this file that returns null, and of badPathLength(): -errno. */
export let syscallEnterErr: i32 = 0;

/**
 * Begins a call. False: refused. Calls from inside a driver's hook are refused, because they would overwrite the walk that
 * called the hook. A call that walks finds its context at the start of the walk (pathInit()).
 */
export function syscallEnter(): bool {
  syscallEnterErr = hookDepth != 0 ? -EDEADLK : -EBADF;
  return hookDepth == 0 && T.tid != 0;
}

/**
 * The same for a call that does not walk, and so holds references from its start: also acquires the context, which the call
 * then uses until its end. null: refused.
 */
export function syscallEnterActive(ctx: f64): Context | null {
  if (!syscallEnter()) return null;
  enterActive();
  const c = acquireContext(ctx);
  tracepoint(POINT.CALL_CONTEXT, changetype<usize>(c), 0);
  return c;
}

/** Ends a call with its result: the thread becomes quiescent. A call that was refused inside a hook ends nothing. */
export function syscallExit(r: i32): i32 {
  if (hookDepth == 0) leaveActive();
  return r;
}

export function syscallExitF(r: f64): f64 {
  if (hookDepth == 0) leaveActive();
  return r;
}

export function badPathLength(len: i32): bool {
  if (len > PATH_MAX) {
    syscallEnterErr = -ENAMETOOLONG;
    return true;
  }
  syscallEnterErr = -ENOENT;
  return len <= 0;
}

/** Prepares the walk of a call's first or second path, which may contain a NUL; null: refused. */
function pathArgumentUnchecked(ctx: f64, dirfd: i32, len: i32, second: bool): Nameidata {
  if (!syscallEnter() || badPathLength(len)) return changetype<Nameidata>(0);
  const nd = nameidata(second);
  setNameidata(nd, ctx, dirfd, T.scratch + (second ? SCRATCH.PATH2 : SCRATCH.PATH), len);
  return nd;
}

/** Prepares the walk of a call's first or second path; null: refused. */
export function pathArgument(ctx: f64, dirfd: i32, len: i32, second: bool): Nameidata {
  const nd = pathArgumentUnchecked(ctx, dirfd, len, second);
  if (!nd || !hasNul(nd.name, len)) return nd;
  syscallEnterErr = -EINVAL;
  return changetype<Nameidata>(0);
}

/**
 * The same for calls that take AT_EMPTY_PATH, where an empty path means the descriptor. Their first walk checks for a
 * NUL itself.
 */
export function pathOrFdArgument(ctx: f64, dirfd: i32, len: i32, flags: u32): Nameidata {
  if (len != 0 || !(flags & AT_EMPTY_PATH)) return pathArgumentUnchecked(ctx, dirfd, len, false);
  if (!syscallEnter()) return changetype<Nameidata>(0);
  store<u8>(T.scratch, 0);
  const nd = nameidata(false);
  setNameidata(nd, ctx, dirfd, T.scratch, 0);
  return nd;
}

/** The flags of the walk for a call's AT_ flags. */
export function lookupFlags(flags: u32): u32 {
  return flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
}

/** The file of a descriptor of a context, with a reference; null: refused. */
export function fileOf(c: Context | null, fd: i32): File {
  if (c == null) return changetype<File>(0);
  syscallEnterErr = -EBADF;
  const f = fget(c, fd);
  tracepoint(POINT.CALL_FILE, changetype<usize>(f), 0);
  return f;
}

/** The same for a call that needs its context for nothing else. */
export function fileArgument(ctx: f64, fd: i32): File {
  return fileOf(syscallEnterActive(ctx), fd);
}

/** The same for a call that takes descriptors opened with O_PATH too. */
export function rawFileArgument(ctx: f64, fd: i32): File {
  const c = syscallEnterActive(ctx);
  if (c == null) return changetype<File>(0);
  const f = fgetRaw(c, fd);
  syscallEnterErr = -EBADF;
  return f;
}
