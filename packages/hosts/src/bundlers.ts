/** The bundlers: each bundles the programs, for Node and for a page, with each entry of the library; the result runs there. */
import { spawn } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ISOLATION, servePage, type TestBrowser } from "./browser.js";
import type { Case } from "./cases.js";
import { withServer } from "./example.js";
import { moduleFile, versionOf } from "./install.js";
import { ENTRIES, type Entry, MODULE, type Project } from "./project.js";
import { run, runProgram } from "./run.js";

type Target = "node" | "page";

/** What is bundled: the program's folder, and where the bundle goes. */
interface Bundle {
  folder: string;
  out: string;
  target: Target;
  /** The file that is run or loaded, and the one of its worker. */
  files: readonly [main: string, worker: string];
}

interface Bundler {
  name: string;
  package: string;
  targets: readonly Target[];
  /** Whether core.wasm has to be copied beside the bundle: this bundler does not look for `new URL(..., import.meta.url)`. */
  copiesCore: boolean;
  bundle(bundle: Bundle): Promise<unknown>;
}

const FILES = { node: ["threads", "threads-worker"], page: ["page", "page-worker"] } as const;

/** Runs a script of a bundler with Node. */
const node = (cwd: string, script: string, ...args: string[]) => run(process.execPath, [script, ...args], { cwd });

/** Writes a configuration file; `text` is its default export. */
function configure(folder: string, name: string, text: string, imports = ""): string {
  const path = join(folder, name);
  writeFileSync(path, `${imports}export default ${text};\n`);
  return path;
}

const esbuild: Bundler = {
  name: "esbuild",
  package: "esbuild",
  targets: ["node", "page"],
  copiesCore: true,
  bundle({ folder, out, target, files }) {
    const platform = target === "node" ? "node" : "browser";
    const args = [...files, "--bundle", "--format=esm", `--outdir=${out}`, `--platform=${platform}`];
    return node(folder, moduleFile("esbuild", "bin", "esbuild"), ...args);
  },
};

const rollup: Bundler = {
  name: "Rollup",
  package: "rollup",
  targets: ["node", "page"],
  copiesCore: true,
  bundle({ folder, out, target, files }) {
    const plugin = JSON.stringify(moduleFile("@rollup", "plugin-node-resolve", "dist", "es", "index.js"));
    const options = target === "node" ? '{ exportConditions: ["node"] }' : "{ browser: true }";
    const text = `{ input: ${JSON.stringify(files)}, external: /^node:/, plugins: [resolve(${options})],
      output: { dir: ${JSON.stringify(out)}, format: "es" } }`;
    const config = configure(folder, "rollup.config.mjs", text, `import resolve from ${plugin};\n`);
    return node(folder, moduleFile("rollup", "dist", "bin", "rollup"), "--config", config, "--silent");
  },
};

const rolldown: Bundler = {
  name: "Rolldown",
  package: "rolldown",
  targets: ["node", "page"],
  copiesCore: true,
  bundle({ folder, out, target, files }) {
    const platform = target === "node" ? "node" : "browser";
    const text = `{ input: ${JSON.stringify(files)}, platform: "${platform}", output: { dir: ${JSON.stringify(out)} } }`;
    const config = configure(folder, "rolldown.config.mjs", text);
    return node(folder, moduleFile("rolldown", "bin", "cli.mjs"), "--config", config);
  },
};

const bun: Bundler = {
  name: "bun build",
  package: "@oven/bun-linux-x64",
  targets: ["node", "page"],
  copiesCore: true,
  bundle({ folder, out, target, files }) {
    const args = ["build", ...files, "--outdir", out, "--target", target === "node" ? "node" : "browser"];
    return run(moduleFile("@oven", "bun-linux-x64", "bin", "bun"), args, { cwd: folder });
  },
};

const webpack: Bundler = {
  name: "webpack",
  package: "webpack",
  targets: ["node", "page"],
  copiesCore: false,
  async bundle({ folder, out, target, files }) {
    // A page's worker is found in the page's script; that of Node is an entry of its own.
    const names = target === "node" ? FILES.node : [FILES.page[0]];
    const entry = Object.fromEntries(names.map((name, i) => [name, `./${files[i]}`]));
    const modules = 'target: "node20", experiments: { outputModule: true }';
    const output = `path: ${JSON.stringify(out)}, filename: "[name].js", ${target === "node" ? "module: true" : ""}`;
    // Programs for Node are seldom minimized, which takes most of the time.
    const text = `{ mode: "production", optimization: { minimize: ${target === "page"} },
      context: ${JSON.stringify(folder)}, entry: ${JSON.stringify(entry)},
      ${target === "node" ? modules : 'target: "web"'}, output: { ${output} } }`;
    const config = configure(folder, "webpack.config.mjs", text);
    const script = join(folder, "webpack-run.mjs");
    const api = JSON.stringify(moduleFile("webpack", "lib", "index.js"));
    writeFileSync(
      script,
      `import webpack from ${api};\nimport config from ${JSON.stringify(config)};
webpack(config, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString({ colors: false }));
});\n`,
    );
    await node(folder, script);
  },
};

