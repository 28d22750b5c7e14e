/** Reading the entries of a directory through the core. */

import * as ERRNO from "../../../abi/errno.js";
import { AT_SYMLINK_NOFOLLOW } from "../../../abi/flags.js";
import { DIRENT_ALIGN, DIRENT_NAME, DIRENT_NAME_LENGTH, DIRENT_TYPE } from "../../../abi/memory.js";
import { DT_SHIFT, DT_UNKNOWN } from "../../../abi/mode.js";
import * as STAT from "../../../abi/stat.js";
import { systemCallError } from "../../errors/errors.js";
import type { Path } from "../args.js";
import { allocate, decodeText, type NameEncoding, utf8Bytes } from "../bytes.js";
import { constants } from "../constants.js";
import { appendName, joinPaths } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";
import { Dirent, direntType } from "./dirent.js";
import { type Listing, scan } from "./listing.js";
import { rawName } from "./names.js";

/** An entry from the core. */
export interface Entry {
  /** Its bytes, or a string of which they are the UTF-8 and which sorts as they do. */
  name: string | Buffer;
  /** DT_*; DT_UNKNOWN if the file system does not provide it. */
  type: number;
}

/**
 * Appends the next entries of a descriptor to `into`. Returns 1: there may be more; 0: the end; or a negative errno.
 * @param count read about this many; 0: as many as one call transfers
 */
export function readEntries(calls: SystemCalls, fd: number, into: Entry[], count = 0): number {
  calls.checkOpen();
  const filled = calls.core.sysGetdents(calls.ctx, fd, count, -1);
  // A directory that was removed while it is open has no entries: readdir(3) hides Linux's ENOENT.
  if (filled === -ERRNO.ENOENT) return 0;
  if (filled <= 0) return filled;
  const { io } = calls.attachment;
  for (let at = 0; at < filled; ) {
    // The core writes whole entries.
    const [type, length] = [io[at + DIRENT_TYPE] as number, io[at + DIRENT_NAME_LENGTH] as number];
    const start = at + DIRENT_NAME;
    into.push({ name: rawName(io.subarray(start, start + length)), type });
    at = (start + length + DIRENT_ALIGN - 1) & ~(DIRENT_ALIGN - 1);
  }
  return 1;
}

export const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** All entries of a directory, sorted by their bytes, as libuv's scandir does. */
export function listDirectory(calls: SystemCalls, path: Path): Entry[] {
  const { names, types } = listNames(calls, path, true);
  return names.map((name, i) => ({ name, type: types[i] as number }));
}

/** The same, as names and, if they are asked for, types. */
export function listNames(calls: SystemCalls, path: Path, typed: boolean): Listing {
  const found = scan(calls, path, typed);
  if (typeof found !== "number") return found;
  if (found < 0) throw systemCallError(found, "scandir", path);
  const entries = readOpened(calls, found, path);
  return { names: entries.map(({ name }) => name), types: Uint8Array.from(entries, ({ type }) => type) };
}

/** The same of a directory that is open, which is closed. */
function readOpened(calls: SystemCalls, fd: number, path: Path): Entry[] {
  try {
    const entries: Entry[] = [];
    let more: number;
    do more = readEntries(calls, fd, entries);
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

function sortEntries(entries: Entry[]): Entry[] {
  if (entries.every(({ name }) => typeof name === "string")) {
    return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
  const bytes = new Map(entries.map((entry) => [entry, nameBytes(entry.name)]));
  return entries.sort((a, b) => compareBytes(bytes.get(a) as Uint8Array, bytes.get(b) as Uint8Array));
}

function nameBytes(name: Path): Uint8Array {
  return typeof name === "string" ? utf8Bytes(name) : name;
}

/** A name, or a path of names, as the caller asked for it. */
export function encodeName(name: Path, encoding: NameEncoding): string | Buffer {
  if (typeof name === "string" && encoding === "utf8") return name;
  const bytes = nameBytes(name);
  const buffer = allocate(bytes.length);
  buffer.set(bytes);
  return encoding === "buffer" ? buffer : decodeText(buffer, encoding);
}

/** The DT_* of an entry of the directory `parent`; by lstat where the file system has none, or its negative errno. */
export function entryType(calls: SystemCalls, parent: Path, { name, type }: Entry): number {
  if (type !== DT_UNKNOWN) return type;
  const failed = calls.statRaw(appendName(parent, name), AT_SYMLINK_NOFOLLOW);
  return failed < 0 ? failed : calls.attachment.stat[STAT.mode] >> DT_SHIFT;
}

/** {@link entryType}, as a Dirent. @throws errors of lstat */
export function direntOf(
  calls: SystemCalls,
  parent: Path,
  entry: Entry,
  encoding: NameEncoding,
  parentPath: Path = parent,
): Dirent<string | Buffer> {
  const type = entryType(calls, parent, entry);
  if (type < 0) throw systemCallError(type, "lstat", joinPaths(parent, entry.name));
  return new Dirent(encodeName(entry.name, encoding), direntType(type), parentPath);
}
