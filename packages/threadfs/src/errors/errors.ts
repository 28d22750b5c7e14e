/**
 * Creates exceptions, shaped as those of `node:fs` (https://nodejs.org/api/errors.html): system errors have `errno`,
 * `code`, `syscall`, `path`, `dest`; argument errors have a `code` that begins with ERR_. No other file turns an error
 * number into an exception.
 */
import { errnoText } from "./errno.js";

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
  const error = new Error(message) as SystemCallError;
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (shownPath !== undefined) error.path = shownPath;
  if (shownDest !== undefined) error.dest = shownDest;
  return error;
}

/**
 * The exception of `rm`, which consists of many calls: Node's names the path that was given, and its `errno` is positive.
 * For errors other than EACCES, ENOTDIR, ENOTEMPTY and EPERM Node's `code` is empty; here it is the error's name.
 * @param errno negative error number from the core
 */
export function removalError(errno: number, path: string | Uint8Array): SystemCallError {
  const [code, text] = errnoText(errno);
  const shown = pathText(path);
  const error = new Error(`${code}, ${text.charAt(0).toUpperCase()}${text.slice(1)}: '${shown}'`);
  return Object.assign(error, { errno: -errno, code, syscall: "rm", path: shown });
}

/** An error with a `code`: one of Node's ERR_ codes, or ERR_THREADFS_... */
export function codedError<E extends Error>(
  type: new (message: string, options?: ErrorOptions) => E,
  code: string,
  message: string,
  options?: ErrorOptions,
): E & { code: string } {
  return Object.assign(new type(message, options), { code });
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
      const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
      return typeof name === "string" ? `an instance of ${name}` : "[Object: null prototype] {}";
    }
  }
}

const ESCAPES: Readonly<Record<string, string>> = { "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r" };

/** A string in quotes that it does not contain, with control characters escaped. */
function quote(text: string): string {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : "`";
  let shown = "";
  for (const char of text) {
    const code = char.charCodeAt(0);
    if (char === "\\" || char === mark) shown += `\\${char}`;
    else if (code < 0x20 || code === 0x7f) {
      shown += ESCAPES[char] ?? `\\x${code.toString(16).padStart(2, "0").toUpperCase()}`;
    } else shown += char;
  }
  return mark + shown + mark;
}

/** A value as shown after "Received" where its text matters. */
function showValue(value: unknown): string {
  let text: string;
  if (typeof value === "string") {
    text = quote(value);
  } else if (value instanceof Uint8Array) {
    const bytes = Array.from(value.subarray(0, 50), (byte) => byte.toString(16).padStart(2, "0"));
    const more = value.length > 50 ? ` ... ${value.length - 50} more byte${value.length > 51 ? "s" : ""}` : "";
    text = `<Buffer ${bytes.join(" ")}${more}>`;
  } else if (typeof value === "bigint") {
    text = `${value}n`;
  } else if (Object.is(value, -0)) {
    text = "-0";
  } else if (typeof value === "object" && value !== null) {
    text = Object.keys(value).length === 0 ? "{}" : "[object]";
  } else if (typeof value === "function") {
    text = `[Function: ${value.name || "(anonymous)"}]`;
  } else {
    text = String(value);
  }
  return text.length > 128 ? `${text.slice(0, 128)}...` : text;
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

/** Digits in groups of three, as Node shows large numbers. */
function withSeparators(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, "_");
}

/** ERR_OUT_OF_RANGE. */
export function outOfRange(name: string, range: string, value: unknown): RangeError & { code: string } {
  let received = showValue(value);
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) > 2 ** 32) {
    received = withSeparators(String(value));
  } else if (typeof value === "bigint" && (value > 2n ** 32n || value < -(2n ** 32n))) {
    received = `${withSeparators(String(value))}n`;
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
  path: string;
}

/**
 * An error of `rm` or `cp`, which consist of many calls: Node's SystemError with `code`, `info`, `errno`, `syscall`,
 * `path`.
 */
export function compoundError(code: string, prefix: string, info: CompoundErrorInfo): Error & { code: string } {
  const message = `${prefix}: ${info.syscall} returned ${info.code} (${info.message}) ${info.path}`;
  const error = codedError(Error, code, message);
  Object.defineProperty(error, "name", { value: "SystemError", writable: true, configurable: true });
  return Object.assign(error, { info, errno: info.errno, syscall: info.syscall, path: info.path });
}
