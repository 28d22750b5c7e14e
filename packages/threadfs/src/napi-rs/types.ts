/**
 * What is used of @napi-rs/wasm-runtime, which passes on @emnapi/core and @emnapi/runtime (https://emnapi-docs.vercel.app/reference/), and of workers. They are
 * the caller's: the library imports none of them.
 */
import type { WasiThreadOptions } from "../wasi/options.js";
import type { WasiHandle } from "../wasi/types.js";

/** What emnapi returns of a binding. */
export interface LoadedBinding {
  napiModule: {
    exports: object;
    /** Its threads, without those of the pool for asynchronous calls. */
    PThread?: { terminateAllThreads?(): void };
  };
}

/** What is used of the runtime in the thread that starts a binding: the module `@napi-rs/wasm-runtime`, or functions of the same names of @emnapi/core and @emnapi/runtime. */
export interface NapiRuntime {
  instantiateNapiModule(program: never, options: never): Promise<unknown>;
  /** Not used if the options have a `context`. */
  getDefaultContext?(): unknown;
}

/** What is used of the runtime in the threads of a binding. */
export interface ThreadRuntime {
  instantiateNapiModuleSync(program: never, options: never): unknown;
  MessageHandler: new (options: never) => { handle(message: never): unknown };
}

/** A worker that runs threads of a binding: a `Worker` of the host, whose script calls {@link runBindingThreads}. */
export interface BindingWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  /** emnapi's, in Node too. */
  onmessage?: unknown;
}

/** Options of `runBindingThreads`. */
export interface BindingThreadOptions extends WasiThreadOptions {
  /** Further options of emnapi's, such as `plugins`. */
  emnapi?: object | undefined;
}

/** The imports of a binding, which emnapi makes. */
export interface Imports {
  env: object;
  napi: object;
  emnapi: object;
}

/** The first message to a worker of a binding. */
export interface FirstMessage {
  threadfs: WasiHandle;
}

/** Gives a binding its memory: all that napi-rs has compiled import the functions of emnapi, and their memory, by the module name "env". */
export function withMemory(memory: unknown): (imports: Imports) => Imports {
  return (imports) => Object.assign(imports, { env: { ...imports.env, ...imports.napi, ...imports.emnapi, memory } });
}
