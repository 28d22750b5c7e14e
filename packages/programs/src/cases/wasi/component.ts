/**
 * Components: C programs compiled for WASI, made components by the adapter of jco, and transpiled to JavaScript by its transpiler. The lock file leaves out what the rest of jco
 * needs (package.json, "overrides"): the two parts that are used here need none of it, and that is 300 MB.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { $init as bindgenReady, generate } from "@bytecodealliance/jco-transpile/component";

/** What is used of @bytecodealliance/jco-transpile/wasm-tools, whose types do not name it. */
interface WasmTools {
  $init: Promise<void>;
  tools: { componentNew(module: Uint8Array, adapters: [name: string, adapter: Uint8Array][]): Uint8Array };
}

type Instantiate = (getModule: (path: string) => WebAssembly.Module, imports: object) => { run: { run(): void } };

const require = createRequire(import.meta.url);
const JCO = dirname(dirname(require.resolve("@bytecodealliance/jco")));
const VENDOR = join(dirname(require.resolve("@bytecodealliance/jco-transpile")), "..", "vendor", "wasm-tools.js");

/** A component: its start, with the imports of one instance. */
export type Component = (imports: object) => void;

/** Makes a component of a program and transpiles it into a folder of its own, as `jco transpile --instantiation sync` does with a component of this name. */
export async function transpile(wasm: string, folder: string, name: string): Promise<void> {
  const { tools, $init } = (await import(pathToFileURL(VENDOR).href)) as WasmTools;
  await Promise.all([$init, bindgenReady]);
  const adapter = readFileSync(join(JCO, "lib", "wasi_snapshot_preview1.command.wasm"));
  const component = tools.componentNew(readFileSync(wasm), [["wasi_snapshot_preview1", adapter]]);
  const { files } = generate(component, { name, instantiation: { tag: "sync" }, noTypescript: true });
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
}

/** Loads what has been transpiled. */
export async function load(folder: string, name: string): Promise<Component> {
  const { instantiate } = (await import(pathToFileURL(join(folder, `${name}.js`)).href)) as {
    instantiate: Instantiate;
  };
  const getModule = (path: string): WebAssembly.Module => new WebAssembly.Module(readFileSync(join(folder, path)));
  return (imports) => instantiate(getModule, imports).run.run();
}
