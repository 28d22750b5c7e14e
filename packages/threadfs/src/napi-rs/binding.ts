/** Bindings of napi-rs: their start, in the thread that calls them. */
import type { Context } from "../api/context.js";
import type { Vfs } from "../api/vfs.js";
import { type KeysOf, readOptions } from "../bridge/options.js";
import { exitIsProof, isWorker } from "../bridge/threads.js";
import { hostLocks } from "../bridge/web-locks.js";
import { codedError, ignoreError, invalidArgType } from "../errors/errors.js";
import { toInteger } from "../node-fs/args.js";
import type { WasiOptions } from "../wasi/options.js";
import { callsOf } from "../wasi/tree.js";
import type { ProgramMemory } from "../wasi/types.js";
import { createWasi, type Wasi } from "../wasi/wasi.js";
import { type MemoryLimits, memoryLimits } from "./limits.js";
import { type BindingWorker, type FirstMessage, type LoadedBinding, type NapiRuntime, withMemory } from "./types.js";

/** Options of `instantiateBinding`. */
export interface BindingOptions {
  /** The tree, or a context of it, whose user the binding is. */
  vfs: Vfs | Context;
  /** The binding: bytes of its `*.wasm32-wasi.wasm`, a WebAssembly.Module, or a promise of one of them. */
  wasm: object;
  /** The module `@napi-rs/wasm-runtime`. */
  runtime: NapiRuntime;
  /** Makes a worker whose script calls `runBindingThreads`; called when the binding needs another thread. */
  createWorker: () => BindingWorker;
  /** Its memory, a shared WebAssembly.Memory. Default: one as `wasm` declares it, of at least 4,000 pages of 64 KiB at first; for a WebAssembly.Module of at most 65,536. */
  memory?: ProgramMemory | undefined;
  /** How many workers make the asynchronous calls of the binding, as `UV_THREADPOOL_SIZE` in Node. Default: 4. */
  asyncWorkPoolSize?: number | undefined;
  /**
   * How many workers have loaded the program when the promise is fulfilled. In browsers a thread that waits starts no workers, so a call that waits for
   * the binding's threads needs as many. Default: 0; at most 256.
   */
  readyWorkers?: number | undefined;
  /** Options of its WASI. Default: `{ preopens: { "/": "/" } }`, the whole tree. */
  wasi?: WasiOptions | undefined;
  /** Context of emnapi's runtime. Default: `runtime.getDefaultContext()`. */
  context?: object | undefined;
  /** Further options of emnapi's `instantiateNapiModule`, such as `plugins`. */
  emnapi?: object | undefined;
}

const OPTIONS: KeysOf<BindingOptions> = {
  vfs: true,
  wasm: true,
  runtime: true,
  createWorker: true,
  memory: true,
  asyncWorkPoolSize: true,
  readyWorkers: true,
  wasi: true,
  context: true,
  emnapi: true,
};
/** As the loaders have it. */
const ASYNC_WORKERS = 4;
const MAX_READY = 256;
const INITIAL_PAGES = 4000;
const MAXIMUM_PAGES = 65_536;

/** A binding that has been started. */
export class NapiBinding {
  /** What the binding exports. */
  readonly exports: Record<string, unknown>;
  /** Its WASI in this thread. */
  readonly wasi: Wasi;
  readonly #loaded: LoadedBinding;
  readonly #workers: Set<BindingWorker>;

  /** @internal */
  constructor(loaded: LoadedBinding, wasi: Wasi, workers: Set<BindingWorker>) {
    this.exports = loaded.napiModule.exports as Record<string, unknown>;
    this.wasi = wasi;
    this.#loaded = loaded;
    this.#workers = workers;
  }

  /** How many workers the binding has had made. */
  get workerCount(): number {
    return this.#workers.size;
  }

  /** Ends the binding: terminates its workers, and closes its descriptors. What the program still has to do is not done. Idempotent. */
  close(): void {
    // emnapi takes the end of a worker that it has not terminated for a failure.
    this.#loaded.napiModule.PThread?.terminateAllThreads?.();
    for (const worker of this.#workers) {
      worker.terminate();
      // It would print what a worker has sent before its end.
      worker.onmessage = null;
    }
    this.wasi.close();
  }
}

function checkFunction(value: unknown, name: string): void {
  if (typeof value !== "function") throw invalidArgType(name, "of type function", value);
}

function checkObject(value: unknown, name: string, what = "of type object"): void {
  if (typeof value !== "object" || value === null) throw invalidArgType(name, what, value);
}

