/** Reading directories: `readdir` and `opendir`. */

import type * as NodeFs from "node:fs";
import { AT_FDCWD } from "../../abi/flags.js";
import { NO_OPTIONS, toBoolean, toNameEncoding, toOptions, toPath } from "./args.js";
import { Dir, DirHandle, type DirOptions } from "./directory/dir.js";
import type { Dirent } from "./directory/dirent.js";
import { direntOf, encodeName, listDirectory, OPEN_DIRECTORY } from "./directory/entries.js";
import { readTree } from "./directory/tree.js";
import { operation } from "./operation.js";

type PathLike = NodeFs.PathLike;

export interface ReaddirOptions {
  encoding?: BufferEncoding | "buffer" | null | undefined;
  withFileTypes?: boolean | undefined;
  recursive?: boolean | undefined;
}

export const readdir = operation(
  (path: PathLike, options?: ReaddirOptions | BufferEncoding | "buffer" | null) => {
    const given = toOptions<ReaddirOptions>(options, NO_OPTIONS);
    const checked = toPath(path);
    const recursive = toBoolean(given.recursive ?? false, "options.recursive");
    return { path: checked, encoding: toNameEncoding(given), withFileTypes: Boolean(given.withFileTypes), recursive };
  },
  (calls, { path, encoding, withFileTypes, recursive }): (string | Buffer | Dirent<string | Buffer>)[] => {
    if (recursive) return readTree(calls, path, encoding, withFileTypes);
    const entries = listDirectory(calls, path);
    if (!withFileTypes) return entries.map(({ name }) => encodeName(name, encoding));
    return entries.map((entry) => direntOf(calls, path, entry, encoding));
  },
);

export const opendir = operation(
  (path: PathLike, options?: DirOptions | BufferEncoding | null) => ({
    path: toPath(path),
    options: toOptions<DirOptions>(options, { encoding: "utf8" }),
  }),
  (calls, { path, options }): Dir => {
    const length = calls.tryPutPath(path);
    const fd = length < 0 ? length : calls.core.sysOpen(calls.ctx, AT_FDCWD, length, OPEN_DIRECTORY, 0);
    // The errors of Node's synchronous form do not contain the path.
    calls.check(fd, "opendir");
    return new Dir(new DirHandle(calls, fd), path, options);
  },
);
