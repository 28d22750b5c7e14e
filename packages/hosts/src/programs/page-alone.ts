/** A page that is not isolated: no tree without the option for it, and then one of this thread. */
import { attachVfs, createVfs } from "threadfs";
import { codeOf, reportOf } from "./report.js";
import { checkReply, expect, prepare, reply } from "./scenario.js";

reportOf(async () => {
  expect("the page is isolated", globalThis.crossOriginIsolated, false);
  const maxBytes = 1 << 26;
  expect("a tree for several threads", await codeOf(() => createVfs({ maxBytes })), "ERR_THREADFS_ISOLATION");
  const vfs = await createVfs({ maxBytes, singleThreaded: true });
  prepare(vfs.fs);
  const { fs } = await attachVfs(vfs.handle);
  reply(fs, "here");
  checkReply(vfs.fs, "here");
  await fs.promises.rename("/shared/from-here", "/shared/moved/here");
  expect("a promise", (await vfs.fs.promises.readdir("/shared/moved")).join(), "here");
  const { port1 } = new MessageChannel();
  expect("its handle is posted", await codeOf(() => port1.postMessage(vfs.handle)), "ERR_THREADFS_NOT_CLONEABLE");
  vfs.close();
});
