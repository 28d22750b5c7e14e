/** Puts the `fs` of a tree in the place of `node:fs`, for what this thread imports and requires afterwards. */
import * as module from "node:module";
import type { Fs } from "threadfs";

/** Where the modules below find their `fs`. */
const PLACE = "threadfs.node-fs";

type Resolve = (specifier: string, context: object, next: (specifier: string, context: object) => object) => object;
type Load = (url: string, context: object, next: (url: string, context: object) => object) => object;

/** Of Node 22.15 and newer: hooks that run in the thread itself, for `import` and `require`. */
const { registerHooks } = module as { registerHooks?: (hooks: { resolve: Resolve; load: Load }) => void };

/** Text of a module that exports what an object has. What `require` returns of it is the object itself: programs add properties to it. */
function moduleOf(object: object, expression: string): string {
  const names = Object.keys(object).filter((name) => name !== "default");
  return `const fs = ${expression}; export default fs;
    export { fs as "module.exports" }; export const { ${names.join(", ")} } = fs;`;
}

/** The hooks' text: older versions run them in a thread of their own, which gets it as a module. */
function textOf(sources: Record<string, string>): string {
  return `
    const sources = ${JSON.stringify(sources)};
    export function resolve(specifier, context, next) {
      const name = specifier.replace(/^node:/, "");
      return name in sources ? { url: "tree:" + name, shortCircuit: true } : next(specifier, context);
    }
    export function load(url, context, next) {
      const source = url.startsWith("tree:") ? sources[url.slice(5)] : undefined;
      return source === undefined ? next(url, context) : { format: "module", source, shortCircuit: true };
    }`;
}

/** The same for `require` in older versions, whose hooks do not see it. */
function replaceRequired(modules: Readonly<Record<string, object>>): void {
  const loader = module.Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = loader._load;
  loader._load = (request, ...rest) => modules[request.replace(/^node:/, "")] ?? load.call(loader, request, ...rest);
}

export async function replaceNodeFs(fs: Fs): Promise<void> {
  Object.assign(globalThis, { [Symbol.for(PLACE)]: fs });
  const place = `globalThis[Symbol.for(${JSON.stringify(PLACE)})]`;
  const sources = { fs: moduleOf(fs, place), "fs/promises": moduleOf(fs.promises, `${place}.promises`) };
  const url = `data:text/javascript,${encodeURIComponent(textOf(sources))}`;
  if (registerHooks !== undefined) {
    registerHooks((await import(url)) as { resolve: Resolve; load: Load });
  } else {
    module.register(url);
    replaceRequired({ fs, "fs/promises": fs.promises });
  }
}
