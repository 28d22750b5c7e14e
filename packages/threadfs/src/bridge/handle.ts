/** Handles: what a thread posts to another one, so that it can attach to the same tree. */

import { ABI_VERSION } from "../../abi/memory.js";
import { codedError } from "../errors/errors.js";
import type { CoreModule, SharedMemory } from "./wasm.js";

/** The data that another thread needs to attach; can be cloned. */
export interface VfsHandle {
  readonly module: CoreModule;
  readonly memory: SharedMemory;
  /** `ABI_VERSION` of the thread that created it. */
  readonly version: number;
  /** Number of the context whose `fs` the attaching thread gets. */
  readonly ctx: number;
}

/** The exception for a handle that this thread cannot attach to. */
export function handleError(reason: string, cause?: unknown): Error {
  const message = `Not a handle of a tree this thread can attach to: ${reason}`;
  return codedError(TypeError, "ERR_THREADFS_HANDLE", message, cause === undefined ? undefined : { cause });
}

/** @throws TypeError ERR_THREADFS_HANDLE */
export function checkHandle(handle: VfsHandle): void {
  const given: Partial<VfsHandle> | null | undefined = handle;
  if (typeof given !== "object" || given === null) throw handleError("it is not an object");
  if (given.version !== ABI_VERSION) throw handleError(`its version is ${given.version}, ours ${ABI_VERSION}`);
  if (!(given.module instanceof WebAssembly.Module)) throw handleError("it has no module");
  if (!(given.memory instanceof WebAssembly.Memory)) throw handleError("it has no memory");
  if (!(given.memory.buffer instanceof SharedArrayBuffer)) throw handleError("its memory is not shared");
  if (!Number.isSafeInteger(given.ctx) || (given.ctx as number) < 0) throw handleError("it has no context number");
}

/** @throws TypeError ERR_THREADFS_HANDLE if the handle's module is not the core, where it is not going to be instantiated */
export function checkModule({ module }: VfsHandle): void {
  const exported = WebAssembly.Module.exports(module as WebAssembly.Module);
  if (!exported.some(({ name }) => name === "arenaCheck")) throw handleError("its module is not the core");
}
