/** A thread that holds a Web Lock while it is attached: it watches the other threads, or stops inside a call. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "../../dist/src/index.js";

export interface LocksWorkerData {
  readonly handle: VfsHandle;
  readonly role: "watch" | "stop";
  /** Word 0: 1 once the thread has stopped inside its call. */
  readonly word: SharedArrayBuffer;
}

const { handle, role, word } = workerData as LocksWorkerData;
const words = new Int32Array(word);

/** The thread stops where the core asks for the time: then it holds the directory's mutex. */
let armed = false;
const now = () => {
  if (armed) {
    armed = false;
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    Atomics.wait(words, 1, 0);
  }
  return 0;
};

const vfs = await attachVfs(handle, { locks: true, now });
if (role === "watch") vfs.watchThreads({ everyMs: 50 });
parentPort?.postMessage({ slot: vfs.threadSlot });
if (role === "watch") setInterval(() => {}, 1000);
else {
  armed = true;
  vfs.fs.mkdirSync("/d/made");
}
