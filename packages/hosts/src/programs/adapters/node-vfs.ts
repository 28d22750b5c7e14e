/** A tree as a file system of node:vfs, in the main thread and in a worker: node:fs and require() find its files. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { attachVfs, createVfs } from "threadfs";
import { ThreadProvider } from "threadfs/node-vfs";
import { expect } from "../scenario.js";

const tree = isMainThread ? await createVfs({ maxBytes: 1 << 24 }) : await attachVfs(workerData);
/** What is used of node:vfs: the build has the types of an older Node, which has none. */
interface NodeVfs {
  create(provider: object, options: object): { mount(): string };
}
const { create } = process.getBuiltinModule("node:vfs" as "node:fs") as unknown as NodeVfs;
const root = create(new ThreadProvider(tree), { emitExperimentalWarning: false }).mount();
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
