import { attachVfs, type VfsHandle } from "threadfs";
import { changeForever, reply } from "./scenario.js";

async function work({ handle, name }: { handle: VfsHandle; name: string }): Promise<void> {
  const vfs = await attachVfs(handle);
  reply(vfs.fs, name);
  postMessage("done");
  if (name === "first") setTimeout(() => changeForever(vfs.fs), 0);
  else vfs.close();
}

// A property of the global object instead of `onmessage =`: in a module that assigns to a global, some bundlers see a new variable.
globalThis.onmessage = ({ data }) => {
  work(data).catch((error: Error) => postMessage(error.stack ?? error.message));
};
