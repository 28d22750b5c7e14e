/**
 * `cp` as the asynchronous forms of Node 26 do it: checks of their own, in their order, with errors that have `info`. A directory
 * that is not there yet, without a filter and without `dereference`, is filled as cpSync fills it (copy.ts). Iterative, so that depth costs
 * no JavaScript stack.
 */
import * as ERRNO from "../../../abi/errno.js";
import { errnoOf, pathText, systemCallError } from "../../errors/errors.js";
import type { Path } from "../args.js";
import { constants } from "../constants.js";
import { listDirectory } from "../directory/entries.js";
import { type Steps, step } from "../operation.js";
import { mkdir, mkdirArguments, mkdirLater, unlink } from "../ops-path.js";
import { directoryOf, joinPaths, samePath } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";
import {
  type Attributes,
  attributes,
  copyError,
  isCopied,
  isDirectory,
  isLink,
  isSame,
  mustStat,
  refuseExisting,
  specialError,
} from "./check.js";
import { copyFile } from "./contents.js";
import { Copy } from "./copy.js";
import { copyLink, isInside } from "./links.js";
import { type CopyArguments, copyMode, copyTimes, wanted } from "./steps.js";

const { O_RDONLY } = constants;
const OWNER_WRITES = 0o200;

/** A directory whose entries are being copied. */
interface Level {
  src: Path;
  dest: Path;
  source: Attributes;
  names: Path[];
  next: number;
  /** Whether the copy made the directory: it gets the mode of its source when it is complete. */
  made: boolean;
}

/** A file that the filter wants, and what the checks found in the place of its copy. */
interface Checked {
  source: Attributes;
  target: Attributes | undefined;
}

export class LaterCopy {
  readonly #calls: SystemCalls;
  readonly #args: CopyArguments;
  readonly #levels: Level[] = [];

  constructor(calls: SystemCalls, args: CopyArguments) {
    this.#calls = calls;
    this.#args = args;
  }

