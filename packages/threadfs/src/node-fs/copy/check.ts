/** What `cp` checks before it copies anything, and its errors: those of Node 26. */

import * as ERRNO from "../../../abi/errno.js";
import { AT_SYMLINK_NOFOLLOW } from "../../../abi/flags.js";
import * as STAT from "../../../abi/stat.js";
import { compoundError, ignoreError, nativeError, pathText, systemCallError } from "../../errors/errors.js";
import type { Path } from "../args.js";
import { constants } from "../constants.js";
import { exists, mkdir, mkdirArguments } from "../ops-path.js";
import { appendName, parentPath, samePath, startsWithPath } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";

const { S_IFMT, S_IFDIR, S_IFLNK, S_IFSOCK, S_IFIFO, S_IFREG, S_IFCHR, S_IFBLK } = constants;

/** What `cp` looks at in the attributes of a file. */
export interface Attributes {
  dev: number;
  ino: number;
  mode: number;
  type: number;
}

/** The attributes of a path, or a negative errno. */
export function attributes(calls: SystemCalls, path: Path, follow: boolean): Attributes | number {
  const failed = calls.statRaw(path, follow ? 0 : AT_SYMLINK_NOFOLLOW);
  if (failed < 0) return failed;
  const { stat } = calls.attachment;
  return { dev: stat[STAT.dev], ino: stat[STAT.ino], mode: stat[STAT.mode], type: stat[STAT.mode] & S_IFMT };
}

/** @throws the system error of stat or lstat */
export function mustStat(calls: SystemCalls, path: Path, follow: boolean): Attributes {
  const found = attributes(calls, path, follow);
  if (typeof found === "number") throw systemCallError(found, follow ? "stat" : "lstat", path);
  return found;
}

/** The attributes of a path that may be missing. @throws other system errors */
export function mayStat(calls: SystemCalls, path: Path, follow: boolean): Attributes | undefined {
  const found = attributes(calls, path, follow);
  if (typeof found !== "number") return found;
  if (found === -ERRNO.ENOENT || (follow && found === -ERRNO.ENOTDIR)) return undefined;
  throw systemCallError(found, follow ? "stat" : "lstat", path);
}

export function isDirectory(found: Attributes | number | undefined): boolean {
  return typeof found === "object" && found.type === S_IFDIR;
}

export function isLink(found: Attributes | number | undefined): boolean {
  return typeof found === "object" && found.type === S_IFLNK;
}

export function isRegular({ type }: Attributes): boolean {
  return type === S_IFREG;
}

/** Whether `cp` copies the contents of such a file. */
export function isCopied({ type }: Attributes): boolean {
  return type === S_IFREG || type === S_IFCHR || type === S_IFBLK;
}

export function isSame(a: Attributes | number, b: Attributes | number): boolean {
  return typeof a === "object" && typeof b === "object" && a.ino === b.ino && a.dev === b.dev;
}

function refuse(code: string, message: string): never {
  throw nativeError(Error, code, message);
}

export function refuseInto(src: Path, dest: Path): never {
  refuse("ERR_FS_CP_EINVAL", `Cannot copy ${pathText(src)} to a subdirectory of self ${pathText(dest)}`);
}

/** Errors of a copy as Node's JavaScript makes them: how their messages begin, and Linux's name and number. */
const COPY_ERRORS = {
  ERR_FS_CP_DIR_TO_NON_DIR: ["Cannot overwrite non-directory with directory", "EISDIR", ERRNO.EISDIR],
  ERR_FS_CP_EEXIST: ["Target already exists", "EEXIST", ERRNO.EEXIST],
  ERR_FS_CP_EINVAL: ["Invalid src or dest", "EINVAL", ERRNO.EINVAL],
  ERR_FS_CP_FIFO_PIPE: ["Cannot copy a FIFO pipe", "EINVAL", ERRNO.EINVAL],
  ERR_FS_CP_NON_DIR_TO_DIR: ["Cannot overwrite directory with non-directory", "ENOTDIR", ERRNO.ENOTDIR],
  ERR_FS_CP_SOCKET: ["Cannot copy a socket file", "EINVAL", ERRNO.EINVAL],
  ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY: ["Cannot overwrite symlink in subdirectory of self", "EINVAL", ERRNO.EINVAL],
  ERR_FS_CP_UNKNOWN: ["Cannot copy an unknown file type", "EINVAL", ERRNO.EINVAL],
  ERR_FS_EISDIR: ["Path is a directory", "EISDIR", ERRNO.EISDIR],
} as const;

