/**
 * `cp`: copies a file or a tree, with Node's checks and errors
 * (https://nodejs.org/api/fs.html#fscpsyncsrc-dest-options). Iterative, so that depth costs no JavaScript stack.
 */
import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { codedError, compoundError, describeValue, invalidArgType, pathText } from "../errors/errors.js";
import { toBoolean, toCallMode, toCopyMode, toObject, toPath } from "./args.js";
import { listDirectory } from "./directory/entries.js";
import { operation } from "./operation.js";
import { copyFile } from "./ops-file.js";
import { chmod, exists, lstat, mkdir, readlink, stat, symlink, unlink, utimes } from "./ops-path.js";
import { joinPaths } from "./paths/join.js";
import type { BigIntStats, Stats } from "./stats.js";
import type { SystemCalls } from "./system-calls.js";

export interface CpArguments {
  src: string;
  dest: string;
  dereference: boolean;
  errorOnExist: boolean;
  force: boolean;
  preserveTimestamps: boolean;
  recursive: boolean;
  verbatimSymlinks: boolean;
  mode: number;
  filter: ((source: string, destination: string) => boolean) | undefined;
}

export const cp = operation(
  (source: string | URL, destination: string | URL, options?: NodeFs.CopySyncOptions): CpArguments => {
    const defaults = {
      dereference: false,
      errorOnExist: false,
      filter: undefined,
      force: true,
      preserveTimestamps: false,
      recursive: false,
      verbatimSymlinks: false,
    };
    const given: Record<string, unknown> =
      options === undefined ? { ...defaults } : { ...defaults, ...toObject(options, "options") };
    const flag = (name: string) => toBoolean(given[name], `options.${name}`);
    const flags = {
      dereference: flag("dereference"),
      errorOnExist: flag("errorOnExist"),
      force: flag("force"),
      preserveTimestamps: flag("preserveTimestamps"),
      recursive: flag("recursive"),
      verbatimSymlinks: flag("verbatimSymlinks"),
      // As in Node, the mode of no options is one that Object.prototype may have.
      mode: options === undefined ? toCallMode(given.mode) : toCopyMode(given.mode),
    };
    if (flags.dereference && flags.verbatimSymlinks) {
      const message = 'Option "dereference" cannot be used in combination with option "verbatimSymlinks"';
      throw codedError(TypeError, "ERR_INCOMPATIBLE_OPTION_PAIR", message);
    }
    const { filter } = given;
    if (filter !== undefined && typeof filter !== "function") {
      throw invalidArgType("options.filter", "of type function", filter);
    }
    const src = pathText(toPath(source, "src"));
    const dest = pathText(toPath(destination, "dest"));
    return { ...flags, src, dest, filter: filter as CpArguments["filter"] };
  },
  (calls, args): void => new Copy(calls, args).run(),
);

/** A directory whose entries are being copied. */
interface Level {
  src: string;
  dest: string;
  names: string[];
  next: number;
  /** The mode to set when the directory is complete; undefined if the directory existed before. */
  mode: number | undefined;
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

class Copy {
  readonly #calls: SystemCalls;
  readonly #args: CpArguments;
  readonly #levels: Level[] = [];

  constructor(calls: SystemCalls, args: CpArguments) {
    this.#calls = calls;
    this.#args = args;
  }

