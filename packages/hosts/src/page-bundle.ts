/** Bundles the programs of a page, with esbuild. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { moduleFile } from "./install.js";
import { run } from "./run.js";

export interface PageBundle {
  /** The folder of the page, where the bundle goes. */
  readonly out: string;
  /** The page's script, "page", and those of its workers: their names in the page, without ".js", and their paths. */
  readonly scripts: Readonly<Record<string, string>> & { readonly page: string };
  /** Further options of esbuild. */
  readonly options?: object;
  /** Files in the place of modules, by a pattern of what is imported. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** Files that the page fetches, by their names there. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The script that bundles them: esbuild is a package of the hosts alone, and is found from there. */
function script({ out, scripts, options, replaced = {} }: PageBundle): string {
  const all = {
    entryPoints: scripts,
    outdir: out,
    bundle: true,
    format: "esm",
    logLevel: "error",
    ...options,
  };
  return `import { build } from ${JSON.stringify(moduleFile("esbuild", "lib", "main.js"))};
const replace = {
  name: "replace",
  setup({ onResolve }) {
    for (const [pattern, path] of Object.entries(${JSON.stringify(replaced)})) {
      onResolve({ filter: new RegExp(pattern) }, () => ({ path }));
    }
  },
};
await build({ ...${JSON.stringify(all)}, plugins: [replace] });
`;
}

/** Bundles the programs of a page, and puts the files beside them that it fetches. */
export async function bundlePage(bundle: PageBundle): Promise<void> {
  const { out, files = {} } = bundle;
  mkdirSync(out, { recursive: true });
  const path = join(out, "build.mjs");
  writeFileSync(path, script(bundle));
  await run(process.execPath, [path], { cwd: out });
  for (const [name, file] of Object.entries(files)) copyFileSync(file, join(out, name));
  const load = '<script type="module" src="./page.js"></script>';
  writeFileSync(join(out, "index.html"), `<!doctype html><meta charset="utf-8">${load}\n`);
}
