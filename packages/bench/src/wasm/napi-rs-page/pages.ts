// The folders of the pages: bundled with esbuild by packages/hosts, with the packages that it installs.

import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { browserPath, moduleFile } from "../../../../hosts/dist/install.js";
import { bundlePage } from "../../../../hosts/dist/page-bundle.js";
import type { BenchFs } from "../../lib/rivals.js";
import { copyProject, isInstalled } from "../napi-rs/project.js";
import { ROOT } from "./offer.js";

const PACKAGE = "@rolldown/browser";
const PROGRAM = "rolldown-binding.wasm32-wasi.wasm";
const HERE = fileURLToPath(new URL(".", import.meta.url));
/** The worker of a binding on a tree. */
const WORKER = fileURLToPath(new URL("../../../../hosts/dist/programs/napi-rs/page-worker.js", import.meta.url));

const file = (...names: string[]): string => moduleFile(PACKAGE, ...names);

/** The path of Chromium. undefined: something that the pages need is not installed. */
export function installedChromium(): string | undefined {
  return isInstalled() && existsSync(file("dist", PROGRAM)) ? browserPath("chromium") : undefined;
}

/** Writes the project as one file, which a page fetches. Returns how many modules it has. */
function writeProject(out: string): number {
  const files: Record<string, string> = {};
  const collector = {
    mkdirSync() {},
    writeFileSync(name: string, data: string | Uint8Array) {
      files[name] = typeof data === "string" ? data : Buffer.from(data).toString("utf8");
    },
  };
  const modules = copyProject(collector as Partial<BenchFs> as BenchFs, ROOT);
  writeFileSync(path.join(out, "files.json"), JSON.stringify(files));
  return modules;
}

/** Makes the folder of a page. Returns how many modules the project has. */
export async function makePage(kind: "tree" | "stock", out: string): Promise<number> {
  mkdirSync(out, { recursive: true });
  const binding = path.join(out, "binding.cjs");
  writeFileSync(binding, "module.exports = globalThis.binding.exports;\n");
  const onTree = kind === "tree";
  await bundlePage({
    out,
    scripts: {
      page: path.join(HERE, `${kind}-page.js`),
      ...(onTree ? { "page-worker": WORKER } : { "wasi-worker-browser": file("dist", "wasi-worker-browser.mjs") }),
    },
    options: {
      alias: {
        "@emnapi/core": file("node_modules", "@emnapi", "core"),
        "@emnapi/runtime": file("node_modules", "@emnapi", "runtime"),
        [PACKAGE]: file("dist", "index.browser.mjs"),
        "stock-loader": file("dist", "rolldown-binding.wasi-browser.js"),
      },
    },
    replaced: onTree ? { "rolldown-binding\\.wasi-browser\\.js$": binding } : {},
    files: { [PROGRAM]: file("dist", PROGRAM) },
  });
  // The name that the loader asks for.
  if (!onTree) copyFileSync(path.join(out, "wasi-worker-browser.js"), path.join(out, "wasi-worker-browser.mjs"));
  return writeProject(out);
}
