/** Converts bytes to strings and back: with Node's Buffer where it exists, with Uint8Arrays and UTF-8 elsewhere. */
import { bufferClass, nodeProcess } from "../bridge/node.js";
import { codedError, invalidArgValue } from "../errors/errors.js";

const encoder = /* @__PURE__ */ new TextEncoder();
const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

/** Encodings that Node knows, in lower case. */
const ENCODINGS = new Set([
  "utf8",
  "utf-8",
  "ucs2",
  "ucs-2",
  "utf16le",
  "utf-16le",
  "latin1",
  "binary",
  "ascii",
  "base64",
  "base64url",
  "hex",
]);

/** Whether Node accepts this as the name of an encoding. */
export function isEncoding(encoding: unknown): encoding is BufferEncoding {
  return typeof encoding === "string" && ENCODINGS.has(encoding.toLowerCase());
}

/** A new buffer, uninitialized where possible. */
export function allocate(size: number): Buffer<ArrayBuffer> {
  // In a browser this is a plain Uint8Array. The type is Node's, where callers expect a Buffer.
  return bufferClass()?.allocUnsafeSlow(size) ?? (new Uint8Array(size) as Buffer<ArrayBuffer>);
}

/** Whether bytes are a Buffer of the host. */
export function isBuffer(bytes: Uint8Array): bytes is Buffer {
  return bufferClass()?.isBuffer(bytes) === true;
}

/** A Buffer over the same memory, where the host has Buffers. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bufferClass()?.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) ?? (bytes as Buffer);
}

/** The UTF-8 of a string, lone surrogates as U+FFFD. */
export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return bufferClass()?.from(text, "utf8") ?? encoder.encode(text);
}

/** The bytes of a string in an encoding. */
export function encodeText(text: string, encoding: BufferEncoding): Uint8Array {
  const buffers = bufferClass();
  if (buffers !== undefined) return buffers.from(text, encoding);
  switch (encoding.toLowerCase()) {
    case "utf8":
    case "utf-8":
      return encoder.encode(text);
    case "latin1":
    case "binary":
    case "ascii":
      return Uint8Array.from(text, (char) => char.charCodeAt(0));
    default:
      throw unknownEncoding(encoding);
  }
}

/** Decodes the first `length` bytes of private memory. @throws TypeError ERR_UNKNOWN_ENCODING */
export function decodeText(bytes: Uint8Array, encoding: NameEncoding, length = bytes.length): string {
  // As Buffer.toString(), which looks at the length first.
  if (length === 0) return "";
  if (encoding === "buffer") throw unknownEncoding(encoding);
  const buffers = bufferClass();
  if (buffers !== undefined) {
    const buffer = buffers.isBuffer(bytes) ? bytes : buffers.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return buffer.toString(encoding, 0, length);
  }
  const part = bytes.subarray(0, length);
  switch (encoding.toLowerCase()) {
    case "utf8":
    case "utf-8":
      return decoder.decode(part);
    case "latin1":
    case "binary":
      return Array.from(part, (byte) => String.fromCharCode(byte)).join("");
    default:
      throw unknownEncoding(encoding);
  }
}

function unknownEncoding(encoding: string): Error {
  return codedError(TypeError, "ERR_UNKNOWN_ENCODING", `Unknown encoding: ${encoding}`);
}

/** A name or path from shared memory: copied bytes, or a string. */
export function nameOf(shared: Uint8Array, encoding: NameEncoding): string | Buffer {
  const length = shared.length;
  if (encoding === "utf8" && length < 32) {
    // Short names are mostly ASCII, for which a loop is cheaper than a copy and a decoder.
    let text = "";
    let i = 0;
    // Casts, because a check of each byte costs more than the loop saves.
    for (; i < length && (shared[i] as number) < 0x80; i++) text += String.fromCharCode(shared[i] as number);
    if (i === length) return text;
  }
  const bytes = allocate(length);
  bytes.set(shared);
  return encoding === "buffer" ? bytes : decodeText(bytes, encoding);
}

/** From this version of Node on Buffer.write is faster than encodeInto (packages/bench/src/walk.js measures both). */
const FAST_WRITE = 24;

/**
 * Writes a string's UTF-8, lone surrogates as U+FFFD, to the start of a view of shared memory as far as it fits.
 * Returns the bytes written. Undefined where encodeInto is faster.
 */
export function bufferWriter(into: Uint8Array<SharedArrayBuffer>): ((text: string) => number) | undefined {
  const major = Number.parseInt(nodeProcess()?.versions?.node ?? "0", 10);
  const buffer = major >= FAST_WRITE ? bufferClass()?.from(into.buffer, into.byteOffset, into.byteLength) : undefined;
  return buffer && ((text) => buffer.write(text));
}

/** How names are returned: in an encoding, or as bytes. */
export type NameEncoding = BufferEncoding | "buffer";

/** Checks an `encoding` option as Node's `assertEncoding`. @throws TypeError ERR_INVALID_ARG_VALUE */
export function checkEncoding(encoding: unknown): void {
  if (encoding && !isEncoding(encoding)) throw invalidArgValue("encoding", encoding, "is invalid encoding");
}
