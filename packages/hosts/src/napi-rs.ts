/** A binding of napi-rs in a page: rolldown's, whose workers attach to the tree. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestBrowser } from "./browser.js";
import type { Case } from "./cases.js";
import { moduleFile, versionOf } from "./install.js";
import { bundlePage } from "./page-bundle.js";
import type { Project } from "./project.js";

/** The package, which brings the version of emnapi that its binding is compiled for. */
const PACKAGE = "@rolldown/browser";

/** The binding that the page has made takes the place of the one that the package's loader would make. */
async function bundleAndOpen(project: Project, browser: TestBrowser): Promise<void> {
  const folder = project.programs(`napi-rs-${browser.name.replaceAll(" ", "-")}`, "threadfs/inline");
  const out = join(folder, "out");
  const binding = join(folder, "binding.cjs");
  writeFileSync(binding, "module.exports = globalThis.binding.exports;\n");
  const emnapi = (name: string) => moduleFile(PACKAGE, "node_modules", "@emnapi", name);
  await bundlePage({
    folder: join(folder, "napi-rs"),
    out,
    entries: ["page.js", "page-worker.js"],
    options: {
      alias: {
        "@emnapi/core": emnapi("core"),
        "@emnapi/runtime": emnapi("runtime"),
        [PACKAGE]: moduleFile(PACKAGE, "dist", "index.browser.mjs"),
      },
    },
    replaced: { "rolldown-binding\\.wasi-browser\\.js$": binding },
    files: { "rolldown.wasm": moduleFile(PACKAGE, "dist", "rolldown-binding.wasm32-wasi.wasm") },
  });
  await browser.openFolder(out);
}

export function bindingCases(project: Project, browser: TestBrowser): Case[] {
  const name = `${browser.name}, page with rolldown ${versionOf(PACKAGE)} on the tree`;
  return [{ name, run: () => bundleAndOpen(project, browser) }];
}
