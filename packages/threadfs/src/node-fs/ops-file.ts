/** Operations on descriptors and on file contents. */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { IO_SIZE } from "../../abi/limits.js";
import * as STAT from "../../abi/stat.js";
import type { Left } from "../bridge/waiting.js";
import {
  codedError,
  errnoOf,
  invalidArgType,
  invalidArgValue,
  type SystemCallError,
  systemCallError,
} from "../errors/errors.js";
import {
  isFd,
  NO_OPTIONS,
  type Path,
  toBoolean,
  toFd,
  toId,
  toInteger,
  toMode,
  toOpenFlags,
  toPath,
  toTime,
} from "./args.js";
import {
  checkBufferOption,
  givenAppendOptions,
  givenReadOptions,
  givenWriteOptions,
  toBytes,
} from "./arguments/files.js";
import { readArguments, writeArguments } from "./arguments/transfer.js";
import { bytesOf, isArrayBufferView, VIEW_TYPES } from "./arguments/views.js";
import { allocate, asBuffer, decodeText, utf8Bytes } from "./bytes.js";
import { constants } from "./constants.js";
import { andThen, operation, type Steps, step, stepwise } from "./operation.js";
import type { BigIntStats, Stats } from "./stats.js";
import type { SystemCalls } from "./system-calls.js";

type PathLike = NodeFs.PathLike;
type PathOrFd = NodeFs.PathOrFileDescriptor;

const { S_IFMT, S_IFREG, O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;
/** The flags "w" and "a". */
const OVERWRITE = O_WRONLY | O_CREAT | O_TRUNC;
const APPEND = O_WRONLY | O_CREAT | O_APPEND;
/** The longest file that `readFile` reads, as in Node. */
const MAX_READ_FILE = 2 ** 31 - 1;

export const open = operation(
  (path: PathLike, flags?: NodeFs.OpenMode, mode?: NodeFs.Mode | null) => ({
    flags: toOpenFlags(flags),
    mode: toMode(mode, "mode", 0o666),
    path: toPath(path),
  }),
  (calls, { path, flags, mode }): number => calls.open(path, flags, mode),
);

/** An operation whose only argument is a descriptor. */
function onFd(syscall: string, call: (calls: SystemCalls, fd: number) => number) {
  return operation(
    (fd: number) => toFd(fd),
    (calls, fd): void => {
      calls.checkOpen();
      calls.check(call(calls, fd), syscall);
    },
  );
}

export const close = onFd("close", (calls, fd) => calls.core.sysClose(calls.ctx, fd));
export const fsync = onFd("fsync", (calls, fd) => calls.core.sysFsync(calls.ctx, fd));
export const fdatasync = onFd("fdatasync", (calls, fd) => calls.core.sysFsync(calls.ctx, fd));

export const fstat = operation(
  (fd: number, options: NodeFs.StatOptions = NO_OPTIONS) => {
    const bigint = options.bigint === true;
    return { fd: toFd(fd), bigint };
  },
  (calls, { fd, bigint }): Stats | BigIntStats => {
    calls.checkOpen();
    calls.check(calls.core.sysFstat(calls.ctx, fd), "fstat");
    return calls.stats(bigint);
  },
);

export const fchmod = operation(
  (fd: number, mode: NodeFs.Mode) => ({ mode: toMode(mode, "mode"), fd: toFd(fd) }),
  (calls, { fd, mode }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFchmod(calls.ctx, fd, mode), "fchmod");
  },
);

export const fchown = operation(
  (fd: number, uid: number, gid: number) => ({ uid: toId(uid, "uid"), gid: toId(gid, "gid"), fd: toFd(fd) }),
  (calls, { fd, uid, gid }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFchown(calls.ctx, fd, uid, gid), "fchown");
  },
);

export const futimes = operation(
  (fd: number, atime: NodeFs.TimeLike, mtime: NodeFs.TimeLike) => ({
    atime: toTime(atime, "atime"),
    mtime: toTime(mtime, "mtime"),
    fd: toFd(fd),
  }),
  (calls, { fd, atime, mtime }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFutimens(calls.ctx, fd, atime.sec, atime.nsec, mtime.sec, mtime.nsec), "futime");
  },
);

export const ftruncate = operation(
  (fd: number, len: number | null = 0) => ({ size: Math.max(0, toInteger(len, "len")), fd: toFd(fd) }),
  (calls, { fd, size }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFtruncate(calls.ctx, fd, size), "ftruncate");
  },
);

