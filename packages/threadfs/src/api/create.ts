/** The entry "threadfs": the core is a file, core.wasm, that is loaded when the first tree is created. */
import { coreUrl } from "../../core-url.js";
import { type LoadOptions, loadFrom, notLoaded } from "../bridge/load.js";
import { readOptions } from "../bridge/options.js";
import type { CoreModule } from "../bridge/wasm.js";
import { createWith } from "./attach.js";
import type { CreateOptions, Vfs } from "./vfs.js";

/**
 * Creates a new tree with a tmpfs at "/" and attaches the calling thread to it.
 * @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE for bad options; RangeError ERR_THREADFS_MEMORY
 * without address space; Error ERR_THREADFS_CORE when core.wasm is not found
 */
export function createVfs(options: CreateOptions): Promise<Vfs> {
  return createWith(loadCore, options);
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

/** @throws Error ERR_THREADFS_CORE */
function ownUrl(): URL {
  try {
    return coreUrl();
  } catch (cause) {
    throw notLoaded("./core.wasm beside a bundle without import.meta.url", cause);
  }
}
