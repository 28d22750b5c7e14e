/** just-bash, a shell in JavaScript: on a tree, and on the disk with the package's own file system. */
import nodeFs from "node:fs";
import { Bash, type IFileSystem, ReadWriteFs } from "just-bash";
import type { Fs } from "threadfs";
import { ThreadFs } from "threadfs/just-bash";

function fileSystemOf(fs: Fs): IFileSystem {
  return (fs as unknown) === nodeFs ? new ReadWriteFs({ root: "/", allowSymlinks: true }) : new ThreadFs({ fs });
}

/** Runs a script in a directory. */
export async function run(fs: Fs, dir: string, script: string): Promise<unknown> {
  const { stdout, stderr, exitCode } = await new Bash({ fs: fileSystemOf(fs), cwd: dir }).exec(script);
  return { stdout, stderr, exitCode };
}