/** The configuration of Vite: pages need the headers, and the result goes to the test's server. */
function configureVite(folder: string, out: string, resultPort: number, exclude: boolean): string {
  const server = {
    host: "127.0.0.1",
    port: 0,
    headers: ISOLATION,
    proxy: { "/result": `http://127.0.0.1:${resultPort}` },
  };
  const config = {
    base: "./",
    build: { outDir: out, target: "esnext", modulePreload: false },
    worker: { format: "es" },
    server,
    ...(exclude ? { optimizeDeps: { exclude: ["threadfs"] } } : {}),
  };
  return configure(folder, "vite.config.mjs", JSON.stringify(config));
}

const VITE = () => moduleFile("vite", "bin", "vite.js");

const vite: Bundler = {
  name: "Vite build",
  package: "vite",
  targets: ["page"],
  copiesCore: false,
  bundle({ folder, out }) {
    const config = configureVite(folder, out, 0, false);
    return node(folder, VITE(), "build", "--config", config, "--logLevel", "warn");
  },
};

const BUNDLERS: readonly Bundler[] = [vite, webpack, esbuild, rollup, rolldown, bun];

/** Bundles the programs and runs the result in its target. */
async function bundleAndRun(bundler: Bundler, project: Project, entry: Entry, target: Target, browser: TestBrowser) {
  const name = `${bundler.package.replace(/\W+/g, "-")}-${target}-${entry.replace("/", "-")}`;
  const folder = project.programs(name, entry);
  const out = join(folder, "out");
  mkdirSync(out);
  if (entry === MODULE) copyFileSync(join(folder, "page-module.js"), join(folder, "page.js"));
  const [main, worker] = FILES[target];
  const files = [`${main}.js`, `${worker}.js`] as const;
  await bundler.bundle({ folder, out, target, files });
  const core = join(project.dir, "node_modules", "threadfs", "dist", "core.wasm");
  if (bundler.copiesCore && entry === "threadfs") copyFileSync(core, join(out, "core.wasm"));
  // Where the program fetches it.
  if (entry === MODULE) cpSync(core, join(out, "threadfs", "dist", "core.wasm"));
  if (target === "node") return runProgram(process.execPath, [join(out, files[0])], { cwd: out });
  // Vite writes a page of its own, the others bundle the script of this one.
  if (bundler !== vite) copyFileSync(join(folder, "index.html"), join(out, "index.html"));
  return browser.openFolder(out);
}

/** Opens the page on Vite's development server, which bundles nothing but the dependencies. */
async function openOnDevServer(project: Project, entry: Entry, browser: TestBrowser): Promise<void> {
  const folder = project.programs(`vite-dev-${entry.replace("/", "-")}`, entry);
  const results = await servePage(folder);
  const config = configureVite(folder, join(folder, "out"), results.port, entry === "threadfs");
  const env = { ...process.env, NO_COLOR: "1" };
  const child = spawn(process.execPath, [VITE(), "--config", config], { cwd: folder, env });
  try {
    await withServer(child, "Vite's server", (url) => browser.openPage(url, results.result));
  } finally {
    await results.close();
  }
}

/** A page fetches and compiles the core itself where its entry does not bring it. */
function entriesOf(target: Target): readonly Entry[] {
  return target === "page" ? [...ENTRIES, MODULE] : ENTRIES;
}

/** The cases of all bundlers. */
export function bundlerCases(project: Project, browser: TestBrowser): Case[] {
  const version = (name: string) => versionOf(name);
  const dev = ENTRIES.map((entry) => ({
    name: `Vite dev ${version("vite")}, page, ${entry}`,
    run: () => openOnDevServer(project, entry, browser),
  }));
  const bundled = BUNDLERS.flatMap((bundler) =>
    bundler.targets.flatMap((target) =>
      entriesOf(target).map((entry) => ({
        name: `${bundler.name} ${version(bundler.package)}, ${target}, ${entry}`,
        run: () => bundleAndRun(bundler, project, entry, target, browser),
      })),
    ),
  );
  return [...dev, ...bundled];
}
