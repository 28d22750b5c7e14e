/** A worker of a program with threads: makes the program and starts it, or runs its threads. */
import { attachVfs, type VfsHandle } from "threadfs";
import { createWasi, runWasiThreads, type Wasi, type WasiThreads } from "threadfs/wasi";

export type PageMessage =
  | { task: "make"; handle: VfsHandle }
  | { task: "start"; module: WebAssembly.Module; memory: WebAssembly.Memory }
  | { task: "wait" }
  | { task: "run"; threads: WasiThreads };

let wasi: Wasi | undefined;

async function reply(message: PageMessage): Promise<unknown> {
  if (message.task === "make") {
    wasi = createWasi(await attachVfs(message.handle), { preopens: { ".": "/w" } });
    return wasi.handle;
  }
  if (message.task === "start") {
    const { module, memory } = message;
    wasi?.bindMemory(memory);
    const imports = { ...wasi?.getImportObject(), env: { memory } } as WebAssembly.Imports;
    return wasi?.start(new WebAssembly.Instance(module, imports));
  }
  if (message.task === "wait") return "waits";
  await runWasiThreads(message.threads);
  return "ended";
}

globalThis.onmessage = ({ data }) => {
  reply(data).then(postMessage, (error: unknown) => postMessage(error));
};
