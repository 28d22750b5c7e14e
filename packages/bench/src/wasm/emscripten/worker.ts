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

export interface EmscriptenRequest {
  task: "start" | "read";
}

let program: Program | undefined;

async function start(): Promise<void> {
  const { handle, channel } = workerData as EmscriptenWorkerStart;
  const vfs = handle === undefined ? undefined : await attachVfs(handle, { closeOnExit: true });
  program = await Program.start((FS) => {
    if (vfs !== undefined) FS.mount(threadfs, { vfs, FS }, "/data");
    else if (channel !== undefined) FS.mount(proxyType(FS, channel), {}, "/data");
  });
}

serveRequests<EmscriptenRequest>(({ task }) => (task === "start" ? start() : program?.readAll()));
