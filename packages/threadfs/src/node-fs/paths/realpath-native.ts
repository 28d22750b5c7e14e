/** `realpath.native`: realpath(3) of the GNU C library, which looks names up one by one and ".." by the text before it. */

import * as ERRNO from "../../../abi/errno.js";
import { MAXSYMLINKS } from "../../../abi/limits.js";
import type { Path } from "../args.js";
import { decodeText, encodeText } from "../bytes.js";
import type { SystemCalls } from "../system-calls.js";
import { pathBytes } from "./join.js";

/** A rest of a path for which the name before it must be a directory, though no other name follows: "/", "/.", "/..". */
const NEEDS_DIRECTORY = /^(?:\/+\.(?=\/))*\/+(?:$|\.$|\.\.(?:\/|$))/;

/** The path without links and dots, or a negative errno. Neither is longer than PATH_MAX for each name that is looked up. */
export function realpathOfC(calls: SystemCalls, path: Path): Uint8Array | number {
  const whole = decodeText(pathBytes(path), "latin1");
  const cwd = whole === "" || whole.startsWith("/") ? "" : workingDirectory(calls);
  if (typeof cwd === "number") return cwd;
  const length = calls.tryPutPath(path);
  const got = length < 0 ? length : calls.core.sysRealpath(calls.ctx, calls.dirfd, length);
  if (got >= 0) return calls.attachment.io.slice(0, got);
  const found = walk(calls, whole, cwd);
  return typeof found === "number" ? found : encodeText(found, "latin1");
}

/** The working directory as {@link walk} takes it, or ENOENT if it was removed. */
function workingDirectory(calls: SystemCalls): string | number {
  const length = calls.cwdRaw();
  return length < 0 ? length : decodeText(calls.attachment.io.subarray(0, length), "latin1").replace(/\/$/, "");
}

/** Paths are strings of one character for each byte. `cwd`: "" is the root, or not needed. */
function walk(calls: SystemCalls, path: string, cwd: string): string | number {
  if (path === "") return -ERRNO.ENOENT;
  let real = cwd;
  let rest = path;
  for (let links = 0; ; ) {
    const [, name = "", after = ""] = /^\/*([^/]*)(.*)$/s.exec(rest) ?? [];
    if (name === "") return real === "" ? "/" : real;
    rest = after;
    if (name === "..") real = real.slice(0, Math.max(real.lastIndexOf("/"), 0));
    if (name === "." || name === "..") continue;
    const next = `${real}/${name}`;
    const body = readLink(calls, next);
    if (typeof body === "string") {
      if (++links > MAXSYMLINKS) return -ERRNO.ELOOP;
      rest = body + rest;
      if (body.startsWith("/")) real = "";
      continue;
    }
    const failed = NEEDS_DIRECTORY.test(rest) ? calls.statRaw(encodeText(`${next}/`, "latin1"), 0) : body;
    if (failed < 0 && failed !== -ERRNO.EINVAL) return failed;
    real = next;
  }
}

/** The body of a link, or a negative errno: EINVAL if the file is not a link. */
function readLink(calls: SystemCalls, path: string): string | number {
  const length = calls.tryPutPath(encodeText(path, "latin1"));
  const got = length < 0 ? length : calls.core.sysReadlink(calls.ctx, calls.dirfd, length);
  return got < 0 ? got : decodeText(calls.attachment.io.subarray(0, got), "latin1");
}
