/**
 * The arguments of `read` and `write` in their three forms: the same bytes and positions, which each form of Node takes in its own
 * order and shape.
 */
import { invalidArgType, invalidArgValue, outOfRange } from "../../errors/errors.js";
import { NO_OPTIONS, toCheckedFd, toFd, toInteger, toObject } from "../args.js";
import { allocate, encodeText, isEncoding } from "../bytes.js";
import { byteLengthOf, bytesOf, isArrayBufferView, VIEW_TYPES } from "./views.js";

type View = NodeJS.ArrayBufferView;

const MAX_INT64 = 2n ** 63n - 1n;
/** The buffer that a read is given where the caller has none. */
const READ_SIZE = 16 * 1024;

/** Bytes of a descriptor that are read or written. */
export interface Transfer {
  fd: number;
  bytes: Uint8Array;
  /** -1: the descriptor's position. */
  position: number;
}

/** What the caller gave for one of them. */
interface Given {
  offset?: unknown;
  length?: unknown;
  position?: unknown;
}

/** A read with the caller's buffer, which asynchronous forms give back. */
export interface Read extends Transfer {
  view: View;
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

function checkView(value: unknown): asserts value is View {
  if (!isArrayBufferView(value)) throw invalidArgType("buffer", VIEW_TYPES, value);
}

/** The part of a buffer that is read into. `fd` is looked at last, where Node's C++ does that. */
function readInto(fd: unknown, view: View, { offset, length, position }: Given): Read {
  const start = offset === undefined ? 0 : toInteger(offset, "offset", 0);
  const count = (length as number) | 0;
  const checkedPosition = checkReadPosition(position, count);
  if (count === 0) return { fd: fd as number, view, bytes: new Uint8Array(0), position: -1 };
  const size = byteLengthOf(view);
  if (size === 0) throw invalidArgValue("buffer", view, "is empty and cannot be written");
  if (count < 0) throw outOfRange("length", ">= 0", count);
  if (start + count > size) throw outOfRange("length", `<= ${size - start}`, count);
  return { fd: toFd(fd), view, bytes: bytesOf(view).subarray(start, start + count), position: checkedPosition };
}

/** The length of what is given as a view, and may not be one. @throws TypeError without a code for null, as Node's read of it */
function lengthOf(view: unknown): number {
  return isArrayBufferView(view) ? byteLengthOf(view) : Number((view as { byteLength?: unknown }).byteLength);
}

/** The members of an options object, each read once, with Node's defaults. `view` need not be checked yet. */
function membersOf(view: unknown, given: Given): Given {
  const { offset = 0, length = lengthOf(view) - (offset as number), position = null } = given;
  return { offset, length, position };
}

type Rest = [offset?: unknown, length?: unknown, position?: unknown];

/** `readSync(fd, buffer[, offset[, length[, position]]])` and `readSync(fd, buffer[, options])`. */
export function readArguments(fd: number, buffer: View, ...rest: Rest): Transfer {
  checkView(buffer);
  const [offset, length, position] = rest;
  if (rest.length > 1 && typeof offset !== "object") return readInto(fd, buffer, { offset, length, position });
  const given = offset === undefined || offset === null ? NO_OPTIONS : toObject(offset, "options");
  return readInto(fd, buffer, membersOf(buffer, given));
}

/** `handle.read(buffer[, offset[, length[, position]]])`, `handle.read(buffer[, options])` and `handle.read([options])`. */
export function handleReadArguments(fd: number, given: unknown, ...rest: Rest): Read {
  let [offset, length, position] = rest;
  let view: unknown = given;
  if (!isArrayBufferView(given)) {
    const options: Given & { buffer?: unknown } =
      given === undefined || given === null ? NO_OPTIONS : toObject(given, "options");
    view = options.buffer === undefined ? allocate(READ_SIZE).fill(0) : options.buffer;
    ({ offset, length, position } = membersOf(view, options));
  }
  checkView(view);
  if (typeof offset === "object" && offset !== null) ({ offset, length, position } = membersOf(view, offset));
  offset ??= 0;
  toInteger(offset, "offset", 0);
  length ??= byteLengthOf(view) - (offset as number);
  return readInto(fd, view, { offset, length, position });
}

/**
 * `read(fd, buffer, offset, length, position, callback)`, with fewer arguments: `read(fd, buffer, options, callback)`, `read(fd, options,
 * callback)` or `read(fd, buffer, callback)`, `read(fd, callback)`.
 * @param args the arguments before the callback
 * @param callback checks it in its place, and returns it
 */
export function callbackReadArguments<C>(args: readonly unknown[], callback: () => C): { parsed: Read; callback: C } {
  const fd = toCheckedFd(args[0]);
  let [, view, offset, length, position] = args;
  if (args.length <= 3) {
    let options: unknown = args.length === 3 ? offset : undefined;
    if (args.length === 3 && options !== null) toObject(options, "options");
    if (args.length === 2 && !isArrayBufferView(view)) {
      options = view;
      view = (options as { buffer?: unknown } | null | undefined)?.buffer;
      if (view === undefined) view = allocate(READ_SIZE).fill(0);
    }
    if (args.length === 1) view = allocate(READ_SIZE).fill(0);
    const given = options === undefined || options === null ? NO_OPTIONS : toObject(options, "options");
    const size = (view as View | undefined | null)?.byteLength ?? Number.NaN;
    ({ offset = 0, length = size - (offset as number), position = null } = given as Given);
  }
  checkView(view);
  const checked = callback();
  return { parsed: readInto(fd, view, { offset: offset ?? 0, length, position }), callback: checked };
}

/** Node's C++ takes whole numbers for positions of writes, and everything else for the descriptor's own. */
function writePosition(position: unknown): number {
  return typeof position === "number" && Number.isSafeInteger(position) ? position : -1;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
export function checkText(data: unknown, name: string): string {
  if (typeof data !== "string") {
    throw invalidArgType(name, `of type string or ${VIEW_TYPES}`, data);
  }
  return data;
}

/** Text in an encoding. @throws TypeError ERR_INVALID_ARG_VALUE for hex digits that do not make bytes */
function textBytes(text: string, given: unknown): Uint8Array {
  const encoding = isEncoding(given) ? given : "utf8";
  if (encoding.toLowerCase() === "hex" && text.length % 2 !== 0) {
    throw invalidArgValue("encoding", given, `is invalid for data of length ${text.length}`);
  }
  return encodeText(text, encoding);
}

/** The members of options in the place of the offset. */
function writeOptions(view: View, given: Given): Given {
  return typeof given.offset === "object" ? membersOf(view, given.offset ?? NO_OPTIONS) : given;
}

/** The part of a buffer that is written. */
function writePart(fd: unknown, view: View, { offset, length, position }: Given): Transfer {
  const start = offset === undefined || offset === null ? 0 : toInteger(offset, "offset", 0);
  const size = byteLengthOf(view);
  const count = typeof length === "number" ? length : size - start;
  if (start > size) throw outOfRange("offset", `<= ${size}`, start);
  if (count > size - start) throw outOfRange("length", `<= ${size - start}`, count);
  if (count < 0) throw outOfRange("length", ">= 0", count);
  toInteger(count, "length", 0, 2 ** 31 - 1);
  return { fd: toFd(fd), bytes: bytesOf(view).subarray(start, start + count), position: writePosition(position) };
}

/** `write(fd, buffer[, offset[, length[, position]]])`, `write(fd, buffer[, options])`, `write(fd, string[, position[, encoding]])`. */
export function writeArguments(fd: number, data: View | string, ...rest: Rest): Transfer {
  const [offset, length, position] = rest;
  if (isArrayBufferView(data)) return writePart(fd, data, writeOptions(data, { offset, length, position }));
  const text = checkText(data, "buffer");
  const bytes = textBytes(text, length);
  return { fd: toFd(fd), bytes, position: writePosition(offset) };
}

/** A write and the caller's data, which asynchronous forms give back. */
export interface Write extends Transfer {
  data: unknown;
}

/**
 * `write(fd, buffer[, offset[, length[, position]]], callback)`, `write(fd, buffer, options, callback)`,
 * `write(fd, text[, position[, encoding]], callback)`. Node takes the callback where it finds one.
 */
export function callbackWriteArguments(
  given: readonly unknown[],
  check: (callback: unknown) => void,
): Write & { callback: unknown } {
  const fd = toCheckedFd(given[0]);
  const [, data, second, third, fourth, last] = given;
  if (isArrayBufferView(data)) {
    const callback = last || fourth || third || second;
    check(callback);
    const members = writeOptions(data, { offset: second, length: third, position: fourth });
    const offset = typeof members.offset === "function" ? 0 : members.offset;
    return { ...writePart(fd, data, { ...members, offset }), data, callback };
  }
  const text = checkText(data, "buffer");
  // The callback is the fifth argument, or the place and the encoding that come before it are left out.
  const whole = typeof fourth === "function";
  const callback = whole ? fourth : typeof second === "function" ? second : third;
  const bytes = textBytes(text, whole ? third : "utf8");
  check(callback);
  return { fd, bytes, position: writePosition(typeof second === "function" ? null : second), data, callback };
}
