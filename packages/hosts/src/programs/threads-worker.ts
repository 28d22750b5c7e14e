import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { changeForever, reply } from "./scenario.js";

const { handle, name } = workerData as { handle: VfsHandle; name: string };
// In Deno the end of a worker is noticed by its Web Lock alone.
const vfs = await attachVfs(handle, { closeOnExit: true, locks: "Deno" in globalThis ? true : undefined });
reply(vfs.fs, name);
// Nobody closes it: that ends with the thread.
vfs.fs.openSync("/shared/from-main");
parentPort?.postMessage("done");
// The first worker is terminated while it changes the tree; the second one ends by itself.
if (name === "first") setTimeout(() => changeForever(vfs.fs), 0);
else vfs.close();
