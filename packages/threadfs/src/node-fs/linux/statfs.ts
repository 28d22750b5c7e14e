/** statfs(2) in full: what Node's `statfs` tells, and what it leaves out. */
import { NAME_MAX } from "../../../abi/limits.js";
import { type Path, toPath } from "../args.js";
import { operation } from "../operation.js";
import { roomOf } from "../paths/statfs.js";
import type { LinuxStatFs } from "./types.js";

export const statfs = operation(
  (path: unknown): { path: Path } => ({ path: toPath(path) }),
  (calls, { path }): LinuxStatFs => {
    const { room, flags } = roomOf(calls, path);
    return { ...room, namelen: NAME_MAX, flags };
  },
);
