/** The limits of what a tree remembers of the file systems of drivers: options of a new tree. */
import { toInteger } from "../node-fs/args.js";

/**
 * How many names of drivers' file systems the tree keeps that nobody uses (Linux: unused dentries, /proc/sys/fs/dentry-state; Linux itself has no
 * such limits). A name that is not kept is looked up in the driver again. Open files, working directories, mount points, and the directories
 * above names that are kept do not count. Files in memory are no cache, and do not count either. When memory is short, fewer are kept.
 */
export interface CacheOptions {
  /**
   * Names of files that exist, 0 to 2^31 - 1. Each takes 256 bytes with its inode, and its name's length if that is more than 32 bytes. Default: 64 for
   * each 64 KiB of `maxBytes`.
   */
  maxPositiveDentries?: number | undefined;
  /** Names that do not exist; each takes 128 bytes, and its length if that is more than 32 bytes. Default: 32 for each 64 KiB of `maxBytes`. */
  maxNegativeDentries?: number | undefined;
}

/** @throws TypeError ERR_INVALID_ARG_TYPE, RangeError ERR_OUT_OF_RANGE */
const limitOf = (value: unknown, name: keyof CacheOptions): number | undefined =>
  value === undefined ? undefined : toInteger(value, `options.${name}`, 0, 2 ** 31 - 1);

/** @internal The limits; undefined: the default */
export function toCacheLimits(options: Partial<CacheOptions>): { positive?: number; negative?: number } {
  const positive = limitOf(options.maxPositiveDentries, "maxPositiveDentries");
  const negative = limitOf(options.maxNegativeDentries, "maxNegativeDentries");
  return { ...(positive !== undefined && { positive }), ...(negative !== undefined && { negative }) };
}
