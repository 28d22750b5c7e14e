/**
 * Trees as JSON objects, in the form of memfs's Volume: a key is a path, a string or bytes are a file, null is a directory
 * (docs/from-memfs.md says where the kernel decides otherwise).
 */
import { codedError, invalidArgType } from "../errors/errors.js";
import { fromUrl, type Path, toPath } from "../node-fs/args.js";
import type { Fs, PathLike } from "../node-fs/types.js";
import { asBytes, isAbsent, joinPath, textOf, withinPathMax } from "./paths.js";

/** Contents by path: a string or bytes are a file, null is a directory. */
export type DirectoryJSON = Record<string, string | Uint8Array | null>;

/** The same in objects: one that has members is a directory with them, an empty one and null an empty directory. */
export interface NestedDirectoryJSON {
  [name: string]: string | Uint8Array | null | NestedDirectoryJSON;
}

/** What {@link toJson} returns: no directory but empty ones has a key. */
export type JsonOf<Contents> = Record<string, Contents | null>;

function isFile(value: unknown): value is string | Uint8Array {
  return typeof value === "string" || value instanceof Uint8Array;
}

/** An object whose members are read, as JSON has them. @throws TypeError ERR_INVALID_ARG_TYPE */
function checkJson(json: unknown): asserts json is Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json) || isFile(json)) {
    throw invalidArgType("json", "of type object", json);
  }
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE for a NUL */
function checkDirectory(cwd: unknown): string {
  if (cwd === undefined) return "";
  if (typeof fromUrl(cwd) !== "string") throw invalidArgType("cwd", "of type string or an instance of URL", cwd);
  return toPath(cwd, "cwd") as string;
}

/** The value of a key that names neither a file nor a directory. */
function noContents(key: string, value: unknown): Error {
  return invalidArgType(`json[${JSON.stringify(key)}]`, "of type string, an instance of Uint8Array, or null", value);
}

/**
 * Makes the files and directories of a JSON object, and the directories above them.
 * @throws what mkdirSync and writeFileSync throw; entries before the one that fails exist then
 */
export function fromJson(fs: Fs, json: unknown, cwd: unknown): void {
  checkJson(json);
  const base = checkDirectory(cwd);
  for (const key of Object.keys(json)) {
    const value = json[key];
    if (!isFile(value) && value !== null) throw noContents(key, value);
    write(fs, pathOfKey(base, key), value);
  }
}

/** A key is seen from the directory, and an absolute one from the root. */
function pathOfKey(base: string, key: string): string {
  if (base === "" || key.startsWith("/")) return key === "" ? "." : key;
  return key === "" ? base : joinPath(base, key);
}

function write(fs: Fs, path: string, contents: string | Uint8Array | null): void {
  if (contents === null) {
    fs.mkdirSync(path, { recursive: true });
    return;
  }
  const slash = path.lastIndexOf("/");
  if (slash > 0) fs.mkdirSync(path.slice(0, slash), { recursive: true });
  fs.writeFileSync(path, contents);
}

/**
 * The same for objects in objects.
 * @throws TypeError ERR_INVALID_ARG_TYPE; RangeError ERR_OUT_OF_RANGE for an object that contains itself, as no path is so long
 */
export function fromNestedJson(fs: Fs, json: unknown, cwd: unknown): void {
  checkJson(json);
  const base = checkDirectory(cwd);
  const pending: { prefix: string; node: Record<string, unknown>; isTop?: true }[] = [
    { prefix: base, node: json, isTop: true },
  ];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { prefix, node, isTop } = next;
    for (const name of Object.keys(node)) {
      const value = node[name];
      // As memfs joins them: only the first key may be an absolute path.
      const path = isTop ? pathOfKey(base, name) : joinPath(prefix, name);
      if (isFile(value) || value === null) {
        write(fs, path, value);
        continue;
      }
      if (typeof value !== "object" || Array.isArray(value)) throw noContents(name, value);
      if (!withinPathMax(path)) {
        const message = `"json" has objects in objects for a path longer than any: ${path.slice(0, 64)}...`;
        throw codedError(RangeError, "ERR_OUT_OF_RANGE", message);
      }
      if (Object.keys(value as object).length === 0) write(fs, path, null);
      else pending.push({ prefix: path, node: value as Record<string, unknown> });
    }
  }
}