  *run(): Steps<void> {
    const { src, dest } = this.#args;
    const calls = this.#calls;
    if (!(yield* wanted(this.#args, src, dest, true))) return;
    const { source, target } = yield* step(calls, () => this.#check(src, dest));
    yield* step(calls, () => checkParents(calls, src, source, dest));
    yield* step(calls, () => makeParent(calls, dest));
    yield* this.#copyOne(src, dest, target);
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const name = level.next < level.names.length ? level.names[level.next++] : undefined;
      if (name === undefined) {
        yield* this.#finish();
        continue;
      }
      const [from, to] = [joinPaths(level.src, name), joinPaths(level.dest, name)];
      if (!(yield* wanted(this.#args, from, to, true))) continue;
      const checked = yield* step(calls, () => this.#check(from, to));
      yield* this.#copyOne(from, to, checked.target);
    }
  }

  /** @throws Error ERR_FS_CP_... for a file that may not take that place */
  #check(src: Path, dest: Path): Checked {
    const { dereference } = this.#args;
    const source = mustStat(this.#calls, src, dereference);
    const found = attributes(this.#calls, dest, dereference);
    if (typeof found === "number" && found !== -ERRNO.ENOENT) {
      throw systemCallError(found, dereference ? "stat" : "lstat", dest);
    }
    const target = typeof found === "number" ? undefined : found;
    const [from, to] = [pathText(src), pathText(dest)];
    if (target !== undefined) {
      if (isSame(source, target)) throw copyError("ERR_FS_CP_EINVAL", "src and dest cannot be the same", dest);
      if (isDirectory(source) && !isDirectory(target)) {
        const message = `cannot overwrite non-directory ${to} with directory ${from}`;
        throw copyError("ERR_FS_CP_DIR_TO_NON_DIR", message, dest);
      }
      if (!isDirectory(source) && isDirectory(target)) {
        const message = `cannot overwrite directory ${to} with non-directory ${from}`;
        throw copyError("ERR_FS_CP_NON_DIR_TO_DIR", message, dest);
      }
    }
    if (isDirectory(source) && isInside(this.#calls, src, dest)) throw intoItself(src, dest);
    return { source, target };
  }

  *#copyOne(src: Path, dest: Path, target: Attributes | undefined): Steps<void> {
    const { dereference, recursive, verbatimSymlinks } = this.#args;
    const source = yield* step(this.#calls, () => mustStat(this.#calls, src, dereference));
    if (isDirectory(source)) {
      if (!recursive) throw copyError("ERR_FS_EISDIR", `${pathText(src)} is a directory (not copied)`, src);
      yield* this.#copyDirectory(src, dest, source, target);
    } else if (isCopied(source)) {
      yield* this.#copyFile(src, dest, source, target);
    } else if (isLink(source)) {
      yield* copyLink(this.#calls, src, dest, target, verbatimSymlinks, true);
    } else {
      throw specialError(source, dest);
    }
  }

  *#copyDirectory(src: Path, dest: Path, source: Attributes, target: Attributes | undefined): Steps<void> {
    const { filter, dereference, errorOnExist, force } = this.#args;
    const calls = this.#calls;
    if (target === undefined && filter === undefined && !dereference) {
      yield* new Copy(calls, { ...this.#args, src, dest }).tree(source);
      return;
    }
    if (target !== undefined && errorOnExist && !force) refuseExisting(dest);
    // Through links a tree may contain itself: Node never ends there, or at PATH_MAX.
    if (this.#levels.some((level) => isSame(level.source, source))) throw intoItself(src, dest);
    if (target === undefined) yield* step(calls, () => mkdir.run(calls, mkdirArguments(dest, 0o777, false)));
    const names = yield* step(calls, () => this.#namesIn(src));
    this.#levels.push({ src, dest, source, names, next: 0, made: target === undefined });
  }

  #namesIn(src: Path): Path[] {
    try {
      return listDirectory(this.#calls, src).map(({ name }) => name);
    } catch (error) {
      if (this.#calls.attachment.limit.isPassed(error)) throw error;
      throw systemCallError(errnoOf(error), "opendir", src);
    }
  }

  /** Leaves the directory that is complete. */
  *#finish(): Steps<void> {
    const level = this.#levels.pop();
    if (level === undefined) return;
    const { src, dest, source, made } = level;
    if (this.#args.preserveTimestamps) yield* copyTimes(this.#calls, src, dest);
    if (made) yield* copyMode(this.#calls, dest, source);
  }

  *#copyFile(src: Path, dest: Path, source: Attributes, target: Attributes | undefined): Steps<void> {
    const { force, errorOnExist, mode, preserveTimestamps } = this.#args;
    const calls = this.#calls;
    if (target !== undefined) {
      if (!force) {
        if (errorOnExist) refuseExisting(dest);
        return;
      }
      // As in Node it is removed first; here only when the source can be read.
      yield* step(calls, () => this.#checkReadable(src, dest));
      yield* step(calls, () => unlink.run(calls, dest));
    }
    yield* copyFile.steps(calls, { path: src, dest, mode });
    if (preserveTimestamps) {
      if ((source.mode & OWNER_WRITES) === 0) {
        yield* copyMode(calls, dest, { ...source, mode: source.mode | OWNER_WRITES });
      }
      yield* copyTimes(calls, src, dest);
    }
    yield* copyMode(calls, dest, source);
  }

  #checkReadable(src: Path, dest: Path): void {
    const length = this.#calls.tryPutPath(src);
    const fd = length < 0 ? length : this.#calls.core.sysOpen(this.#calls.ctx, this.#calls.dirfd, length, O_RDONLY, 0);
    if (fd < 0) throw systemCallError(fd, "copyfile", src, dest);
    this.#calls.closeQuietly(fd);
  }
}

function intoItself(src: Path, dest: Path): Error {
  return copyError(
    "ERR_FS_CP_EINVAL",
    `cannot copy ${pathText(src)} to a subdirectory of self ${pathText(dest)}`,
    dest,
  );
}

/** No directory above the destination may be the source, whatever paths lead to it. */
function checkParents(calls: SystemCalls, src: Path, source: Attributes, dest: Path): void {
  const whole = (path: Path) => calls.resolve(path);
  const stop = whole(directoryOf(src));
  for (let below = dest; ; ) {
    const parent = whole(directoryOf(below));
    if (samePath(parent, stop) || parent.length === 1) return;
    const found = attributes(calls, parent, true);
    if (found === -ERRNO.ENOENT) return;
    if (typeof found === "number") throw systemCallError(found, "stat", parent);
    if (isSame(source, found)) throw intoItself(src, below);
    below = parent;
  }
}

/** Makes the directory of the destination, if it is missing. */
function makeParent(calls: SystemCalls, dest: Path): void {
  const parent = directoryOf(dest);
  const found = attributes(calls, parent, true);
  if (typeof found === "object") return;
  if (found !== -ERRNO.ENOENT) throw systemCallError(found, "stat", parent);
  mkdirLater.run(calls, mkdirArguments(parent, 0o777, true));
}
