/** Operations on a path that need one call of the core, or a few. */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from "../../abi/flags.js";
import * as STAT from "../../abi/stat.js";
import { invalidArgValue, systemCallError } from "../errors/errors.js";
import {
  fromUrl,
  NO_OPTIONS,
  type Path,
  toBoolean,
  toCallMode,
  toId,
  toMode,
  toNameEncoding,
  toOptions,
  toPath,
  toTime,
} from "./args.js";
import { nameOf } from "./bytes.js";
import { constants } from "./constants.js";
import { encodeName } from "./directory/entries.js";
import { operation } from "./operation.js";
import { realpathByText } from "./paths/realpath.js";
import { realpathOfC } from "./paths/realpath-native.js";
import type { BigIntStats, Stats } from "./stats.js";
import type { SystemCalls } from "./system-calls.js";
import { warnOnce } from "./warnings.js";

const { S_IFMT, S_IFDIR } = constants;

type PathLike = NodeFs.PathLike;
type NameOptions = NodeFs.EncodingOption | NodeFs.BufferEncodingOption;

export const access = operation(
  (path: PathLike, mode?: number) => ({ path: toPath(path), mode: toCallMode(mode) }),
  (calls, { path, mode }): void => {
    const length = calls.putPath(path, "access");
    calls.check(calls.core.sysAccess(calls.ctx, calls.dirfd, length, mode, 0), "access", path);
  },
);

export const exists = operation(
  (path: PathLike): Path | undefined => {
    try {
      return toPath(path);
    } catch (error) {
      if ((error as { code?: unknown }).code === "ERR_INVALID_ARG_TYPE") {
        const message = "Passing invalid argument types to fs.existsSync is deprecated";
        warnOnce(message, "DeprecationWarning", "DEP0187");
      }
      return undefined;
    }
  },
  (calls, path): boolean => {
    if (path === undefined) return false;
    const length = calls.tryPutPath(path);
    return length >= 0 && calls.core.sysAccess(calls.ctx, calls.dirfd, length, 0, 0) === 0;
  },
);

export interface StatArguments {
  path: Path;
  bigint: boolean | undefined;
  throwIfNoEntry: boolean;
}

function statArguments(path: PathLike, options: NodeFs.StatSyncOptions = NO_OPTIONS): StatArguments {
  const checked = toPath(path);
  return { path: checked, bigint: options.bigint === true, throwIfNoEntry: options.throwIfNoEntry !== false };
}

function runStat(
  calls: SystemCalls,
  args: StatArguments,
  flags: number,
  syscall: string,
): Stats | BigIntStats | undefined {
  const result = calls.statRaw(args.path, flags);
  if (result < 0) {
    // Of stat and lstat, Node's stat alone counts a file in the middle of a path as no entry.
    const isNoEntry = result === -ERRNO.ENOENT || (result === -ERRNO.ENOTDIR && flags === 0);
    if (!args.throwIfNoEntry && isNoEntry) return undefined;
    throw systemCallError(result, syscall, args.path);
  }
  return calls.stats(args.bigint);
}

export const stat = operation(statArguments, (calls, args) => runStat(calls, args, 0, "stat"));
export const lstat = operation(statArguments, (calls, args) => runStat(calls, args, AT_SYMLINK_NOFOLLOW, "lstat"));

export const rename = operation(
  (oldPath: PathLike, newPath: PathLike) => ({ path: toPath(oldPath, "oldPath"), dest: toPath(newPath, "newPath") }),
  (calls, { path, dest }): void => {
    const [length, length2] = calls.putPaths(path, dest, "rename");
    calls.check(calls.core.sysRename(calls.ctx, calls.dirfd, length, calls.dirfd, length2, 0), "rename", path, dest);
  },
);

export const link = operation(
  (existingPath: PathLike, newPath: PathLike) => ({
    path: toPath(existingPath, "existingPath"),
    dest: toPath(newPath, "newPath"),
  }),
  (calls, { path, dest }): void => {
    const [length, length2] = calls.putPaths(path, dest, "link");
    calls.check(calls.core.sysLink(calls.ctx, calls.dirfd, length, calls.dirfd, length2, 0), "link", path, dest);
  },
);

const SYMLINK_TYPES = new Set(["dir", "file", "junction"]);

export const symlink = operation(
  (target: PathLike, path: PathLike, type?: NodeFs.symlink.Type | null) => {
    // The types differ only on Windows; a wrong one is an error everywhere.
    if (type !== undefined && type !== null && !SYMLINK_TYPES.has(type)) {
      throw invalidArgValue("type", type, "must be one of: 'dir', 'file', 'junction', null, undefined");
    }
    return { path: toPath(target, "target"), dest: toPath(path) };
  },
  (calls, { path, dest }): void => {
    const [length, length2] = calls.putPaths(path, dest, "symlink");
    calls.check(calls.core.sysSymlink(calls.ctx, length, calls.dirfd, length2), "symlink", path, dest);
  },
);

export function nameArguments(path: PathLike, options?: NameOptions, name = "path") {
  const encoding = toNameEncoding(toOptions(options, NO_OPTIONS));
  return { path: toPath(path, name), encoding };
}

