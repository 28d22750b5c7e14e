/** `statfs` (https://nodejs.org/api/fs.html#class-fsstatfs): the room that the tree has. */

import type * as NodeFs from "node:fs";
import * as COUNTER from "../../../abi/counters.js";
import { CHUNK } from "../../../abi/limits.js";
import { NO_OPTIONS, type Path, toPath } from "../args.js";
import { operation } from "../operation.js";

/** What Linux's tmpfs says of itself (TMPFS_MAGIC); a tree does not say which mount a path is on. */
const TMPFS_MAGIC = 0x01021994;
const BLOCK = 4096;

class StatFs {
  type: number | bigint;
  bsize: number | bigint;
  frsize: number | bigint;
  blocks: number | bigint;
  bfree: number | bigint;
  bavail: number | bigint;
  files: number | bigint;
  ffree: number | bigint;

  constructor(numbers: { [name in keyof StatFs]: number }, bigint: boolean) {
    const as = (value: number) => (bigint ? BigInt(value) : value);
    this.type = as(numbers.type);
    this.bsize = as(numbers.bsize);
    this.frsize = as(numbers.frsize);
    this.blocks = as(numbers.blocks);
    this.bfree = as(numbers.bfree);
    this.bavail = as(numbers.bavail);
    this.files = as(numbers.files);
    this.ffree = as(numbers.ffree);
  }
}

export type { StatFs };

/**
 * Blocks of the tree's memory, which names and contents share. Each free block can hold at least one file: `ffree` is what
 * there is room for in any case.
 */
export const statfs = operation(
  (path: NodeFs.PathLike, options?: NodeFs.StatFsOptions): { path: Path; bigint: boolean } => ({
    path: toPath(path),
    bigint: (options === undefined ? NO_OPTIONS : options).bigint === true,
  }),
  (calls, { path, bigint }): StatFs => {
    calls.check(calls.statRaw(path, 0), "statfs", path);
    const { core, ioNumbers } = calls.attachment;
    core.sumCounters(0);
    const value = (counter: number) => ioNumbers[counter] ?? 0;
    const blocks = (value(COUNTER.chunksMax) * CHUNK) / BLOCK;
    const free = blocks - (value(COUNTER.chunksUsed) * CHUNK) / BLOCK;
    const files = value(COUNTER.inodes) + free;
    const numbers = {
      type: TMPFS_MAGIC,
      bsize: BLOCK,
      frsize: BLOCK,
      blocks,
      bfree: free,
      bavail: free,
      files,
      ffree: free,
    };
    return new StatFs(numbers, bigint);
  },
);
