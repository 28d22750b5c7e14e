/** Directories that `cp` makes: std::filesystem::create_directories of the C++ library, which Node uses, with its errors. */

import * as ERRNO from "../../../abi/errno.js";
import type { Path } from "../args.js";
import { decodeText } from "../bytes.js";
import { endsWithSlash, parentPath, pathBytes } from "../paths/join.js";
import type { SystemCalls } from "../system-calls.js";
import { type Attributes, attributes, isDirectory } from "./check.js";

/** Directories that one call makes. */
const MISSING_MAX = 1000;

function isMissing(found: Attributes | number): boolean {
  return found === -ERRNO.ENOENT || found === -ERRNO.ENOTDIR;
}

/** Whether the last name of a path is "." or "..". */
function endsInDots(path: Path): boolean {
  return /(^|\/)\.\.?$/.test(decodeText(pathBytes(path), "latin1"));
}

/** Makes a directory and those above it that are missing. Returns 0 or a negative errno. */
export function makeDirectories(calls: SystemCalls, path: Path): number {
  const missing: Path[] = [];
  let above = path;
  for (;;) {
    const found = attributes(calls, above, true);
    if (isDirectory(found)) break;
    if (!isMissing(found)) return typeof found === "number" ? found : -ERRNO.ENOTDIR;
    if (missing.length === 0 && endsWithSlash(above)) above = parentPath(above);
    if (!endsInDots(above)) missing.push(above);
    if (missing.length > MISSING_MAX) return -ERRNO.ELOOP;
    above = parentPath(above);
    if (above.length === 0) break;
  }
  for (const directory of missing.reverse()) {
    const length = calls.tryPutPath(directory);
    const failed = length < 0 ? length : calls.core.sysMkdir(calls.ctx, calls.dirfd, length, 0o777);
    const isThere = failed === -ERRNO.EEXIST && isDirectory(attributes(calls, directory, true));
    if (failed < 0 && !isThere) return failed;
  }
  return 0;
}
