/** A worker of a side (sides.ts): calls the functions of a scenario's module with `node:fs` or with the `fs` of a tree. */
import nodeFs from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type Fs, type VfsHandle } from "threadfs";
import { replaceNodeFs } from "./module-hooks.js";

export interface WorkerSetup {
  handle: VfsHandle | undefined;
  module: string;
  mocked: boolean;
}

export interface Request {
  id: number;
  call: string;
  args: unknown[];
}

export interface Reply {
  id: number;
  value?: unknown;
  /** Its stack: a cloned error would lose its code. */
  error?: string;
}

type Call = (fs: Fs, ...args: unknown[]) => unknown;

const { handle, module, mocked } = workerData as WorkerSetup;
const fs = handle === undefined ? (nodeFs as unknown as Fs) : (await attachVfs(handle, { closeOnExit: true })).fs;
if (mocked) await replaceNodeFs(fs);
const calls = (await import(module)) as Record<string, Call | undefined>;

async function reply({ id, call, args }: Request): Promise<Reply> {
  try {
    return { id, value: await calls[call]?.(fs, ...args) };
  } catch (error) {
    return { id, error: (error instanceof Error && error.stack) || String(error) };
  }
}

parentPort?.on("message", async (request: Request) => parentPort?.postMessage(await reply(request)));
