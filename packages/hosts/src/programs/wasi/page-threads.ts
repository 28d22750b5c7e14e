/** A program with threads in a page: one worker starts it, two others run its threads. The page itself may not block. */
import { createVfs } from "threadfs";
import type { WasiHandle } from "threadfs/wasi";
import { reportOf } from "../report.js";
import { expect } from "../scenario.js";
import { HEADER, I32, section, text } from "./encode.js";
import type { PageMessage } from "./page-threads-worker.js";

/** `_start` calls thread-spawn until it returns an id, and waits for a change of the word at 16. */
const START = [
  ...[0, 0x03, 0x40, 0x41, 0, 0x10, 0, 0x41, 0, 0x4c, 0x0d, 0, 0x0b],
  ...[0x41, 16, 0x41, 0, 0x42, 0x7f, 0xfe, 0x01, 2, 0, 0x1a, 0x0b],
];
/** The thread calls path_create_directory(3, "made"), adds one to the word, and wakes who waits for it. */
const THREAD = [
  ...[0, 0x41, 3, 0x41, 0, 0x41, 4, 0x10, 1, 0x1a],
  ...[0x41, 16, 0x41, 1, 0xfe, 0x1e, 2, 0, 0x1a, 0x41, 16, 0x41, 1, 0xfe, 0x00, 2, 0, 0x1a, 0x0b],
];
const PROGRAM = new Uint8Array([
  ...HEADER,
  ...section(1, [
    [0x60, 1, I32, 1, I32],
    [0x60, 3, I32, I32, I32, 1, I32],
    [0x60, 0, 0],
    [0x60, 2, I32, I32, 0],
  ]),
  ...section(2, [
    [...text("wasi"), ...text("thread-spawn"), 0, 0],
    [...text("wasi_snapshot_preview1"), ...text("path_create_directory"), 0, 1],
    [...text("env"), ...text("memory"), 2, 3, 1, 1],
  ]),
  ...section(3, [[2], [3]]),
  ...section(7, [
    [...text("_start"), 0, 2],
    [...text("wasi_thread_start"), 0, 3],
  ]),
  ...section(10, [
    [START.length, ...START],
    [THREAD.length, ...THREAD],
  ]),
  ...section(11, [[0, 0x41, 0, 0x0b, ...text("made")]]),
]);

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
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const program = { module: new WebAssembly.Module(PROGRAM), memory };
  const [main, ...others] = [newWorker(), newWorker(), newWorker()];
  if (main === undefined) throw new Error("no worker");
  const handle = (await ask(main, { task: "make", handle: vfs.handle })) as WasiHandle;
  await Promise.all(others.map((worker) => ask(worker, { task: "wait" })));
  const ends = others.map((worker) => ask(worker, { task: "run", threads: { handle, ...program } }));
  expect("the exit code", await ask(main, { task: "start", ...program }), 0);
  expect("what the threads return", String(await Promise.all(ends)), "ended,ended");
  expect("what a thread has made", vfs.fs.readdirSync("/w").join(), "made");
  expect("the files that the program leaves open", vfs.counters().openFiles, 0);
  for (const worker of [main, ...others]) worker.terminate();
  vfs.close();
});
