/** The entry "threadfs/module": the program has compiled the core, or its host has. */
import type { CoreModule } from "../bridge/wasm.js";
import { codedError } from "../errors/errors.js";
import { createWith } from "./attach.js";
import type { CreateOptions, Vfs } from "./vfs.js";

/** Options of `createVfs()` of "threadfs/module". */
export interface ModuleOptions extends CreateOptions {
  /** "threadfs/core.wasm", compiled. */
  core: CoreModule;
}

/**
 * Creates a new tree with a tmpfs at "/" and attaches the calling thread to it.
 * @throws RangeError ERR_OUT_OF_RANGE, TypeError ERR_INVALID_ARG_TYPE for bad options; RangeError ERR_THREADFS_MEMORY
 * without address space; Error ERR_THREADFS_CORE without a core
 */
export function createVfs(options: ModuleOptions): Promise<Vfs> {
  return createWith(noCore, options);
}

async function noCore(): Promise<CoreModule> {
  const message =
    '"threadfs/module" has no core of its own: pass { core }, a WebAssembly.Module of "threadfs/core.wasm", or import "threadfs"';
  throw codedError(Error, "ERR_THREADFS_CORE", message);
}
