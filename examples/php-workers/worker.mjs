// A worker with PHP in it, which works on the tree directly.
import { parentPort, workerData } from "node:worker_threads";
import { getPHPLoaderModule } from "@php-wasm/node-8-4";
import { loadPHPRuntime, PHP } from "@php-wasm/universal";
import { attachVfs } from "threadfs";
import { fileLocks, threadfs } from "threadfs/emscripten";

const vfs = await attachVfs(workerData.handle, { closeOnExit: true });
const runtime = await loadPHPRuntime(await getPHPLoaderModule(), {
  processId: workerData.number,
  // PHP's locks, and those of its SQLite: the tree's for files of the tree, php-wasm's own for others.
  bindUserSpace({ FS, wasmImports, wasmExports }) {
    const locks = fileLocks({ FS, memory: () => wasmExports.memory.buffer });
    return {
      fcntl64: (fd, command, rest) =>
        locks.fcntl64(fd, command, rest) ?? wasmImports.builtin_fcntl64(fd, command, rest),
      flock: (fd, operation) => locks.flock(fd, operation) ?? 0,
      fd_close: wasmImports.builtin_fd_close,
      js_release_file_locks: () => 0,
    };
  },
});
const php = new PHP(runtime);
php.mkdir("/app");
await php.mount("/app", (_php, FS, place) => {
  FS.mount(threadfs, { vfs, FS, root: "/app" }, place);
  return () => FS.unmount(place);
});

parentPort.on("message", async ({ id, method, body }) => {
  const $_SERVER = { WORKER: String(workerData.number) };
  const { text, errors } = await php.run({ scriptPath: "/app/index.php", method, body, $_SERVER });
  parentPort.postMessage({ id, text: text + errors });
});
parentPort.postMessage("ready");
