/** What stands for emnapi: a binding whose thread opens a file and says under which number. packages/programs has real bindings. */
import type { Wasi, WasiImports } from "../../../dist/src/wasi.js";

/** The number of the preopen, and addresses in the memory of the binding. */
export const DIR = 3;
const PATH = 1024;
const RESULT = 0;

type Calls = Record<string, (...args: unknown[]) => number>;
type Post = (message: unknown) => void;

export interface ThreadOptions {
  childThread: boolean;
  wasi: Wasi;
  postMessage: Post;
  overwriteImports(imports: object): { env: { memory: unknown; napi: number } };
}

/** The calls of a program. */
export const callsOf = (wasi: Wasi): Calls => (wasi.getImportObject() as WasiImports).wasi_snapshot_preview1 as Calls;

/** Opens a file below the preopen. Returns its number, or a negative error. */
export function open(wasi: Wasi, memory: { buffer: ArrayBufferLike }, path: string): number {
  wasi.bindMemory(memory);
  const bytes = new TextEncoder().encode(path);
  new Uint8Array(memory.buffer).set(bytes, PATH);
  const error = callsOf(wasi).path_open?.(DIR, 1, PATH, bytes.length, 0, 2n, 0n, 0, RESULT) ?? -1;
  return error === 0 ? new DataView(memory.buffer).getUint32(RESULT, true) : -error;
}

/** The start of a binding in a thread. */
export function instantiateThread(
  module: unknown,
  { childThread, wasi, postMessage, overwriteImports }: ThreadOptions,
) {
  const { env } = overwriteImports({ env: {}, napi: { napi: 1 }, emnapi: {} });
  const fd = open(wasi, env.memory as { buffer: ArrayBufferLike }, "file");
  postMessage({ fd, module, childThread, napi: env.napi, hasGlobal: typeof globalThis.postMessage === "function" });
}

interface HandlerOptions {
  onLoad(load: object): Promise<unknown>;
  postMessage: Post;
}

/** Loads by the message "load", as emnapi does. */
export class FakeHandler {
  readonly #options: HandlerOptions;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  handle({ data }: { data: { load?: object } | null }): void {
    if (data?.load !== undefined) void this.#options.onLoad(data.load).catch(() => {});
  }
}
