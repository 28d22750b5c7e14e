// The tree that the benches look into: paths of 8 components and 72 characters on average, shaped as an installed
// monorepo. A file's path follows from its number alone, so no list has to travel between processes.

import type { BenchFs } from "./rivals.js";

/** Files in each lib directory. */
export const FILES_PER_DIRECTORY = 25;

/** Packages and dependencies per package for `count` files: 20 and 20 for 10,000; 200 and 200 for 1,000,000. */
export function sideOf(count: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(count / FILES_PER_DIRECTORY)));
}

/** The lib directory with this number, without the leading slash. */
export function directoryName(number: number, side: number): string {
  const pack = Math.floor(number / side);
  return `workspace/project/packages/package-${pack}/node_modules/dep-${number % side}/lib`;
}

/** The path of file `number`, without the leading slash; `extension` is ".js", or ".ts" for a path that never exists. */
export function fileName(number: number, side: number, extension = ".js"): string {
  const directory = directoryName(Math.floor(number / FILES_PER_DIRECTORY), side);
  return `${directory}/file-${number % FILES_PER_DIRECTORY}${extension}`;
}

/**
 * Copies a string into one flat piece of memory. Concatenation leaves ropes behind, and a rope, even a flattened one,
 * costs each reader one more cache line.
 */
export function flat(string: string): string {
  return Buffer.from(string, "latin1").toString("latin1");
}

/**
 * All paths of a tree in the order in which its files were made.
 * @param count files
 * @param prefix "/" for absolute paths, "" for paths relative to the tree's root
 * @param extension ".js" for those that exist, ".ts" for those that do not
 */
export function allPaths(count: number, prefix: string, extension = ".js", side = sideOf(count)): string[] {
  const paths = new Array<string>(count);
  for (let i = 0; i < count; i++) paths[i] = flat(prefix + fileName(i, side, extension));
  return paths;
}

/** `paths` in the given order; the strings stay where they are in memory. */
export function inOrder(paths: readonly string[], order: Uint32Array): string[] {
  const visit = new Array<string>(order.length);
  for (const [i, place] of order.entries()) visit[i] = paths[place] as string; // the order is one of all paths
  return visit;
}

/** Makes files `from` .. `to`-1 and the directories above them. */
export function makeFiles(fs: BenchFs, from: number, to: number, prefix: string, side: number): void {
  for (let i = from; i < to; i++) {
    const directory = Math.floor(i / FILES_PER_DIRECTORY);
    if (i === from || i % FILES_PER_DIRECTORY === 0) {
      fs.mkdirSync(prefix + directoryName(directory, side), { recursive: true });
    }
    fs.closeSync(fs.openSync(prefix + fileName(i, side), "w"));
  }
}

/** Directories of a tree of `count` files made in order, without the root. */
export function directoryCount(count: number, side = sideOf(count)): number {
  const libs = Math.ceil(count / FILES_PER_DIRECTORY);
  const packages = Math.ceil(libs / side);
  return 3 + 2 * packages + 2 * libs;
}

/** Mean length in characters of the absolute paths, from a sample of at most 10,000. */
export function meanLength(count: number, side = sideOf(count)): number {
  const step = Math.max(1, Math.floor(count / 10000));
  let sum = 0;
  let taken = 0;
  for (let i = 0; i < count; i += step) {
    sum += fileName(i, side).length + 1;
    taken++;
  }
  return sum / taken;
}
