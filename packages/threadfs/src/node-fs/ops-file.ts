/** Operations on descriptors and on file contents. */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { AT_FDCWD } from "../../abi/flags.js";
import { IO_SIZE } from "../../abi/limits.js";
import * as STAT from "../../abi/stat.js";
import { codedError, invalidArgType, invalidArgValue, outOfRange, systemCallError } from "../errors/errors.js";
import {
  isFd,
  type Path,
  toBoolean,
  toCallMode,
  toFd,
  toId,
  toInteger,
  toMode,
  toObject,
  toOpenFlags,
  toOptions,
  toPath,
  toTime,
} from "./args.js";
import { allocate, decodeText, encodeText, isEncoding } from "./bytes.js";
import { constants } from "./constants.js";
import { operation } from "./operation.js";
import type { BigIntStats, Stats } from "./stats.js";
import type { SystemCalls } from "./system-calls.js";

type PathLike = NodeFs.PathLike;
type PathOrFd = NodeFs.PathOrFileDescriptor;

const { S_IFMT, S_IFREG, S_IFDIR, O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL } = constants;
/** The longest file that `readFile` reads, as in Node. */
const MAX_READ_FILE = 2 ** 31 - 1;
const MAX_INT64 = 2n ** 63n - 1n;

export const open = operation(
  (path: PathLike, flags?: NodeFs.OpenMode, mode?: NodeFs.Mode | null) => ({
    path: toPath(path),
    flags: toOpenFlags(flags),
    mode: toMode(mode, "mode", 0o666),
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
  (fd: number, options?: NodeFs.StatOptions) => ({ fd: toFd(fd), bigint: options?.bigint }),
  (calls, { fd, bigint }): Stats | BigIntStats => {
    calls.checkOpen();
    calls.check(calls.core.sysFstat(calls.ctx, fd), "fstat");
    return calls.stats(bigint);
  },
);

export const fchmod = operation(
  (fd: number, mode: NodeFs.Mode) => ({ fd: toFd(fd), mode: toMode(mode, "mode") }),
  (calls, { fd, mode }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFchmod(calls.ctx, fd, mode), "fchmod");
  },
);

export const fchown = operation(
  (fd: number, uid: number, gid: number) => ({ fd: toFd(fd), uid: toId(uid, "uid"), gid: toId(gid, "gid") }),
  (calls, { fd, uid, gid }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFchown(calls.ctx, fd, uid, gid), "fchown");
  },
);

export const futimes = operation(
  (fd: number, atime: NodeFs.TimeLike, mtime: NodeFs.TimeLike) => ({
    fd: toFd(fd),
    atime: toTime(atime),
    mtime: toTime(mtime),
  }),
  (calls, { fd, atime, mtime }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFutimens(calls.ctx, fd, atime.sec, atime.nsec, mtime.sec, mtime.nsec), "futime");
  },
);

export const ftruncate = operation(
  (fd: number, len: number | null = 0) => ({ fd: toFd(fd), size: Math.max(0, toInteger(len, "len")) }),
  (calls, { fd, size }): void => {
    calls.checkOpen();
    calls.check(calls.core.sysFtruncate(calls.ctx, fd, size), "ftruncate");
  },
);

/** A path, or in old programs a descriptor. */
export const truncate = operation(
  (path: PathLike, len: number | null = 0) => {
    const target: Target = typeof path === "number" ? { fd: toFd(path) } : { path: toPath(path) };
    return { target, size: Math.max(0, toInteger(len, "len")) };
  },
  (calls, { target, size }): void =>
    withTarget(calls, target, O_RDWR, 0o666, (fd) => {
      calls.check(calls.core.sysFtruncate(calls.ctx, fd, size), "ftruncate");
    }),
);

