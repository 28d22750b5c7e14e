import { attachVfs, type VfsHandle } from "threadfs";
import { slowDriver } from "./slow-driver.js";

async function work({ handle, words }: { handle: VfsHandle; words: Int32Array }): Promise<string> {
  const vfs = await attachVfs(handle);
  vfs.registerDriver(slowDriver(words));
  const found = vfs.fs.existsSync("/m/slow") ? "found" : "not found";
  vfs.close();
  return found;
}

globalThis.onmessage = ({ data }) => {
  work(data).then(postMessage, (error: Error) => postMessage(error.stack ?? error.message));
};
