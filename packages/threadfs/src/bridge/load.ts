/** Loads the core's WebAssembly, compiled once per thread when it is first needed. */

import { codedError } from "../errors/errors.js";
import { checkWasm } from "./abilities.js";
import { nodeModule } from "./node.js";
import type { CoreModule, Url } from "./wasm.js";

/** Options of `loadCore()`. */
export interface LoadOptions {
  /** Another build of the core, such as the debug build of threadfs-cli, or the place to which core.wasm was copied. */
  url?: string | Url | undefined;
}

const loaded = /* @__PURE__ */ new Map<string, Promise<CoreModule>>();

/** Loads and compiles a build of the core. @throws Error ERR_THREADFS_CORE; a later call tries again. @internal */
export function loadFrom(url: string | URL): Promise<CoreModule> {
  return once(String(url), () => bytesOf(url));
}

/** Compiles a build of the core once per thread. @throws Error ERR_THREADFS_CORE; a later call tries again. @internal */
export function once(name: string, bytes: () => BufferSource | Promise<BufferSource>): Promise<CoreModule> {
  let module = loaded.get(name);
  if (module === undefined) {
    module = compile(name, bytes);
    loaded.set(name, module);
    module.catch(() => loaded.delete(name));
  }
  return module;
}

async function compile(name: string, bytes: () => BufferSource | Promise<BufferSource>): Promise<CoreModule> {
  checkWasm();
  try {
    return await WebAssembly.compile(await bytes());
  } catch (cause) {
    throw notLoaded(name, cause);
  }
}

/** Reads a file in Node, fetches elsewhere. */
async function bytesOf(url: string | URL): Promise<BufferSource> {
  const fs = String(url).startsWith("file:") ? nodeModule("node:fs") : undefined;
  // A Buffer that was read from a file is never a view of shared memory.
  if (fs !== undefined) return fs.readFileSync(new URL(url)) as Uint8Array<ArrayBuffer>;
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

/** The error for a core that could not be loaded: of the default one it says what a bundled program can do. */
export function notLoaded(url: string, cause: unknown): Error {
  // An error of this library, such as ERR_THREADFS_HOST, says already what to do.
  if (String((cause as { code?: unknown } | null)?.code).startsWith("ERR_THREADFS_")) return cause as Error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message =
    `The core could not be loaded from ${url}: ${reason}. In a bundled program, copy core.wasm of threadfs there, ` +
    `import "threadfs/inline" instead of "threadfs", or pass { core: await loadCore({ url }) } to createVfs`;
  return codedError(Error, "ERR_THREADFS_CORE", message, { cause });
}
