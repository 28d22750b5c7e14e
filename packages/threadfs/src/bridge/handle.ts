/** Handles: what a thread posts to another one, so that it can attach to the same tree. */

import { ABI_VERSION, SLOTS } from "../../abi/memory.js";
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

/** Why a memory is refused. */
export const NO_TREE = "its memory does not contain a tree of this version";

/** The exception for a handle that this thread cannot attach to. */
export function handleError(reason: string, cause?: unknown): Error {
  const message = `Not a handle of a tree this thread can attach to: ${reason}`;
  return codedError(TypeError, "ERR_THREADFS_HANDLE", message, cause === undefined ? undefined : { cause });
}

/** The same where the class of shared buffers is hidden. */
function isShared(buffer: unknown): buffer is SharedArrayBuffer {
  return Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]";
}

/** The buffer of a memory; undefined for what only looks like one. */
function bufferOf(memory: unknown): unknown {
  try {
    return (memory as SharedMemory).buffer;
  } catch {
    return undefined;
  }
}

/**
 * The checked handle, each property of which was read once: an accessor may return another value the next time.
 * @throws TypeError ERR_THREADFS_HANDLE
 */
export function checkHandle(handle: VfsHandle): VfsHandle {
  if (typeof handle !== "object" || handle === null) throw handleError("it is not an object");
  const { module, memory, version, ctx }: Partial<VfsHandle> = handle;
  // A Vfs, a Context, or a part of a handle.
  if (version === undefined) throw handleError("it has no version. Pass `vfs.handle`, or the `handle` of a context");
  if (version !== ABI_VERSION) throw handleError(`its version is ${String(version)}, ours ${ABI_VERSION}`);
  if (!(module instanceof WebAssembly.Module)) throw handleError("it has no module");
  if (!(memory instanceof WebAssembly.Memory)) throw handleError("it has no memory");
  const buffer = bufferOf(memory);
  if (!isShared(buffer)) throw handleError("its memory is not shared");
  if (buffer.byteLength < SLOTS) throw handleError(NO_TREE);
  if (!Number.isSafeInteger(ctx) || (ctx as number) < 0) throw handleError("it has no context number");
  // -0 is context 0.
  return { module, memory, version, ctx: (ctx as number) + 0 };
}

/** @throws TypeError ERR_THREADFS_HANDLE if the handle's module is not the core, where it is not going to be instantiated */
export function checkModule({ module }: VfsHandle): void {
  if (!exportsOf(module).some(({ name }) => name === "arenaCheck")) throw handleError("its module is not the core");
}

/** None of what only looks like a module. */
function exportsOf(module: CoreModule): { name: string }[] {
  try {
    return WebAssembly.Module.exports(module as WebAssembly.Module);
  } catch {
    return [];
  }
}
