/** One that dies in a call, with a directory's mutex held, and a helper that is told of it by the port between them. */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs } from "../../dist/src/index.js";

const { role, handle, port, word } = workerData;

if (role === "helper") {
  const vfs = await attachVfs(handle);
  let slot;
  port.on("message", (message) => {
    slot = message;
    parentPort.postMessage({ ready: Atomics.wait(word, 0, 0, 10_000) });
  });
  port.on("close", () => vfs.threadDied(slot));
} else {
  let armed = false;
  const now = () => {
    if (armed) {
      Atomics.store(word, 0, 1);
      Atomics.notify(word, 0);
      Atomics.wait(word, 1, 0, 30_000);
    }
    return 0;
  };
  const vfs = await attachVfs(handle, { now });
  port.postMessage(vfs.threadSlot);
  armed = true;
  vfs.fs.mkdirSync("/d/made");
}
