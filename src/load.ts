/** Getting the core's WebAssembly: compiled once a thread, when it is first asked for. */

import type { CoreModule } from "./wasm.js";

/** Which build of the core. */
export interface LoadOptions {
  /** The debug build, which reports its places to a `point` hook. Default false. */
  debug?: boolean;
}

const loaded = /* @__PURE__ */ new Map<string, Promise<CoreModule>>();

/**
 * Loads and compiles the core that lies beside this file. In Node the file is read, elsewhere it is fetched.
 * @throws the error of reading or fetching; a later call tries again
 */
export function loadCore(options: LoadOptions = {}): Promise<CoreModule> {
  const file = options.debug ? "core.debug.wasm" : "core.wasm";
  let module = loaded.get(file);
  if (module === undefined) {
    module = compile(new URL(file, import.meta.url));
    loaded.set(file, module);
    module.catch(() => loaded.delete(file));
  }
  return module;
}

async function compile(url: URL): Promise<CoreModule> {
  if (url.protocol === "file:" && typeof process === "object" && process.versions?.node !== undefined) {
    const { readCore } = await import("./node/read-core.js");
    return WebAssembly.compile(await readCore(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return WebAssembly.compile(await response.arrayBuffer());
}
