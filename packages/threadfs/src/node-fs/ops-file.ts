/** Operations on descriptors and on file contents. */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { IO_SIZE } from "../../abi/limits.js";
import * as STAT from "../../abi/stat.js";
import { codedError, invalidArgType, invalidArgValue, outOfRange, systemCallError } from "../errors/errors.js";
import {
  isFd,
  NO_OPTIONS,
  type Path,
  toBoolean,
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
import { byteLengthOf, bytesOf, isArrayBufferView } from "./arguments/views.js";
import { allocate, asBuffer, decodeText, encodeText, isEncoding, utf8Bytes } from "./bytes.js";
import { constants } from "./constants.js";
import { operation } from "./operation.js";
import type { BigIntStats, Stats } from "./stats.js";
import type { SystemCalls } from "./system-calls.js";

type PathLike = NodeFs.PathLike;
type PathOrFd = NodeFs.PathOrFileDescriptor;

const { S_IFMT, S_IFREG, O_RDWR } = constants;
/** The longest file that `readFile` reads, as in Node. */
const MAX_READ_FILE = 2 ** 31 - 1;
const MAX_INT64 = 2n ** 63n - 1n;

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
  if (!isArrayBufferView(buffer)) {
    throw invalidArgType("buffer", "an instance of Buffer, TypedArray, or DataView", buffer);
  }
  let [offset, length, position] = rest;
  if (rest.length <= 1 || typeof offset === "object") {
    const given = offset === undefined || offset === null ? NO_OPTIONS : toObject(offset, "options");
    ({ offset = 0, length = byteLengthOf(buffer) - (offset as number), position } = given);
  }
  const start = offset === undefined ? 0 : toInteger(offset, "offset", 0);
  const count = (length as number) | 0;
  const checkedPosition = checkReadPosition(position, count);
  if (count === 0) return { fd, bytes: new Uint8Array(0), position: -1 };
  if (byteLengthOf(buffer) === 0) {
    throw invalidArgValue("buffer", buffer, "is empty and cannot be written");
  }
  if (count < 0) throw outOfRange("length", ">= 0", count);
  if (start + count > byteLengthOf(buffer)) throw outOfRange("length", `<= ${byteLengthOf(buffer) - start}`, count);
  const bytes = bytesOf(buffer).subarray(start, start + count);
  return { fd: toFd(fd), bytes, position: checkedPosition };
}

export const read = operation(readArguments, (calls, { fd, bytes, position }): number =>
  // Node does not call the system for an empty read.
  bytes.length === 0 ? 0 : calls.read(fd, bytes, position),
);

/** Node's C++ takes whole numbers for positions of writes, and everything else for the descriptor's own. */
function writePosition(position: unknown): number {
  return typeof position === "number" && Number.isSafeInteger(position) ? position : -1;
}

/** `write(fd, buffer[, offset[, length[, position]]])`, `write(fd, buffer[, options])`, `write(fd, string[, position[, encoding]])`. */
function writeArguments(
  fd: number,
  data: NodeJS.ArrayBufferView | string,
  ...rest: [offset?: unknown, length?: unknown, position?: unknown]
): Transfer {
  let [offset, length, position] = rest;
  if (!isArrayBufferView(data)) {
    const text = checkText(data, "buffer");
    const encoding = isEncoding(length) ? length : "utf8";
    if (encoding.toLowerCase() === "hex" && text.length % 2 !== 0) {
      throw invalidArgValue("encoding", length, `is invalid for data of length ${text.length}`);
    }
    return { fd: toFd(fd), bytes: encodeText(text, encoding), position: writePosition(offset) };
  }
  if (typeof offset === "object") {
    const given = (offset ?? NO_OPTIONS) as { offset?: unknown; length?: unknown; position?: unknown };
    ({ offset = 0, length = byteLengthOf(data) - (offset as unknown as number), position = null } = given);
  }
  const start = offset === undefined || offset === null ? 0 : toInteger(offset, "offset", 0);
  const size = byteLengthOf(data);
  const count = typeof length === "number" ? length : size - start;
  if (start > size) throw outOfRange("offset", `<= ${size}`, start);
  if (count > size - start) throw outOfRange("length", `<= ${size - start}`, count);
  if (count < 0) throw outOfRange("length", ">= 0", count);
  toInteger(count, "length", 0, 2 ** 31 - 1);
  return { fd: toFd(fd), bytes: bytesOf(data).subarray(start, start + count), position: writePosition(position) };
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
  const fd = calls.open(target.path, target.flags, target.mode);
  try {
    return work(fd);
  } finally {
    calls.closeQuietly(fd);
  }
}

type View = NodeJS.ArrayBufferView;

