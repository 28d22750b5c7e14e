/**
 * Checks and normalizes the arguments of `node:fs` calls, with Node's errors. Nothing here calls the core, so that
 * these errors are thrown at once in every form (sync, callback, promise) of a call.
 */
import { UTIME_NOW, UTIME_OMIT } from "../../abi/flags.js";
import {
  codedError,
  describeValue,
  invalidArgType,
  invalidArgValue,
  nativeError,
  outOfRange,
  pathText,
} from "../errors/errors.js";
import { copyOf, includes, isUint8Array } from "./arguments/views.js";
import { asBuffer, checkEncoding, isBuffer, type NameEncoding } from "./bytes.js";
import { constants } from "./constants.js";

/** A checked path: without NUL, and with URLs decoded. */
export type Path = string | Uint8Array;

const INT32_MAX = 2 ** 31 - 1;
const UINT32_MAX = 2 ** 32 - 1;

function looksLikeUrl(value: unknown): value is URL {
  const url = value as { href?: unknown; protocol?: unknown; auth?: unknown; path?: unknown } | null | undefined;
  return Boolean(url?.href && url.protocol && url.auth === undefined && url.path === undefined);
}

/** The path in a file: URL, as Node's `fileURLToPath` on POSIX. */
function pathOfUrl(url: URL): string {
  if (url.protocol !== "file:") {
    throw codedError(TypeError, "ERR_INVALID_URL_SCHEME", "The URL must be of scheme file");
  }
  if (url.hostname !== "") {
    const message = 'File URL host must be "localhost" or empty on linux';
    throw codedError(TypeError, "ERR_INVALID_FILE_URL_HOST", message);
  }
  // Read once: a subclass may return another one the next time.
  const { pathname } = url;
  if (/%2f/i.test(pathname)) {
    const message = "File URL path must not include encoded / characters";
    throw Object.assign(codedError(TypeError, "ERR_INVALID_FILE_URL_PATH", message), { input: url });
  }
  return decodeURIComponent(pathname);
}

/** As Node's `toPathIfFileURL`: the path of a URL, anything else as it is. @throws TypeError ERR_INVALID_URL_SCHEME, ERR_INVALID_FILE_URL_... */
export function fromUrl(value: unknown): unknown {
  return looksLikeUrl(value) ? pathOfUrl(value) : value;
}

/**
 * A path. Bytes are copied: what is checked is what is used.
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE (a NUL), ERR_INVALID_URL_SCHEME, ERR_INVALID_FILE_URL_...
 */
export function toPath(value: unknown, name = "path"): Path {
  if (typeof value === "string") {
    if (value.indexOf("\0") !== -1) throw nulInPath(name, value);
    return value;
  }
  // As in Node, a view that also looks like a URL is a URL.
  if (looksLikeUrl(value)) return toPath(pathOfUrl(value), name);
  if (!isUint8Array(value)) throw invalidArgType(name, "of type string or an instance of Buffer or URL", value);
  // Looked for in the argument first, because that throws if its buffer is detached, as in Node.
  if (includes(value, 0)) throw nulInPath(name, value);
  const bytes = copyOf(value);
  // Another thread may have written into shared memory meanwhile.
  if (includes(bytes, 0)) throw nulInPath(name, value);
  // Its class shows in what calls return: the parentPath of a Dirent.
  return isBuffer(value) ? asBuffer(bytes) : bytes;
}

function nulInPath(name: string, value: unknown): Error {
  return invalidArgValue(name, value, "must be a string, Uint8Array, or URL without null bytes");
}