export const truncate = operation(
  (path: PathLike, len: number | null = 0) => ({ path: toPath(path), len }),
  (calls, { path, len }): void =>
    withTarget(calls, { path, flags: O_RDWR, mode: 0o666 }, (fd) => {
      // As in Node, the length is looked at when the file is open.
      const size = Math.max(0, toInteger(len, "len"));
      calls.check(calls.core.sysFtruncate(calls.ctx, fd, size), "ftruncate");
    }),
);

export const read = operation(readArguments, (calls, { fd, bytes, position }): number =>
  // Node does not call the system for an empty read.
  bytes.length === 0 ? 0 : calls.read(fd, bytes, position),
);

export const write = operation(writeArguments, (calls, { fd, bytes, position }): number =>
  calls.write(fd, bytes, position),
);

/** A path to open, or a descriptor. */
export type Target = { fd: number; path?: undefined } | { fd?: undefined; path: Path; flags: number; mode: number };

/** The target of a path, checked as Node's openSync does. */
function toOpened(value: unknown, flag: NodeFs.OpenMode | undefined, mode: NodeFs.Mode | undefined): Target {
  const flags = toOpenFlags(flag);
  const checkedMode = toMode(mode, "mode", 0o666);
  return { path: toPath(value), flags, mode: checkedMode };
}

/** Node's calls for UTF-8 look at the path before the flags, look at the flags of descriptors too, and take any descriptor. */
function toUtf8Target(value: PathOrFd, flag: NodeFs.OpenMode | undefined, mode: number): Target {
  const path = isFd(value) ? undefined : toPath(value);
  const flags = toOpenFlags(flag);
  return path === undefined ? { fd: value as number } : { path, flags, mode };
}

function isUtf8(encoding: unknown): boolean {
  return encoding === "utf8" || encoding === "utf-8";
}

/** Runs `work` on a target's descriptor; opens and closes a path. */
function withTarget<R>(calls: SystemCalls, target: Target, work: (fd: number) => R): R {
  if (target.path === undefined) {
    calls.checkOpen();
    return work(target.fd);
  }
  const { path, flags, mode } = target;
  return andThen(
    calls,
    () => calls.open(path, flags, mode),
    (fd) => withOpened(calls, fd, work),
  );
}

/** Runs `work` on a descriptor that is open for it, and closes it. Where it waits for a pipe, it goes on with the same descriptor. */
function withOpened<R>(calls: SystemCalls, fd: number, work: (fd: number) => R, again = false): R {
  let left: Left | undefined;
  try {
    return work(fd);
  } catch (error) {
    const { limit } = calls.attachment;
    if (limit.isPassed(error)) {
      left = limit.leftOf(error) ?? (again ? { pipe: undefined } : undefined);
      if (left !== undefined) limit.setLeft(error, left);
    }
    throw error;
  } finally {
    const close = (): void => calls.closeQuietly(fd);
    if (left === undefined) close();
    else {
      left.goOn = () => {
        calls.checkOpen();
        return withOpened(calls, fd, work, true);
      };
      left.giveUp = close;
    }
  }
}

type View = NodeJS.ArrayBufferView;

export interface ReadFileOptions {
  encoding?: BufferEncoding | "buffer" | null | undefined;
  flag?: NodeFs.OpenMode | undefined;
  /** Where the contents go, or a function that returns it for the file's size (Node 26). */
  buffer?: View | ((size: number) => View) | undefined;
}

/** What has been read of a file of unknown size; no bytes: nothing yet. */
export interface ReadProgress {
  bytes: Buffer<ArrayBuffer> | undefined;
  done: number;
  /** The caller's memory. */
  into?: View;
}

/** Checked arguments. */
export function readFileArguments(
  target: Target,
  encoding: ReadFileOptions["encoding"],
  buffer: ReadFileOptions["buffer"],
) {
  const progress: ReadProgress = { bytes: undefined, done: 0 };
  return { target, encoding, buffer, progress, named: false };
}

/** Lets the errors of calls on a descriptor name the path that it was opened by, as those of Node's single request do. */
function naming<R>(path: Path | undefined, work: () => R): R {
  try {
    return work();
  } catch (error) {
    const { errno, syscall, path: shown } = error as Partial<SystemCallError>;
    if (path === undefined || errno === undefined || syscall === undefined || shown !== undefined) throw error;
    throw systemCallError(errnoOf(error), syscall, path);
  }
}

