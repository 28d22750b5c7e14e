/**
 * `rm` and the recursive `rmdir`. Removes a tree through descriptors of its directories, name by name, so that another
 * thread cannot lead the removal out of the tree by replacing a directory with a link. Iterative, so that depth costs
 * no JavaScript stack.
 */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from "../../abi/flags.js";
import { DT_DIR } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import { compoundError, pathText, systemCallError } from "../errors/errors.js";
import { type Path, toBoolean, toInteger, toObject, toPath, toUint32 } from "./args.js";
import { utf8Bytes } from "./bytes.js";
import { constants } from "./constants.js";
import { type Entry, readEntries } from "./directory/entries.js";
import { operation } from "./operation.js";
import { rmdirPath } from "./ops-path.js";
import type { SystemCalls } from "./system-calls.js";

const { S_IFMT, S_IFDIR, O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
const OPEN_BELOW = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/** Directories that are open at the same time; those above are reopened through "..". */
const MAX_OPEN = 32;
/** How often a directory is emptied again after another thread has filled or replaced it. */
const MAX_PASSES = 8;
const DOT_DOT = /* @__PURE__ */ utf8Bytes("..");

/** Errors after which Node retries if `maxRetries` is given. */
const RETRIED = new Set<number>([-ERRNO.EBUSY, -ERRNO.EMFILE, -ERRNO.ENFILE, -ERRNO.ENOTEMPTY, -ERRNO.EPERM]);

export interface RmArguments {
  path: Path;
  recursive: boolean;
  force: boolean;
  maxRetries: number;
  /** Milliseconds. The wait grows by this with each retry. */
  retryDelay: number;
}

function rmArguments(path: PathLike, options?: NodeFs.RmOptions & NodeFs.RmDirOptions): RmArguments {
  const checked = toPath(path);
  const given = options === undefined ? {} : toObject(options, "options");
  const recursive = toBoolean(given.recursive ?? false, "options.recursive");
  const retryDelay = toInteger(given.retryDelay ?? 100, "options.retryDelay", 0, 2 ** 31 - 1);
  const maxRetries = toUint32(given.maxRetries ?? 0, "options.maxRetries");
  const force = toBoolean(given.force ?? false, "options.force");
  return { path: checked, recursive, force, maxRetries, retryDelay };
}

type PathLike = NodeFs.PathLike;

/** Sleeps where the thread may block; elsewhere returns at once. */
function sleep(milliseconds: number): void {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  } catch {
    // A browser's main thread may not block.
  }
}

/** Makes a call, and retries it as the options say. */
function retry(args: RmArguments, call: () => number): number {
  let result = call();
  for (let i = 1; i <= args.maxRetries && RETRIED.has(result); i++) {
    if (args.retryDelay > 0) sleep(i * args.retryDelay);
    result = call();
  }
  return result;
}

export const rm = operation(rmArguments, (calls, args): void => {
  const { path } = args;
  const found = calls.statRaw(path, AT_SYMLINK_NOFOLLOW);
  if (found < 0) {
    if (args.force && found === -ERRNO.ENOENT) return;
    throw systemCallError(found, "lstat", path);
  }
  if ((calls.attachment.stat[STAT.mode] & S_IFMT) === S_IFDIR) {
    if (!args.recursive) {
      throw compoundError("ERR_FS_EISDIR", "Path is a directory", {
        code: "EISDIR",
        message: "is a directory",
        path: pathText(path),
        syscall: "rm",
        errno: ERRNO.EISDIR,
      });
    }
    removeTree(calls, args);
    return;
  }
  const length = calls.putPath(path, "unlink");
  const gone = retry(args, () => {
    calls.tryPutPath(path);
    return calls.core.sysUnlink(calls.ctx, AT_FDCWD, length, 0);
  });
  if (gone < 0 && gone !== -ERRNO.ENOENT) throw systemCallError(gone, "unlink", path);
});

export const rmdir = operation(
  (path: PathLike, options?: NodeFs.RmDirOptions): RmArguments => {
    const { force: _, ...own } = (options ?? {}) as NodeFs.RmOptions;
    return rmArguments(path, own);
  },
  (calls, args): void => {
    if (!args.recursive) {
      rmdirPath(calls, args.path);
      return;
    }
    const found = calls.statRaw(args.path, AT_SYMLINK_NOFOLLOW);
    if (found < 0) throw systemCallError(found, "lstat", args.path);
    if ((calls.attachment.stat[STAT.mode] & S_IFMT) === S_IFDIR) removeTree(calls, args);
    else rmdirPath(calls, args.path);
  },
);

/** A directory that is being emptied. */
interface Level {
  /** Its name in the level above; for the first level the whole path. */
  name: Path;
  /** -1: closed for now. */
  fd: number;
  dev: number;
  ino: number;
  entries: Entry[];
  next: number;
  passes: number;
}

/** The directories from the top of the tree to the current one. */
class Removal {
  readonly #calls: SystemCalls;
  readonly #args: RmArguments;
  readonly #levels: Level[] = [];

  constructor(calls: SystemCalls, args: RmArguments) {
    this.#calls = calls;
    this.#args = args;
  }

