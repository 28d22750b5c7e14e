/**
 * Creates exceptions, shaped as those of `node:fs` (https://nodejs.org/api/errors.html): system errors have `errno`,
 * `code`, `syscall`, `path`, `dest`; argument errors have a `code` that begins with ERR_. No other file turns an error
 * number into an exception.
 */
import { bare } from "./bare.js";
import { errnoText, strerror } from "./errno.js";
import { inspect } from "./inspect.js";

const decoder = /* @__PURE__ */ new TextDecoder();
const encoder = /* @__PURE__ */ new TextEncoder();
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A path as errors show it: the text of its bytes. */
export function pathText(path: string | Uint8Array): string {
  if (typeof path === "string") return LONE_SURROGATE.test(path) ? decoder.decode(encoder.encode(path)) : path;
  // A copy, because TextDecoder may refuse views of shared memory.
  return decoder.decode(path.slice());
}

/** An error of a system call, as Node's `NodeJS.ErrnoException`. */
export interface SystemCallError extends Error {
  errno: number;
  code: string;
  syscall: string;
  path?: string;
  dest?: string;
}

/** A hook that threw something other than an error with a known code, in the present call: the reason of its EIO. */
export interface HookFailure {
  driver: string;
  hook: string;
  cause: unknown;
}

let hookFailure: HookFailure | undefined;
/** The reasons of errors that have one. */
const reasons = /* @__PURE__ */ new WeakMap<object, HookFailure>();

/**
 * Notes why a driver's hook failed. The next EIO is about it, and takes it as its cause. If none is made before this thread's
 * present task ends, because the call could not fail or its caller ignored the error, the exception is thrown outside of the call.
 */
export function noteHookFailure(failure: HookFailure): void {
  hookFailure = failure;
  queueMicrotask(() => {
    if (hookFailure !== failure) return;
    hookFailure = undefined;
    throw failure.cause;
  });
}

/** Takes what noteHookFailure() noted, for an error with this code. */
function takeHookFailure(code: string): HookFailure | undefined {
  const failure = code === "EIO" ? hookFailure : undefined;
  if (failure !== undefined) hookFailure = undefined;
  return failure;
}

/** Whether errors of the system have frames in their stacks. */
let frames = true;
/** The last one that has none. */
let lastFrameless: Error | undefined;

/**
 * Begins calls whose errors of the system have no frames in their stacks. Such are the errors that Node gives to callbacks, whose code nobody
 * has called. To look for frames takes longer than to look up a path: a bundler, which asks for many files that are not there, would notice.
 * Returns what {@link endFrameless} takes.
 */
export function beginFrameless(): boolean {
  const before = frames;
  frames = false;
  return before;
}

/** Ends such calls. */
export function endFrameless(before: boolean): void {
  frames = before;
}

/** Whether an error is the last one that was made without frames, which then may get them. */
export function isFrameless(error: unknown): error is Error {
  return error !== undefined && error === lastFrameless;
}

/** Gives such an error the frames of what awaits the call that calls this. */
export function addFrames(error: Error, below: (...args: never[]) => unknown): void {
  const { captureStackTrace } = Error as { captureStackTrace?: (error: object, below: unknown) => void };
  captureStackTrace?.(error, below);
}

/** An error whose stack is its name and message alone. */
function frameless(message: string): Error {
  const limited = Error as { stackTraceLimit?: number };
  const before = limited.stackTraceLimit;
  // Engines without a limit, and programs that have frozen `Error`, get an error with frames.
  if (before === undefined || !Reflect.set(limited, "stackTraceLimit", 0)) return new Error(message);
  lastFrameless = new Error(message);
  limited.stackTraceLimit = before;
  return lastFrameless;
}

/** An error of a call, with the reason if a hook is one. */
function errorFor(message: string, reason: HookFailure | undefined): Error {
  if (reason === undefined) return frames ? new Error(message) : frameless(message);
  const { driver, hook, cause } = reason;
  const error = new Error(`${message}: ${hook}() of the driver "${driver}" threw ${describeThrown(cause)}`, { cause });
  reasons.set(error, reason);
  return error;
}

