/** Paths as bytes: names need not be UTF-8, and every byte but a slash and NUL may be in one. */
import { PATH_MAX } from "../../abi/limits.js";

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = /* @__PURE__ */ new TextEncoder();
const SLASH = 47;

/** The bytes of a string in UTF-8, or bytes as a plain Uint8Array. */
export function asBytes(value: string | Uint8Array): Uint8Array {
  if (typeof value === "string") return encoder.encode(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/** Text of bytes, with U+FFFD for what is not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The path of a name in a directory. */
export function joinPath(directory: string, name: string): string;
export function joinPath(directory: Uint8Array, name: Uint8Array): Uint8Array;
export function joinPath(directory: string | Uint8Array, name: string | Uint8Array): string | Uint8Array {
  if (typeof directory === "string") return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
  const between = directory[directory.length - 1] === SLASH ? 0 : 1;
  const path = new Uint8Array(directory.length + between + name.length);
  path.set(directory);
  if (between === 1) path[directory.length] = SLASH;
  path.set(name as Uint8Array, directory.length + between);
  return path;
}

/** Whether a path may be this long: 4,095 bytes. */
export function withinPathMax(path: string): boolean {
  return path.length <= PATH_MAX;
}

/** Whether an error says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ENOENT" || code === "ENOTDIR";
}
