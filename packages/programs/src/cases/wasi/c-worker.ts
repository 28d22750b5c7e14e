/** A worker of the C programs: runs threads of one, or a whole one again and again until it is terminated. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { createWasi, runWasiThreads, type WasiThreads } from "threadfs/wasi";

export type WorkerSetup =
  | { readonly threads: WasiThreads }
  | { readonly handle: VfsHandle; readonly module: WebAssembly.Module };

const setup = workerData as WorkerSetup;
if ("threads" in setup) {
  parentPort?.postMessage("waits");
  await runWasiThreads(setup.threads);
} else {
  const vfs = await attachVfs(setup.handle, { closeOnExit: true });
  parentPort?.postMessage("runs");
  for (;;) {
    const wasi = createWasi(vfs, { args: ["records"], preopens: { ".": "/w" }, stdout: "ignore" });
    wasi.start(new WebAssembly.Instance(setup.module, wasi.getImportObject() as WebAssembly.Imports));
  }
}
