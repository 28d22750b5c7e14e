/** Reading directories: `readdir` and `opendir`. */

import type * as NodeFs from "node:fs";
import { NO_OPTIONS, type Path, toBoolean, toNameEncoding, toOptions, toPath } from "./args.js";
import { Dir, DirHandle, type DirOptions } from "./directory/dir.js";
import type { Dirent } from "./directory/dirent.js";
import { direntOf, encodeName, listNames, OPEN_DIRECTORY } from "./directory/entries.js";
import { readTree, treeReading } from "./directory/tree.js";
import { operation } from "./operation.js";
import type { SystemCalls } from "./system-calls.js";

type PathLike = NodeFs.PathLike;

export interface ReaddirOptions {
  encoding?: BufferEncoding | "buffer" | null | undefined;
  withFileTypes?: boolean | undefined;
  recursive?: boolean | undefined;
}

/** Checked arguments. */
export function readdirArguments(path: Path, given: ReaddirOptions, recursive: boolean) {
  const reading = recursive ? treeReading(path) : undefined;
  return { path, encoding: toNameEncoding(given), withFileTypes: Boolean(given.withFileTypes), reading };
}

export const readdir = operation(
  (path: PathLike, options?: ReaddirOptions | BufferEncoding | "buffer" | null) => {
    const given = toOptions<ReaddirOptions>(options, NO_OPTIONS);
    const checked = toPath(path);
    const recursive = toBoolean(given.recursive ?? false, "options.recursive");
    return readdirArguments(checked, given, recursive);
  },
  (calls, { path, encoding, withFileTypes, reading }): (string | Buffer | Dirent<string | Buffer>)[] => {
    if (reading !== undefined) return readTree(calls, path, encoding, withFileTypes, reading);
    const { names, types } = listNames(calls, path, withFileTypes);
    if (withFileTypes) {
      return names.map((name, i) => direntOf(calls, path, { name, type: types[i] as number }, encoding));
    }
    for (let i = 0; i < names.length; i++) names[i] = encodeName(names[i] as string | Buffer, encoding);
    return names;
  },
);

function opendirArguments(path: PathLike, options?: DirOptions | BufferEncoding | null) {
  return { path: toPath(path), options: toOptions<DirOptions>(options, { encoding: "utf8" }) };
}

function runOpendir(calls: SystemCalls, args: ReturnType<typeof opendirArguments>, named: boolean): Dir {
  const { path, options } = args;
  const length = calls.tryPutPath(path);
  const fd = length < 0 ? length : calls.core.sysOpen(calls.ctx, calls.dirfd, length, OPEN_DIRECTORY, 0);
  calls.check(fd, "opendir", named ? path : undefined);
  return new Dir(new DirHandle(calls, fd), path, options);
}

/** The errors of Node's synchronous form do not contain the path. */
export const opendir = operation(opendirArguments, (calls, args): Dir => runOpendir(calls, args, false));
/** Those of the asynchronous forms do. */
export const openedDirectory = operation(opendirArguments, (calls, args): Dir => runOpendir(calls, args, true));
