/** A program of Emscripten in a page: php-wasm's build for the web, in two workers on one tree. */
import { join } from "node:path";
import type { TestBrowser } from "./browser.js";
import type { Case } from "./cases.js";
import { moduleFile, versionOf } from "./install.js";
import { bundlePage } from "./page-bundle.js";
import type { Project } from "./project.js";

const PACKAGE = "@php-wasm/web-8-4";
const LIBRARY = "@php-wasm/universal";

async function bundleAndOpen(project: Project, browser: TestBrowser): Promise<void> {
  const folder = project.programs(`php-${browser.name.replaceAll(" ", "-")}`, "threadfs/inline");
  const out = join(folder, "out");
  await bundlePage({
    out,
    scripts: { page: join(folder, "php", "page.js"), "page-worker": join(folder, "php", "page-worker.js") },
    options: {
      alias: { [PACKAGE]: moduleFile(PACKAGE, "index.js"), [LIBRARY]: moduleFile(LIBRARY, "index.js") },
      // The program is imported as its name. Extensions, and what Node has, are not loaded here.
      loader: { ".wasm": "file" },
      external: ["*?url", "worker_threads"],
    },
  });
  await browser.openFolder(out);
}

export function phpCases(project: Project, browser: TestBrowser): Case[] {
  const name = `${browser.name}, page with two workers that have a PHP each, ${PACKAGE} ${versionOf(PACKAGE)}, on one tree`;
  return [{ name, run: () => bundleAndOpen(project, browser) }];
}
