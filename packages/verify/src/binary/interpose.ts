/**
 * Puts an instrumented core in the place of the shipping one, under code that does not know of it: while interposed, the constructor
 * WebAssembly.Instance returns an instance of the instrumented core, with the imports of `verify`, for each module that imports the
 * core's host. So the library, its `fs` and the whole conformance suite run on it without a change.
 */
import type { Core } from "./core.js";

/** Observes one instance. Addresses are as the core passes them, signed. */
export interface Observer {
  access(site: number, address: number): void;
  store(site: number, address: number, low: number, high: number): void;
  range(site: number, to: number, from: number, length: number): void;
  /** Called for every call of an export; returns what `run` returns. */
  call(name: string, run: () => number): number;
}

/** The exports of an instance that an observer calls. */
export type Functions = Record<string, (...args: number[]) => number>;

/**
 * @param observe makes the observer of a new instance; `exports` returns the instance's own exports, once it exists
 * @returns a function that restores the original constructor
 */
export function interpose(
  core: Core,
  observe: (exports: () => Functions, memory: WebAssembly.Memory) => Observer,
): () => void {
  const Original = WebAssembly.Instance;
  const module = core.module ?? new WebAssembly.Module(core.bytes);
  const construct = (_: object, [given, imports]: [WebAssembly.Module, WebAssembly.Imports?]) => {
    const names = WebAssembly.Module.exports(given).map(({ name }) => name);
    if (imports?.host === undefined || !names.includes("arenaInit")) return new Original(given, imports);
    let functions: Functions = {};
    const memory = imports.env?.memory;
    if (!(memory instanceof WebAssembly.Memory))
      throw new Error("interpose: the core is instantiated without a memory");
    const { access, store, range, call } = observe(() => functions, memory);
    // All exports of the core but its memory are functions of numbers.
    functions = new Original(module, { ...imports, verify: { access, store, range } }).exports as unknown as Functions;
    const exports = Object.entries(functions).map(([name, value]) => [
      name,
      typeof value === "function" ? (...args: number[]) => call(name, () => value(...args)) : value,
    ]);
    return { exports: Object.fromEntries(exports) };
  };
  // `construct` returns an object with the exports of the instance: nothing else of an instance is used.
  WebAssembly.Instance = new Proxy(Original, { construct }) as typeof Original;
  return () => {
    WebAssembly.Instance = Original;
  };
}
