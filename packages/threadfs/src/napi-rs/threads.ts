/** Bindings of napi-rs: their threads. */

import { nodeModule } from "../bridge/node.js";
import { type KeysOf, readOptions } from "../bridge/options.js";
import { exitIsProof } from "../bridge/threads.js";
import { hostLocks } from "../bridge/web-locks.js";
import { codedError, invalidArgType } from "../errors/errors.js";
import type { WasiHandle } from "../wasi/types.js";
import { attachWasi, type Wasi } from "../wasi/wasi.js";
import { type BindingThreadOptions, type FirstMessage, type ThreadRuntime, withMemory } from "./types.js";

const OPTIONS: KeysOf<BindingThreadOptions> = { emnapi: true, stdin: true, stdout: true, stderr: true };

interface Load {
  wasmModule: unknown;
  wasmMemory: unknown;
}

/** Where messages of the thread come in that has made this worker. */
interface Port {
  postMessage(message: unknown): void;
  listen(listener: (data: unknown) => void): void;
}

/** @throws Error ERR_THREADFS_NOT_A_WORKER */
function portOf(): Port {
  const parent = nodeModule("node:worker_threads")?.parentPort ?? undefined;
  if (parent !== undefined) {
    return {
      postMessage: (message) => parent.postMessage(message),
      listen: (listener) => void parent.on("message", listener),
    };
  }
  const scope = globalThis as unknown as Scope;
  if (typeof scope.postMessage !== "function" || "document" in scope) {
    throw codedError(Error, "ERR_THREADFS_NOT_A_WORKER", "Threads of a binding run in a worker, and this is none");
  }
  return {
    postMessage: (message) => scope.postMessage(message),
    listen: (listener) => scope.addEventListener("message", ({ data }) => listener(data)),
  };
}

/** The global object of a worker of the web. */
interface Scope {
  postMessage(message: unknown): void;
  addEventListener(event: "message", listener: (event: { data: unknown }) => void): void;
}

/** A thread cannot start without its tree: the error becomes that of the worker, which emnapi waits for. */
function failLater(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}

/**
 * Makes this worker run threads of a binding: its script calls this at once, before its first `await`, because the messages of the thread that made it come in then. It attaches to the tree
 * of the binding. The worker lives until it is terminated, by `NapiBinding.close` or by emnapi.
 * @param runtime the module `@napi-rs/wasm-runtime`
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE for bad options; Error ERR_THREADFS_NOT_A_WORKER. If the tree cannot be attached to, the worker fails with that error
 */
export function runBindingThreads(runtime: ThreadRuntime, options?: BindingThreadOptions): void {
  const { emnapi, ...streams } = readOptions<BindingThreadOptions>(options, OPTIONS);
  if (typeof runtime !== "object" || runtime === null || typeof runtime.MessageHandler !== "function") {
    throw invalidArgType("runtime", "the module @napi-rs/wasm-runtime", runtime);
  }
  const { postMessage, listen } = portOf();
  let attached: Promise<Wasi> | undefined;
  const attach = (handle: WasiHandle): Promise<Wasi> => {
    // Where the end of a worker is not told, a Web Lock shows that it has ended.
    const locks = !exitIsProof() && hostLocks() !== undefined ? true : undefined;
    return attachWasi(handle, streams, { closeOnExit: true, locks });
  };
  const onLoad = async ({ wasmModule, wasmMemory }: Load): Promise<unknown> => {
    const call = runtime.instantiateNapiModuleSync as (program: unknown, options: object) => unknown;
    const wasi = await attached;
    const overwriteImports = withMemory(wasmMemory);
    return call(wasmModule, { ...emnapi, childThread: true, wasi, postMessage, overwriteImports });
  };
  // emnapi calls that of browsers, besides the one it is given.
  (globalThis as { postMessage?: unknown }).postMessage ??= postMessage;
  const handler = new runtime.MessageHandler({ onLoad, postMessage } as never);
  listen((data) => {
    const handle = (data as Partial<FirstMessage> | null | undefined)?.threadfs;
    if (handle === undefined) {
      handler.handle({ data } as never);
      return;
    }
    attached = attach(handle);
    attached.catch(failLater);
  });
}