export const readlink = operation(
  (path: PathLike, options?: NameOptions) => nameArguments(path, options),
  (calls, { path, encoding }): string | Buffer => {
    const length = calls.putPath(path, "readlink");
    const got = calls.check(calls.core.sysReadlink(calls.ctx, calls.dirfd, length), "readlink", path);
    return nameOf(calls.attachment.io.subarray(0, got), encoding);
  },
);

export const realpathNative = operation(
  (path: PathLike, options?: NameOptions) => nameArguments(path, options),
  (calls, { path, encoding }): string | Buffer => {
    calls.checkOpen();
    const real = realpathOfC(calls, path);
    if (typeof real === "number") throw systemCallError(real, "realpath", path);
    return nameOf(real, encoding);
  },
);

/** Node's walk in JavaScript makes a string of whatever it is given, and then looks at that. */
function realpathArguments(path: PathLike, options?: NameOptions) {
  const encoding = toNameEncoding(toOptions(options, NO_OPTIONS));
  const given: unknown = fromUrl(path);
  return { path: toPath(typeof given === "string" ? given : `${given as string}`) as string, encoding };
}

export const realpath = operation(realpathArguments, (calls, { path, encoding }): string | Buffer =>
  encodeName(realpathByText(calls, path), encoding),
);

export const unlink = operation(
  (path: PathLike) => toPath(path),
  (calls, path): void => {
    const length = calls.putPath(path, "unlink");
    calls.check(calls.core.sysUnlink(calls.ctx, calls.dirfd, length, 0), "unlink", path);
  },
);

/** Removes an empty directory. */
export function rmdirPath(calls: SystemCalls, path: Path): void {
  const length = calls.putPath(path, "rmdir");
  calls.check(calls.core.sysUnlink(calls.ctx, calls.dirfd, length, AT_REMOVEDIR), "rmdir", path);
}

/** What a recursive mkdir has made so far. */
export interface Made {
  /** The first directory that it made. */
  first: Uint8Array | undefined;
}

/** Checked options: a mode, or an object. */
export function mkdirOptions(options: unknown): { mode: number; recursive: boolean } {
  if (typeof options === "number" || typeof options === "string") {
    return { mode: toMode(options, "mode"), recursive: false };
  }
  const given = (options || NO_OPTIONS) as NodeFs.MakeDirectoryOptions;
  const recursive = given.recursive !== undefined && toBoolean(given.recursive, "options.recursive");
  return { mode: given.mode === undefined ? 0o777 : toMode(given.mode, "options.mode"), recursive };
}

/** Checked arguments. */
export function mkdirArguments(path: Path, mode: number, recursive: boolean) {
  const progress: Made | undefined = recursive ? { first: undefined } : undefined;
  return { path, mode, progress };
}

export const mkdir = operation(
  (path: PathLike, options?: NodeFs.Mode | NodeFs.MakeDirectoryOptions | null) => {
    const { mode, recursive } = mkdirOptions(options);
    return mkdirArguments(toPath(path), mode, recursive);
  },
  (calls, args): string | undefined =>
    makeDirectory(calls, args, (errno) => systemCallError(errno, "mkdir", args.path)),
);

/** As the asynchronous forms of Node do it: an error names the directory on the way that could not be made. */
export const mkdirLater = operation(mkdir.parse, (calls, args): string | undefined =>
  makeDirectory(calls, args, (errno, part, isBlocked) => {
    return systemCallError(isBlocked ? -ERRNO.ENOTDIR : errno, "mkdir", part);
  }),
);

/**
 * Makes the error of a mkdir.
 * @param part the directory that could not be made
 * @param isBlocked it is on the way to another one, and something that is no directory has its name: also a link that leads nowhere
 */
type MkdirFailure = (errno: number, part: Path, isBlocked: boolean) => Error;

type MkdirArguments = ReturnType<typeof mkdirArguments>;

function makeDirectory(calls: SystemCalls, args: MkdirArguments, failure: MkdirFailure): string | undefined {
  const { path, mode, progress } = args;
  if (progress !== undefined) return makePath(calls, args, progress, failure);
  const made = tryMkdir(calls, path, mode);
  if (made < 0) throw failure(made, path, false);
  return undefined;
}

function tryMkdir(calls: SystemCalls, path: Path, mode: number): number {
  const length = calls.tryPutPath(path);
  return length < 0 ? length : calls.core.sysMkdir(calls.ctx, calls.dirfd, length, mode);
}

/** Errors that end a recursive mkdir; after other errors the directory may already exist. */
const MKDIR_ENDS = new Set<number>([-ERRNO.EACCES, -ERRNO.ENOSPC, -ERRNO.ENOTDIR, -ERRNO.EPERM, -ERRNO.ENAMETOOLONG]);

/**
 * `mkdir -p`: creates the missing directories of a path and returns the first one that it created. Works on bytes like
 * Node, from the whole path up to an existing directory and down again. Another thread may create or remove directories
 * meanwhile: one that it created is fine, one that it removed is created again, a bounded number of times.
 * When it is made again, after another thread has kept it waiting, it finds what it has made.
 */