/**
 * The exception for a failed call.
 * @param errno negative error number from the core
 * @param syscall Node's name of the call ("open", "scandir", "copyfile" ...)
 */
export function systemCallError(
  errno: number,
  syscall: string,
  path?: string | Uint8Array,
  dest?: string | Uint8Array,
): SystemCallError {
  const [code, text] = errnoText(errno);
  let message = `${code}: ${text}, ${syscall}`;
  const shownPath = path === undefined ? undefined : pathText(path);
  const shownDest = dest === undefined ? undefined : pathText(dest);
  if (shownPath !== undefined) message += ` '${shownPath}'`;
  if (shownDest !== undefined) message += ` -> '${shownDest}'`;
  const reason = takeHookFailure(code);
  // Made here in the common case: each frame that is recorded takes longer than the lookup.
  const error = (reason === undefined && frames ? new Error(message) : errorFor(message, reason)) as SystemCallError;
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (shownPath !== undefined) error.path = shownPath;
  if (shownDest !== undefined) error.dest = shownDest;
  return error;
}

/** The number of an error that is made again in other words: the next error that is made has the same reason. */
export function errnoOf(error: unknown): number {
  const { errno } = error as SystemCallError;
  hookFailure = reasons.get(error as SystemCallError) ?? hookFailure;
  return errno;
}

/** For an error that the caller of a call ignores: what a hook threw is not lost, but thrown outside of the call. */
export function ignoreError(error: unknown): void {
  const reason = error instanceof Error ? reasons.get(error) : undefined;
  if (reason !== undefined) noteHookFailure(reason);
}

/** The exception of `process.cwd()`. @param errno negative error number from the core */
export function cwdError(errno: number): SystemCallError {
  const error = systemCallError(errno, "uv_cwd");
  const [code, text] = errnoText(errno);
  const reason = "the current working directory was likely removed without changing the working directory";
  error.message = `${code}: process.cwd failed with error ${text}, ${reason}, uv_cwd`;
  return error;
}

/**
 * The exception of Node's C++ parts of `rm` and `cp`, with the C library's text and a positive `errno`.
 * @param errno negative error number from the core
 */
export function standardError(errno: number, syscall: string, path: string | Uint8Array, mark = ""): SystemCallError {
  const [code, text] = strerror(errno);
  const shown = pathText(path);
  const error = errorFor(`${code}, ${text}${mark} '${shown}'`, takeHookFailure(code));
  return Object.assign(error, { errno: -errno, code, syscall, path: shown });
}

/**
 * The exception of `rm`, which consists of many calls: Node's names the path that was given. For errors other than
 * EACCES, ENOTDIR, ENOTEMPTY and EPERM Node's `code` is empty; here it is the error's name.
 * @param errno negative error number from the core
 */
export function removalError(errno: number, path: string | Uint8Array): SystemCallError {
  return standardError(errno, "rm", path, ":");
}