export interface ReadFileOptions {
  encoding?: BufferEncoding | "buffer" | null | undefined;
  flag?: NodeFs.OpenMode | undefined;
  /** Where the contents go, or a function that returns it for the file's size (Node 26). */
  buffer?: View | ((size: number) => View) | undefined;
}

const VIEW_TYPES = "an instance of Buffer, TypedArray, or DataView";

export const readFile = operation(
  (path: PathOrFd, options?: ReadFileOptions | BufferEncoding | null) => {
    const given = toOptions<ReadFileOptions>(options, { flag: "r" });
    const { buffer, encoding } = given;
    if (buffer !== undefined && typeof buffer !== "function" && !isArrayBufferView(buffer)) {
      throw invalidArgType("options.buffer", `of type function or ${VIEW_TYPES}`, buffer);
    }
    if (isUtf8(encoding) && buffer === undefined) {
      return { target: toUtf8Target(path, given.flag, 0o666), encoding, buffer };
    }
    const target = isFd(path) ? { fd: toFd(path) } : toOpened(path, given.flag, 0o666);
    return { target, encoding, buffer };
  },
  (calls, { target, encoding, buffer }): string | Buffer =>
    withTarget(calls, target, (fd) => {
      // Node reads UTF-8 without an fstat before.
      calls.check(calls.core.sysFstat(calls.ctx, fd), isUtf8(encoding) && buffer === undefined ? "read" : "fstat");
      const { stat } = calls.attachment;
      const size = (stat[STAT.mode] & S_IFMT) === S_IFREG ? stat[STAT.size] : 0;
      if (size > MAX_READ_FILE) {
        throw codedError(RangeError, "ERR_FS_FILE_TOO_LARGE", `File size (${size}) is greater than 2 GiB`);
      }
      const bytes =
        buffer !== undefined
          ? readInto(calls, fd, size, buffer)
          : size > 0
            ? readKnown(calls, fd, size)
            : readUnknown(calls, fd);
      return encoding ? decodeText(bytes, encoding) : bytes;
    }),
);

/** Reads a file into the caller's memory. Returns the part of it that has the contents. */
function readInto(
  calls: SystemCalls,
  fd: number,
  size: number,
  buffer: NonNullable<ReadFileOptions["buffer"]>,
): Buffer {
  const view = typeof buffer === "function" ? buffer(size) : buffer;
  if (!isArrayBufferView(view)) throw invalidArgType("options.buffer()", VIEW_TYPES, view);
  const name = `options.buffer${typeof buffer === "function" ? "()" : ""}.byteLength`;
  const bytes = bytesOf(view);
  if (size > bytes.length) {
    throw invalidArgValue(name, bytes.length, `is smaller than the file size of ${size} bytes`);
  }
  const wanted = size > 0 ? bytes.subarray(0, size) : bytes;
  const got = wanted.length === 0 ? 0 : calls.read(fd, wanted, -1);
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

function writeFileArguments(path: PathOrFd, data: string | NodeJS.ArrayBufferView, given: WriteFileOptions) {
  const flush = toBoolean(given.flush ?? false, "options.flush");
  const mode = toMode(given.mode, "mode", 0o666);
  const flag = given.flag || "w";
  if (typeof data === "string" && isUtf8(given.encoding)) {
    const target = toUtf8Target(path, flag, mode);
    return { target, bytes: utf8Bytes(data) as Uint8Array, flush };
  }
  const bytes = isArrayBufferView(data) ? bytesOf(data) : encodeText(checkText(data, "data"), given.encoding || "utf8");
  if (!isFd(path)) return { target: toOpened(path, flag, mode), bytes, flush };
  // Node does not look at a descriptor that it does not use.
  const target: Target = { fd: bytes.length > 0 || flush ? toFd(path) : path };
  return { target, bytes, flush };
}

function runWriteFile(calls: SystemCalls, args: ReturnType<typeof writeFileArguments>): void {
  withTarget(calls, args.target, (fd) => {
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
    writeFileArguments(
      path,
      data,
      toOptions<WriteFileOptions>(options, { encoding: "utf8", mode: 0o666, flag: "w", flush: false }),
    ),
  runWriteFile,
);

export const appendFile = operation(
  (path: PathOrFd, data: string | NodeJS.ArrayBufferView, options?: WriteFileOptions | BufferEncoding | null) => {
    const given = toOptions<WriteFileOptions>(options, { encoding: "utf8", mode: 0o666, flag: "a" });
    toMode(given.mode, "mode", 0o666);
    const copy: WriteFileOptions & Record<string, unknown> = {};
    // As in Node with what the options inherit.
    for (const key in given) copy[key] = (given as Record<string, unknown>)[key];
    if (!copy.flag || isFd(path)) copy.flag = "a";
    return writeFileArguments(path, data, toOptions<WriteFileOptions>(copy, copy));
  },
  runWriteFile,
);
