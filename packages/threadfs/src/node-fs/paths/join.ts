/**
 * Joining and splitting paths: strings as `node:path` does on POSIX, bytes as bytes. Every call that makes a path of
 * several parts uses these functions, and no path that holds bytes becomes a string on its way back to the core.
 */
import type { Path } from "../args.js";
import { allocate, decodeText, encodeText, utf8Bytes } from "../bytes.js";

const SLASH = 0x2f;

/** The UTF-8 of a path. */
export function pathBytes(path: Path): Uint8Array {
  return typeof path === "string" ? utf8Bytes(path) : path;
}

export function endsWithSlash(path: Path): boolean {
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

function lastSlash(path: Path): number {
  return typeof path === "string" ? path.lastIndexOf("/") : path.lastIndexOf(SLASH);
}

/** What is before the last slash: "/" for a name in the root, "" for a bare name. `a/b/` is in `a/b`. */
export function parentPath(path: Path): Path {
  let parent = path.slice(0, Math.max(lastSlash(path), 0));
  while (parent.length > 0 && endsWithSlash(parent)) parent = parent.slice(0, -1);
  return parent.length === 0 && lastSlash(path) >= 0 ? "/" : parent;
}

/** As `path.dirname`: `a/b/` is in `a`, and a bare name in ".". */
export function directoryOf(path: Path): Path {
  let whole = path;
  while (whole.length > 1 && endsWithSlash(whole)) whole = whole.slice(0, -1);
  const parent = parentPath(whole);
  return parent.length === 0 ? "." : parent;
}

/** Whether two paths are the same bytes. */
export function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && startsWithPath(a, b);
}

/** Whether the bytes of a path begin with those of another. */
export function startsWithPath(path: Path, start: Path): boolean {
  if (typeof path === "string" && typeof start === "string") return path.startsWith(start);
  const [bytes, first] = [pathBytes(path), pathBytes(start)];
  return first.length <= bytes.length && first.every((byte, i) => byte === bytes[i]);
}

export function isAbsolute(path: Path): boolean {
  return typeof path === "string" ? path.startsWith("/") : path[0] === SLASH;
}

/** {@link resolvePath} for paths of which one may be bytes. */
export function resolveBytes(base: Path, path: Path): Path {
  if (typeof base === "string" && typeof path === "string") return resolvePath(base, path);
  // Slashes and dots are single bytes in every encoding that a name may have.
  const text = (part: Path) => decodeText(pathBytes(part), "latin1");
  return encodeText(resolvePath(text(base), text(path)), "latin1");
}