export const readFile = operation(
  (path: PathOrFd, options?: ReadFileOptions | BufferEncoding | null) => {
    const given = givenReadOptions(options);
    const { buffer, encoding } = given;
    checkBufferOption(buffer);
    if (isUtf8(encoding) && buffer === undefined) {
      return readFileArguments(toUtf8Target(path, given.flag, 0o666), encoding, buffer);
    }
    const target = isFd(path) ? { fd: toFd(path) } : toOpened(path, given.flag, 0o666);
    return readFileArguments(target, encoding, buffer);
  },
  (calls, args): string | Buffer =>
    args.named ? naming(args.target.path, () => readTarget(calls, args)) : readTarget(calls, args),
);

function readTarget(calls: SystemCalls, args: ReturnType<typeof readFileArguments>): string | Buffer {
  const { target, encoding, buffer, progress } = args;
  // A path that is opened again is read from its beginning.
  const work = (fd: number) => readWhole(calls, fd, args);
  if (target.path !== undefined) progress.done = 0;
  if (target.path === undefined || target.flags !== O_RDONLY || buffer !== undefined) {
    return withTarget(calls, args.target, work);
  }
  const { path } = target;
  return andThen(
    calls,
    () => calls.readFile(path, isUtf8(encoding)),
    (whole) => {
      if (typeof whole === "number") return withOpened(calls, whole, work);
      return typeof whole === "string" || !encoding ? whole : decodeText(whole, encoding);
    },
  );
}

function readWhole(
  calls: SystemCalls,
  fd: number,
  { encoding, buffer, progress }: ReturnType<typeof readFileArguments>,
): string | Buffer {
  // Node reads UTF-8 without an fstat before.
  calls.check(calls.core.sysFstat(calls.ctx, fd), isUtf8(encoding) && buffer === undefined ? "read" : "fstat");
  const { stat } = calls.attachment;
  const size = (stat[STAT.mode] & S_IFMT) === S_IFREG ? stat[STAT.size] : 0;
  if (size > MAX_READ_FILE) {
    throw codedError(RangeError, "ERR_FS_FILE_TOO_LARGE", `File size (${size}) is greater than 2 GiB`);
  }
  const bytes =
    buffer !== undefined
      ? readInto(calls, fd, size, buffer, progress)
      : size > 0
        ? readKnown(calls, fd, size)
        : readUnknown(calls, fd, progress);
  return encoding ? decodeText(bytes, encoding) : bytes;
}

/** Reads a file into the caller's memory. Returns the part of it that has the contents. Made again, it goes on behind what it has read. */
function readInto(
  calls: SystemCalls,
  fd: number,
  size: number,
  buffer: NonNullable<ReadFileOptions["buffer"]>,
  progress: ReadProgress,
): Buffer {
  const view = progress.into ?? (typeof buffer === "function" ? buffer(size) : buffer);
  if (!isArrayBufferView(view)) throw invalidArgType("options.buffer()", VIEW_TYPES, view);
  const name = `options.buffer${typeof buffer === "function" ? "()" : ""}.byteLength`;
  const bytes = bytesOf(view);
  if (size > bytes.length) {
    throw invalidArgValue(name, bytes.length, `is smaller than the file size of ${size} bytes`);
  }
  const wanted = size > 0 ? bytes.subarray(0, size) : bytes;
  progress.into = view;
  if (wanted.length > 0 && progress.done === 0) progress.done = calls.read(fd, wanted, -1);
  const got = progress.done;
  // A file of unknown size may have more than the buffer takes.
  if (size === 0 && got === bytes.length && calls.read(fd, new Uint8Array(1), -1) > 0) {
    throw invalidArgValue(name, bytes.length, "is too small to contain the entire file");
  }
  return asBuffer(bytes.subarray(0, got));
}

function readKnown(calls: SystemCalls, fd: number, size: number): Buffer<ArrayBuffer> {
  const bytes = allocate(size);
  const got = calls.read(fd, bytes, -1);
  return got < size ? bytes.subarray(0, got) : bytes;
}

/** Reads a file of unknown size (size 0 may mean that) until it ends. Made again, it goes on behind what it has read. */
function readUnknown(calls: SystemCalls, fd: number, progress: ReadProgress): Buffer<ArrayBuffer> {
  for (;;) {
    const got = calls.check(calls.core.sysRead(calls.ctx, fd, -1, IO_SIZE), "read");
    const { bytes = allocate(0), done } = progress;
    if (got === 0) return bytes.subarray(0, done);
    if (done + got > MAX_READ_FILE) {
      throw codedError(RangeError, "ERR_FS_FILE_TOO_LARGE", `File size (${done + got}) is greater than 2 GiB`);
    }
    let room = bytes;
    if (done + got > bytes.length) {
      room = allocate(Math.max(done + got, 2 * bytes.length));
      room.set(bytes.subarray(0, done));
    }
    room.set(calls.attachment.io.subarray(0, got), done);
    progress.bytes = room;
    progress.done += got;
  }
}

