/**
 * `rm` and `rmdir`. Removes a tree through descriptors of its directories, name by name, so that another thread cannot
 * lead the removal out of the tree by replacing a directory with a link. Iterative, so that depth costs no JavaScript
 * stack.
 *
 * Where Node 26 empties a directory that it then cannot remove, nothing inside is removed here: rmdir(2) is tried on
 * every directory before its contents, and ENOTEMPTY alone means that the contents are in the way.
 *
 * The walk is the same in every form; the errors are not. Node's rmSync is one call of its own, which names the path that was
 * given. The asynchronous forms of Node are made of lstat, unlink, rmdir and readdir, and fail with the error of the call that failed.
 */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } from "../../abi/flags.js";
import { DT_DIR } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import { compoundError, invalidArgValue, pathText, removalError, systemCallError } from "../errors/errors.js";
import { type Path, toBoolean, toInteger, toObject, toPath, toUint32 } from "./args.js";
import { utf8Bytes } from "./bytes.js";
import { constants } from "./constants.js";
import { type Entry, readEntries } from "./directory/entries.js";
import { operation, type Steps, step, stepwise } from "./operation.js";
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
/** The same before the contents are removed. */
const RETRIED_FULL = new Set<number>([...RETRIED].filter((errno) => errno !== -ERRNO.ENOTEMPTY));

const NOT_RETRIED: ReadonlySet<number> = new Set();

/** Whether the last name of a path is "..", which no directory can be removed by. */
function endsInDotDot(path: Path): boolean {
  return /(^|\/)\.\.\/*$/.test(pathText(path));
}

export interface RmArguments {
  path: Path;
  /** The path for errors: as the caller of rmSync gave it, in the asynchronous forms that of a URL. */
  given: unknown;
  recursive: boolean;
  force: boolean;
  maxRetries: number;
  /** Milliseconds. The wait grows by this with each retry. */
  retryDelay: number;
}

type PathLike = NodeFs.PathLike;

const RM_DEFAULTS = { recursive: false, force: false, retryDelay: 100, maxRetries: 0 };

/** Checked options. */
export function rmOptions(options: NodeFs.RmOptions | undefined) {
  const given = options === undefined ? RM_DEFAULTS : { ...RM_DEFAULTS, ...toObject(options, "options") };
  const force = toBoolean(given.force, "options.force");
  const recursive = toBoolean(given.recursive, "options.recursive");
  const retryDelay = toInteger(given.retryDelay, "options.retryDelay", 0, 2 ** 31 - 1);
  const maxRetries = toUint32(given.maxRetries, "options.maxRetries");
  return { recursive, force, maxRetries, retryDelay };
}

/** The call of Node's asynchronous forms that fails. */
type Failed = "lstat" | "unlink" | "rmdir" | "scandir";

/** Makes the error of a removal. @param path what the failed call was made for */
type Failure = (errno: number, syscall: Failed, path: Path) => Error;

/** How a form of `rm` fails. */
interface Form {
  readonly failure: (args: RmArguments) => Failure;
  /** Whether it looks at every file before it removes it, and tells the errors of that call. */
  readonly looksFirst: boolean;
}

const SYNC: Form = {
  failure:
    ({ path }) =>
    (errno) =>
      removalError(errno, path),
  looksFirst: false,
};

const LATER: Form = { failure: () => systemCallError, looksFirst: true };

function rmArguments(path: PathLike, options?: NodeFs.RmOptions): RmArguments {
  const checked = rmOptions(options);
  return { path: toPath(path), given: path, ...checked };
}

/** Makes a call, and retries it as the options say. */
function* retry(
  calls: SystemCalls,
  args: RmArguments,
  call: () => number,
  retried: ReadonlySet<number> = RETRIED,
): Steps<number> {
  let result = yield* step(calls, call);
  for (let i = 1; i <= args.maxRetries && retried.has(result); i++) {
    if (args.retryDelay > 0) yield i * args.retryDelay;
    result = yield* step(calls, call);
  }
  return result;
}

