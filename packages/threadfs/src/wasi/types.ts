/** The types of `threadfs/wasi` that need those of no host, and the exit of a program. */
import type { VfsHandle } from "../bridge/handle.js";

/** What is used of a `WebAssembly.Memory`. */
export interface ProgramMemory {
  readonly buffer: ArrayBufferLike;
}

/** What is used of a `WebAssembly.Instance`. */
export interface ProgramInstance {
  readonly exports: object;
}

/** The imports of a program, by module and name. */
export type WasiImports = Record<string, Record<string, (...args: never[]) => number>>;

/** The data that another thread needs to run threads of a program; can be cloned, where the host has shared memory. */
export interface WasiHandle {
  readonly tree: VfsHandle;
  readonly descriptors: ArrayBufferLike;
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  readonly preopens: readonly Uint8Array[];
}

/** What a worker needs to run threads of a program. */
export interface WasiThreads {
  /** `wasi.handle` */
  readonly handle: WasiHandle;
  /** The program, a WebAssembly.Module. */
  readonly module: object;
  /** Its memory, a shared WebAssembly.Memory, which it imports as `env.memory`. */
  readonly memory: ProgramMemory;
}

/**
 * A program has exited: thrown through its frames. `start` throws it with `returnOnExit` false, `initialize` and calls of a reactor's exports
 * always.
 */
export class WasiExit extends Error {
  /** The program's exit code. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`The program has exited with code ${exitCode}`);
    this.name = "WasiExit";
    this.exitCode = exitCode;
  }
}