export function copyError(code: keyof typeof COPY_ERRORS, message: string, path: Path): Error {
  const [prefix, name, errno] = COPY_ERRORS[code];
  return compoundError(code, prefix, { message, path, syscall: "cp", errno, code: name });
}

/** The error of the asynchronous forms for what cannot be copied. */
export function specialError({ type }: Attributes, dest: Path): Error {
  const path = pathText(dest);
  if (type === S_IFSOCK) return copyError("ERR_FS_CP_SOCKET", `cannot copy a socket file: ${path}`, dest);
  if (type === S_IFIFO) return copyError("ERR_FS_CP_FIFO_PIPE", `cannot copy a FIFO pipe: ${path}`, dest);
  return copyError("ERR_FS_CP_UNKNOWN", `cannot copy an unknown file type: ${path}`, dest);
}

/** @throws Error ERR_FS_CP_EEXIST */
export function refuseExisting(dest: Path): never {
  throw copyError("ERR_FS_CP_EEXIST", `${String(dest)} already exists`, dest);
}

/**
 * The checks of the two paths that were given, and the directory of the destination, which is made if it is missing.
 * Returns whether a directory was made (of the destination's own name where that ends in a slash).
 * Node 26 ends the process where the destination is a link to nothing; here that is a destination like others.
 */
export function checkPaths(
  calls: SystemCalls,
  src: Path,
  dest: Path,
  dereference: boolean,
  recursive: boolean,
): boolean {
  // As in Node: with `dereference` the link itself, without it its target.
  const source = attributes(calls, src, !dereference);
  if (typeof source === "number") throw systemCallError(source, dereference ? "stat" : "lstat", src);
  const target = attributes(calls, dest, dereference);
  const fromDirectory = isDirectory(source) || isLink(source);
  if (typeof target === "object") {
    if (isSame(attributes(calls, src, true), attributes(calls, dest, true))) {
      refuse("ERR_FS_CP_EINVAL", `src and dest cannot be the same ${pathText(dest)}`);
    }
    if (fromDirectory && !isDirectory(target)) {
      const message = `Cannot overwrite non-directory ${pathText(dest)} with directory ${pathText(src)}`;
      refuse("ERR_FS_CP_DIR_TO_NON_DIR", message);
    }
    if (!fromDirectory && isDirectory(target)) {
      const message = `Cannot overwrite directory ${pathText(dest)} with non-directory ${pathText(src)}`;
      refuse("ERR_FS_CP_NON_DIR_TO_DIR", message);
    }
  }
  const below = appendName(src, "");
  if (fromDirectory && startsWithPath(dest, below)) refuseInto(below, dest);
  checkParents(calls, src, below, dest, recursive && isDirectory(attributes(calls, src, dereference)));
  if (fromDirectory && !recursive) {
    refuse("ERR_FS_EISDIR", `Recursive option not enabled, cannot copy a directory: ${pathText(below)}`);
  }
  refuseSpecial(source, dest);
  const parent = parentPath(dest);
  return parent.length > 0 && !exists.run(calls, parent) && makeParents(calls, parent);
}

function makeParents(calls: SystemCalls, path: Path): boolean {
  try {
    return mkdir.run(calls, mkdirArguments(path, 0o777, true)) !== undefined;
  } catch (error) {
    if (calls.attachment.limit.isPassed(error)) throw error;
    // As in Node: the copy reports what is wrong.
    ignoreError(error);
    return false;
  }
}

/**
 * The directory of the destination may not be the source, whatever paths lead to it: Node looks at that one only, and not where
 * it is "/" or a single name. In a tree that is copied, no directory above may be: there Node never ends.
 */
function checkParents(calls: SystemCalls, src: Path, below: Path, dest: Path, tree: boolean): void {
  const source = attributes(calls, src, true);
  const stop = parentPath(src);
  for (let parent = parentPath(dest); parent.length > 0 && !samePath(parent, stop); parent = parentPath(parent)) {
    const isAlone = parent.length === 1 || parentPath(parent).length === 0;
    if (isAlone && !tree) return;
    const found = attributes(calls, parent, true);
    if (isSame(source, found)) refuseInto(below, dest);
    if (typeof found === "number" || parent.length === 1 || !tree) return;
  }
}

function refuseSpecial({ type }: Attributes, dest: Path): void {
  const path = pathText(dest);
  if (type === S_IFSOCK) refuse("ERR_FS_CP_SOCKET", `Cannot copy a socket file: ${path}`);
  if (type === S_IFIFO) refuse("ERR_FS_CP_FIFO_PIPE", `Cannot copy a FIFO pipe: ${path}`);
}
