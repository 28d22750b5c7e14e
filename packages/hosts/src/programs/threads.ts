/** Two threads on one tree in Node, Bun and Deno, and in what a bundler makes for Node. Prints "ok". */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Worker } from "node:worker_threads";
import { attachVfs, createVfs, type Vfs } from "threadfs";
import { useShell } from "./adapters/just-bash.js";
import { useEmscripten } from "./emscripten.js";
import { attachTwice, changeAfterDeath, checkReply, expect, PATIENCE_MS, prepare, saveAndLoad } from "./scenario.js";
import { runProgram } from "./wasi/program.js";

/** Starts a worker; returns it when it has done its part. */
function started(vfs: Vfs, name: string): Promise<Worker> {
  // webpack 5.113 writes wrong code for an imported Worker: it leaves this one alone, and bundles the worker as an entry.
  const file = new URL(/* webpackIgnore: true */ "./threads-worker.js", import.meta.url);
  const worker = new Worker(file, { workerData: { handle: vfs.handle, name } });
  vfs.attachWorker(worker);
  return new Promise((resolve, reject) => {
    worker.once("message", () => resolve(worker));
    worker.once("error", reject);
  });
}

/** Waits until the descriptors of the workers that have ended are closed; `late` ends the program otherwise. */
async function closed(vfs: Vfs): Promise<void> {
  while (vfs.counters().openFiles > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Copies a file by streams, which are those of the host, and reads the copy as a Blob. */
async function stream({ fs }: Vfs): Promise<void> {
  const reader = fs.createReadStream("/shared/from-main");
  expect("a stream is the host's", reader instanceof Readable, true);
  await pipeline(reader, fs.createWriteStream("/shared/streamed"));
  const blob = await fs.openAsBlob("/shared/streamed");
  expect("the copy", await blob.text(), fs.readFileSync("/shared/from-main", "utf8"));
}

const late = setTimeout(() => {
  console.error("late");
  process.exit(1);
}, PATIENCE_MS);
const vfs = await createVfs({ maxBytes: 1 << 26 });
prepare(vfs.fs);
await attachTwice((options) => attachVfs(vfs.handle, options));
// With the id that the host gives.
(await attachVfs(vfs.handle, { share: false })).close();
await stream(vfs);
await saveAndLoad(vfs, createVfs);
runProgram(vfs);
useEmscripten(vfs);
await useShell(vfs);
const first = await started(vfs, "first");
checkReply(vfs.fs, "first");
await first.terminate();
await changeAfterDeath(vfs.fs);
await closed(vfs);
const second = await started(vfs, "second");
checkReply(vfs.fs, "second");
await closed(vfs);
await second.terminate();
vfs.close();
clearTimeout(late);
console.log("ok");
