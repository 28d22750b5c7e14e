// A worker with threads of the binding: on the tree, or on a file system that sends each call to the thread that has it, as in the workers that
// napi-rs generates for browsers.

import { parentPort, workerData } from "node:worker_threads";
import { runBindingThreads } from "threadfs/napi-rs";
import { loadMemfs, loadRuntime, pluginsOf } from "./runtime.js";

interface Load {
  wasmModule: unknown;
  wasmMemory: unknown;
}

const runtime = loadRuntime();

async function runProxied(): Promise<void> {
  // What the loader expects of a browser.
  Object.assign(globalThis, { self: globalThis, postMessage: (message: unknown) => parentPort?.postMessage(message) });
  const fs = runtime.createFsProxy((await loadMemfs()).memfsExported);
  const instantiate = runtime.instantiateNapiModuleSync as (program: unknown, options: object) => unknown;
  const onLoad = ({ wasmModule, wasmMemory: memory }: Load): unknown =>
    instantiate(wasmModule, {
      childThread: true,
      wasi: new runtime.WASI({ fs, preopens: { "/": "/" } }),
      ...pluginsOf(runtime),
      overwriteImports: (imports: { env: object; napi: object; emnapi: object }) =>
        Object.assign(imports, { env: { ...imports.env, ...imports.napi, ...imports.emnapi, memory } }),
    });
  const handler = new runtime.MessageHandler({ onLoad } as never);
  parentPort?.on("message", (data) => handler.handle({ data } as never));
}

if (workerData === "proxy") await runProxied();
else runBindingThreads(runtime, { emnapi: pluginsOf(runtime) });
