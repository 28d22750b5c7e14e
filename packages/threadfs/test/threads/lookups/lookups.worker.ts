/** Looks a name of a driver up, and stays in the driver's hook until it is told to go on, or is terminated. */
import { parentPort, workerData } from "node:worker_threads";
import { S_IFDIR, S_IFREG } from "../../../dist/abi/abi.js";
import { attachVfs, type VfsHandle } from "../../../dist/src/index.js";

export interface LookupsWorkerData {
  readonly handle: VfsHandle;
  readonly path: string;
  /** Words: 0 the hook has been called, 1 it may return. */
  readonly words: Int32Array;
}

const { handle, path, words } = workerData as LookupsWorkerData;
const vfs = await attachVfs(handle);
vfs.registerDriver({
  name: "slow",
  root: () => ({ ino: 1, mode: S_IFDIR | 0o755 }),
  lookup: () => {
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    Atomics.wait(words, 1, 0);
    return { ino: 7, mode: S_IFREG | 0o644 };
  },
});
const { ino } = vfs.fs.statSync(path);
vfs.close();
parentPort?.postMessage(ino);
