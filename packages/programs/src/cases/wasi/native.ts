/** The C programs on Linux. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { TIMEOUT_MS } from "../../../../tools/dist/limits.js";
import type { Calls } from "./tree.js";

/** What a program has printed and left. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export const NODE: Calls = { readdirSync, lstatSync, readlinkSync, readFileSync } as unknown as Calls;

export const INPUT = "a line of input\n";
export const ENV = { VAR: "a value" };

/** The programs without threads, with their arguments; each goes on with the files of the one before. */
export const PROGRAMS = [
  ["files", ["one", "two words", "drei über"]],
  ["find", ["d", "many", "none", "f"]],
  ["records", []],
] as const;

/** Runs a program in a directory of Linux, beside others. */
export async function besideOnLinux(cwd: string, native: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(native, args, { cwd, env: ENV, timeout: TIMEOUT_MS, stdio: ["ignore", "pipe", "pipe"] });
  const ended: Ended = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (bytes) => {
    ended.stdout += bytes;
  });
  child.stderr.on("data", (bytes) => {
    ended.stderr += bytes;
  });
  [ended.code] = (await once(child, "close")) as [number | null];
  return ended;
}

/** Runs a program in a directory of Linux. */
export function onLinux(cwd: string, native: string, args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(native, args, {
    ...{ cwd, input: INPUT, env: ENV, encoding: "utf8", timeout: TIMEOUT_MS },
  });
  return { code: status, stdout, stderr };
}
