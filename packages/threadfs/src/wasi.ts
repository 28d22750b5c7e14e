/** The entry "threadfs/wasi": programs of WASI preview 1, each thread of which opens the tree directly. */
export type { WasiOptions, WasiThreadOptions } from "./wasi/options.js";
export type { InputFunction, OutputFunction } from "./wasi/streams.js";
export type { ProgramInstance, ProgramMemory, WasiHandle, WasiImports, WasiThreads } from "./wasi/types.js";
export { WasiExit } from "./wasi/types.js";
export { createWasi, runWasiThreads, Wasi } from "./wasi/wasi.js";
