/** PHP in a worker, with a tree that it shares with another worker's. */
import { workerData } from "node:worker_threads";
import { attachVfs, type Fs } from "threadfs";
import { fileLocks, threadfs } from "threadfs/emscripten";
import type { WorkerSetup } from "../support/worker.js";
import type { ProgramFs } from "./program.js";

type Call = (...args: number[]) => number;

interface UserSpace {
  FS: object;
  wasmImports: { builtin_fcntl64: Call; builtin_fd_close: Call };
  wasmExports: { memory: { buffer: ArrayBuffer } };
}

interface Php {
  mkdir(path: string): void;
  mount(path: string, mount: (php: Php, FS: ProgramFs, place: string) => () => void): Promise<unknown>;
  run(request: { code: string }): Promise<{ text: string; errors: string }>;
}

/** What is used of php-wasm, whose types Node's resolution does not find. */
interface PhpWasm {
  loadPHPRuntime(loader: unknown, options: object): Promise<number>;
  PHP: new (runtime: number) => Php;
}

// Without their names as literals the compiler does not look for types.
const [BUILD, LIBRARY]: string[] = ["@php-wasm/node-8-4", "@php-wasm/universal"];

let php: Php;

export async function begin(_fs: Fs, number: number): Promise<void> {
  const { handle } = workerData as WorkerSetup;
  if (handle === undefined) throw new Error("there is no tree");
  const vfs = await attachVfs(handle, { closeOnExit: true });
  const { getPHPLoaderModule } = (await import(BUILD as string)) as { getPHPLoaderModule(): Promise<unknown> };
  const { loadPHPRuntime, PHP } = (await import(LIBRARY as string)) as PhpWasm;
  const runtime = await loadPHPRuntime(await getPHPLoaderModule(), {
    processId: number,
    bindUserSpace({ FS, wasmImports, wasmExports }: UserSpace) {
      const locks = fileLocks({ FS, memory: () => wasmExports.memory.buffer });
      return {
        fcntl64: (fd: number, command: number, rest: number) =>
          locks.fcntl64(fd, command, rest) ?? wasmImports.builtin_fcntl64(fd, command, rest),
        flock: (fd: number, operation: number) => locks.flock(fd, operation) ?? 0,
        fd_close: wasmImports.builtin_fd_close,
        js_release_file_locks: () => 0,
      };
    },
  });
  php = new PHP(runtime);
  php.mkdir("/app");
  await php.mount("/app", (_php, FS, place) => {
    FS.mount(threadfs, { vfs, FS, root: "/work" }, place);
    return () => FS.unmount(place);
  });
}

/** Runs a program. Returns what it prints. */
export async function run(_fs: Fs, code: string): Promise<string> {
  const { text, errors } = await php.run({ code: `<?php ${code}` });
  return text + errors;
}

/** Runs a program until the thread is terminated. */
export async function runForever(_fs: Fs, code: string): Promise<void> {
  for (;;) await php.run({ code: `<?php ${code}` });
}
