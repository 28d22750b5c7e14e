/** Copies of the contents of one file: `copyFile`, and what `cp` does for each file. */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../../abi/errno.js";
import { AT_SYMLINK_NOFOLLOW } from "../../../abi/flags.js";
import { IO_SIZE, MAXSYMLINKS } from "../../../abi/limits.js";
import * as STAT from "../../../abi/stat.js";
import { systemCallError } from "../../errors/errors.js";
import { type Path, toCallMode, toPath } from "../args.js";
import { constants } from "../constants.js";
import { type Step, type Steps, step, stepwise } from "../operation.js";
import { readlink } from "../ops-path.js";
import { appendName, endsWithSlash, isAbsolute, parentPath } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";

type PathLike = NodeFs.PathLike;

const { S_IFMT, S_IFDIR, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants;

export const copyFile = stepwise(
  (src: PathLike, dest: PathLike, mode?: number) => ({
    path: toPath(src, "src"),
    dest: toPath(dest, "dest"),
    mode: toCallMode(mode),
  }),
  function* (calls, { path, dest, mode }): Steps<void> {
    const failed = yield* copyContents(calls, path, dest, mode, true);
    if (failed < 0) throw systemCallError(failed, "copyfile", path, dest);
  },
);

function openPath(calls: SystemCalls, path: Path, flags: number, mode: number): Step<number> {
  return step(calls, () => {
    const length = calls.tryPutPath(path);
    return length < 0 ? length : calls.openRaw(length, flags, mode, "copyfile", path);
  });
}

/** The attributes of a descriptor, or a negative errno. */
function statOf(calls: SystemCalls, fd: number): Step<readonly number[] | number> {
  return step(calls, () => {
    const found = calls.core.sysFstat(calls.ctx, fd);
    return found < 0 ? found : [...calls.attachment.stat];
  });
}

/**
 * Copies contents and mode; with `asLibuv` also the times, the owner if the caller may set it, and as many bytes as the size
 * says, as libuv's copyfile does and the C++ library does not. Writing changes the time of change again. Returns 0 or a negative errno. A file copied to itself is unchanged. Everything that can fail is tried before the destination loses its
 * contents; Node removes the destination when the copy fails.
 */
export function* copyContents(
  calls: SystemCalls,
  path: Path,
  dest: Path,
  mode: number,
  asLibuv: boolean,
): Steps<number> {
  const source = yield* openPath(calls, path, O_RDONLY, 0);
  if (source < 0) return source;
  try {
    const from = yield* statOf(calls, source);
    if (typeof from === "number") return from;
    const type = (from[STAT.mode] ?? 0) & S_IFMT;
    // Files never share blocks here, so a copy that must share them fails; and a directory has no contents.
    if (mode & COPYFILE_FICLONE_FORCE || type === S_IFDIR) {
      return yield* step(calls, () => refuseCopy(calls, dest, from, mode, type === S_IFDIR));
    }
    const flags = O_WRONLY | O_CREAT | (mode & COPYFILE_EXCL ? O_EXCL : 0);
    const target = yield* openPath(calls, dest, flags, (from[STAT.mode] ?? 0) & 0o7777);
    if (target < 0) return target;
    try {
      const there = yield* statOf(calls, target);
      if (typeof there === "number") return there;
      if (isSameFile(there, from)) return 0;
      const changed = yield* step(calls, () => takeAttributes(calls, target, from, asLibuv));
      if (changed < 0) return changed;
      // libuv sends as many bytes as the file has: it does not read an empty file, whose time of access stays.
      return asLibuv && from[STAT.size] === 0 ? 0 : yield* pump(calls, source, target);
    } finally {
      calls.closeQuietly(target);
    }
  } finally {
    calls.closeQuietly(source);
  }
}

/** Prepares the target of a copy: its mode, and with `asLibuv` its owner and times, and no contents. Returns 0 or a negative errno. */
function takeAttributes(calls: SystemCalls, target: number, from: ArrayLike<number>, asLibuv: boolean): number {
  const { core, ctx } = calls;
  const permissions = (from[STAT.mode] ?? 0) & 0o7777;
  // Fails for all but root and owners, who may give a file to a group of theirs.
  if (asLibuv) core.sysFchown(ctx, target, from[STAT.uid] ?? 0, from[STAT.gid] ?? 0);
  const changed = core.sysFchmod(ctx, target, permissions);
  if (changed < 0) return changed;
  const cleared = core.sysFtruncate(ctx, target, 0);
  if (cleared < 0) return cleared;
  // Without privilege truncate(2) takes the set-id bits away.
  if (permissions & SET_ID) core.sysFchmod(ctx, target, permissions);
  if (asLibuv) core.sysFutimens(ctx, target, ...timesOf(from));
  return 0;
}

const SET_ID = 0o6000;

/** The times of access and of change, as futimens takes them. */
function timesOf(stat: ArrayLike<number>): [number, number, number, number] {
  const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = STAT;
  return [stat[atimeSec] ?? 0, stat[atimeNsec] ?? 0, stat[mtimeSec] ?? 0, stat[mtimeNsec] ?? 0];
}

function isSameFile(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a[STAT.dev] === b[STAT.dev] && a[STAT.ino] === b[STAT.ino];
}

/**
 * The path at which opening a destination with O_CREAT would make a file: the destination, or where its links lead.
 * Undefined if there is a file, or if opening fails.
 */
function missingTarget(calls: SystemCalls, dest: Path): Path | undefined {
  let path = dest;
  for (let links = 0; links <= MAXSYMLINKS; links++) {
    if (calls.statRaw(path, 0) !== -ERRNO.ENOENT) return undefined;
    if (endsWithSlash(path) || calls.statRaw(path, AT_SYMLINK_NOFOLLOW) < 0) return path;
    const body: Path = readlink.run(calls, { path, encoding: "buffer" });
    path = isAbsolute(body) ? body : appendName(parentPath(path), body);
  }
  return undefined;
}

/**
 * What a copy that cannot be made returns: the errors of the destination come first. A destination that is missing is made
 * and removed, as by Node; one that is there keeps its contents and its mode.
 */
function refuseCopy(
  calls: SystemCalls,
  dest: Path,
  from: ArrayLike<number>,
  mode: number,
  isDirectory: boolean,
): number {
  const { core, ctx, dirfd, attachment } = calls;
  const refused = isDirectory ? -ERRNO.EISDIR : -ERRNO.EOPNOTSUPP;
  const made = mode & COPYFILE_EXCL ? dest : missingTarget(calls, dest);
  const length = calls.tryPutPath(made ?? dest);
  const flags = O_WRONLY | O_CREAT | (made === undefined ? 0 : O_EXCL);
  const target = length < 0 ? length : calls.openRaw(length, flags, 0o600, "copyfile", dest);
  if (target < 0) return target;
  core.sysFstat(ctx, target);
  const there = [...attachment.stat];
  if (made !== undefined) {
    calls.closeQuietly(target);
    const madeLength = calls.tryPutPath(made);
    if (madeLength >= 0) core.sysUnlink(ctx, dirfd, madeLength, 0);
    return refused;
  }
  if (isSameFile(there, from)) {
    calls.closeQuietly(target);
    return 0;
  }
  // Node sets the times before it copies, which only the owner may.
  const own = core.sysFutimens(ctx, target, ...timesOf(there));
  calls.closeQuietly(target);
  return own < 0 ? own : refused;
}

/**
 * Copies everything from one descriptor to another; the bytes stay in the scratch area. By explicit positions, so that a step may be
 * made again.
 */
function* pump(calls: SystemCalls, source: number, target: number): Steps<number> {
  const { core, ctx } = calls;
  for (let done = 0; ; ) {
    const got = yield* step(calls, () => {
      const read = core.sysRead(ctx, source, done, IO_SIZE);
      if (read <= 0) return read;
      const put = core.sysWrite(ctx, target, done, read);
      // Would loop forever if a file system writes nothing and reports no error.
      return put === 0 ? -ERRNO.EIO : put;
    });
    if (got <= 0) return got;
    done += got;
  }
}
