/** A thread in which thread-loader runs loaders (loader-threads.ts): its program and the loaders get the tree for `node:fs`. */
import { createRequire } from "node:module";
import { workerData } from "node:worker_threads";
import { attachVfs, type Fs, type VfsHandle } from "threadfs";
import { replaceNodeFs } from "../support/module-hooks.js";

const { handle, program } = workerData as { handle: VfsHandle; program: string };
const { fs } = await attachVfs(handle);

/** The streams by which the program talks have descriptors and no path. */
const streams = {
  createReadStream: (path: string | null, ...rest: [object?]) =>
    path === null ? process.stdin : fs.createReadStream(path, ...rest),
  createWriteStream: (path: string | null, ...rest: [object?]) =>
    path === null ? process.stdout : fs.createWriteStream(path, ...rest),
};
await replaceNodeFs({ ...fs, ...streams } as Fs);
createRequire(import.meta.url)(program);
