/** A page that has compiled the core itself. */
import { type CoreModule, createVfs } from "threadfs/module";
import { codeOf, reportOf } from "./report.js";
import { checkReply, expect, prepare, reply } from "./scenario.js";

reportOf(async () => {
  const none = { maxBytes: 1 << 26, core: undefined as unknown as CoreModule };
  expect("a tree without a core", await codeOf(() => createVfs(none)), "ERR_THREADFS_CORE");
  const core = await WebAssembly.compileStreaming(fetch("/threadfs/dist/core.wasm"));
  const vfs = await createVfs({ maxBytes: 1 << 26, core });
  prepare(vfs.fs);
  reply(vfs.fs, "module");
  checkReply(vfs.fs, "module");
  vfs.close();
});
