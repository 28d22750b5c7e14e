// The page with a tree: rolldown's binding is started by threadfs/napi-rs, and each of its threads opens the tree.

import { instantiateNapiModule } from "@emnapi/core";
import { getDefaultContext } from "@emnapi/runtime";
import { createVfs } from "threadfs/inline";
import { instantiateBinding } from "threadfs/napi-rs";
import { fill, offer } from "./offer.js";

const vfs = await createVfs({ maxBytes: 2 ** 28 });
await fill(vfs.fs);
const binding = await instantiateBinding({
  vfs,
  wasm: fetch("./rolldown-binding.wasm32-wasi.wasm").then((response) => response.arrayBuffer()),
  runtime: { instantiateNapiModule, getDefaultContext },
  createWorker: () => new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" }),
});
Object.assign(globalThis, { binding });
const { rolldown } = await import("@rolldown/browser");
offer(rolldown, vfs.fs, () => 0);