  run(): void {
    const { src, dest } = this.#args;
    const checked = this.#check(src, dest);
    if (checked === undefined) return;
    this.#checkParents(src, checked.source, dest);
    const parent = dirname(dest);
    if (!exists.run(this.#calls, parent)) mkdir.run(this.#calls, { path: parent, mode: 0o777, recursive: true });
    this.#copy(src, dest, checked.target !== undefined);
    let level = this.#levels.at(-1);
    while (level !== undefined) {
      this.#step(level);
      level = this.#levels.at(-1);
    }
  }

  #step(level: Level): void {
    const name = level.names[level.next];
    if (name === undefined) {
      if (level.mode !== undefined) chmod.run(this.#calls, { path: level.dest, mode: level.mode });
      this.#levels.pop();
      return;
    }
    level.next++;
    const src = String(joinPaths(level.src, name));
    const dest = String(joinPaths(level.dest, name));
    const checked = this.#check(src, dest);
    if (checked !== undefined) this.#copy(src, dest, checked.target !== undefined);
  }

  #stat(path: string, follow: boolean, throwIfNoEntry: boolean): BigIntStats | undefined {
    const op = follow ? stat : lstat;
    return op.run(this.#calls, { path, bigint: true, throwIfNoEntry }) as BigIntStats | undefined;
  }

  /** Asks the filter and reads the attributes of both sides; undefined if the filter rejects. */
  #check(src: string, dest: string): { source: BigIntStats; target: BigIntStats | undefined } | undefined {
    const { filter, dereference } = this.#args;
    if (filter !== undefined) {
      const wanted: unknown = filter(src, dest);
      if (wanted instanceof Promise) {
        const message = `Expected boolean to be returned from the "filter" function but got ${describeValue(wanted)}.`;
        throw codedError(TypeError, "ERR_INVALID_RETURN_VALUE", message);
      }
      if (!wanted) return undefined;
    }
    const source = this.#stat(src, dereference, true) as BigIntStats;
    const target = this.#stat(dest, dereference, false);
    if (target !== undefined) {
      if (isSame(source, target)) throw invalid("src and dest cannot be the same", dest);
      if (source.isDirectory() && !target.isDirectory()) {
        throw cpError("ERR_FS_CP_DIR_TO_NON_DIR", "Cannot overwrite non-directory with directory", {
          message: `cannot overwrite non-directory ${dest} with directory ${src}`,
          path: dest,
          errno: ERRNO.EISDIR,
          code: "EISDIR",
        });
      }
      if (!source.isDirectory() && target.isDirectory()) {
        throw cpError("ERR_FS_CP_NON_DIR_TO_DIR", "Cannot overwrite directory with non-directory", {
          message: `cannot overwrite directory ${dest} with non-directory ${src}`,
          path: dest,
          errno: ERRNO.ENOTDIR,
          code: "ENOTDIR",
        });
      }
    }
    if (source.isDirectory() && this.#isBelow(src, dest)) throw intoItself(src, dest);
    return { source, target };
  }

  /** A tree must not be copied into itself, whatever paths lead to its parts. */
  #checkParents(src: string, source: BigIntStats, dest: string): void {
    const stop = this.#resolve(dirname(src));
    let parent = this.#resolve(dirname(dest));
    while (parent !== stop && parent !== "/") {
      const found = this.#stat(parent, true, false);
      if (found === undefined) return;
      if (isSame(source, found)) throw intoItself(src, dest);
      parent = dirname(parent);
    }
  }

  /** Copies one file, or a directory without its entries, which follow. */
  #copy(src: string, dest: string, there: boolean): void {
    const { dereference, recursive } = this.#args;
    const op = dereference ? stat : lstat;
    const source = op.run(this.#calls, { path: src, bigint: false, throwIfNoEntry: true }) as Stats;
    if (source.isDirectory()) {
      if (!recursive) {
        throw compoundError("ERR_FS_EISDIR", "Path is a directory", {
          message: `${src} is a directory (not copied)`,
          path: src,
          syscall: "cp",
          errno: ERRNO.EINVAL,
          code: "EISDIR",
        });
      }
      if (!there) mkdir.run(this.#calls, { path: dest, mode: 0o777, recursive: false });
      const names = listDirectory(this.#calls, src).map(({ name }) => String(name));
      this.#levels.push({ src, dest, names, next: 0, mode: there ? undefined : source.mode & 0o7777 });
    } else if (source.isFile() || source.isCharacterDevice() || source.isBlockDevice()) {
      this.#copyFile(src, dest, source, there);
    } else if (source.isSymbolicLink()) {
      this.#copyLink(src, dest, there);
    } else {
      throw uncopyable(source, dest);
    }
  }

  #copyFile(src: string, dest: string, source: Stats, there: boolean): void {
    const { force, errorOnExist, mode, preserveTimestamps } = this.#args;
    if (there && !force) {
      if (!errorOnExist) return;
      throw cpError("ERR_FS_CP_EEXIST", "Target already exists", {
        message: `${dest} already exists`,
        path: dest,
        errno: ERRNO.EEXIST,
        code: "EEXIST",
      });
    }
    if (there) unlink.run(this.#calls, dest);
    copyFile.run(this.#calls, { path: src, dest, mode });
    if (preserveTimestamps) {
      const { atime, mtime } = stat.run(this.#calls, { path: src, bigint: false, throwIfNoEntry: true }) as Stats;
      utimes.run(this.#calls, utimes.parse(dest, atime, mtime));
    }
    chmod.run(this.#calls, { path: dest, mode: source.mode & 0o7777 });
  }

  #copyLink(src: string, dest: string, there: boolean): void {
    const body = String(readlink.run(this.#calls, { path: src, encoding: "utf8" }));
    const target =
      this.#args.verbatimSymlinks || body.startsWith("/") ? body : this.#resolve(String(joinPaths(dirname(src), body)));
    if (there) {
      const old = lstat.run(this.#calls, { path: dest, bigint: false, throwIfNoEntry: false });
      // A file in the link's place is not overwritten: symlink fails with EEXIST.
      if (old?.isSymbolicLink()) {
        this.#checkLinks(target, dest);
        unlink.run(this.#calls, dest);
      }
    }
    symlink.run(this.#calls, { path: target, dest });
  }

  /** A replaced link must not point above or below the new target. */
  #checkLinks(target: string, dest: string): void {
    const oldBody = String(readlink.run(this.#calls, { path: dest, encoding: "utf8" }));
    const old = this.#resolve(oldBody.startsWith("/") ? oldBody : String(joinPaths(dirname(dest), oldBody)));
    if (this.#isBelow(target, old)) throw intoItself(target, old, dest);
    const found = this.#stat(dest, true, false);
    if (found?.isDirectory() && this.#isBelow(old, target)) {
      throw cpError("ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY", "Cannot overwrite symlink in subdirectory of self", {
        message: `cannot overwrite ${old} with ${target}`,
        path: dest,
        errno: ERRNO.EINVAL,
        code: "EINVAL",
      });
    }
  }

  /** An absolute path without "." and "..", from its text alone, as Node's path.resolve. */
  #resolve(path: string): string {
    const parts: string[] = [];
    const absolute = path.startsWith("/") ? path : `${this.#calls.cwd()}/${path}`;
    for (const part of absolute.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== "" && part !== ".") parts.push(part);
    }
    return `/${parts.join("/")}`;
  }

  #isBelow(src: string, dest: string): boolean {
    const above = this.#resolve(src);
    const below = this.#resolve(dest);
    return above === "/" || below === above || below.startsWith(`${above}/`);
  }
}

/** As Node's path.dirname. */
function dirname(path: string): string {
  const end = path.replace(/\/+$/, "");
  const slash = end.lastIndexOf("/");
  if (slash === -1) return path.startsWith("/") ? "/" : ".";
  return end.slice(0, slash).replace(/\/+$/, "") || "/";
}

interface CpErrorInfo {
  message: string;
  path: string;
  errno: number;
  code: string;
}

function cpError(code: string, prefix: string, info: CpErrorInfo): Error {
  return compoundError(code, prefix, { ...info, syscall: "cp" });
}

function invalid(message: string, path: string): Error {
  return cpError("ERR_FS_CP_EINVAL", "Invalid src or dest", { message, path, errno: ERRNO.EINVAL, code: "EINVAL" });
}

function intoItself(src: string, dest: string, path = dest): Error {
  return invalid(`cannot copy ${src} to a subdirectory of self ${dest}`, path);
}

function uncopyable(source: Stats, dest: string): Error {
  const [code, prefix, what] = source.isSocket()
    ? ["ERR_FS_CP_SOCKET", "Cannot copy a socket file", "a socket file"]
    : source.isFIFO()
      ? ["ERR_FS_CP_FIFO_PIPE", "Cannot copy a FIFO pipe", "a FIFO pipe"]
      : ["ERR_FS_CP_UNKNOWN", "Cannot copy an unknown file type", "an unknown file type"];
  const message = `cannot copy ${what}: ${dest}`;
  return cpError(code, prefix, { message, path: dest, errno: ERRNO.EINVAL, code: "EINVAL" });
}