function describeThrown(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

/** The prototypes of errors with codes, one for each class of errors. */
const shownWithCode = /* @__PURE__ */ new Map<unknown, object>();

function toStringWithCode(this: Error & { code?: unknown }): string {
  return `${this.name} [${this.code}]: ${this.message}`;
}

/** Below the prototype of the class, with Node's text of such errors: name, code and message. */
function prototypeWithCode(type: { readonly prototype: object }): object {
  let found = shownWithCode.get(type);
  if (found === undefined) {
    const text = bare({ value: toStringWithCode, writable: true, configurable: true });
    found = Object.create(type.prototype, { toString: text }) as object;
    shownWithCode.set(type, found);
  }
  return found;
}

/** An error with a `code`, which its text shows: one of Node's ERR_ codes, or ERR_THREADFS_... */
export function codedError<E extends Error>(
  type: new (message: string, options?: ErrorOptions) => E,
  code: string,
  message: string,
  options?: ErrorOptions,
): E & { code: string } {
  const error = Object.assign(new type(message, options), { code });
  return Object.setPrototypeOf(error, prototypeWithCode(type));
}

/** An error with a `code` that Node's part in C++ makes, whose text does not show it. */
export function nativeError<E extends Error>(type: new (message: string) => E, code: string, message: string): E {
  return Object.assign(new type(message), { code });
}

/** Describes a value in the message of an argument error. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "bigint":
      return `type bigint (${value}n)`;
    case "number":
      return `type number (${Object.is(value, -0) ? "-0" : value})`;
    case "boolean":
    case "symbol":
      return `type ${typeof value} (${String(value)})`;
    case "function":
      return `function ${value.name}`;
    case "string": {
      const short = value.length > 28 ? `${value.slice(0, 25)}...` : value;
      return `type string (${short.includes("'") ? JSON.stringify(short) : `'${short}'`})`;
    }
    default: {
      if (value === null) return "null";
      // Read once: each of them may be an accessor of the caller's.
      const name = (value as { constructor?: { name?: unknown } | null }).constructor?.name;
      return typeof name === "string" && name !== "" ? `an instance of ${name}` : inspect(value, -1);
    }
  }
}

/** Longest text of a value in a message. */
const SHOWN_MAX = 128;

/** A value as shown after "Received" where its text matters. */
function showValue(value: unknown): string {
  const text = inspect(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

function argumentKind(name: string): string {
  return name.includes(".") ? "property" : "argument";
}

/** ERR_INVALID_ARG_TYPE; `expected` follows "must be", e.g. "of type number". */
export function invalidArgType(name: string, expected: string, value: unknown): TypeError & { code: string } {
  const message = `The "${name}" ${argumentKind(name)} must be ${expected}. Received ${describeValue(value)}`;
  return codedError(TypeError, "ERR_INVALID_ARG_TYPE", message);
}

/** ERR_INVALID_ARG_VALUE. */
export function invalidArgValue(name: string, value: unknown, reason = "is invalid"): TypeError & { code: string } {
  const message = `The ${argumentKind(name)} '${name}' ${reason}. Received ${showValue(value)}`;
  return codedError(TypeError, "ERR_INVALID_ARG_VALUE", message);
}

/** As Node shows large numbers: underscores before every third character from the end. */
function withSeparators(text: string): string {
  const first = text.startsWith("-") ? 1 : 0;
  let end = text.length;
  let shown = "";
  for (; end >= first + 4; end -= 3) shown = `_${text.slice(end - 3, end)}${shown}`;
  return text.slice(0, end) + shown;
}

/** ERR_OUT_OF_RANGE. */
export function outOfRange(name: string, range: string, value: unknown): RangeError & { code: string } {
  let received: string;
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) > 2 ** 32) {
    received = withSeparators(String(value));
  } else if (typeof value === "bigint") {
    received = `${value > 2n ** 32n || value < -(2n ** 32n) ? withSeparators(String(value)) : value}n`;
  } else {
    received = inspect(value);
  }
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${received}`;
  return codedError(RangeError, "ERR_OUT_OF_RANGE", message);
}

/** The `info` of a {@link compoundError}. */
export interface CompoundErrorInfo {
  /** Linux's name of the error number. */
  code: string;
  message: string;
  /** Positive error number. */
  errno: number;
  syscall: string;
  /** As the caller gave it: a string, bytes, a URL. */
  path: unknown;
}

/**
 * An error of `rm` or `cp`, which consist of many calls: Node's SystemError with `code`, `info`, `errno`, `syscall`,
 * `path`, which is a string.
 */
export function compoundError(code: string, prefix: string, info: CompoundErrorInfo): Error & { code: string } {
  const path = String(info.path);
  const message = `${prefix}: ${info.syscall} returned ${info.code} (${info.message}) ${path}`;
  const error = codedError(Error, code, message);
  Object.defineProperty(error, "name", bare({ value: "SystemError", writable: true, configurable: true }));
  return Object.assign(error, { info, errno: info.errno, syscall: info.syscall, path });
}
