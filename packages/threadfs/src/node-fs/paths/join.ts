/**
 * Joining and splitting paths: strings as `node:path` does on POSIX, bytes as bytes. Every call that makes a path of
 * several parts uses these functions, and no path that holds bytes becomes a string on its way back to the core.
 */
import type { Path } from "../args.js";
import { allocate, utf8Bytes } from "../bytes.js";

const SLASH = 0x2f;

/** The UTF-8 of a path. */
export function pathBytes(path: Path): Uint8Array {
  return typeof path === "string" ? utf8Bytes(path) : path;
}

function endsWithSlash(path: Path): boolean {
  return typeof path === "string" ? path.endsWith("/") : path.length > 0 && path[path.length - 1] === SLASH;
}

/** `parent/name`, without a second slash; nothing is normalized. Bytes if one of them is bytes. */
export function appendName(parent: Path, name: Path): Path {
  const slash = parent.length === 0 || endsWithSlash(parent) ? "" : "/";
  if (typeof parent === "string" && typeof name === "string") return parent + slash + name;
  const [above, below] = [pathBytes(parent), pathBytes(name)];
  const joined = allocate(above.length + slash.length + below.length);
  joined.set(above);
  if (slash !== "") joined[above.length] = SLASH;
  joined.set(below, above.length + slash.length);
  return joined;
}

/** As `path.join` for two strings, which normalizes; bytes are appended, as in Node's own joins of Buffers. */
export function joinPaths(parent: Path, relative: Path): Path {
  if (typeof parent !== "string" || typeof relative !== "string") return appendName(parent, relative);
  return normalize(parent !== "" && relative !== "" ? `${parent}/${relative}` : parent + relative);
}

/** The parts of a path without "." and, as far as they can be resolved by the text alone, without "..". */
function partsOf(path: string, absolute: boolean): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!absolute) parts.push(part);
  }
  return parts;
}

/** As `path.normalize`. */
export function normalize(path: string): string {
  const absolute = path.startsWith("/");
  const text = partsOf(path, absolute).join("/");
  const end = endsWithSlash(path) ? "/" : "";
  if (absolute) return text === "" ? "/" : `/${text}${end}`;
  return text === "" ? `.${end}` : text + end;
}

/** As `path.resolve(base, path)` for an absolute base: an absolute path without "." and "..", by the text alone. */
export function resolvePath(base: string, path: string): string {
  return `/${partsOf(path.startsWith("/") ? path : `${base}/${path}`, true).join("/")}`;
}

/** As `path.dirname`. */
export function dirname(path: string): string {
  const end = path.replace(/\/+$/, "");
  const slash = end.lastIndexOf("/");
  if (slash === -1) return path.startsWith("/") ? "/" : ".";
  return end.slice(0, slash).replace(/\/+$/, "") || "/";
}
