/** oxc-resolver, a program in Rust, compiled to WebAssembly with threads: its WASI has any `fs`. */
import nodeFs from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { Worker, workerData } from "node:worker_threads";
import { getDefaultContext } from "@emnapi/runtime";
import type { Fs } from "threadfs";
import type { WorkerSetup } from "../support/worker.js";
import { runtime, withMemory } from "./runtime.js";

interface Resolver {
  sync(directory: string, request: string): object;
  async(directory: string, request: string): Promise<object>;
  clearCache(): void;
}

type ResolverFactory = new (options: { extensions: string[]; conditionNames: string[] }) => Resolver;

const PROGRAM = createRequire(import.meta.url).resolve("@oxc-resolver/binding-wasm32-wasi/resolver.wasm32-wasi.wasm");

let threads = 0;
let resolver: Resolver | undefined;

/** Starts the program; it starts its threads. */
function start(fs: Fs): Resolver {
  const { handle } = workerData as WorkerSetup;
  const { napiModule } = runtime.instantiateNapiModuleSync(nodeFs.readFileSync(PROGRAM), {
    context: getDefaultContext(),
    asyncWorkPoolSize: 2,
    wasi: new runtime.WASI({ version: "preview1", fs, preopens: { "/": "/" } }),
    onCreateWorker() {
      threads++;
      return new Worker(new URL("./thread.js", import.meta.url), { workerData: handle });
    },
    overwriteImports: withMemory(new WebAssembly.Memory({ initial: 4000, maximum: 65_536, shared: true })),
    beforeInit({ instance }: { instance: { exports: Record<string, unknown> } }) {
      for (const [name, call] of Object.entries(instance.exports))
        if (name.startsWith("__napi_register__")) (call as () => void)();
    },
  });
  const { ResolverFactory } = napiModule.exports as { ResolverFactory: ResolverFactory };
  return new ResolverFactory({ extensions: [".js"], conditionNames: ["import"] });
}

/** A project with a package that has conditions, one behind a link, and a file without its extension. */
export function fill(fs: Fs, dir: string): void {
  const files = {
    "a.js": "",
    "node_modules/dep/package.json": JSON.stringify({ name: "dep", exports: { ".": { import: "./lib/i.js" } } }),
    "node_modules/dep/lib/i.js": "",
    "store/linked/package.json": JSON.stringify({ name: "linked", main: "./main.js" }),
    "store/linked/main.js": "",
  };
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(dirname(`${dir}/${name}`), { recursive: true });
    fs.writeFileSync(`${dir}/${name}`, text);
  }
  fs.symlinkSync("../store/linked", `${dir}/node_modules/linked`);
}

export function change(fs: Fs, dir: string): void {
  fs.renameSync(`${dir}/node_modules/dep`, `${dir}/node_modules/other`);
  fs.writeFileSync(`${dir}/b.js`, "");
}

/** Resolves in this thread, then in those of the program. Returns both results, and whether the program has threads. */
export async function resolveAll(fs: Fs, dir: string): Promise<unknown> {
  resolver ??= start(fs);
  resolver.clearCache();
  const requests = ["./a", "./b", "dep", "other", "linked", "none"];
  const results = [requests.map((request) => resolver?.sync(dir, request))];
  resolver.clearCache();
  results.push(await Promise.all(requests.map((request) => resolver?.async(dir, request))));
  return { results, threaded: threads > 0 };
}
