/** Two threads on one tree in a page. Reports the result to the server of the page. */
import { attachVfs, createVfs, type Vfs } from "threadfs";
import { useShell } from "./adapters/just-bash.js";
import { useEmscripten } from "./emscripten.js";
import { reportOf } from "./report.js";
import { attachTwice, changeAfterDeath, checkReply, prepare, saveAndLoad } from "./scenario.js";
import { runProgram } from "./wasi/program.js";

/** Starts a worker; returns it when it has done its part. */
function started(vfs: Vfs, name: string): Promise<Worker> {
  const worker = new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" });
  worker.postMessage({ handle: vfs.handle, name });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data === "done" ? resolve(worker) : reject(new Error(String(data))));
    worker.onerror = ({ message, filename }) => reject(new Error(`the worker: ${message} ${filename}`));
  });
}

reportOf(async () => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  // Browsers do not report the end of a worker.
  vfs.watchThreads({ everyMs: 20 });
  prepare(vfs.fs);
  await attachTwice((options) => attachVfs(vfs.handle, options));
  await saveAndLoad(vfs, createVfs);
  runProgram(vfs);
  useEmscripten(vfs);
  await useShell(vfs);
  const first = await started(vfs, "first");
  checkReply(vfs.fs, "first");
  first.terminate();
  await changeAfterDeath(vfs.fs);
  const second = await started(vfs, "second");
  checkReply(vfs.fs, "second");
  second.terminate();
  vfs.close();
});
