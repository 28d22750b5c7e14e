/** A thread of a program in WebAssembly: it has the same `fs` as the program, and asks nobody for a file. */
import nodeFs from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type Fs, type VfsHandle } from "threadfs";
import { runtime, withMemory } from "./runtime.js";

// emnapi speaks to its threads as in a browser.
Object.assign(globalThis, { self: globalThis, postMessage: (message: unknown) => parentPort?.postMessage(message) });

const handle = workerData as VfsHandle | undefined;
const fs = handle === undefined ? (nodeFs as unknown as Fs) : (await attachVfs(handle)).fs;
const handler = new runtime.MessageHandler({
  onLoad: ({ wasmModule, wasmMemory }) =>
    runtime.instantiateNapiModuleSync(wasmModule, {
      childThread: true,
      wasi: new runtime.WASI({ fs, preopens: { "/": "/" } }),
      overwriteImports: withMemory(wasmMemory),
    }),
});
// Messages that have come meanwhile are kept until somebody listens.
parentPort?.on("message", (data) => handler.handle({ data }));
