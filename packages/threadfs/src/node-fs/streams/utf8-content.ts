/** What an `fs.Utf8Stream` is made of: text, or bytes. */
import { invalidArgType } from "../../errors/errors.js";
import { copyOf, isUint8Array } from "../arguments/views.js";
import { asBuffer, decodeText, isBuffer, utf8Bytes } from "../bytes.js";

/** The calls of a file system that a Utf8Stream makes. */
export interface Utf8Calls {
  open(path: string, flags: string, mode: unknown, done: (error: Error | null, fd: number) => void): void;
  openSync(path: string, flags: string, mode: unknown): number;
  write(...args: unknown[]): void;
  writeSync(fd: number, data: string | Uint8Array, encoding?: string): number;
  fsync(fd: number, done: (error?: Error | null) => void): void;
  fsyncSync(fd: number): void;
  close(fd: number, done: (error?: Error | null) => void): void;
  mkdir(path: string, options: { recursive: boolean }, done: (error?: Error | null) => void): void;
  mkdirSync(path: string, options: { recursive: boolean }): void;
}

type Written = (error: (Error & { code?: unknown }) | null | undefined, bytesWritten: number) => void;

/** One of the two kinds of content. */
export interface Content<T extends { readonly length: number }> {
  readonly mode: "utf8" | "buffer";
  readonly empty: T;
  /** Whether `flushSync()` ends with an fsync. */
  readonly syncs: boolean;
  /** @throws TypeError ERR_INVALID_ARG_TYPE */
  check(data: unknown): asserts data is T;
  merge(parts: readonly T[]): T;
  /** What is left after a call that has written so many bytes. */
  rest(data: T, written: number): T;
  writeSync(calls: Utf8Calls, fd: number, data: T): number;
  write(calls: Utf8Calls, fd: number, data: T, done: Written): void;
  /** A copy, if the caller could change it while it is written. */
  own(data: T): T;
}

/** Text, written as UTF-8. Its lengths are in UTF-16 units. */
export const TEXT: Content<string> = {
  mode: "utf8",
  empty: "",
  syncs: true,
  check(data: unknown): asserts data is string {
    if (typeof data !== "string") throw invalidArgType("data", "of type string", data);
  },
  merge: (parts) => parts.join(""),
  rest(text, written) {
    const bytes = utf8Bytes(text);
    if (written >= bytes.length) return "";
    let end = written;
    // A character of which only a part was written is written again.
    while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
    return text.slice(decodeText(bytes.subarray(0, end), "utf8").length);
  },
  writeSync: (calls, fd, text) => calls.writeSync(fd, text, "utf8"),
  write: (calls, fd, text, done) => calls.write(fd, text, "utf8", done),
  own: (text) => text,
};

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [first, ...others] = parts;
  if (first === undefined || others.length === 0) return first ?? new Uint8Array(0);
  const bytes = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return asBuffer(bytes);
}

/** Bytes, as they are. */
export const BYTES: Content<Uint8Array> = {
  mode: "buffer",
  empty: /* @__PURE__ */ new Uint8Array(0),
  syncs: false,
  check(data: unknown): asserts data is Uint8Array {
    if (isUint8Array(data) && (isBuffer(data) || !("Buffer" in globalThis))) return;
    throw invalidArgType("data", "an instance of Buffer", data);
  },
  merge: concat,
  rest: (bytes, written) => bytes.subarray(written),
  writeSync: (calls, fd, bytes) => calls.writeSync(fd, bytes),
  write: (calls, fd, bytes, done) => calls.write(fd, bytes, done),
  own: (bytes) => asBuffer(copyOf(bytes)),
};
