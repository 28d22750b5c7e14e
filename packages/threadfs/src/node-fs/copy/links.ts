/** Links that `cp` copies: what a copy points at, and when it may take another link's place. */

import * as ERRNO from "../../../abi/errno.js";
import { nativeError, pathText, standardError } from "../../errors/errors.js";
import type { Path } from "../args.js";
import { decodeText } from "../bytes.js";
import { type Step, type Steps, step } from "../operation.js";
import { readlink, symlink, unlink } from "../ops-path.js";
import {
  appendName,
  isAbsolute,
  parentPath,
  pathBytes,
  resolveBytes,
  samePath,
  startsWithPath,
} from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";
import { type Attributes, attributes, copyError, isDirectory, isLink, mustStat, refuseInto } from "./check.js";

/** The body of a link, as bytes. */
function bodyOf(calls: SystemCalls, path: Path): Path {
  return readlink.run(calls, { path, encoding: "buffer" });
}

/** As `path.resolve(directory of at, path)`: by the text alone. */
function resolveAt(calls: SystemCalls, at: Path, path: Path): Path {
  return resolveBytes(calls.resolve(parentPath(at)), path);
}

/** Whether a path is another or below it, by their text. */
export function isInside(calls: SystemCalls, above: Path, path: Path): boolean {
  const [top, below] = [calls.resolve(above), calls.resolve(path)];
  return samePath(pathBytes(top), pathBytes(below)) || startsWithPath(pathBytes(below), pathBytes(appendName(top, "")));
}

/** The names of an absolute path, dots too, as std::filesystem::absolute leaves them. */
function namesOf(calls: SystemCalls, path: Path): string[] {
  const whole = calls.whole(path);
  return decodeText(pathBytes(whole), "latin1").split("/").filter(Boolean);
}

/** {@link isInside} as Node's C++ has it: nothing is resolved, so that the bodies of relative links rarely match. */
function isInsideInTree(calls: SystemCalls, above: Path, path: Path): boolean {
  const below = namesOf(calls, path);
  return namesOf(calls, above).every((name, i) => name === below[i]);
}

function make(calls: SystemCalls, body: Path, dest: Path): Step<void> {
  return step(calls, () => symlink.run(calls, { path: body, dest }));
}

/**
 * A link that is copied by itself, or in a tree with a filter. `target`: what is there.
 * @param later as the asynchronous forms do it: whether a link leads to a directory that the other is in is asked of the source
 */
export function* copyLink(
  calls: SystemCalls,
  src: Path,
  dest: Path,
  target: Attributes | undefined,
  verbatim: boolean,
  later = false,
): Steps<void> {
  const resolved = yield* step(calls, () => {
    const body = bodyOf(calls, src);
    return verbatim || isAbsolute(body) ? body : resolveAt(calls, src, body);
  });
  // A file in the link's place is not overwritten: symlink fails with EEXIST.
  if (target !== undefined && isLink(target)) {
    yield* step(calls, () => checkReplaced(calls, src, dest, resolved, later ? src : dest));
    yield* step(calls, () => unlink.run(calls, dest));
  }
  yield* make(calls, resolved, dest);
}

/** @throws Error ERR_FS_CP_EINVAL, ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY for a link that may not take another one's place */
function checkReplaced(calls: SystemCalls, src: Path, dest: Path, resolved: Path, asked: Path): void {
  const body = bodyOf(calls, dest);
  const old = isAbsolute(body) ? body : resolveAt(calls, dest, body);
  if (isDirectory(attributes(calls, src, true)) && isInside(calls, resolved, old)) {
    const message = `cannot copy ${pathText(resolved)} to a subdirectory of self ${pathText(old)}`;
    throw copyError("ERR_FS_CP_EINVAL", message, dest);
  }
  if (isDirectory(mustStat(calls, asked, true)) && isInside(calls, old, resolved)) {
    const message = `cannot overwrite ${pathText(old)} with ${pathText(resolved)}`;
    throw copyError("ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY", message, dest);
  }
}

