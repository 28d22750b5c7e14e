/** The C programs on Linux, and the files that they leave there and on a tree. */
import { spawnSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Vfs } from "threadfs";
import { TIMEOUT_MS } from "../../../../tools/dist/limits.js";

/** What a program has printed and left. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

type Calls = Pick<Vfs["fs"], "readdirSync" | "lstatSync" | "readlinkSync" | "readFileSync">;
export const NODE: Calls = { readdirSync, lstatSync, readlinkSync, readFileSync } as unknown as Calls;

/** All files below a directory: mode, links and contents, the last ones by their lines in order where threads have written them. */
export function treeOf(fs: Calls, dir: string, sorted = false): string[] {
  return (fs.readdirSync(dir) as string[]).sort().flatMap((name) => {
    const path = `${dir}/${name}`;
    const at = fs.lstatSync(path);
    const line = `${name} ${at.mode.toString(8)} ${at.isDirectory() ? "" : at.nlink}`;
    if (at.isDirectory()) return [line, ...treeOf(fs, path, sorted).map((below) => `${name}/${below}`)];
    if (at.isSymbolicLink()) return [`${line} -> ${fs.readlinkSync(path)}`];
    const text = (fs.readFileSync(path) as Buffer).toString("latin1");
    return [`${line} ${sorted ? text.split("\n").sort().join("\n") : text}`];
  });
}

export const INPUT = "a line of input\n";
export const ENV = { VAR: "a value" };

/** The programs without threads, with their arguments; each goes on with the files of the one before. */
export const PROGRAMS = [
  ["files", ["one", "two words", "drei über"]],
  ["find", ["d", "many", "none", "f"]],
  ["records", []],
] as const;

/** Runs a program in a directory of Linux. */
export function onLinux(cwd: string, native: string, args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(native, args, {
    ...{ cwd, input: INPUT, env: ENV, encoding: "utf8", timeout: TIMEOUT_MS },
  });
  return { code: status, stdout, stderr };
}
