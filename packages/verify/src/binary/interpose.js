/**
 * Puts an instrumented core in the place of the shipping one under code that does not know of it: while interposed, whoever instantiates a
 * module that imports the core's host gets an instance of the instrumented core, with the imports of `verify`. So the library, its `fs` and
 * the whole conformance suite run on it, unchanged.
 */

/**
 * @typedef {object} Observer what watches one instance. Addresses are as the core passes them, signed.
 * @property {(site: number, address: number) => void} access
 * @property {(site: number, address: number, low: number, high: number) => void} store
 * @property {(site: number, to: number, from: number, length: number) => void} range
 * @property {(name: string, run: () => number) => number} call told of every call of an export; answers what `run` answers
 */

/**
 * @param {import("./core.js").Core} core
 * @param {(exports: () => Record<string, Function>, memory: WebAssembly.Memory) => Observer} observe makes the observer of a new
 *   instance; `exports` gives its exports, uninterposed, once it is there
 * @returns {() => void} puts everything back
 */
export function interpose(core, observe) {
  const Original = WebAssembly.Instance;
  const module = core.module ?? new WebAssembly.Module(core.bytes);
  const construct = (_, [given, imports]) => {
    const names = WebAssembly.Module.exports(given).map(({ name }) => name);
    if (imports?.host === undefined || !names.includes("arenaInit")) return new Original(given, imports);
    const made = {};
    const { access, store, range, call } = observe(() => made.exports, imports.env.memory);
    made.exports = new Original(module, { ...imports, verify: { access, store, range } }).exports;
    const exports = {};
    for (const [name, value] of Object.entries(made.exports)) {
      exports[name] = typeof value === "function" ? (...args) => call(name, () => value(...args)) : value;
    }
    return { exports };
  };
  WebAssembly.Instance = new Proxy(Original, { construct });
  return () => {
    WebAssembly.Instance = Original;
  };
}