  run(): void {
    try {
      this.#descend(this.#args.path, 0);
      let level = this.#levels.at(-1);
      while (level !== undefined) {
        const entry = level.entries[level.next];
        if (entry !== undefined) {
          level.next++;
          this.#remove(level, entry);
        } else if (!this.#readMore(level)) this.#ascend(level);
        level = this.#levels.at(-1);
      }
    } finally {
      for (const { fd } of this.#levels) if (fd >= 0) this.#calls.closeQuietly(fd);
    }
  }

  /** The descriptor in which the next level's name is looked up. */
  get #above(): number {
    return this.#levels.at(-1)?.fd ?? AT_FDCWD;
  }

  /** Removes a file, or opens a directory. */
  #remove(level: Level, { name, type }: Entry): void {
    if (type !== DT_DIR) {
      const gone = this.#unlink(level.fd, name, 0);
      if (gone >= 0 || gone === -ERRNO.ENOENT) return;
      if (gone !== -ERRNO.EISDIR) this.#fail(gone, "unlink", name);
    }
    this.#descend(name, 0);
  }

  #unlink(dirfd: number, name: Path, flags: number): number {
    const { core, ctx } = this.#calls;
    return retry(this.#args, () => {
      const length = this.#calls.tryPutPath(name);
      return length < 0 ? length : core.sysUnlink(ctx, dirfd, length, flags);
    });
  }

  #descend(name: Path, passes: number): void {
    const { core, ctx, attachment } = this.#calls;
    const above = this.#above;
    const fd = retry(this.#args, () => {
      const length = this.#calls.tryPutPath(name);
      return length < 0 ? length : core.sysOpen(ctx, above, length, OPEN_BELOW, 0);
    });
    if (fd === -ERRNO.ENOENT) return;
    if (fd < 0) {
      this.#removeUnopened(above, name, fd, passes);
      return;
    }
    core.sysFstat(ctx, fd);
    this.#levels.push({
      name,
      fd,
      dev: attachment.stat[STAT.dev],
      ino: attachment.stat[STAT.ino],
      entries: [],
      next: 0,
      passes,
    });
    const high = this.#levels.at(-1 - MAX_OPEN);
    if (high !== undefined && high.fd >= 0) {
      this.#calls.closeQuietly(high.fd);
      high.fd = -1;
    }
  }

  /**
   * Removes what cannot be opened as a directory: it is another type by now, or a directory without read permission,
   * which may be empty.
   */
  #removeUnopened(above: number, name: Path, errno: number, passes: number): void {
    const changed = errno === -ERRNO.ENOTDIR || errno === -ERRNO.ELOOP;
    const gone = this.#unlink(above, name, changed ? 0 : AT_REMOVEDIR);
    if (gone >= 0 || gone === -ERRNO.ENOENT) return;
    if (gone === -ERRNO.EISDIR && passes < MAX_PASSES) this.#descend(name, passes + 1);
    else this.#fail(changed ? gone : errno, changed ? "unlink" : "scandir", name);
  }

  #readMore(level: Level): boolean {
    level.entries = [];
    level.next = 0;
    const got = readEntries(this.#calls, level.fd, level.entries);
    if (got < 0) this.#fail(got, "scandir", "");
    return got > 0;
  }

  /** Leaves an empty directory and removes it. */
  #ascend(level: Level): void {
    this.#levels.pop();
    const parent = this.#levels.at(-1);
    if (parent !== undefined && parent.fd < 0) this.#reopen(parent, level);
    this.#calls.closeQuietly(level.fd);
    let gone = this.#unlink(this.#above, level.name, AT_REMOVEDIR);
    // Another type of file has taken the directory's place: remove that.
    if (gone === -ERRNO.ENOTDIR) gone = this.#unlink(this.#above, level.name, 0);
    if (gone >= 0 || gone === -ERRNO.ENOENT) return;
    const filled = gone === -ERRNO.ENOTEMPTY || gone === -ERRNO.EISDIR;
    if (filled && level.passes < MAX_PASSES) this.#descend(level.name, level.passes + 1);
    else this.#fail(gone, "rmdir", level.name);
  }

  /** Reopens a level through ".." of the level below. If that one has been moved, ".." is another directory. */
  #reopen(parent: Level, below: Level): void {
    const { core, ctx, attachment } = this.#calls;
    const length = this.#calls.tryPutPath(DOT_DOT);
    const fd = core.sysOpen(ctx, below.fd, length, OPEN_BELOW, 0);
    const found = fd < 0 ? fd : core.sysFstat(ctx, fd);
    if (found >= 0 && attachment.stat[STAT.dev] === parent.dev && attachment.stat[STAT.ino] === parent.ino) {
      parent.fd = fd;
      return;
    }
    if (fd >= 0) this.#calls.closeQuietly(fd);
    this.#calls.closeQuietly(below.fd);
    this.#fail(found < 0 ? found : -ERRNO.ENOENT, "scandir", "");
  }

  #fail(errno: number, syscall: string, name: Path): never {
    const names = [...this.#levels.map((level) => pathText(level.name)), pathText(name)];
    throw systemCallError(errno, syscall, names.filter((part) => part !== "").join("/"));
  }
}

function removeTree(calls: SystemCalls, args: RmArguments): void {
  new Removal(calls, args).run();
}
