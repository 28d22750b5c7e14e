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

const inNode = () => typeof process === "object" && process.versions?.node !== undefined;

/** What the host calls this thread: in Node its threadId and one, elsewhere 0, which is no name. */
export async function threadName(): Promise<number> {
  if (!inNode()) return 0;
  const { threadId } = await import("./node/read-core.js");
  return threadId + 1;
}

async function compile(url: URL): Promise<CoreModule> {
  if (url.protocol === "file:" && inNode()) {
    const { readCore } = await import("./node/read-core.js");
    return WebAssembly.compile(await readCore(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return WebAssembly.compile(await response.arrayBuffer());
}