/** What is removed by any form that fails as `form` says. */
function* remove(calls: SystemCalls, args: RmArguments, form: Form): Steps<void> {
  const { path, force, recursive } = args;
  let mode = 0;
  const found = yield* step(calls, () => {
    const failed = calls.statRaw(path, AT_SYMLINK_NOFOLLOW);
    mode = calls.attachment.stat[STAT.mode];
    return failed;
  });
  const removal = new Removal(calls, args, form);
  if (found < 0) {
    if (force && found === -ERRNO.ENOENT) return;
    // With both options Node's rmSync makes no lstat: nothing is there (ENOTDIR), or the removal itself fails.
    if (form.looksFirst || !force || !recursive) throw systemCallError(found, "lstat", path);
    if (found !== -ERRNO.ENOTDIR) yield* removal.unlinkTop();
  } else if ((mode & S_IFMT) !== S_IFDIR) {
    yield* removal.unlinkTop();
  } else if (recursive) {
    yield* removal.run();
  } else {
    throw compoundError("ERR_FS_EISDIR", "Path is a directory", {
      code: "EISDIR",
      message: "is a directory",
      path: args.given,
      syscall: "rm",
      errno: ERRNO.EISDIR,
    });
  }
}

export const rm = stepwise(rmArguments, (calls, args): Steps<void> => remove(calls, args, SYNC));

/** As the asynchronous forms of Node do it: with the errors of the calls that they are made of. */
export const rmLater = stepwise(rmArguments, (calls, args): Steps<void> => remove(calls, args, LATER));

