/**
 * What reading and writing streams have in common: the calls that they make, opening, waiting for a call that is under way, closing.
 * The streams themselves are those of `node:stream`, so events and their order are the host's.
 */
import type { ReadStream, WriteStream } from "node:fs";
import { bare } from "../../errors/bare.js";
import { codedError, invalidArgType } from "../../errors/errors.js";
import { fromUrl, toCheckedFd, toInteger, toOptions, toPath } from "../args.js";
import type { Emitter } from "../promises/emitter.js";
import { FileHandle } from "../promises/file-handle.js";
import { REF } from "../promises/files.js";
import { type Done, handleCalls, type StreamCalls } from "./stream-calls.js";

/** The part of a stream that its class keeps for itself. */
interface Inner {
  readonly calls: StreamCalls;
  /** Whether a call is under way that uses the descriptor. */
  busy: boolean;
  /** Called when that call has come back. */
  whenIdle: ((error: Error | null | undefined) => void) | undefined;
}

export const INNER: unique symbol = Symbol("inner");

/** Fields of both streams. */
interface Fields {
  [INNER]: Inner;
  fd: number | null;
  path: unknown;
  flags: unknown;
  mode: unknown;
  start: unknown;
  pos: number | undefined;
  /** Monkey-patched: neither class has it in Node 26. */
  open?: unknown;
}
export type Reading = Omit<ReadStream, keyof Fields> & Fields & { end: number; bytesRead: number };
export type Writing = Omit<WriteStream, keyof Fields | "_write" | "_writev"> &
  Fields & { flush: unknown; bytesWritten: number; autoClose: boolean; _write: unknown; _writev: unknown };
type FileStream = Reading | Writing;

/** Options of a stream: an own copy, of which the base class gets all. */
export type StreamOptions = Record<string, unknown>;

/** The options as an own object, with what they inherit. @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE */
export function ownOptions(given: unknown): StreamOptions {
  const options: StreamOptions = {};
  const from = toOptions<StreamOptions>(given, bare({}));
  for (const key in from) options[key] = from[key];
  return options;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE */
export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== "function") throw invalidArgType(name, "of type function", value);
}

/** `start` or `end` of a stream: a position, undefined if there is none. @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE */
export function toPosition(value: unknown, name: string): number | undefined {
  return value === undefined ? undefined : toInteger(value, name, 0);
}

/** Puts a stream on the descriptor of a handle, which it closes, and with which it is closed. */
function useHandle(stream: FileStream, handle: FileHandle, options: StreamOptions): void {
  if (options.fs) {
    throw codedError(Error, "ERR_METHOD_NOT_IMPLEMENTED", "The FileHandle with fs method is not implemented");
  }
  stream[INNER] = { calls: handleCalls(handle), busy: false, whenIdle: undefined };
  handle[REF]();
  (handle as unknown as Emitter).on("close", () => stream.close());
  stream.fd = toCheckedFd(handle.fd);
}

/** Windows's handles are no descriptors of a tree. @throws TypeError, always */
function refuseWindowsHandle(options: StreamOptions): never {
  if (options.fd !== undefined && options.fd !== null) {
    const message = 'Option "windowsHandle" cannot be used in combination with option "fd"';
    throw codedError(TypeError, "ERR_INCOMPATIBLE_OPTION_PAIR", message);
  }
  const message =
    "The feature windowsHandle is unavailable on the current platform, which is being used to run Node.js";
  throw codedError(TypeError, "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM", message);
}

/**
 * Gives a stream its descriptor, or the path that it will open, and its calls.
 * @param calls those of the tree, in whose place the caller may give others
 * @throws TypeError, RangeError for wrong options
 */
