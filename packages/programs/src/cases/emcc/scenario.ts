/** A worker with one program that Emscripten has compiled, which makes a call each time. */
import { workerData } from "node:worker_threads";
import { attachVfs, type Fs } from "threadfs";
import type { WorkerSetup } from "../support/worker.js";
import type { Built } from "./build.js";
import { type Started, start } from "./program.js";

let program: Started | undefined;

export async function begin(_fs: Fs, built: Built): Promise<void> {
  const { handle } = workerData as WorkerSetup;
  if (handle === undefined) throw new Error("the program runs on a tree");
  program = await start(await attachVfs(handle), built);
}

export function call(_fs: Fs, ...args: string[]): string | undefined {
  const { code, stdout, stderr } = program?.run(args) ?? { code: null, stdout: "", stderr: "no program" };
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}`);
  return stdout;
}

/** Appends lines, each with a call of its own. */
export function appendAll(_fs: Fs, path: string, text: string, count: number): void {
  for (let n = 0; n < count; n++) call(_fs, "append", path, `${text} ${n}\n`);
}