/**
 * How the copy of a link in a tree gets its body: as it is, without links on the way as far as they exist, or made absolute by its text
 * alone where it is not. C++ leaves a slash where a path that it has made ends in a slash or a dot (std::filesystem::lexically_normal).
 */
export type LinkBodies = "verbatim" | "canonical" | "resolved";

/** A link in a tree. `directory`: the one that the copy is made in, which errors name. */
export function* copyLinkInTree(
  calls: SystemCalls,
  src: Path,
  dest: Path,
  directory: Path,
  bodies: LinkBodies,
): Steps<void> {
  const body = yield* step(calls, () => bodyOf(calls, src));
  if (bodies === "verbatim") {
    yield* place(calls, body, dest, directory);
    return;
  }
  if (yield* step(calls, () => isReplaced(calls, body, dest))) yield* step(calls, () => unlink.run(calls, dest));
  const whole = yield* step(calls, () =>
    bodies === "resolved" ? absolute(calls, src, body) : canonical(calls, appendName(parentPath(src), body), body),
  );
  yield* place(calls, whole, dest, directory);
}

/** Whether something is in the way of a link that Node takes away: another link. @throws EEXIST, ERR_FS_CP_... */
function isReplaced(calls: SystemCalls, body: Path, dest: Path): boolean {
  if (typeof attributes(calls, dest, true) !== "object") return false;
  const target = attributes(calls, dest, false);
  if (!isLink(target)) {
    if (!isDirectory(target)) throw standardError(-ERRNO.EEXIST, "cp", dest);
    return false;
  }
  const old = bodyOf(calls, dest);
  if (isDirectory(attributes(calls, body, true)) && isInsideInTree(calls, body, old)) refuseInto(body, old);
  if (isDirectory(attributes(calls, dest, true)) && isInsideInTree(calls, old, body)) {
    const message = `cannot overwrite ${pathText(old)} with ${pathText(body)}`;
    throw nativeError(Error, "ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY", message);
  }
  return true;
}

/** The body of a link `src` as an absolute path. */
function absolute(calls: SystemCalls, src: Path, body: Path): Path {
  return isAbsolute(body) ? body : withSlashOf(body, resolveAt(calls, src, body));
}

/** The path that a body has been made to, with the slash that stands for a slash or a dot at the body's end. */
function withSlashOf(body: Path, made: Path): Path {
  return /(^|\/)\.{0,2}$/.test(pathText(body)) ? appendName(made, "") : made;
}

function place(calls: SystemCalls, body: Path, dest: Path, directory: Path): Step<void> {
  return step(calls, () => {
    const [length, length2] = calls.putPaths(body, dest, "symlink");
    const failed = calls.core.sysSymlink(calls.ctx, length, calls.dirfd, length2);
    if (failed < 0) throw standardError(failed, "cp", directory);
  });
}

/**
 * An absolute path without links as far as it exists, the rest by its text (C++: std::filesystem::weakly_canonical).
 * A loop of links stays as it is; Node gives up the copy there.
 */
function canonical(calls: SystemCalls, path: Path, body: Path): Path {
  const whole = isAbsolute(body) ? body : calls.whole(path);
  const missing: Path[] = [];
  let found: Path = whole;
  for (;;) {
    const length = calls.tryPutPath(found);
    const got = length < 0 ? length : calls.core.sysRealpath(calls.ctx, calls.dirfd, length);
    if (got >= 0) {
      const real: Path = calls.attachment.io.slice(0, got);
      if (missing.length === 0) return real;
      const made = missing.reduceRight((above, name) => appendName(above, name), real);
      return withSlashOf(body, resolveBytes(made, ""));
    }
    const above = parentPath(found);
    if (above.length <= 1) return withSlashOf(body, calls.resolve(whole));
    missing.push(found.slice(above.length + 1));
    found = above;
  }
}