export function prepare(
  stream: FileStream,
  options: StreamOptions,
  path: unknown,
  flags: string,
  calls: StreamCalls,
): void {
  const { windowsHandle, fd } = options;
  if (windowsHandle !== undefined && windowsHandle !== null) refuseWindowsHandle(options);
  const inner: Inner = { calls: (options.fs || calls) as StreamCalls, busy: false, whenIdle: undefined };
  stream[INNER] = inner;
  if (fd === undefined || fd === null) {
    stream.fd = null;
    checkFunction(inner.calls.open, "options.fs.open");
    stream.path = fromUrl(path);
    stream.flags = options.flags === undefined ? flags : options.flags;
    stream.mode = options.mode === undefined ? 0o666 : options.mode;
    // Only checked: the stream keeps the path as it was given.
    toPath(stream.path);
  } else if (fd instanceof FileHandle) {
    useHandle(stream, fd, options);
  } else {
    if (typeof fd !== "number") throw invalidArgType("options.fd", "of type number or an instance of FileHandle", fd);
    stream.fd = toCheckedFd(fd);
  }
  options.autoDestroy = options.autoClose === undefined ? true : options.autoClose;
}

/**
 * Opens by a method `open` that the program has put on the stream or its class, as graceful-fs does. It reports by the events "open" and
 * "error", which the base class must learn of before the program's listeners.
 */
function constructByOpen(stream: FileStream, open: () => void, done: Done): void {
  const { emit } = stream;
  stream.emit = function (this: FileStream, event: string | symbol, ...args: unknown[]): boolean {
    if (event !== "open" && event !== "error") return emit.call(this, event, ...args);
    this.emit = emit;
    if (event === "error") {
      done(args[0] as Error);
      return true;
    }
    done();
    return emit.call(this, event, ...args);
  };
  open.call(stream);
}

/** Opens the file of a stream that has no descriptor. */
function _construct(this: FileStream, done: Done): void {
  if (typeof this.fd === "number") {
    done();
    return;
  }
  if (typeof this.open === "function") {
    constructByOpen(this, this.open as () => void, done);
    return;
  }
  this[INNER].calls.open(this.path, this.flags, this.mode, (error, fd) => {
    if (error) {
      done(error);
      return;
    }
    this.fd = fd;
    done();
    this.emit("open", fd);
    this.emit("ready");
  });
}

function close(stream: FileStream, error: Error | null | undefined, done: Done): void {
  const { fd } = stream;
  // As in Node, descriptor 0 stays open.
  if (!fd) {
    done(error);
    return;
  }
  const { calls } = stream[INNER];
  const end = (reason: Error | null | undefined): void => {
    calls.close(fd, (failed) => done(failed || reason));
    stream.fd = null;
  };
  if ("flush" in stream && stream.flush) calls.fsync(fd, (failed) => end(error || failed));
  else end(error);
}

/** Closes the descriptor, after the call that uses it: the number may be another file's as soon as it is free. */
export function _destroy(this: FileStream, error: Error | null, done: Done): void {
  const inner = this[INNER];
  if (inner.busy) inner.whenIdle = (failed) => close(this, error || failed, done);
  else close(this, error, done);
}

/** Marks the end of a call that used the descriptor, and lets a stream that was destroyed meanwhile go on. */
export function idle(stream: FileStream, error: Error | null | undefined): void {
  const { whenIdle } = stream[INNER];
  stream[INNER].whenIdle = undefined;
  whenIdle?.(error);
}

/** A property of the prototype, as Node describes it. */
function define(prototype: object, name: string, property: PropertyDescriptor): void {
  Object.defineProperty(prototype, name, bare(property));
}

/**
 * Makes a function a class below another one, with its members and those that both streams have. `state`: the base class's own, which
 * has `autoDestroy`.
 */
export function derive(
  type: { name: string; prototype: object },
  base: { prototype: object },
  state: string,
  members: object,
): void {
  const { prototype, name } = type;
  Object.setPrototypeOf(prototype, base.prototype);
  Object.setPrototypeOf(type, base);
  const stateOf = (stream: Record<PropertyKey, unknown>): { autoDestroy: unknown } => {
    if (INNER in stream) return stream[state] as { autoDestroy: unknown };
    throw codedError(TypeError, "ERR_INVALID_THIS", `Value of "this" must be of type ${name}`);
  };
  define(prototype, "autoClose", {
    get(this: Record<PropertyKey, unknown>) {
      return stateOf(this).autoDestroy;
    },
    set(this: Record<PropertyKey, unknown>, value: unknown) {
      stateOf(this).autoDestroy = value;
    },
  });
  Object.assign(prototype, { _construct }, members);
  define(prototype, "pending", {
    get(this: FileStream) {
      return this.fd === null;
    },
    configurable: true,
  });
}
