/** Bindings of napi-rs in a page, whose workers attach to the tree. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestBrowser } from "./browser.js";
import type { Case } from "./cases.js";
import { moduleFile, versionOf } from "./install.js";
import { bundlePage } from "./page-bundle.js";
import type { Project } from "./project.js";

interface Binding {
  readonly package: string;
  /** The name that it has in the name of the case. */
  readonly called: string;
  /** Its page. */
  readonly page: string;
  readonly workers: readonly string[];
  /** Its path in the package, which brings the version of emnapi that its binding is compiled for. */
  readonly program: readonly string[];
}

const ROLLDOWN = "@rolldown/browser";
const RESOLVER = "@oxc-resolver/binding-wasm32-wasi";
const OXIDE = "@tailwindcss/oxide-wasm32-wasi";

const BINDINGS: readonly Binding[] = [
  {
    package: ROLLDOWN,
    called: "rolldown",
    page: "page",
    workers: ["page-worker"],
    program: ["dist", "rolldown-binding.wasm32-wasi.wasm"],
  },
  {
    package: RESOLVER,
    called: "oxc-resolver",
    page: "resolver-page",
    workers: ["page-worker"],
    program: ["resolver.wasm32-wasi.wasm"],
  },
  {
    package: OXIDE,
    called: "tailwind's oxide",
    page: "oxide-page",
    workers: ["page-worker", "oxide-worker"],
    program: ["tailwindcss-oxide.wasm32-wasi.wasm"],
  },
];

async function bundleAndOpen(project: Project, browser: TestBrowser, tested: Binding): Promise<void> {
  const name = `${tested.page}-${browser.name.replaceAll(" ", "-")}`;
  const folder = project.programs(name, "threadfs/inline");
  const out = join(folder, "out");
  // The binding that the page has made takes the place of the one that the package's loader would make.
  const binding = join(folder, "binding.cjs");
  writeFileSync(binding, "module.exports = globalThis.binding.exports;\n");
  const path = (name: string) => [name, join(folder, "napi-rs", `${name}.js`)] as const;
  const emnapi = (name: string) => moduleFile(tested.package, "node_modules", "@emnapi", name);
  await bundlePage({
    out,
    scripts: { ...Object.fromEntries(tested.workers.map(path)), page: join(folder, "napi-rs", `${tested.page}.js`) },
    options: {
      alias: {
        "@emnapi/core": emnapi("core"),
        "@emnapi/runtime": emnapi("runtime"),
        [ROLLDOWN]: moduleFile(ROLLDOWN, "dist", "index.browser.mjs"),
      },
    },
    replaced: { "rolldown-binding\\.wasi-browser\\.js$": binding },
    files: { "binding.wasm": moduleFile(tested.package, ...tested.program) },
  });
  await browser.openFolder(out);
}

export function bindingCases(project: Project, browser: TestBrowser): Case[] {
  return BINDINGS.map((binding) => ({
    name: `${browser.name}, page with ${binding.called} ${versionOf(binding.package)} on the tree`,
    run: () => bundleAndOpen(project, browser, binding),
  }));
}