function makePath(calls: SystemCalls, args: MkdirArguments, progress: Made, failure: MkdirFailure): string | undefined {
  const { path, mode } = args;
  const bytes = typeof path === "string" ? new TextEncoder().encode(path) : path;
  /** Ends of the paths to create, the shortest last. */
  const ends = [bytes.length];
  for (let attempts = 4 * bytes.length + 16; attempts > 0; attempts--) {
    const end = ends.pop();
    if (end === undefined) return progress.first && new TextDecoder().decode(progress.first);
    const part = bytes.subarray(0, end);
    const made = tryMkdir(calls, part, mode);
    if (made >= 0) {
      progress.first ??= bytes.slice(0, end);
      continue;
    }
    if (MKDIR_ENDS.has(made)) throw failure(made, part, false);
    const slash = part.lastIndexOf(0x2f);
    if (made === -ERRNO.ENOENT && slash > 0) {
      ends.push(end, slash);
      continue;
    }
    const found = calls.statRaw(part, 0);
    if (found < 0) throw failure(found, part, made === -ERRNO.EEXIST && ends.length > 0);
    if ((calls.attachment.stat[STAT.mode] & S_IFMT) !== S_IFDIR) {
      throw failure(ends.length > 0 ? -ERRNO.ENOTDIR : -ERRNO.EEXIST, part, false);
    }
  }
  throw failure(-ERRNO.ENOENT, path, false);
}

export const chmod = operation(
  (path: PathLike, mode: NodeFs.Mode) => ({ path: toPath(path), mode: toMode(mode, "mode") }),
  (calls, { path, mode }): void => {
    const length = calls.putPath(path, "chmod");
    calls.check(calls.core.sysChmod(calls.ctx, calls.dirfd, length, mode, 0), "chmod", path);
  },
);

function ownerArguments(path: PathLike, uid: number, gid: number) {
  return { path: toPath(path), uid: toId(uid, "uid"), gid: toId(gid, "gid") };
}

function runChown(calls: SystemCalls, args: ReturnType<typeof ownerArguments>, flags: number, syscall: string): void {
  const length = calls.putPath(args.path, syscall);
  calls.check(calls.core.sysChown(calls.ctx, calls.dirfd, length, args.uid, args.gid, flags), syscall, args.path);
}

export const chown = operation(ownerArguments, (calls, args) => runChown(calls, args, 0, "chown"));
export const lchown = operation(ownerArguments, (calls, args) => runChown(calls, args, AT_SYMLINK_NOFOLLOW, "lchown"));

function timeArguments(path: PathLike, atime: NodeFs.TimeLike, mtime: NodeFs.TimeLike) {
  return { path: toPath(path), atime: toTime(atime), mtime: toTime(mtime) };
}

function runUtimes(calls: SystemCalls, args: ReturnType<typeof timeArguments>, flags: number, syscall: string): void {
  const { path, atime, mtime } = args;
  const length = calls.putPath(path, syscall);
  const result = calls.core.sysUtimens(
    calls.ctx,
    calls.dirfd,
    length,
    atime.sec,
    atime.nsec,
    mtime.sec,
    mtime.nsec,
    flags,
  );
  calls.check(result, syscall, path);
}

export const utimes = operation(timeArguments, (calls, args) => runUtimes(calls, args, 0, "utime"));
export const lutimes = operation(timeArguments, (calls, args) => runUtimes(calls, args, AT_SYMLINK_NOFOLLOW, "lutime"));

const RANDOM_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const MKDTEMP_ATTEMPTS = 238;

export const mkdtemp = operation(
  (prefix: PathLike | string, options?: NameOptions) => {
    const encoding = toNameEncoding(toOptions(options, NO_OPTIONS));
    const checked = toPath(prefix, "prefix");
    if (typeof checked === "string" ? checked.endsWith("X") : checked[checked.length - 1] === 0x58) {
      const details = "For details see: https://nodejs.org/api/fs.html";
      warnOnce(`mkdtemp() templates ending with X are not portable. ${details}`);
    }
    return { prefix: checked, encoding };
  },
  (calls, { prefix, encoding }): string | Buffer => {
    const bytes = typeof prefix === "string" ? new TextEncoder().encode(prefix) : prefix;
    const name = new Uint8Array(bytes.length + 6);
    name.set(bytes);
    let made: number = -ERRNO.EEXIST;
    for (let attempt = 0; attempt < MKDTEMP_ATTEMPTS && made === -ERRNO.EEXIST; attempt++) {
      const random = crypto.getRandomValues(new Uint32Array(6));
      for (const [i, value] of random.entries()) {
        name[bytes.length + i] = RANDOM_CHARS.charCodeAt(value % RANDOM_CHARS.length);
      }
      made = tryMkdir(calls, name, 0o700);
    }
    if (made < 0) {
      name.fill(0x58, bytes.length);
      throw systemCallError(made, "mkdtemp", name);
    }
    return nameOf(name, encoding);
  },
);
