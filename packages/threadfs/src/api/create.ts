/** The entry "threadfs": the core is a file, core.wasm, that is loaded when the first tree is created. */
import { coreUrl, debugCoreUrl } from "../../core-url.js";
import type { VfsHandle } from "../bridge/handle.js";
import { type LoadOptions, loadFrom, notLoaded } from "../bridge/load.js";
import { readOptions } from "../bridge/options.js";
import type { CoreModule } from "../bridge/wasm.js";
import { type AttachOptions, attachWith, createWith } from "./attach.js";
import type { CreateOptions, Vfs } from "./vfs.js";

/**
 * Creates a new tree with a tmpfs at "/" and attaches the calling thread to it.
 * @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE for bad options; RangeError ERR_THREADFS_MEMORY
 * without address space; Error ERR_THREADFS_CORE when core.wasm is not found
 */
export function createVfs(options: CreateOptions): Promise<Vfs> {
  return createWith(loadCore, options, loadDebugCore);
}

/**
 * Attaches the calling thread to the tree of a handle, to read and to write. A thread that is attached already gets another user of
 * the same attachment, in the handle's context.
 * @throws TypeError ERR_THREADFS_HANDLE: not a handle, one of another version, or its context does not exist any more; Error
 * ERR_THREADFS_ATTACHED: this thread is attached with other options; ERR_THREADFS_THREAD: another thread is attached with the same
 * `thread`, where threads hold Web Locks; EUSERS: no slot is free
 */
export function attachVfs(handle: VfsHandle, options?: AttachOptions): Promise<Vfs> {
  return attachWith(loadDebugCore, handle, options);
}

/**
 * Loads and compiles the core of this package, or another build of it. Reads a file in Node, fetches elsewhere.
 * @throws Error ERR_THREADFS_CORE, whose cause is the error of reading, fetching or compiling; a later call tries again
 */
export function loadCore(options?: LoadOptions): Promise<CoreModule> {
  try {
    return loadFrom(readOptions<LoadOptions>(options, { url: true }).url ?? ownUrl());
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The build that explains walks, which nothing but `explain()` loads. */
async function loadDebugCore(): Promise<CoreModule> {
  return loadFrom(ownUrl(debugCoreUrl));
}

/** @throws Error ERR_THREADFS_CORE */
function ownUrl(urlOf: () => URL = coreUrl): URL {
  try {
    return urlOf();
  } catch (cause) {
    throw notLoaded("./core.wasm beside a bundle without import.meta.url", cause);
  }
}
