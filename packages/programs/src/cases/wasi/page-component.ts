/** Runs a component in a page, on a tree, and compares with what its program has done on Linux. */
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";
import { createVfs } from "threadfs";
import { createPreview2 } from "threadfs/wasi-preview2";
import { cli, hasFailed } from "./cli.js";
import { treeOf } from "./tree.js";

/** What the page fetches: a program, what it is given, and what it did on Linux. */
export interface PageSetup {
  readonly name: string;
  /** The files of WebAssembly in its folder. */
  readonly modules: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly expected: {
    readonly printed: { readonly stdout: string; readonly stderr: string };
    readonly failed: boolean;
    readonly tree: readonly string[];
  };
}

type Instantiate = (getModule: (path: string) => WebAssembly.Module, imports: object) => { run: { run(): void } };

/** Compiles a program without blocking the page. */
async function load(name: string, files: readonly string[]): Promise<(imports: object) => void> {
  const { instantiate } = (await import(`./${name}/${name}.js`)) as { instantiate: Instantiate };
  const compiled = files.map(async (file) => {
    const response = await fetch(`./${name}/${file}`);
    return [file, await WebAssembly.compile(await response.arrayBuffer())] as const;
  });
  const modules = new Map(await Promise.all(compiled));
  const getModule = (path: string): WebAssembly.Module => {
    const module = modules.get(path);
    if (module === undefined) throw new Error(`no module ${path}`);
    return module;
  };
  return (imports) => instantiate(getModule, imports).run.run();
}

/** Runs it. Returns "ok", or what is different. */
async function run(): Promise<string> {
  const { name, modules, args, env, input, expected } = (await (await fetch("./setup.json")).json()) as PageSetup;
  const vfs = await createVfs({ maxBytes: 1 << 27 });
  vfs.fs.mkdirSync("/w");
  const component = await load(name, modules);
  const { filesystem, io, close } = createPreview2(vfs, { preopens: { ".": "/w" } });
  const { given, shim } = cli([name, ...args], env, input);
  const imports = new WASIShim({ filesystem, io, cli: shim }).getImportObject();
  const failed = hasFailed(() => component(imports));
  close();
  const [got, wanted] = [{ printed: given, failed, tree: treeOf(vfs.fs, "/w") }, expected].map((of) =>
    JSON.stringify(of),
  );
  const { openFiles } = vfs.counters();
  vfs.close();
  if (got !== wanted) return `${got} instead of ${wanted}`;
  return openFiles === 0 ? "ok" : `${openFiles} files are open`;
}

const result = await run().catch((error: Error) => `${error}\n${error.stack}`);
await fetch("/result", { method: "POST", body: result });
