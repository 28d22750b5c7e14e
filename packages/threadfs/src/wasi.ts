/** The entry "threadfs/wasi": programs of WASI preview 1, each thread of which opens the tree directly. */

export type { ProgramMemory } from "./wasi/memory.js";
export type { WasiOptions, WasiThreadOptions } from "./wasi/options.js";
export type { InputFunction, OutputFunction } from "./wasi/streams.js";
export {
  createWasi,
  type ProgramInstance,
  runWasiThreads,
  Wasi,
  WasiExit,
  type WasiHandle,
  type WasiImports,
  type WasiThreads,
} from "./wasi/wasi.js";
