/** A tree as a file system of node:vfs, in the main thread and in a worker: node:fs and require() find its files. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { create } from "node:vfs";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { attachVfs, createVfs } from "threadfs";
import { ThreadProvider } from "threadfs/node-vfs";
import { expect } from "../scenario.js";

const tree = isMainThread ? await createVfs({ maxBytes: 1 << 24 }) : await attachVfs(workerData);
/** @types/node has no mount() yet. */
interface Mountable {
  mount(): string;
}
const root = (create(new ThreadProvider(tree), { emitExperimentalWarning: false }) as unknown as Mountable).mount();
if (isMainThread) {
  tree.fs.writeFileSync("/module.cjs", 'require("node:fs").appendFileSync(__dirname + "/log", "loaded ");');
  createRequire(import.meta.url)(`${root}/module.cjs`);
  const worker = new Worker(new URL(import.meta.url), { workerData: tree.handle });
  worker.on("exit", () => {
    expect("what both threads have written", readFileSync(`${root}/log`, "utf8"), "loaded loaded ");
    console.log("ok");
  });
} else {
  createRequire(import.meta.url)(`${root}/module.cjs`);
}