export const rmdir = operation(
  (path: PathLike, options?: NodeFs.RmDirOptions): Path => {
    const checked = toPath(path);
    const recursive: unknown = options?.recursive;
    if (recursive !== undefined) throw invalidArgValue("options.recursive", recursive, "is no longer supported");
    if (options !== undefined) toObject(options, "options");
    return checked;
  },
  (calls, path): void => rmdirPath(calls, path),
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
  readonly #form: Form;
  readonly #levels: Level[] = [];

  constructor(calls: SystemCalls, args: RmArguments, form: Form) {
    this.#calls = calls;
    this.#args = args;
    this.#form = form;
  }

  /** Removes the path, which is no directory. */
  *unlinkTop(): Steps<void> {
    const { path } = this.#args;
    const gone = yield* this.#unlink(this.#calls.dirfd, path, 0);
    if (gone < 0 && gone !== -ERRNO.ENOENT) yield* this.#failUnlink(gone, path);
  }

  *run(): Steps<void> {
    try {
      const { path } = this.#args;
      if (endsInDotDot(path)) this.#fail(-ERRNO.ENOTEMPTY, "rmdir", path);
      yield* this.#descend(path, 0);
      let level = this.#levels.at(-1);
      while (level !== undefined) {
        // Not beyond the end, where the value would be that of a prototype.
        const entry = level.next < level.entries.length ? level.entries[level.next++] : undefined;
        if (entry !== undefined) yield* this.#remove(level, entry);
        else if (!(yield* this.#readMore(level))) yield* this.#ascend(level);
        level = this.#levels.at(-1);
      }
    } finally {
      for (const { fd } of this.#levels) if (fd >= 0) this.#calls.closeQuietly(fd);
    }
  }

  /** The descriptor in which the next level's name is looked up. */
  get #above(): number {
    return this.#levels.at(-1)?.fd ?? this.#calls.dirfd;
  }

  /** Removes a file or an empty directory, or opens a directory. */
  *#remove(level: Level, { name, type }: Entry): Steps<void> {
    if (type !== DT_DIR) {
      const gone = yield* this.#unlink(level.fd, name, 0);
      if (gone >= 0 || gone === -ERRNO.ENOENT) return;
      if (gone !== -ERRNO.EISDIR) yield* this.#failUnlink(gone, name);
    }
    yield* this.#descend(name, 0);
  }

  #unlink(dirfd: number, name: Path, flags: number, retried?: ReadonlySet<number>): Steps<number> {
    const { core, ctx } = this.#calls;
    return retry(
      this.#calls,
      this.#args,
      () => {
        const length = this.#calls.tryPutPath(name);
        return length < 0 ? length : core.sysUnlink(ctx, dirfd, length, flags);
      },
      retried,
    );
  }

  /** Removes an empty directory, or opens one. One that cannot be removed keeps its contents. */
  *#descend(name: Path, passes: number): Steps<void> {
    const { core, ctx, attachment } = this.#calls;
    const above = this.#above;
    const gone = yield* this.#unlink(above, name, AT_REMOVEDIR, RETRIED_FULL);
    if (gone >= 0 || gone === -ERRNO.ENOENT) return;
    if (gone === -ERRNO.ENOTDIR && this.#levels.length > 0) {
      // Another type of file has taken the directory's place: remove that.
      yield* this.#replaced(name, passes);
      return;
    }
    if (gone !== -ERRNO.ENOTEMPTY) yield* this.#failRmdir(gone, name);
    const fd = yield* retry(this.#calls, this.#args, () => {
      const length = this.#calls.tryPutPath(name);
      return length < 0 ? length : core.sysOpen(ctx, above, length, OPEN_BELOW, 0);
    });
    if (fd === -ERRNO.ENOENT) return;
    if (fd === -ERRNO.ENOTDIR || fd === -ERRNO.ELOOP) {
      yield* this.#replaced(name, passes);
      return;
    }
    if (fd < 0) this.#fail(fd, "scandir", name);
    const level: Level = { name, fd, dev: 0, ino: 0, entries: [], next: 0, passes };
    this.#levels.push(level);
    yield* step(this.#calls, () => {
      core.sysFstat(ctx, fd);
      level.dev = attachment.stat[STAT.dev];
      level.ino = attachment.stat[STAT.ino];
    });
    const high = this.#levels.at(-1 - MAX_OPEN);
    if (high !== undefined && high.fd >= 0) {
      this.#shut(high);
    }
  }

  /** Removes what was a directory and is another type by now; if it is one again, begins again. */
  *#replaced(name: Path, passes: number): Steps<void> {
    const gone = yield* this.#unlink(this.#above, name, 0);
    if (gone >= 0 || gone === -ERRNO.ENOENT) return;
    if (gone === -ERRNO.EISDIR && passes < MAX_PASSES) yield* this.#descend(name, passes + 1);
    else yield* this.#failUnlink(gone, name);
  }

  *#readMore(level: Level): Steps<boolean> {
    level.entries = [];
    level.next = 0;
    const got = yield* step(this.#calls, () => readEntries(this.#calls, level.fd, level.entries));
    if (got < 0) this.#fail(got, "scandir");
    return got > 0;
  }

  /** Leaves an empty directory and removes it. */
  *#ascend(level: Level): Steps<void> {
    this.#levels.pop();
    const parent = this.#levels.at(-1);
    if (parent !== undefined && parent.fd < 0) yield* this.#reopen(parent, level);
    this.#calls.closeQuietly(level.fd);
    const gone = yield* this.#unlink(this.#above, level.name, AT_REMOVEDIR);
    if (gone >= 0 || gone === -ERRNO.ENOENT) return;
    if (gone === -ERRNO.ENOTDIR) yield* this.#replaced(level.name, level.passes);
    else if (gone === -ERRNO.ENOTEMPTY && level.passes < MAX_PASSES) yield* this.#descend(level.name, level.passes + 1);
    else yield* this.#failRmdir(gone, level.name);
  }

  /**
   * Reopens a level through ".." of the level below. That is another directory if the level below has been moved, or if the context
   * resolves ".." in its root and works outside of it: then by the names from the first level on.
   */
  *#reopen(parent: Level, below: Level): Steps<void> {
    const failed = yield* step(this.#calls, () => this.#openLevel(parent, below.fd, DOT_DOT));
    if (failed === 0 || (failed === -ERRNO.ESTALE && (yield* this.#reopenByNames()) === 0)) return;
    this.#calls.closeQuietly(below.fd);
    this.#fail(failed === -ERRNO.ESTALE ? -ERRNO.ENOENT : failed, "scandir");
  }

  /** Reopens the last {@link MAX_OPEN} levels, of which none is open. Returns 0 or a negative errno. */
  *#reopenByNames(): Steps<number> {
    let above: Level | undefined;
    for (const [i, level] of this.#levels.entries()) {
      const dirfd = above?.fd ?? this.#calls.dirfd;
      const failed = yield* step(this.#calls, () => this.#openLevel(level, dirfd, level.name));
      if (above !== undefined && this.#levels.length - i >= MAX_OPEN) this.#shut(above);
      if (failed < 0) return failed;
      above = level;
    }
    return 0;
  }

  #shut(level: Level): void {
    this.#calls.closeQuietly(level.fd);
    level.fd = -1;
  }

  /** Opens a level that is closed, by a path. Returns 0, a negative errno, or -ESTALE: the path leads to another directory. */
  #openLevel(level: Level, dirfd: number, path: Path): number {
    const { core, ctx, attachment } = this.#calls;
    const length = this.#calls.tryPutPath(path);
    const fd = length < 0 ? length : core.sysOpen(ctx, dirfd, length, OPEN_BELOW, 0);
    if (fd < 0) return fd;
    const found = core.sysFstat(ctx, fd);
    const same = attachment.stat[STAT.dev] === level.dev && attachment.stat[STAT.ino] === level.ino;
    if (found >= 0 && same) {
      level.fd = fd;
      return 0;
    }
    this.#calls.closeQuietly(fd);
    return found < 0 ? found : -ERRNO.ESTALE;
  }

  /**
   * A file could not be removed. Node's asynchronous forms try rmdir after EPERM, and after another EPERM, which a sticky directory gives
   * for every type, they list what they take for a directory.
   */
  *#failUnlink(errno: number, name: Path): Steps<void> {
    if (errno === -ERRNO.EPERM && this.#form.looksFirst) {
      const gone = yield* this.#unlink(this.#above, name, AT_REMOVEDIR, NOT_RETRIED);
      if (gone >= 0 || gone === -ERRNO.ENOENT) return;
      if (gone === -ERRNO.EPERM) this.#fail(-ERRNO.ENOTDIR, "scandir", name);
      if (gone !== -ERRNO.ENOTDIR) this.#fail(gone, "rmdir", name);
    }
    this.#fail(errno, "unlink", name);
  }

  /** A directory could not be removed. What cannot be looked at counts as no directory in Node's asynchronous forms: they unlink it. */
  *#failRmdir(errno: number, name: Path): Steps<never> {
    if (!this.#form.looksFirst) this.#fail(errno, "rmdir", name);
    const { core, ctx } = this.#calls;
    const above = this.#above;
    const found = yield* step(this.#calls, () => {
      const length = this.#calls.tryPutPath(name);
      return length < 0 ? length : core.sysStat(ctx, above, length, AT_SYMLINK_NOFOLLOW);
    });
    this.#fail(errno, found < 0 ? "unlink" : "rmdir", name);
  }

  /** @param name in the current directory; without it the failed call was made for that directory itself */
  #fail(errno: number, syscall: Failed, name?: Path): never {
    const names = this.#levels.map((level) => level.name);
    if (name !== undefined) names.push(name);
    // As Node joins them: with a slash also after one.
    throw this.#form.failure(this.#args)(errno, syscall, names.map(pathText).join("/"));
  }
}