export interface WriteFileOptions {
  encoding?: BufferEncoding | null | undefined;
  mode?: NodeFs.Mode | undefined;
  flag?: NodeFs.OpenMode | undefined;
  flush?: boolean | undefined;
}

/** Checked arguments. */
export interface WriteFileArguments {
  target: Target;
  bytes: Uint8Array;
  flush: boolean;
  /** Whether a write is made also where there is nothing to write: it fails if the descriptor is not open for writing. */
  always?: boolean;
}

function writeFileArguments(
  path: PathOrFd,
  data: string | NodeJS.ArrayBufferView,
  given: WriteFileOptions,
): WriteFileArguments {
  const flush = toBoolean(given.flush ?? false, "options.flush");
  const mode = toMode(given.mode, "mode", 0o666);
  const flag = given.flag || "w";
  if (typeof data === "string" && isUtf8(given.encoding)) {
    const target = toUtf8Target(path, flag, mode);
    return { target, bytes: utf8Bytes(data), flush };
  }
  const bytes = toBytes(data, given.encoding || "utf8");
  if (!isFd(path)) return { target: toOpened(path, flag, mode), bytes, flush };
  // Node does not look at a descriptor that it does not use.
  const target: Target = { fd: bytes.length > 0 || flush ? toFd(path) : path };
  return { target, bytes, flush };
}

/** Writes all bytes at the descriptor's position. */
export function* writeAll(calls: SystemCalls, fd: number, bytes: Uint8Array): Steps<void> {
  for (let done = 0; done < bytes.length; ) {
    const left = done === 0 ? bytes : bytes.subarray(done);
    const wrote = yield* step(calls, () => calls.write(fd, left, -1));
    // Would loop forever if a file system writes nothing and reports no error.
    if (wrote === 0) throw systemCallError(-ERRNO.EIO, "write");
    done += wrote;
  }
}

/** Lets `write` write to a target's descriptor; opens and closes a path. */
export function* writeTarget(
  calls: SystemCalls,
  target: Target,
  flush: boolean,
  write: (fd: number) => Steps<void>,
): Steps<void> {
  const { path } = target;
  const fd = yield* step(calls, () => {
    if (path !== undefined) return calls.open(path, target.flags, target.mode);
    calls.checkOpen();
    return target.fd;
  });
  yield* writeOpened(calls, fd, { flush, closes: path !== undefined }, write);
}

function* writeOpened(
  calls: SystemCalls,
  fd: number,
  { flush, closes }: { flush: boolean; closes: boolean },
  write: (fd: number) => Steps<void>,
): Steps<void> {
  try {
    yield* write(fd);
    if (flush) yield* step(calls, () => calls.check(calls.core.sysFsync(calls.ctx, fd), "fsync"));
  } finally {
    if (closes) calls.closeQuietly(fd);
  }
}

function* writeFileSteps(calls: SystemCalls, { target, bytes, flush, always }: WriteFileArguments): Steps<void> {
  const write = function* (fd: number): Steps<void> {
    if (always && bytes.length === 0) yield* step(calls, () => calls.write(fd, bytes, -1));
    yield* writeAll(calls, fd, bytes);
  };
  const { path } = target;
  if (path === undefined || (target.flags !== OVERWRITE && target.flags !== APPEND) || bytes.length > IO_SIZE) {
    yield* writeTarget(calls, target, flush, write);
    return;
  }
  const { flags, mode } = target;
  const fd = yield* step(calls, () => calls.writeFile(path, flags === APPEND, mode, bytes));
  // What is written is in memory, where there is nothing to flush.
  if (fd >= 0) yield* writeOpened(calls, fd, { flush, closes: true }, write);
}

export const writeFile = stepwise(
  (path: PathOrFd, data: string | NodeJS.ArrayBufferView, options?: WriteFileOptions | BufferEncoding | null) =>
    writeFileArguments(path, data, givenWriteOptions(options)),
  writeFileSteps,
);

export const appendFile = stepwise(
  (path: PathOrFd, data: string | NodeJS.ArrayBufferView, options?: WriteFileOptions | BufferEncoding | null) =>
    writeFileArguments(
      path,
      data,
      givenAppendOptions(options, () => isFd(path)),
    ),
  writeFileSteps,
);