/** An integer in a range. */
export function toInteger(
  value: unknown,
  name: string,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number") throw invalidArgType(name, "of type number", value);
  if (!Number.isInteger(value)) throw outOfRange(name, "an integer", value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
  return value;
}

export function toUint32(value: unknown, name: string): number {
  return toInteger(value, name, 0, UINT32_MAX);
}

/** A value as Node's C++ describes it: not quite as its JavaScript, and no further than a NUL. */
function describeNatively(value: unknown): string {
  if (typeof value === "bigint") return `type bigint (${value})`;
  if (typeof value === "symbol") return String(value);
  if (typeof value === "function") return "function";
  if (typeof value === "object" && value !== null) {
    const name = (value as { constructor?: { name?: unknown } | null }).constructor?.name;
    return `an instance of ${typeof name === "string" && name !== "" ? name : "Object"}`;
  }
  return describeValue(value);
}

/** A descriptor. Node's C++ checks it, with texts of its own. */
export function toFd(value: unknown): number {
  if (typeof value !== "number") {
    const message = `The "fd" argument must be of type number. Received ${describeNatively(value)}`;
    // Node's message comes from C++, as UTF-8 that ends with a NUL.
    throw nativeError(TypeError, "ERR_INVALID_ARG_TYPE", pathText(message.replace(/\0.*$/s, "")));
  }
  if (value < 0 || value > INT32_MAX || !Number.isInteger(value)) {
    const outside = Number.isFinite(value) && (value < 0 || value > INT32_MAX);
    const range = outside ? `>= 0 && <= ${INT32_MAX}` : "an integer";
    const message = `The value of "fd" is out of range. It must be ${range}. Received ${value}`;
    throw nativeError(RangeError, "ERR_OUT_OF_RANGE", message);
  }
  // -0 is descriptor 0.
  return value + 0;
}

/** A descriptor of a stream, or of a call with a callback that reads or writes: Node checks it in JavaScript. -0 is descriptor 0. */
export function toCheckedFd(value: unknown): number {
  return toInteger(value, "fd", 0, INT32_MAX) + 0;
}

/**
 * Whether an argument that may be a path or a descriptor is a descriptor: Node's test, also for negative numbers.
 * @throws TypeError for what cannot be made a number (a Symbol, a bigint, an object without prototype)
 */
export function isFd(value: unknown): value is number {
  return value === ((value as number) | 0);
}

/** A user or group id; -1: do not change. */
export function toId(value: unknown, name: string): number {
  return toInteger(value, name, -1, UINT32_MAX);
}

export function toBoolean(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw invalidArgType(name, "of type boolean", value);
  return value;
}

/** A file mode: a number, or a string of octal digits. */
export function toMode(value: unknown, name: string, fallback?: number): number {
  const mode = value ?? fallback;
  if (typeof mode === "string") {
    if (!/^[0-7]+$/.test(mode)) {
      throw invalidArgValue(name, mode, "must be a 32-bit unsigned integer or an octal string");
    }
    return toUint32(Number.parseInt(mode, 8), name);
  }
  // -0 is 0.
  return toUint32(mode, name) + 0;
}

const CALL_MODE_MAX = 7;

/** The `mode` option of `cp`: that of `copyFile`, checked in JavaScript. */
export function toCopyMode(value: unknown): number {
  return value === undefined || value === null ? 0 : toInteger(value, "mode", 0, CALL_MODE_MAX);
}

/** The mode of `access` and of `copyFile`: three bits each. Node's C++ checks it, with texts of its own. */
export function toCallMode(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== "number") {
    throw nativeError(TypeError, "ERR_INVALID_ARG_TYPE", "mode must be int32 or null/undefined");
  }
  const mode = Math.trunc(value) + 0;
  if (!Number.isFinite(value) || mode < 0 || mode > CALL_MODE_MAX) {
    const range = Number.isFinite(value) ? ": >= 0 && <= 7" : "";
    throw nativeError(RangeError, "ERR_OUT_OF_RANGE", `mode is out of range${range}`);
  }
  return mode;
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC } = constants;

/** https://nodejs.org/api/fs.html#file-system-flags; the letters after the first may have any of Node's orders. */
const OPEN_FLAGS: ReadonlyMap<string, number> = new Map([
  ["r", O_RDONLY],
  ["rs", O_RDONLY | O_SYNC],
  ["sr", O_RDONLY | O_SYNC],
  ["r+", O_RDWR],
  ["rs+", O_RDWR | O_SYNC],
  ["sr+", O_RDWR | O_SYNC],
  ["w", O_TRUNC | O_CREAT | O_WRONLY],
  ["wx", O_TRUNC | O_CREAT | O_WRONLY | O_EXCL],
  ["xw", O_TRUNC | O_CREAT | O_WRONLY | O_EXCL],
  ["w+", O_TRUNC | O_CREAT | O_RDWR],
  ["wx+", O_TRUNC | O_CREAT | O_RDWR | O_EXCL],
  ["xw+", O_TRUNC | O_CREAT | O_RDWR | O_EXCL],
  ["a", O_APPEND | O_CREAT | O_WRONLY],
  ["ax", O_APPEND | O_CREAT | O_WRONLY | O_EXCL],
  ["xa", O_APPEND | O_CREAT | O_WRONLY | O_EXCL],
  ["as", O_APPEND | O_CREAT | O_WRONLY | O_SYNC],
  ["sa", O_APPEND | O_CREAT | O_WRONLY | O_SYNC],
  ["a+", O_APPEND | O_CREAT | O_RDWR],
  ["ax+", O_APPEND | O_CREAT | O_RDWR | O_EXCL],
  ["xa+", O_APPEND | O_CREAT | O_RDWR | O_EXCL],
  ["as+", O_APPEND | O_CREAT | O_RDWR | O_SYNC],
  ["sa+", O_APPEND | O_CREAT | O_RDWR | O_SYNC],
]);

