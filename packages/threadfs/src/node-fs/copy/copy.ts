/**
 * Copies a file or a tree. Node 26 has two walks, and so are there two here: with a filter, or for the file that is given, in
 * JavaScript over the calls of fs (`copyOne`); without a filter, for everything below a directory, in C++ (`copyEntry`). They
 * differ in errors, in what happens to links, and in that the second one writes into existing files. Iterative, so that
 * depth costs no JavaScript stack. Paths that hold bytes stay bytes.
 */

import * as ERRNO from "../../../abi/errno.js";
import { AT_REMOVEDIR } from "../../../abi/flags.js";
import { DT_DIR, DT_LNK, DT_REG } from "../../../abi/mode.js";
import { errnoOf, nativeError, pathText, standardError, systemCallError } from "../../errors/errors.js";
import type { Path } from "../args.js";
import { constants } from "../constants.js";
import { type Entry, listDirectory } from "../directory/entries.js";
import { type Step, type Steps, step } from "../operation.js";
import { mkdir, mkdirArguments } from "../ops-path.js";
import { appendName, endsWithSlash, joinPaths } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";
import {
  type Attributes,
  attributes,
  checkPaths,
  isCopied,
  isDirectory,
  isLink,
  isRegular,
  isSame,
  mayStat,
  mustStat,
  refuseExisting,
  refuseInto,
  specialError,
} from "./check.js";
import { copyContents, copyFile } from "./contents.js";
import { makeDirectories } from "./directories.js";
import { copyLink, copyLinkInTree, type LinkBodies } from "./links.js";
import { type CopyArguments, copyMode, copyTimes, wanted } from "./steps.js";

/** A directory whose entries are being copied. */
interface Level {
  src: Path;
  dest: Path;
  source: Attributes;
  target: Attributes | number;
  entries: Entry[];
  next: number;
  /** Whether the copy made the directory: it gets the mode of its source when it is complete. */
  made: boolean;
}

const { O_RDONLY, COPYFILE_EXCL } = constants;

export class Copy {
  readonly #calls: SystemCalls;
  readonly #args: CopyArguments;
  readonly #levels: Level[] = [];

  /** The checks have made a directory of the destination's name. */
  #made = false;

  /**
   * As in the asynchronous forms: bodies of links are made whole by their text, what cannot be copied is an error, and mkdir and copyfile
   * name their errors.
   */
  #later = false;

  constructor(calls: SystemCalls, args: CopyArguments) {
    this.#calls = calls;
    this.#args = args;
  }

  *run(): Steps<void> {
    const { src, dest, dereference, recursive } = this.#args;
    if (!(yield* wanted(this.#args, src, dest, false))) return;
    yield* this.#step(() => {
      // Made again, it finds the directories that it has made.
      this.#made = checkPaths(this.#calls, src, dest, dereference, recursive) || this.#made;
    });
    yield* this.#copyOne(src, dest);
    try {
      yield* this.#copyEntries();
    } catch (error) {
      // Node's walk with a filter sets modes and times also when it fails.
      throw this.#args.filter === undefined ? error : yield* this.#abandon(error);
    }
  }

  /**
   * Copies a directory to one that was not there, as the asynchronous forms of Node do it without a filter. If it is there by now, as where
   * its path ends in a dot and the directory above has been made, that is an error.
   */
  *tree(source: Attributes): Steps<void> {
    const { src, dest } = this.#args;
    this.#later = true;
    yield* this.#step(() => this.#makeDirectory(dest));
    yield* this.#enter(src, dest, source, true);
    yield* this.#copyEntries();
  }

  #step<R>(work: () => R): Step<R> {
    return step(this.#calls, work);
  }

  /** Returns the last error. */
  *#abandon(error: unknown): Steps<unknown> {
    let last = error;
    while (this.#levels.length > 0) {
      try {
        yield* this.#finish();
      } catch (next) {
        last = next;
      }
    }
    return last;
  }

  *#copyEntries(): Steps<void> {
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      // Not beyond the end, where the value would be that of a prototype.
      const entry = level.next < level.entries.length ? level.entries[level.next++] : undefined;
      if (entry === undefined) {
        yield* this.#finish();
      } else if (this.#args.filter === undefined) {
        yield* this.#copyEntry(entry, level);
      } else {
        const [from, to] = [joinPaths(level.src, entry.name), joinPaths(level.dest, entry.name)];
        if (yield* wanted(this.#args, from, to, false)) yield* this.#copyOne(from, to);
      }
    }
  }

