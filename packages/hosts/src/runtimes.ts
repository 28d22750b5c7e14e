/** The hosts that run the programs as they are: Node, Bun, Deno, and a browser without a bundler. */
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFolder } from "./browser.js";
import type { Case } from "./cases.js";
import { moduleFile, versionOf } from "./install.js";
import { ENTRIES, type Project } from "./project.js";
import { runProgram } from "./run.js";

/** A host's name, the package that it comes from, its program in the package, and the arguments before the script's name. */
type Host = readonly [name: string, packageName: string, program: string, ...args: string[]];

const HOSTS: readonly Host[] = [
  ["Node", "node20", "bin/node"],
  ["Node", "node22", "bin/node"],
  ["Node", "node24", "bin/node"],
  ["Node", "node26", "bin/node"],
  ["Bun", "@oven/bun-linux-x64", "bin/bun"],
  ["Deno", "@deno/linux-x64-glibc", "deno", "run", "--allow-all"],
];

export function runtimeCases(project: Project): Case[] {
  return HOSTS.flatMap(([name, packageName, program, ...args]) =>
    ENTRIES.map((entry) => ({
      name: `${name} ${versionOf(packageName)}, ${entry}`,
      run: () => {
        const folder = project.programs(`${packageName.replace(/\W+/g, "-")}-${entry.replace("/", "-")}`, entry);
        const path = moduleFile(packageName, program);
        chmodSync(path, 0o755);
        return runProgram(path, [...args, "threads.js"], { cwd: folder });
      },
    })),
  );
}

/** A page that loads the modules of the package as they are, by an import map; and the README's example of a page. */
export function pageCases(project: Project, browser: string, version: string): Case[] {
  const example = { name: `${version}, the example in the README`, run: () => openExample(project, browser) };
  return [example, ...unbundledCases(project, browser, version)];
}

/** Opens the README's example of a page, without a bundler. */
function openExample(project: Project, browser: string): Promise<void> {
  const readme = readFileSync(join(project.dir, "node_modules", "threadfs", "README.md"), "utf8");
  const section = /^## In a page\n([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const [page, worker] = [...section.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = ""]) => code);
  if (page === undefined || worker === undefined) throw new Error("the README has no example of a page and its worker");
  const folder = project.programs("readme");
  symlinkSync(join(project.dir, "node_modules", "threadfs"), join(folder, "threadfs"));
  const use = (code: string) => code.replace('"threadfs"', '"/threadfs/dist/src/index.js"');
  writeFileSync(join(folder, "page.js"), use(page));
  // What the example prints is what it reports.
  const report =
    'console.log = (text) => fetch("/result", { method: "POST", body: text === "hello" ? "ok" : text });\n';
  writeFileSync(join(folder, "worker.js"), report + use(worker));
  return openFolder(browser, folder);
}

function unbundledCases(project: Project, browser: string, version: string): Case[] {
  return ENTRIES.map((entry) => ({
    name: `${version}, page without a bundler, ${entry}`,
    run: () => {
      const folder = project.programs(`page-${entry.replace("/", "-")}`, entry);
      symlinkSync(join(project.dir, "node_modules", "threadfs"), join(folder, "threadfs"));
      const path = entry === "threadfs" ? "/threadfs/dist/src/index.js" : "/threadfs/dist/src/inline.js";
      // Import maps do not reach workers, so the worker names the file.
      project.edit(join(folder, "page-worker.js"), (text) => text.replace(`"${entry}"`, `"${path}"`));
      const map = `<script type="importmap">{ "imports": { "${entry}": "${path}" } }</script>`;
      writeFileSync(
        join(folder, "index.html"),
        `<!doctype html>${map}<script type="module" src="./page.js"></script>\n`,
      );
      return openFolder(browser, folder);
    },
  }));
}
