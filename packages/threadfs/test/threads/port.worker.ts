/** A thread that dies inside a call, with a directory's mutex held, and a helper that learns of it by the port between them. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { defined } from "../../../cli/dist/support/defined.js";
import { attachVfs, type VfsHandle } from "../../dist/src/index.js";

export interface PortWorkerData {
  readonly role: "helper" | "dies";
  readonly handle: VfsHandle;
  /** The end of this thread. */
  readonly port: MessagePort;
  /** Word 0: 1 once the dying thread is inside its call. */
  readonly word: Int32Array;
}

const { role, handle, port, word } = workerData as PortWorkerData;

if (role === "helper") {
  const vfs = await attachVfs(handle);
  let slot: number | undefined;
  port.on("message", (message: number) => {
    slot = message;
    parentPort?.postMessage({ ready: Atomics.wait(word, 0, 0) });
  });
  port.on("close", () => vfs.threadDied(defined(slot, "slot of the dead thread")));
} else {
  let armed = false;
  const now = () => {
    if (armed) {
      Atomics.store(word, 0, 1);
      Atomics.notify(word, 0);
      Atomics.wait(word, 1, 0);
    }
    return 0;
  };
  const vfs = await attachVfs(handle, { now });
  port.postMessage(vfs.threadSlot);
  armed = true;
  vfs.fs.mkdirSync("/d/made");
}
