/** A thread that attaches to a tree and does what it is told: `{ id, call, args }` of its fs, or of the tree itself. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../dist/src/index.js";

const vfs = await attachVfs(workerData.handle);

parentPort.on("message", ({ id, on, call, args }) => {
  try {
    const target = on === "vfs" ? vfs : vfs.fs;
    const answer = typeof target[call] === "function" ? target[call](...args) : target[call];
    parentPort.postMessage({ id, answer });
  } catch (error) {
    const { code, errno, syscall, path, message } = error;
    parentPort.postMessage({ id, error: { code, errno, syscall, path, message } });
  }
});
parentPort.postMessage({ id: 0 });
