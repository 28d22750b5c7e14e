/** A worker with a PHP of its own, php-wasm's build for the web, on a tree that it shares with another one's. */
import { loadPHPRuntime, PHP } from "@php-wasm/universal";
import { getPHPLoaderModule } from "@php-wasm/web-8-4";
import { attachVfs, type VfsHandle } from "threadfs";
import { lockImports, threadfs } from "threadfs/emscripten";

export type PhpRequest = { handle: VfsHandle; number: number } | { code: string };

let php: PHP;

async function begin(handle: VfsHandle, number: number): Promise<void> {
  const vfs = await attachVfs(handle);
  const loader = await getPHPLoaderModule();
  const program = await WebAssembly.compileStreaming(fetch(loader.dependencyFilename));
  let programFs: object | undefined;
  let memory: WebAssembly.Memory;
  const runtime = await loadPHPRuntime(loader, {
    processId: number,
    onRuntimeInitialized({ FS }: { FS: object }) {
      programFs = FS;
    },
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance, module: object) => void) {
      lockImports(imports, { FS: () => programFs as object, memory: () => memory.buffer });
      void WebAssembly.instantiate(program, imports).then((instance) => {
        memory = instance.exports.memory as WebAssembly.Memory;
        done(instance, program);
      });
    },
  });
  php = new PHP(runtime);
  php.mkdir("/app");
  await php.mount("/app", (_php, FS, place) => {
    FS.mount(threadfs, { vfs, FS, root: "/work" }, place);
    return () => FS.unmount(place);
  });
}

/** Begins, or runs a program. Returns what it prints. */
async function answer(request: PhpRequest): Promise<string> {
  if ("handle" in request) {
    await begin(request.handle, request.number);
    return "";
  }
  const { text, errors } = await php.run({ code: `<?php ${request.code}` });
  return text + errors;
}

// What php-wasm throws while it starts rejects no promise that it returns.
addEventListener("unhandledrejection", ({ reason }) => postMessage(reason));
globalThis.onmessage = ({ data }) => {
  answer(data).then(postMessage, (error: Error) => postMessage(error));
};
