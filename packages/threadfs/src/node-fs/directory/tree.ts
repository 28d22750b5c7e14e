/** The recursive `readdir`. */

import { DT_DIR, DT_LNK, DT_UNKNOWN } from "../../../abi/mode.js";
import * as STAT from "../../../abi/stat.js";
import type { Path } from "../args.js";
import type { NameEncoding } from "../bytes.js";
import { constants } from "../constants.js";
import { appendName, joinPaths } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";
import { Dirent, direntType } from "./dirent.js";
import { encodeName, entryType, listDirectory } from "./entries.js";

const { S_IFMT, S_IFDIR } = constants;

type Found = string | Buffer | Dirent<string | Buffer>;

/** How far a reading has come: it may be left in a directory, and made again from there. */
export interface TreeReading {
  readonly found: Found[];
  /** The directories that were found, those that are read first. */
  readonly queue: { path: Path; relative: Path }[];
  /** The number of directories that have been read. */
  read: number;
}

/** A reading that has not begun. */
export function treeReading(base: Path): TreeReading {
  return { found: [], queue: [{ path: base, relative: "" }], read: 0 };
}

/**
 * Everything below a directory, level by level: paths relative to it, or Dirents. Follows links to directories, as
 * Node 26 does; a loop of links ends with the walk's limit of 40 links (ELOOP).
 * @throws the error of the first directory that cannot be read
 */
export function readTree(
  calls: SystemCalls,
  base: Path,
  encoding: NameEncoding,
  withFileTypes: boolean,
  reading: TreeReading,
): Found[] {
  const { found, queue } = reading;
  for (let next = queue[reading.read]; next !== undefined; next = queue[++reading.read]) {
    const { path, relative } = next;
    const parentPath = relative.length === 0 ? base : joinPaths(base, encodeName(relative, encoding));
    const entries: Found[] = [];
    const below: typeof queue = [];
    for (const entry of listDirectory(calls, path)) {
      // As in Node, an entry whose type cannot be read is listed without one.
      const type = Math.max(DT_UNKNOWN, entryType(calls, path, entry));
      const name = appendName(relative, entry.name);
      entries.push(
        withFileTypes
          ? new Dirent(encodeName(entry.name, encoding), direntType(type), parentPath)
          : encodeName(name, encoding),
      );
      const child = appendName(path, entry.name);
      if (type === DT_DIR || (type === DT_LNK && isDirectory(calls, child)))
        below.push({ path: child, relative: name });
    }
    // Not by a spread, which has room for some 100,000 arguments.
    for (const entry of entries) found.push(entry);
    for (const directory of below) queue.push(directory);
  }
  return found;
}

function isDirectory(calls: SystemCalls, path: Path): boolean {
  return calls.statRaw(path, 0) === 0 && (calls.attachment.stat[STAT.mode] & S_IFMT) === S_IFDIR;
}
