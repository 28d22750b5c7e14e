/** A binding of napi-rs in a page: rolldown's, whose workers attach to the tree. */
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestBrowser } from "./browser.js";
import type { Case } from "./cases.js";
import { moduleFile, versionOf } from "./install.js";
import type { Project } from "./project.js";
import { run } from "./run.js";

/** The package, which brings the version of emnapi that its binding is compiled for. */
const PACKAGE = "@rolldown/browser";

/** Bundles the page and its worker; the binding that the page has made takes the place of the one that the package's loader would make. */
function script(folder: string, out: string): string {
  const binding = join(folder, "binding.cjs");
  writeFileSync(binding, "module.exports = globalThis.binding.exports;\n");
  const paths = (name: string) => moduleFile(PACKAGE, "node_modules", "@emnapi", name);
  const options = {
    entryPoints: [join(folder, "napi-rs", "page.js"), join(folder, "napi-rs", "page-worker.js")],
    outdir: out,
    bundle: true,
    format: "esm",
    alias: {
      "@emnapi/core": paths("core"),
      "@emnapi/runtime": paths("runtime"),
      [PACKAGE]: moduleFile(PACKAGE, "dist", "index.browser.mjs"),
    },
    logLevel: "error",
  };
  return `import { build } from ${JSON.stringify(moduleFile("esbuild", "lib", "main.js"))};
const loader = {
  name: "loader",
  setup({ onResolve }) {
    onResolve({ filter: /rolldown-binding\\.wasi-browser\\.js$/ }, () => ({ path: ${JSON.stringify(binding)} }));
  },
};
await build({ ...${JSON.stringify(options)}, plugins: [loader] });
`;
}

async function bundleAndOpen(project: Project, browser: TestBrowser): Promise<void> {
  const folder = project.programs(`napi-rs-${browser.name.replaceAll(" ", "-")}`, "threadfs/inline");
  const out = join(folder, "out");
  const path = join(folder, "build.mjs");
  writeFileSync(path, script(folder, out));
  await run(process.execPath, [path], { cwd: folder });
  copyFileSync(moduleFile(PACKAGE, "dist", "rolldown-binding.wasm32-wasi.wasm"), join(out, "rolldown.wasm"));
  copyFileSync(join(folder, "index.html"), join(out, "index.html"));
  await browser.openFolder(out);
}

export function bindingCases(project: Project, browser: TestBrowser): Case[] {
  const name = `${browser.name}, page with rolldown ${versionOf(PACKAGE)} on the tree`;
  return [{ name, run: () => bundleAndOpen(project, browser) }];
}