/** What one {@link toJson} does. */
interface Task {
  readonly fs: Fs;
  readonly json: Record<string, unknown>;
  readonly asBuffer: boolean;
  /** Bytes of every path that a relative key leaves out. */
  readonly strip: number;
}

/** An ordinary member, whatever it is called: a file may be called `__proto__`. */
function put({ json }: Task, key: string, value: unknown): void {
  Object.defineProperty(json, key, { value, writable: true, enumerable: true, configurable: true });
}

/**
 * The files below some paths, and the empty directories, as members of an object, in the order of their names. Links, FIFOs and
 * the like are left out. Paths that do not exist are left out, too, and so is what another thread removes meanwhile.
 * @param paths default: "/"
 * @param json the object that gets the members
 * @param isRelative keys begin behind the path and its slash; that of a file which is itself a path is ""
 * @param asBuffer contents are bytes; default: text in UTF-8
 */
export function toJson(fs: Fs, paths: unknown, json: unknown, isRelative: unknown, asBuffer: unknown): unknown {
  const list = paths === undefined || paths === null ? ["/"] : Array.isArray(paths) ? paths : [paths];
  const checked = list.map((path: unknown) => toPath(path, "paths"));
  const into: unknown = json ?? {};
  checkJson(into);
  for (const path of checked) {
    const real = realPath(fs, path);
    if (real === undefined) continue;
    const isRoot = real.length === 1;
    // memfs has no name for the root, so that keys below it keep their slash.
    const strip = isRelative && !isRoot ? real.length + 1 : 0;
    const task = { fs, json: into, asBuffer: Boolean(asBuffer), strip };
    if (fs.statSync(real).isDirectory()) addDirectory(task, real, isRoot);
    else addFile(task, real);
  }
  return into;
}

/** The absolute path, in which no part is a link. undefined: there is no such file. */
function realPath(fs: Fs, path: Path): Uint8Array | undefined {
  try {
    return asBytes(fs.realpathSync.native(path, "buffer") as Uint8Array);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function keyOf({ strip }: Task, path: Uint8Array): string {
  return textOf(path.subarray(strip));
}

function addFile(task: Task, path: Uint8Array): void {
  const contents = present(() => task.fs.readFileSync(path));
  if (contents !== undefined) put(task, keyOf(task, path), task.asBuffer ? contents : textOf(contents));
}

/** A list of what is to come, not calls in calls: a path may have 2,048 parts. */
function addDirectory(task: Task, top: Uint8Array, isRoot: boolean): void {
  const pending = [{ path: top, isFile: false }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, isFile } = next;
    if (isFile) {
      addFile(task, path);
      continue;
    }
    const entries = present(() => task.fs.readdirSync(path, { encoding: "buffer", withFileTypes: true }));
    if (entries === undefined) continue;
    // The top has no key of its own where that would be the empty one.
    if (entries.length === 0 && !(path === top && (isRoot || task.strip > 0))) put(task, keyOf(task, path), null);
    entries.sort((a, b) => compareBytes(b.name, a.name));
    for (const entry of entries) {
      if (!entry.isDirectory() && !entry.isFile()) continue;
      pending.push({ path: joinPath(path, asBytes(entry.name)), isFile: entry.isFile() });
    }
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The result of a call; undefined if another thread has removed the file meanwhile. */
function present<R>(call: () => R): R | undefined {
  try {
    return call();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Removes everything below the root, as memfs's `reset()`. @throws as rmSync: EBUSY for a mount point */
export function removeAll(fs: Fs): void {
  for (const name of fs.readdirSync("/", "buffer")) {
    fs.rmSync(joinPath(asBytes("/"), asBytes(name)), { recursive: true, force: true });
  }
}

/** The arguments of {@link toJson} as `Vfs.toJSON` types them. */
export type JsonPaths = PathLike | readonly PathLike[] | null | undefined;