  /** The file that was given, or one in a tree with a filter. */
  *#copyOne(src: Path, dest: Path): Steps<void> {
    const { dereference, recursive, errorOnExist, force, verbatimSymlinks } = this.#args;
    const source = yield* this.#step(() => mustStat(this.#calls, src, dereference));
    const target = yield* this.#step(() => mayStat(this.#calls, dest, dereference));
    if (isDirectory(source) && recursive) {
      if (target !== undefined && errorOnExist && !force) refuseExisting(dest);
      this.#refuseLoop(src, dest, source);
      if (target === undefined) {
        yield* this.#step(() => {
          if (this.#args.filter === undefined) this.#makeDirectory(dest);
          else mkdir.run(this.#calls, mkdirArguments(dest, 0o777, false));
        });
      }
      yield* this.#enter(src, dest, source, target === undefined);
    } else if (isCopied(source)) {
      yield* this.#copyFile(src, dest, source, target);
    } else if (isLink(source)) {
      yield* copyLink(this.#calls, src, dest, target, verbatimSymlinks);
    }
  }

  /** Through links a tree may contain itself, or the copy that is being made: Node never ends there, or at PATH_MAX. */
  #refuseLoop(src: Path, dest: Path, source: Attributes): void {
    const loops = this.#levels.some((level) => isSame(level.source, source) || isSame(level.target, source));
    if (loops) refuseInto(src, dest);
  }

  *#enter(src: Path, dest: Path, source: Attributes, made: boolean): Steps<void> {
    const target = yield* this.#step(() => attributes(this.#calls, dest, true));
    const entries = yield* this.#step(() => this.#entriesOf(src));
    this.#levels.push({ src, dest, source, target, entries, next: 0, made });
  }

  #entriesOf(src: Path): Entry[] {
    try {
      return listDirectory(this.#calls, src);
    } catch (error) {
      if (this.#calls.attachment.limit.isPassed(error)) throw error;
      const errno = errnoOf(error);
      // Node's walk with a filter opens the directory, and names no path.
      throw this.#args.filter === undefined ? standardError(errno, "cp", src) : systemCallError(errno, "opendir");
    }
  }

  /** Leaves the directory that is complete. */
  *#finish(): Steps<void> {
    const level = this.#levels.pop();
    if (level === undefined) return;
    const { src, dest, source, made } = level;
    const { filter, preserveTimestamps } = this.#args;
    if (preserveTimestamps && filter !== undefined) yield* copyTimes(this.#calls, src, dest);
    if (made) yield* copyMode(this.#calls, dest, source);
    if (preserveTimestamps && filter === undefined) yield* copyTimes(this.#calls, src, dest);
  }

  #makeDirectory(dest: Path): void {
    if (this.#later) {
      mkdir.run(this.#calls, mkdirArguments(dest, 0o777, false));
      return;
    }
    const failed = makeDirectories(this.#calls, dest);
    if (failed < 0) throw standardError(failed, "cp", dest);
  }

  *#copyFile(src: Path, dest: Path, source: Attributes, target: Attributes | undefined): Steps<void> {
    const { force, errorOnExist, mode, preserveTimestamps } = this.#args;
    if (target === undefined) {
      yield* copyFile.steps(this.#calls, { path: src, dest, mode });
    } else {
      if (!force) {
        if (errorOnExist) refuseExisting(dest);
        return;
      }
      yield* this.#replace(src, dest, source);
    }
    if (preserveTimestamps) yield* copyTimes(this.#calls, src, dest);
    yield* copyMode(this.#calls, dest, source);
  }

  /** Replaces a file by a copy. As in Node it is removed first; here only when the source can be read. */
  *#replace(src: Path, dest: Path, source: Attributes): Steps<void> {
    if (endsWithSlash(dest)) {
      // Node makes a missing directory of that name, removes it again and fails.
      if (this.#made) yield* this.#step(() => this.#remove(dest));
      throw this.#replaceError(-ERRNO.EISDIR, src, dest);
    }
    // The C++ library copies no device.
    if (this.#args.mode === 0 && !isRegular(source)) throw this.#replaceError(-ERRNO.EINVAL, src, dest);
    yield* this.#step(() => this.#checkReadable(src, dest));
    yield* this.#step(() => this.#remove(dest));
    const failed = yield* copyContents(this.#calls, src, dest, this.#args.mode, this.#args.mode !== 0);
    if (failed < 0) throw this.#replaceError(failed, src, dest);
  }

  /** Node copies with the C++ library where no mode is given, else with libuv. */
  #replaceError(errno: number, src: Path, dest: Path): Error {
    return this.#args.mode === 0 ? standardError(errno, "cp", dest) : systemCallError(errno, "cp", src, dest);
  }

  #checkReadable(src: Path, dest: Path): void {
    const length = this.#calls.tryPutPath(src);
    const fd = length < 0 ? length : this.#calls.core.sysOpen(this.#calls.ctx, this.#calls.dirfd, length, O_RDONLY, 0);
    if (fd < 0) throw this.#replaceError(fd, src, dest);
    this.#calls.closeQuietly(fd);
  }

  /** Removes a file, a link or an empty directory. */
  #remove(path: Path): void {
    const { core, ctx, dirfd } = this.#calls;
    const directory = isDirectory(attributes(this.#calls, path, false));
    const length = this.#calls.tryPutPath(path);
    const gone = length < 0 ? length : core.sysUnlink(ctx, dirfd, length, directory ? AT_REMOVEDIR : 0);
    if (gone < 0 && gone !== -ERRNO.ENOENT) throw standardError(gone, "unlink", path);
  }

  #bodies(): LinkBodies {
    if (this.#args.verbatimSymlinks) return "verbatim";
    return this.#later ? "resolved" : "canonical";
  }

  /** An entry of a tree without a filter. */
  *#copyEntry({ name, type }: Entry, level: Level): Steps<void> {
    const { dereference } = this.#args;
    const [src, dest, directory] = [appendName(level.src, name), appendName(level.dest, name), level.dest];
    const own = yield* this.#step(() => attributes(this.#calls, src, false));
    if (typeof own === "number") {
      // It has vanished since its name was read.
      if (own === -ERRNO.ENOENT) return;
      throw yield* this.#unseenError(own, type, src, dest, directory);
    }
    if (isLink(own) && !dereference) {
      yield* copyLinkInTree(this.#calls, src, dest, directory, this.#bodies());
      return;
    }
    const source = isLink(own) ? yield* this.#step(() => mustStat(this.#calls, src, true)) : own;
    if (isDirectory(source)) {
      this.#refuseLoop(src, dest, source);
      const target = yield* this.#step(() => attributes(this.#calls, dest, true));
      if (typeof target === "object" && !isDirectory(target)) throw standardError(-ERRNO.EEXIST, "cp", dest);
      if (typeof target === "number") yield* this.#step(() => this.#makeDirectory(dest));
      yield* this.#enter(src, dest, source, typeof target === "number");
    } else if (isRegular(source)) {
      // In the place of a dereferenced link Node makes a new file, elsewhere it writes into the one that is there.
      if (isLink(own) && (yield* this.#takesPlace(src, dest))) return;
      yield* this.#copyFileInTree(src, dest, source, directory);
    } else if (this.#later) {
      throw specialError(source, dest);
    }
  }

  /**
   * The error for an entry of a directory that may be listed and not searched. Node goes by the type in the listing: it makes the copy
   * of a directory before it looks into the source, and begins to copy a file.
   */
  *#unseenError(errno: number, type: number, src: Path, dest: Path, directory: Path): Steps<Error> {
    if (type === DT_DIR) {
      const target = yield* this.#step(() => attributes(this.#calls, dest, true));
      if (typeof target === "number") yield* this.#step(() => this.#makeDirectory(dest));
      return standardError(errno, "cp", src);
    }
    if (type === DT_LNK && this.#args.dereference) return systemCallError(errno, "stat", src);
    return type === DT_REG ? this.#contentsError(errno, dest, directory) : standardError(errno, "cp", directory);
  }

  /** The error for a file in a tree without a filter. */
  #contentsError(errno: number, dest: Path, directory: Path): Error {
    return this.#later ? systemCallError(errno, "copyfile", dest) : standardError(errno, "cp", directory);
  }

  /** Removes what a file is to replace. Returns whether it stays instead. */
  *#takesPlace(src: Path, dest: Path): Steps<boolean> {
    const { force, errorOnExist } = this.#args;
    const target = yield* this.#step(() => attributes(this.#calls, dest, true));
    if (typeof target === "number") return false;
    if (!force) {
      if (errorOnExist) refuseExistingInTree(dest);
      return true;
    }
    yield* this.#step(() => this.#checkReadable(src, dest));
    yield* this.#step(() => this.#remove(dest));
    return false;
  }

  /** Node writes into a file that is there, through its other names and links too. */
  *#copyFileInTree(src: Path, dest: Path, source: Attributes, directory: Path): Steps<void> {
    const { force, errorOnExist, preserveTimestamps } = this.#args;
    const target = yield* this.#step(() => attributes(this.#calls, dest, true));
    if (typeof target === "object" && isSame(source, target)) refuseExistingInTree(dest);
    if (typeof target === "object" && !(this.#later ? isCopied(target) : isRegular(target)))
      throw standardError(-ERRNO.EINVAL, "cp", directory);
    const failed = yield* copyContents(this.#calls, src, dest, force ? 0 : COPYFILE_EXCL, this.#later);
    if (failed === -ERRNO.EEXIST && !force) {
      if (errorOnExist) refuseExistingInTree(dest);
      if (preserveTimestamps) yield* copyTimes(this.#calls, src, dest);
      return;
    }
    if (failed < 0) throw this.#contentsError(failed, dest, directory);
    if (preserveTimestamps) yield* copyTimes(this.#calls, src, dest);
    yield* copyMode(this.#calls, dest, source);
  }
}

function refuseExistingInTree(dest: Path): never {
  const message = `[ERR_FS_CP_EEXIST]: Target already exists: cp returned EEXIST (${pathText(dest)} already exists)`;
  throw nativeError(Error, "ERR_FS_CP_EEXIST", message);
}
