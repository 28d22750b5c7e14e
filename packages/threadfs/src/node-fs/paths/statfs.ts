/** `statfs` (https://nodejs.org/api/fs.html#class-fsstatfs): the room that the tree has. */

import type * as NodeFs from "node:fs";
import * as COUNTER from "../../../abi/counters.js";
import { CHUNK } from "../../../abi/limits.js";
import { NO_OPTIONS, type Path, toPath } from "../args.js";
import { operation } from "../operation.js";
import type { SystemCalls } from "../system-calls.js";

/** What Linux's tmpfs says of itself (TMPFS_MAGIC). */
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

type Room = { [name in keyof StatFs]: number };

/**
 * The limits of the file system that the path is on, and what is left of them. Without a limit: the blocks of the tree's memory, which
 * names and contents share. Each free block can hold at least one file: `ffree` is what there is room for in any case. Also ST_* bits.
 */
export function roomOf(calls: SystemCalls, path: Path): { room: Room; flags: number } {
  const length = calls.putPath(path, "statfs");
  const { core, ioNumbers, stat } = calls.attachment;
  const flags = calls.check(core.sysStatfs(calls.ctx, calls.dirfd, length), "statfs", path);
  const [maxBlocks = -1, freeBlocks = 0, maxInodes = -1, freeInodes = 0] = stat;
  core.sumCounters(0);
  const value = (counter: number) => ioNumbers[counter] ?? 0;
  const blocks = (value(COUNTER.chunksMax) * CHUNK) / BLOCK;
  const free = blocks - (value(COUNTER.chunksUsed) * CHUNK) / BLOCK;
  const room = {
    type: TMPFS_MAGIC,
    bsize: BLOCK,
    frsize: BLOCK,
    blocks: maxBlocks < 0 ? blocks : maxBlocks,
    bfree: maxBlocks < 0 ? free : freeBlocks,
    bavail: maxBlocks < 0 ? free : freeBlocks,
    files: maxInodes < 0 ? value(COUNTER.inodes) + free : maxInodes,
    ffree: maxInodes < 0 ? free : freeInodes,
  };
  return { room, flags };
}

export const statfs = operation(
  (path: NodeFs.PathLike, options?: NodeFs.StatFsOptions): { path: Path; bigint: boolean } => ({
    path: toPath(path),
    bigint: (options === undefined ? NO_OPTIONS : options).bigint === true,
  }),
  (calls, { path, bigint }): StatFs => new StatFs(roomOf(calls, path).room, bigint),
);
