/** Bindings of napi-rs from npm: with the loaders that they come with, which read the disk, and on a tree. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { Vfs } from "threadfs";
import { instantiateBinding, type NapiBinding } from "threadfs/napi-rs";
import { loadRuntime } from "./runtime.js";

const require = createRequire(import.meta.url);

/** Each: its loader for Node, and its program. */
const BINDINGS = {
  rolldown: ["@rolldown/binding-wasm32-wasi", "rolldown-binding.wasm32-wasi.wasm"],
  resolver: ["@oxc-resolver/binding-wasm32-wasi", "resolver.wasm32-wasi.wasm"],
  oxide: ["@tailwindcss/oxide-wasm32-wasi", "tailwindcss-oxide.wasm32-wasi.wasm"],
} as const;

export type BindingName = keyof typeof BINDINGS;

/** The path of the loader of a binding. */
export function stockLoader(name: BindingName): string {
  return require.resolve(BINDINGS[name][0]);
}

/** Starts a binding on a tree. */
export function startOnTree(name: BindingName, vfs: Vfs): Promise<NapiBinding> {
  const path = stockLoader(name);
  return instantiateBinding({
    vfs,
    ...loadRuntime(path),
    wasm: readFileSync(require.resolve(BINDINGS[name].join("/"))),
    createWorker: () => new Worker(new URL("./thread.js", import.meta.url), { workerData: path }),
  });
}
