/** just-bash, a shell in JavaScript, on any `fs`. */
import { Bash } from "just-bash";
import type { Fs } from "threadfs";
import { bashFileSystem } from "./file-system.js";

/** Runs a script in a directory. */
export async function run(fs: Fs, dir: string, script: string): Promise<unknown> {
  const { stdout, stderr, exitCode } = await new Bash({ fs: bashFileSystem(fs), cwd: dir }).exec(script);
  return { stdout, stderr, exitCode };
}
