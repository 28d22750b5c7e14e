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
): (string | Buffer | Dirent<string | Buffer>)[] {
  const found: (string | Buffer | Dirent<string | Buffer>)[] = [];
  const queue: { path: Path; relative: Path }[] = [{ path: base, relative: "" }];
  // Directories that are found on the way are appended, and the loop comes to them.
  for (const { path, relative } of queue) {
    const parentPath = relative.length === 0 ? base : joinPaths(base, encodeName(relative, encoding));
    for (const entry of listDirectory(calls, path)) {
      // As in Node, an entry whose type cannot be read is listed without one.
      const type = Math.max(DT_UNKNOWN, entryType(calls, path, entry));
      const below = appendName(relative, entry.name);
      found.push(
        withFileTypes
          ? new Dirent(encodeName(entry.name, encoding), direntType(type), parentPath)
          : encodeName(below, encoding),
      );
      const child = appendName(path, entry.name);
      if (type === DT_DIR || (type === DT_LNK && isDirectory(calls, child)))
        queue.push({ path: child, relative: below });
    }
  }
  return found;
}

function isDirectory(calls: SystemCalls, path: Path): boolean {
  return calls.statRaw(path, 0) === 0 && (calls.attachment.stat[STAT.mode] & S_IFMT) === S_IFDIR;
}
