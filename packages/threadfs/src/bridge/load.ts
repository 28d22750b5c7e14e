/** Loads the core's WebAssembly, compiled once per thread when it is first needed. */

import type { CoreModule } from "./wasm.js";

export interface LoadOptions {
  /** Another build of the core, such as the debug build of threadfs-cli. Default: the build of this package. */
  url?: URL;
}

const loaded = /* @__PURE__ */ new Map<string, Promise<CoreModule>>();

/**
 * Loads and compiles the core of this package, or another build of it. Reads a file in Node, fetches elsewhere.
 * @throws the error of reading or fetching; a later call tries again
 */
export function loadCore(options: LoadOptions = {}): Promise<CoreModule> {
  const url = options.url ?? new URL("../../core.wasm", import.meta.url);
  let module = loaded.get(url.href);
  if (module === undefined) {
    module = compile(url);
    loaded.set(url.href, module);
    module.catch(() => loaded.delete(url.href));
  }
  return module;
}

const inNode = () => typeof process === "object" && process.versions?.node !== undefined;

/** The host's id of this thread: in Node its threadId plus one, elsewhere 0, which is no id. */
export async function hostThreadId(): Promise<number> {
  if (!inNode()) return 0;
  const { threadId } = await import("./node.js");
  return threadId + 1;
}

async function compile(url: URL): Promise<CoreModule> {
  if (url.protocol === "file:" && inNode()) {
    const { readCore } = await import("./node.js");
    return WebAssembly.compile(await readCore(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return WebAssembly.compile(await response.arrayBuffer());
}
