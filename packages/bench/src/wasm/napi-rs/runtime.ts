// @napi-rs/wasm-runtime, in the version that rolldown's binding depends on, and rolldown.

import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { NapiRuntime, ThreadRuntime } from "threadfs/napi-rs";
import type { BenchFs } from "../../lib/rivals.js";
import { MODULES } from "../../programs/files.js";
import type { Rolldown } from "./bundle.js";

type Listener = (event: { data: unknown }) => void;

/** Its exports that are used; also the proxy, and the WASI, of the loaders that napi-rs generates for browsers. */
export interface Runtime extends NapiRuntime, ThreadRuntime {
  emnapiAsyncWorkPlugin: object;
  emnapiTSFNPlugin: object;
  WASI: new (options: object) => object;
  createOnMessage(fs: object): Listener;
  createFsProxy(memfs: object): object;
}

/** Its part with memfs. */
interface MemfsPart {
  memfs(): { fs: BenchFs };
  memfsExported: object;
}

const require = createRequire(path.join(MODULES, "any.js"));
export const LOADER = (): string => require.resolve("@rolldown/binding-wasm32-wasi");
export const PROGRAM = (): string => require.resolve("@rolldown/binding-wasm32-wasi/rolldown-binding.wasm32-wasi.wasm");

export function loadRuntime(): Runtime {
  return createRequire(LOADER())("@napi-rs/wasm-runtime") as Runtime;
}

export function pluginsOf({ emnapiAsyncWorkPlugin, emnapiTSFNPlugin }: Runtime): { plugins: object[] } {
  return { plugins: [emnapiAsyncWorkPlugin, emnapiTSFNPlugin] };
}

export async function loadMemfs(): Promise<MemfsPart> {
  const runtime = createRequire(LOADER()).resolve("@napi-rs/wasm-runtime");
  return (await import(pathToFileURL(path.join(runtime, "..", "dist", "fs.js")).href)) as MemfsPart;
}

/** The JavaScript of rolldown over a binding. */
export async function loadRolldown(binding: object): Promise<Rolldown> {
  Object.assign(globalThis, { binding: { exports: binding } });
  process.env.NAPI_RS_NATIVE_LIBRARY_PATH = fileURLToPath(new URL("./binding.cjs", import.meta.url));
  const file = path.join(MODULES, "rolldown", "dist", "index.mjs");
  const { rolldown } = (await import(pathToFileURL(file).href)) as { rolldown: Rolldown };
  return rolldown;
}

/** The binding's own loader, which reads the disk. */
export function loadStock(): object {
  return require(LOADER()) as object;
}
