/** Reading directories: `readdir` and `opendir`. */

import type * as NodeFs from "node:fs";
import * as ERRNO from "../../abi/errno.js";
import { AT_FDCWD } from "../../abi/flags.js";
import { DT_DIR, DT_LNK } from "../../abi/mode.js";
import * as STAT from "../../abi/stat.js";
import { type SystemCallError, systemCallError } from "../errors/errors.js";
import { type Path, toBoolean, toInteger, toNameEncoding, toOptions, toPath } from "./args.js";
import { allocate, type NameEncoding, utf8Bytes } from "./bytes.js";
import { constants } from "./constants.js";
import { Dir, Dirent, type Entry, joinPath, OPEN_DIRECTORY, openDirectory, readEntries } from "./dirent.js";
import { operation } from "./operation.js";
import type { SystemCalls } from "./system-calls.js";

const { S_IFMT, S_IFDIR } = constants;

type PathLike = NodeFs.PathLike;

/** All entries of a directory. */
export function listDirectory(calls: SystemCalls, path: Path, encoding: NameEncoding): Entry[] {
  const fd = openDirectory(calls, path, "scandir");
  try {
    const entries: Entry[] = [];
    let more: number;
    do more = readEntries(calls, fd, encoding, entries);
    while (more > 0);
    if (more < 0) throw systemCallError(more, "scandir", path);
    return sortEntries(entries);
  } finally {
    calls.closeQuietly(fd);
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    // Within both lengths.
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const AROUND_SURROGATES = /[\ud800-\uffff]/;

/** Sorts by bytes, as libuv's scandir does. */
function sortEntries(entries: Entry[]): Entry[] {
  if (entries.length < 2) return entries;
  const plain = entries.every(({ name }) => typeof name === "string" && !AROUND_SURROGATES.test(name));
  // Below the surrogates, code units sort like UTF-8.
  if (plain) return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const bytes = new Map(entries.map(({ name }) => [name, typeof name === "string" ? utf8Bytes(name) : name]));
  return entries.sort((a, b) => compareBytes(bytes.get(a.name) as Uint8Array, bytes.get(b.name) as Uint8Array));
}

export function pathString(path: Path): string {
  return typeof path === "string" ? path : new TextDecoder().decode(path);
}

export interface ReaddirOptions {
  encoding?: BufferEncoding | "buffer" | null | undefined;
  withFileTypes?: boolean | undefined;
  recursive?: boolean | undefined;
}

export const readdir = operation(
  (path: PathLike, options?: ReaddirOptions | BufferEncoding | "buffer" | null) => {
    const given = toOptions<ReaddirOptions>(options, {});
    const checked = toPath(path);
    const recursive = toBoolean(given.recursive ?? false, "options.recursive");
    return { path: checked, encoding: toNameEncoding(given), withFileTypes: Boolean(given.withFileTypes), recursive };
  },
  (calls, { path, encoding, withFileTypes, recursive }): (string | Buffer | Dirent<string | Buffer>)[] => {
    if (recursive) return readTree(calls, pathString(path), encoding, withFileTypes);
    const entries = listDirectory(calls, path, encoding);
    if (!withFileTypes) return entries.map(({ name }) => name);
    const parent = pathString(path);
    return entries.map(({ name, type }) => new Dirent(name, type, parent));
  },
);

/**
 * Everything below a directory, level by level, also through links to directories.
 */
function readTree(calls: SystemCalls, base: string, encoding: NameEncoding, withFileTypes: boolean) {
  const found: (string | Buffer | Dirent<string | Buffer>)[] = [];
  const queue = [{ path: base, prefix: "" }];
  // Directories that are found on the way are appended, and the loop comes to them.
  for (const { path, prefix } of queue) {
    for (const { name, type } of listBelow(calls, path, prefix === "")) {
      const below = joinPath(path, name);
      const relative = prefix + name;
      const shown = withFileTypes ? name : relative;
      const encoded = encoding === "buffer" ? toBuffer(shown) : shown;
      found.push(withFileTypes ? new Dirent(encoded, type, path) : encoded);
      const follow = type === DT_DIR || (type === DT_LNK && isDirectory(calls, below));
      if (follow) queue.push({ path: below, prefix: `${relative}/` });
    }
  }
  return found;
}

/** A directory that has vanished since its name was read counts as empty; only the first must exist. */
function listBelow(calls: SystemCalls, path: string, first: boolean): Entry<string>[] {
  try {
    return listDirectory(calls, path, "utf8") as Entry<string>[];
  } catch (error) {
    const { errno } = error as SystemCallError;
    if (!first && (errno === -ERRNO.ENOENT || errno === -ERRNO.ENOTDIR)) return [];
    throw error;
  }
}

function isDirectory(calls: SystemCalls, path: string): boolean {
  return calls.statRaw(path, 0) === 0 && (calls.attachment.stat[STAT.mode] & S_IFMT) === S_IFDIR;
}

function toBuffer(text: string): Buffer {
  const bytes = utf8Bytes(text);
  const buffer = allocate(bytes.length);
  buffer.set(bytes);
  return buffer;
}

export const opendir = operation(
  (path: PathLike, options?: NodeFs.OpenDirOptions | BufferEncoding | null) => {
    const checked = toPath(path);
    const given = toOptions<NodeFs.OpenDirOptions>(options, { encoding: "utf8" });
    // How many entries are read at a time is up to the core; the option is only checked.
    if (given.bufferSize !== undefined) toInteger(given.bufferSize, "options.bufferSize", 1, 2 ** 32 - 1);
    return { path: checked, encoding: toNameEncoding(given), recursive: Boolean(given.recursive) };
  },
  (calls, { path, encoding, recursive }): Dir => {
    const length = calls.tryPutPath(path);
    const fd = length < 0 ? length : calls.core.sysOpen(calls.ctx, AT_FDCWD, length, OPEN_DIRECTORY, 0);
    // The errors of Node's synchronous form do not contain the path.
    calls.check(fd, "opendir");
    return new Dir(calls, pathString(path), fd, encoding, recursive);
  },
);
