/** A program with threads in a page: one worker starts it, two others run its threads. The page itself may not block. */
import { createVfs } from "threadfs";
import type { WasiHandle } from "threadfs/wasi";
import { reportOf } from "../report.js";
import { expect } from "../scenario.js";
import type { PageMessage } from "./page-threads-worker.js";
import { checkMade, newMemory, THREADED } from "./threaded.js";

const newWorker = () => new Worker(new URL("./page-threads-worker.js", import.meta.url), { type: "module" });

/** Posts a message to a worker. Returns its reply. */
function ask(worker: Worker, message: PageMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data instanceof Error ? reject(data) : resolve(data));
    worker.onerror = ({ message: text }) => reject(new Error(text));
    worker.postMessage(message);
  });
}

reportOf(async () => {
  const vfs = await createVfs({ maxBytes: 1 << 26 });
  vfs.fs.mkdirSync("/w");
  const program = { module: new WebAssembly.Module(THREADED), memory: newMemory() };
  const [main, ...others] = [newWorker(), newWorker(), newWorker()];
  if (main === undefined) throw new Error("no worker");
  const handle = (await ask(main, { task: "make", handle: vfs.handle })) as WasiHandle;
  await Promise.all(others.map((worker) => ask(worker, { task: "wait" })));
  const ends = others.map((worker) => ask(worker, { task: "run", threads: { handle, ...program } }));
  expect("the exit code", await ask(main, { task: "start", ...program }), 0);
  expect("what the threads return", String(await Promise.all(ends)), "ended,ended");
  checkMade(vfs);
  for (const worker of [main, ...others]) worker.terminate();
  vfs.close();
});
