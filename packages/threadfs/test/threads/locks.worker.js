/** A thread that holds a Web Lock while it is attached: works in a way of its own, or watches over the others. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../dist/src/index.js";

const { handle, what, word } = workerData;
const held = new Int32Array(word);

/** Stands still where the core asks for the time: with the directory's mutex held. */
let armed = false;
const now = () => {
  if (armed) {
    armed = false;
    Atomics.store(held, 0, 1);
    Atomics.notify(held, 0);
    Atomics.wait(held, 1, 0, 30_000);
  }
  return 0;
};

const vfs = await attachVfs(handle, { locks: true, now });
if (what === "watch") vfs.watchThreads({ everyMs: 50 });
parentPort.postMessage({ slot: vfs.threadSlot });
if (what === "watch") setInterval(() => {}, 1000);
else {
  armed = true;
  vfs.fs.mkdirSync("/d/made");
}
