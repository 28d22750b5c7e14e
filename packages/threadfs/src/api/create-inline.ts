/** The entry "threadfs/inline": the core is part of the program's text, so that no bundler has to find a file. */
import { CORE_BASE64 } from "../../generated/core-inline.js";
import { type LoadOptions, loadFrom, once } from "../bridge/load.js";
import { readOptions } from "../bridge/options.js";
import type { CoreModule } from "../bridge/wasm.js";
import { createWith } from "./attach.js";
import type { CreateOptions, Vfs } from "./vfs.js";

/**
 * Creates a new tree with a tmpfs at "/" and attaches the calling thread to it.
 * @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE for bad options; RangeError ERR_THREADFS_MEMORY
 * without address space
 */
export function createVfs(options: CreateOptions): Promise<Vfs> {
  return createWith(loadCore, options);
}

/**
 * Compiles the core of this package, or loads another build of it.
 * @throws Error ERR_THREADFS_CORE, whose cause is the error of reading, fetching or compiling; a later call tries again
 */
export function loadCore(options?: LoadOptions): Promise<CoreModule> {
  try {
    const { url } = readOptions<LoadOptions>(options, { url: true });
    if (url !== undefined) return loadFrom(url);
  } catch (error) {
    return Promise.reject(error);
  }
  return once("the text of threadfs/inline", () => Uint8Array.from(atob(CORE_BASE64), (char) => char.charCodeAt(0)));
}