/** Flags of `open`: a number, or Node's letters. */
export function toOpenFlags(value: unknown, name = "flags"): number {
  if (typeof value === "number") return toInteger(value, name, -(2 ** 31), INT32_MAX);
  if (value === undefined || value === null) return O_RDONLY;
  const flags = typeof value === "string" ? OPEN_FLAGS.get(value) : undefined;
  // As in Node, whatever a number would be called.
  if (flags === undefined) throw invalidArgValue("flags", value);
  return flags;
}

/** The options of a call that was given none; without a prototype, so that no property is inherited. */
export const NO_OPTIONS: Readonly<Record<string, never>> = /* @__PURE__ */ Object.freeze(
  /* @__PURE__ */ Object.create(null),
);

/**
 * An options argument: the name of an encoding, an object, or nothing. As in Node's `getOptions`, the object itself is the
 * result: members that it inherits count.
 */
export function toOptions<T extends { encoding?: unknown }>(value: unknown, defaults: T): T {
  if (value === undefined || value === null || typeof value === "function") return defaults;
  let options: T;
  if (typeof value === "string") options = { ...defaults, encoding: value };
  else if (typeof value === "object") options = value as T;
  else throw invalidArgType("options", "one of type string or object", value);
  if (options.encoding !== "buffer") checkEncoding(options.encoding);
  toSignal((options as { signal?: unknown }).signal);
  return options;
}

/** The option `signal`, as Node's `validateAbortSignal`: whatever has `aborted`. @throws TypeError ERR_INVALID_ARG_TYPE */
export function toSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (value === null || typeof value !== "object" || !("aborted" in value)) {
    throw invalidArgType("options.signal", "an instance of AbortSignal", value);
  }
  return value as AbortSignal;
}

/** The encoding of the names or paths that a call returns. */
export function toNameEncoding(options: { encoding?: unknown }): NameEncoding {
  return (options.encoding || "utf8") as NameEncoding;
}

/** Objects only, as Node's `validateObject`. */
export function toObject(value: unknown, name: string): Record<string, unknown> {
  if (value === null || Array.isArray(value) || typeof value !== "object") {
    throw invalidArgType(name, "of type object", value);
  }
  return value as Record<string, unknown>;
}

/** A time as whole seconds and nanoseconds, or UTIME_NOW or UTIME_OMIT in place of nanoseconds. */
export interface TimeSpec {
  sec: number;
  nsec: number;
}

/** Seconds of a time that is given as Date, seconds or numeric string. Negative numbers mean now, as in Node. */
export function toUnixTimestamp(value: unknown, name = "time"): number {
  // biome-ignore lint/suspicious/noDoubleEquals: Node takes any string that is equal to its number
  if (typeof value === "string" && +value == (value as unknown)) return +value;
  if (typeof value === "number" && Number.isFinite(value)) return value < 0 ? Date.now() / 1000 : value;
  if (value instanceof Date) return value.getTime() / 1000;
  throw invalidArgType(name, "an instance of Date or an Time in seconds", value);
}

/** The same as whole seconds and nanoseconds. */
export function toTime(value: unknown, name?: string): TimeSpec {
  return splitSeconds(toUnixTimestamp(value, name));
}

/** Nanoseconds that utimensat(2) refuses with EINVAL. */
const NSEC_INVALID = -1;
/** Seconds are 64 bits, signed. */
const SECONDS_END = 2 ** 63;

/** As libuv's uv__fs_to_timespec(): NaN, as of an invalid Date, leaves the time as it is; an infinite one means now. */
function splitSeconds(seconds: number): TimeSpec {
  if (Number.isNaN(seconds)) return { sec: 0, nsec: UTIME_OMIT };
  if (!Number.isFinite(seconds)) return { sec: 0, nsec: UTIME_NOW };
  if (seconds < -SECONDS_END || seconds >= SECONDS_END) return { sec: 0, nsec: NSEC_INVALID };
  const sec = Math.trunc(seconds);
  const nsec = Math.trunc((seconds - sec) * 1e9);
  return nsec < 0 ? { sec: sec - 1, nsec: nsec + 1e9 } : { sec, nsec };
}