function toOptions(value: unknown): BindingOptions {
  const given = readOptions<BindingOptions>(value, OPTIONS) as BindingOptions;
  const { runtime, context, memory, emnapi, readyWorkers: ready = 0 } = given;
  checkObject(given.vfs, "options.vfs", "a Vfs or a Context");
  checkObject(given.wasm, "options.wasm", "bytes or a WebAssembly.Module");
  checkObject(runtime, "options.runtime");
  checkFunction(runtime.instantiateNapiModule, "options.runtime.instantiateNapiModule");
  checkFunction(given.createWorker, "options.createWorker");
  if (memory !== undefined) checkObject(memory, "options.memory", "an instance of WebAssembly.Memory");
  if (emnapi !== undefined) checkObject(emnapi, "options.emnapi");
  if (given.wasi !== undefined) checkObject(given.wasi, "options.wasi");
  toInteger(ready, "options.readyWorkers", 0, MAX_READY);
  if (context === undefined) checkFunction(runtime.getDefaultContext, "options.runtime.getDefaultContext");
  else checkObject(context, "options.context");
  return given;
}

/** What `createWorker` has returned, if it is a worker. @throws TypeError ERR_INVALID_ARG_TYPE */
function toWorker(value: unknown): BindingWorker {
  const { postMessage, terminate } = (value ?? {}) as Partial<BindingWorker>;
  if (typeof postMessage === "function" && typeof terminate === "function") return value as BindingWorker;
  throw invalidArgType("options.createWorker()", "a Worker", value);
}

/** Tells of the end of a worker before the binding has started, for which its start would wait without end. Browsers do not tell of it. */
class EarlyEnd {
  #tell: (error: Error) => void = () => {};
  readonly promise = new Promise<never>((_resolve, reject) => {
    this.#tell = reject;
  });

  constructor() {
    // The binding may have started, or have failed otherwise.
    this.promise.catch(ignoreError);
  }

  watch(worker: BindingWorker): void {
    if (!isWorker(worker)) return;
    const message =
      "A worker of the binding has ended before the binding had started: its script has to call runBindingThreads(), before its first await";
    worker.once("exit", () => this.#tell(codedError(Error, "ERR_THREADFS_WORKER_ENDED", message)));
  }
}

/** Calls what a binding registers its parts with, before it is initialised. */
function register({ instance }: { instance: { exports: object } }): void {
  for (const [name, call] of Object.entries(instance.exports)) {
    if (name.startsWith("__napi_register__")) (call as () => void)();
  }
}

/**
 * Starts a binding that napi-rs has compiled for wasm32-wasi: in this thread with a WASI of `threadfs/wasi`, and in the workers that it needs, which attach to the tree. All of its
 * threads make their calls directly on the tree and have the same descriptors. Loaders that napi-rs generates have no option for that: this is called instead of them.
 * @returns its exports, and how to end it
 * @throws TypeError ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE for bad options; Error ERR_THREADFS_WORKER_ENDED; system call errors of the preopens' open(2); what emnapi and WebAssembly throw
 */
export async function instantiateBinding(options: BindingOptions): Promise<NapiBinding> {
  const { vfs, wasm, runtime, createWorker, memory, context, emnapi, ...rest } = toOptions(options);
  const { readyWorkers: ready = 0 } = rest;
  const wasi = createWasi(vfs, { preopens: { "/": "/" }, ...rest.wasi });
  const { attachment } = callsOf(vfs);
  const workers = new Set<BindingWorker>();
  const early = new EarlyEnd();
  const call = runtime.instantiateNapiModule as (program: unknown, options: object) => Promise<LoadedBinding>;
  try {
    const program = await wasm;
    const own = memory ?? makeMemory(memoryLimits(program));
    const loading = call(program, {
      ...emnapi,
      context: context ?? runtime.getDefaultContext?.(),
      asyncWorkPoolSize: rest.asyncWorkPoolSize ?? ASYNC_WORKERS,
      reuseWorker: ready === 0 ? true : { size: ready },
      wasi,
      onCreateWorker() {
        const worker = toWorker(createWorker());
        workers.add(worker);
        early.watch(worker);
        if (isWorker(worker) && (exitIsProof() || hostLocks() !== undefined)) attachment.expectEnd(worker);
        worker.postMessage({ threadfs: wasi.handle } satisfies FirstMessage);
        return worker;
      },
      overwriteImports: withMemory(own),
      beforeInit: register,
    });
    return new NapiBinding(await Promise.race([loading, early.promise]), wasi, workers);
  } catch (error) {
    for (const worker of workers) worker.terminate();
    wasi.close();
    throw error;
  }
}

/** A memory as a program declares it, which has room at first: as the loaders of napi-rs make it. */
function makeMemory({ initial, maximum }: MemoryLimits = { initial: 0, maximum: MAXIMUM_PAGES }): ProgramMemory {
  const pages = Math.max(initial, Math.min(INITIAL_PAGES, maximum));
  return new WebAssembly.Memory({ initial: pages, maximum, shared: true });
}