function bytesOf(view: NodeJS.ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** As Node's validatePosition. Returns -1 for the descriptor's own position. */
function checkReadPosition(position: unknown, length: number): number {
  if (position === undefined || position === null) return -1;
  if (typeof position === "bigint") {
    const max = MAX_INT64 - BigInt(length);
    if (position < -1n || position > max) throw outOfRange("position", `>= -1 && <= ${max}`, position);
    return Number(position);
  }
  if (typeof position !== "number") throw invalidArgType("position", "of type bigint or integer", position);
  return toInteger(position, "position", -1);
}

export interface Transfer {
  fd: number;
  bytes: Uint8Array;
  /** -1: the descriptor's position. */
  position: number;
}

/** `read(fd, buffer[, offset[, length[, position]]])` and `read(fd, buffer[, options])`. */
function readArguments(
  fd: number,
  buffer: NodeJS.ArrayBufferView,
  ...rest: [offset?: unknown, length?: unknown, position?: unknown]
): Transfer {
  if (!ArrayBuffer.isView(buffer)) {
    throw invalidArgType("buffer", "an instance of Buffer, TypedArray, or DataView", buffer);
  }
  let [offset, length, position] = rest;
  if (rest.length <= 1 || typeof offset === "object") {
    const given = offset === undefined || offset === null ? {} : toObject(offset, "options");
    ({ offset = 0, length = buffer.byteLength - (offset as number), position } = given);
  }
  const start = offset === undefined ? 0 : toInteger(offset, "offset", 0);
  const count = (length as number) | 0;
  const checkedPosition = checkReadPosition(position, count);
  if (count === 0) return { fd, bytes: new Uint8Array(0), position: -1 };
  if (buffer.byteLength === 0) {
    throw invalidArgValue("buffer", buffer, "is empty and cannot be written");
  }
  if (count < 0) throw outOfRange("length", ">= 0", count);
  if (start + count > buffer.byteLength) throw outOfRange("length", `<= ${buffer.byteLength - start}`, count);
  const bytes = bytesOf(buffer).subarray(start, start + count);
  return { fd: toFd(fd), bytes, position: checkedPosition };
}

export const read = operation(readArguments, (calls, { fd, bytes, position }): number =>
  // Node does not call the system for an empty read.
  bytes.length === 0 ? 0 : calls.read(fd, bytes, position),
);

function writePosition(position: unknown): number {
  if (typeof position === "bigint") return Number(position);
  return typeof position === "number" && Number.isSafeInteger(position) ? position : -1;
}

/** `write(fd, buffer[, offset[, length[, position]]])`, `write(fd, buffer[, options])`, `write(fd, string[, position[, encoding]])`. */
function writeArguments(
  fd: number,
  data: NodeJS.ArrayBufferView | string,
  ...rest: [offset?: unknown, length?: unknown, position?: unknown]
): Transfer {
  const checkedFd = toFd(fd);
  let [offset, length, position] = rest;
  if (!ArrayBuffer.isView(data)) {
    const text = checkText(data, "buffer");
    const encoding = isEncoding(length) ? length : "utf8";
    if (encoding.toLowerCase() === "hex" && text.length % 2 !== 0) {
      throw invalidArgValue("encoding", length, `is invalid for data of length ${text.length}`);
    }
    return { fd: checkedFd, bytes: encodeText(text, encoding), position: writePosition(offset) };
  }
  if (typeof offset === "object" && offset !== null) {
    const given = offset as { offset?: unknown; length?: unknown; position?: unknown };
    length = given.length;
    position = given.position;
    offset = given.offset;
  }
  const start = offset === undefined || offset === null ? 0 : toInteger(offset, "offset", 0);
  const count = typeof length === "number" ? length : data.byteLength - start;
  if (start > data.byteLength) throw outOfRange("offset", `<= ${data.byteLength}`, start);
  if (count > data.byteLength - start) throw outOfRange("length", `<= ${data.byteLength - start}`, count);
  if (count < 0) throw outOfRange("length", ">= 0", count);
  toInteger(count, "length", 0, 2 ** 31 - 1);
  return {
    fd: checkedFd,
    bytes: bytesOf(data).subarray(start, start + count),
    position: writePosition(position),
  };
}

function checkText(data: unknown, name: string): string {
  if (typeof data !== "string") {
    throw invalidArgType(name, "of type string or an instance of Buffer, TypedArray, or DataView", data);
  }
  return data;
}

export const write = operation(writeArguments, (calls, { fd, bytes, position }): number =>
  calls.write(fd, bytes, position),
);

/** A path to open, or a descriptor. */
export type Target = { path: Path; fd?: undefined } | { fd: number; path?: undefined };

function toTarget(value: PathOrFd): Target {
  return isFd(value) ? { fd: value } : { path: toPath(value) };
}

/** Runs `work` on a target's descriptor; opens and closes a path. */
function withTarget<R>(calls: SystemCalls, target: Target, flags: number, mode: number, work: (fd: number) => R): R {
  if (target.path === undefined) {
    calls.checkOpen();
    return work(target.fd);
  }
  const fd = calls.open(target.path, flags, mode);
  try {
    return work(fd);
  } finally {
    calls.closeQuietly(fd);
  }
}

export interface ReadFileOptions {
  encoding?: BufferEncoding | "buffer" | null | undefined;
  flag?: NodeFs.OpenMode | undefined;
}

export const readFile = operation(
  (path: PathOrFd, options?: ReadFileOptions | BufferEncoding | null) => {
    const given = toOptions<ReadFileOptions>(options, { flag: "r" });
    return { target: toTarget(path), encoding: given.encoding, flags: toOpenFlags(given.flag) };
  },
  (calls, { target, encoding, flags }): string | Buffer =>
    withTarget(calls, target, flags, 0o666, (fd) => {
      // Node reads UTF-8 without an fstat before.
      calls.check(calls.core.sysFstat(calls.ctx, fd), encoding === "utf8" || encoding === "utf-8" ? "read" : "fstat");
      const { stat } = calls.attachment;
      const size = (stat[STAT.mode] & S_IFMT) === S_IFREG ? stat[STAT.size] : 0;
      if (size > MAX_READ_FILE) {
        throw codedError(RangeError, "ERR_FS_FILE_TOO_LARGE", `File size (${size}) is greater than 2 GiB`);
      }
      const bytes = size > 0 ? readKnown(calls, fd, size) : readUnknown(calls, fd);
      return encoding ? decodeText(bytes, encoding) : bytes;
    }),
);

function readKnown(calls: SystemCalls, fd: number, size: number): Buffer<ArrayBuffer> {
  const bytes = allocate(size);
  const got = calls.read(fd, bytes, -1);
  return got < size ? bytes.subarray(0, got) : bytes;
}

/** Reads a file of unknown size (size 0 may mean that) until it ends. */
function readUnknown(calls: SystemCalls, fd: number): Buffer<ArrayBuffer> {
  let bytes = allocate(0);
  let done = 0;
  for (;;) {
    const got = calls.check(calls.core.sysRead(calls.ctx, fd, -1, IO_SIZE), "read");
    if (got === 0) return bytes.subarray(0, done);
    if (done + got > MAX_READ_FILE) {
      throw codedError(RangeError, "ERR_FS_FILE_TOO_LARGE", `File size (${done + got}) is greater than 2 GiB`);
    }
    if (done + got > bytes.length) {
      const larger = allocate(Math.max(done + got, 2 * bytes.length));
      larger.set(bytes.subarray(0, done));
      bytes = larger;
    }
    bytes.set(calls.attachment.io.subarray(0, got), done);
    done += got;
  }
}

export interface WriteFileOptions {
  encoding?: BufferEncoding | null | undefined;
  mode?: NodeFs.Mode | undefined;
  flag?: NodeFs.OpenMode | undefined;
  flush?: boolean | undefined;
}

function writeFileArguments(
  path: PathOrFd,
  data: string | NodeJS.ArrayBufferView,
  options: WriteFileOptions | BufferEncoding | null | undefined,
  defaultFlag: string,
) {
  const given = toOptions<WriteFileOptions>(options, { encoding: "utf8", mode: 0o666, flag: defaultFlag });
  const flush = toBoolean(given.flush ?? false, "options.flush");
  const bytes = ArrayBuffer.isView(data)
    ? bytesOf(data)
    : encodeText(checkText(data, "data"), given.encoding || "utf8");
  return {
    target: toTarget(path),
    bytes,
    flush,
    flags: toOpenFlags(given.flag || defaultFlag),
    mode: toMode(given.mode, "mode", 0o666),
  };
}

function runWriteFile(calls: SystemCalls, args: ReturnType<typeof writeFileArguments>): void {
  withTarget(calls, args.target, args.flags, args.mode, (fd) => {
    for (let done = 0; done < args.bytes.length; ) {
      const wrote = calls.write(fd, done === 0 ? args.bytes : args.bytes.subarray(done), -1);
      // Would loop forever if a file system writes nothing and reports no error.
      if (wrote === 0) throw systemCallError(-ERRNO.EIO, "write");
      done += wrote;
    }
    if (args.flush) calls.check(calls.core.sysFsync(calls.ctx, fd), "fsync");
  });
}

export const writeFile = operation(
  (path: PathOrFd, data: string | NodeJS.ArrayBufferView, options?: WriteFileOptions | BufferEncoding | null) =>
    writeFileArguments(path, data, options, "w"),
  runWriteFile,
);

export const appendFile = operation(
  (path: PathOrFd, data: string | NodeJS.ArrayBufferView, options?: WriteFileOptions | BufferEncoding | null) =>
    writeFileArguments(path, data, options, "a"),
  runWriteFile,
);

const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants;

export const copyFile = operation(
  (src: PathLike, dest: PathLike, mode?: number) => ({
    path: toPath(src, "src"),
    dest: toPath(dest, "dest"),
    mode: toCallMode(mode),
  }),
  (calls, { path, dest, mode }): void => {
    // Files never share blocks here, so a copy that must share them fails.
    if (mode & COPYFILE_FICLONE_FORCE) throw systemCallError(-ERRNO.ENOSYS, "copyfile", path, dest);
    const failed = copyContents(calls, path, dest, (mode & COPYFILE_EXCL) !== 0);
    if (failed < 0) throw systemCallError(failed, "copyfile", path, dest);
  },
);

/**
 * Copies contents and mode like libuv's copyfile. Returns 0 or a negative errno. A file copied to itself is unchanged.
 */
function copyContents(calls: SystemCalls, path: Path, dest: Path, exclusive: boolean): number {
  const { core, ctx, attachment } = calls;
  const length = calls.tryPutPath(path);
  const source = length < 0 ? length : core.sysOpen(ctx, AT_FDCWD, length, O_RDONLY, 0);
  if (source < 0) return source;
  try {
    const found = core.sysFstat(ctx, source);
    if (found < 0) return found;
    const [dev, mode, ino] = [attachment.stat[STAT.dev], attachment.stat[STAT.mode], attachment.stat[STAT.ino]];
    if ((mode & S_IFMT) === S_IFDIR) return -ERRNO.EISDIR;
    const destLength = calls.tryPutPath(dest);
    const flags = O_WRONLY | O_CREAT | (exclusive ? O_EXCL : 0);
    const target = destLength < 0 ? destLength : core.sysOpen(ctx, AT_FDCWD, destLength, flags, mode & 0o7777);
    if (target < 0) return target;
    try {
      const there = core.sysFstat(ctx, target);
      if (there < 0) return there;
      if (attachment.stat[STAT.dev] === dev && attachment.stat[STAT.ino] === ino) return 0;
      const cleared = core.sysFtruncate(ctx, target, 0);
      if (cleared < 0) return cleared;
      const changed = core.sysFchmod(ctx, target, mode & 0o7777);
      // The caller may write another user's file but not change its mode.
      if (changed < 0 && changed !== -ERRNO.EPERM) return changed;
      return pump(calls, source, target);
    } finally {
      core.sysClose(ctx, target);
    }
  } finally {
    core.sysClose(ctx, source);
  }
}

/** Copies everything from one descriptor to another; the bytes stay in the scratch area. */
function pump(calls: SystemCalls, source: number, target: number): number {
  const { core, ctx, attachment } = calls;
  for (;;) {
    const got = core.sysRead(ctx, source, -1, IO_SIZE);
    if (got <= 0) return got;
    let left = got;
    while (left > 0) {
      const put = core.sysWrite(ctx, target, -1, left);
      if (put <= 0) return put < 0 ? put : -ERRNO.EIO;
      attachment.io.copyWithin(0, put, left);
      left -= put;
    }
  }
}
