/**
 * Node's own `realpath`, which is not the kernel's (`realpath.native` is): dots are taken out of the text first, so that
 * `file/` and `missing/..` have a real path, and the ".." in the body of a link does not follow the link before it.
 */

import * as ERRNO from "../../../abi/errno.js";
import { AT_SYMLINK_NOFOLLOW } from "../../../abi/flags.js";
import * as STAT from "../../../abi/stat.js";
import { systemCallError } from "../../errors/errors.js";
import { nameOf } from "../bytes.js";
import { constants } from "../constants.js";
import type { SystemCalls } from "../system-calls.js";
import { resolvePath } from "./join.js";

const { S_IFMT, S_IFLNK } = constants;

/** Links that one call follows. Node has no limit, and never ends where the text of links leads in a circle. */
const LINKS_MAX = 1000;

/** @throws the system errors of lstat, stat, readlink; ELOOP after {@link LINKS_MAX} links */
export function realpathByText(calls: SystemCalls, given: string): string {
  let path = resolvePath(given.startsWith("/") ? "/" : calls.cwd(), given);
  if (hasNoLinks(calls, path)) return path;
  /** Paths that are no links. */
  const hard = new Set<string>();
  let links = 0;
  for (let end = nextEnd(path, 0); end > 0; ) {
    const base = path.slice(0, end);
    if (hard.has(base) || !isLink(calls, base)) {
      hard.add(base);
      end = end < path.length ? nextEnd(path, end + 1) : 0;
      continue;
    }
    calls.check(calls.statRaw(base, 0), "stat", base);
    if (++links > LINKS_MAX) throw systemCallError(-ERRNO.ELOOP, "stat", base);
    const target = resolvePath(base.slice(0, base.lastIndexOf("/")), readLink(calls, base));
    path = resolvePath(target, path.slice(end + 1));
    end = path === "/" ? 0 : nextEnd(path, 1);
  }
  return path;
}

/** The end of the name that is at or after `from`. */
function nextEnd(path: string, from: number): number {
  if (path === "/") return 0;
  const slash = path.indexOf("/", Math.max(from, 1));
  return slash === -1 ? path.length : slash;
}

/** One call instead of one for each name: if no link is on the way, the path is its own real path. */
function hasNoLinks(calls: SystemCalls, path: string): boolean {
  const length = calls.tryPutPath(path);
  const got = length < 0 ? length : calls.core.sysRealpath(calls.ctx, calls.dirfd, length);
  return got >= 0 && nameOf(calls.attachment.io.subarray(0, got), "utf8") === path;
}

function isLink(calls: SystemCalls, path: string): boolean {
  calls.check(calls.statRaw(path, AT_SYMLINK_NOFOLLOW), "lstat", path);
  return (calls.attachment.stat[STAT.mode] & S_IFMT) === S_IFLNK;
}

function readLink(calls: SystemCalls, path: string): string {
  const length = calls.putPath(path, "readlink");
  const got = calls.check(calls.core.sysReadlink(calls.ctx, calls.dirfd, length), "readlink", path);
  return nameOf(calls.attachment.io.subarray(0, got), "utf8") as string;
}
