/** What is used of @napi-rs/wasm-runtime, which has no types. */
import type { Fs } from "threadfs";

/** The imports of the program, which emnapi makes; a thread gets the memory of the program that started it. */
export interface Imports {
  env: object;
  napi: object;
  emnapi: object;
}

export interface Runtime {
  /** WASI in JavaScript, over any `fs`. */
  WASI: new (options: {
    version?: string;
    fs: Fs;
    preopens: Record<string, string>;
  }) => object;
  instantiateNapiModuleSync(program: unknown, options: object): { napiModule: { exports: object } };
  MessageHandler: new (options: {
    onLoad(load: { wasmModule: unknown; wasmMemory: unknown }): unknown;
  }) => { handle(message: { data: unknown }): void };
}

// Without its name as a literal the compiler does not look for types.
const NAME: string = "@napi-rs/wasm-runtime";

export const runtime = (await import(NAME)) as Runtime;

/** Gives a program its memory. */
export function withMemory(memory: unknown): (imports: Imports) => Imports {
  return (imports) => Object.assign(imports, { env: { ...imports.env, ...imports.napi, ...imports.emnapi, memory } });
}
