// A worker of the bench of Emscripten: PHP on the tree, or on a file system that sends its reads to the main thread.

import { workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { threadfs } from "threadfs/emscripten";
import { serveRequests } from "../../../../cli/dist/support/worker-pool.js";
import { Program } from "./program.js";
import { proxyType } from "./proxy.js";

export interface EmscriptenWorkerStart {
  /** One of the two. */
  handle?: VfsHandle;
  channel?: SharedArrayBuffer;
}

/** `open`: the file of this number is opened and closed so many times. */
export type EmscriptenRequest = { task: "start" | "read" } | { task: "open"; file: number; times: number };

let program: Program | undefined;

async function start(): Promise<void> {
  const { handle, channel } = workerData as EmscriptenWorkerStart;
  const vfs = handle === undefined ? undefined : await attachVfs(handle, { closeOnExit: true });
  program = await Program.start((FS) => {
    if (vfs !== undefined) FS.mount(threadfs, { vfs, FS }, "/data");
    else if (channel !== undefined) FS.mount(proxyType(FS, channel), {}, "/data");
  });
}

serveRequests<EmscriptenRequest>((request) => {
  if (request.task === "open") return program?.openAll(request.file, request.times);
  return request.task === "start" ? start() : program?.readAll();
});
