/** Pages without a bundler, in each browser. */
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DOCUMENT_ISOLATION, type Headers, ISOLATION, type TestBrowser } from "./browser.js";
import type { Case } from "./cases.js";
import { ENTRIES, type Project } from "./project.js";

/** The files of the entries in the folder of a page. */
const FILES = {
  threadfs: "/threadfs/dist/src/index.js",
  "threadfs/inline": "/threadfs/dist/src/inline.js",
  "threadfs/module": "/threadfs/dist/src/module.js",
  "threadfs/emscripten": "/threadfs/dist/src/emscripten.js",
  "threadfs/just-bash": "/threadfs/dist/src/just-bash.js",
  "threadfs/napi-rs": "/threadfs/dist/src/napi-rs.js",
  "threadfs/wasi": "/threadfs/dist/src/wasi.js",
  "threadfs/wasi-preview2": "/threadfs/dist/src/wasi-preview2.js",
} as const;

/** The names of the folders of pages: one for each. */
let folders = 0;

/** A folder with the programs and the library, and a page that loads one of the programs, by an import map. */
function pageFolder(project: Project, script: string, entry: (typeof ENTRIES)[number]): string {
  const folder = project.programs(`page-${folders++}`, entry);
  symlinkSync(join(project.dir, "node_modules", "threadfs"), join(folder, "threadfs"));
  // Import maps do not reach workers, so these name the file.
  for (const worker of ["page-worker.js", "page-waits-worker.js", "wasi/page-threads-worker.js"]) {
    project.edit(join(folder, worker), (text) =>
      text.replace(`"${entry}"`, `"${FILES[entry]}"`).replace('"threadfs/wasi"', `"${FILES["threadfs/wasi"]}"`),
    );
  }
  const map = `<script type="importmap">${JSON.stringify({ imports: FILES })}</script>`;
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html><meta charset="utf-8">${map}<script type="module" src="./${script}"></script>\n`,
  );
  return folder;
}

/** Opens the README's example of a page. */
function openExample(project: Project, browser: TestBrowser): Promise<void> {
  const readme = readFileSync(join(project.dir, "node_modules", "threadfs", "README.md"), "utf8");
  const section = /^## In a page\n([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const [page, worker] = [...section.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = ""]) => code);
  if (page === undefined || worker === undefined) throw new Error("the README has no example of a page and its worker");
  const folder = pageFolder(project, "page.js", "threadfs");
  const use = (code: string) => code.replace('"threadfs"', `"${FILES.threadfs}"`);
  writeFileSync(join(folder, "page.js"), use(page));
  // What the example prints is what it reports.
  const report =
    'console.log = (text) => fetch("/result", { method: "POST", body: text === "hello" ? "ok" : text });\n';
  writeFileSync(join(folder, "worker.js"), report + use(worker));
  return browser.openFolder(folder);
}

/** The cases of pages in a browser. */
export function pageCases(project: Project, browser: TestBrowser): Case[] {
  const open = (what: string, script: string, headers: Headers, entry: (typeof ENTRIES)[number]): Case => ({
    name: `${browser.name}, ${what}, ${entry}`,
    run: () => browser.openFolder(pageFolder(project, script, entry), headers),
  });
  const everyEntry = (what: string, script: string, headers: Headers) =>
    ENTRIES.map((entry) => open(what, script, headers, entry));
  const isolated = browser.isolatesDocuments
    ? [open("page with a document isolation policy", "page.js", DOCUMENT_ISOLATION, "threadfs")]
    : [];
  return [
    { name: `${browser.name}, the example in the README`, run: () => openExample(project, browser) },
    ...everyEntry("page without a bundler", "page.js", ISOLATION),
    ...isolated,
    ...everyEntry("page without isolation, a tree of one thread", "page-alone.js", {}),
    open("page that meets a lock of a worker", "page-waits.js", ISOLATION, "threadfs"),
    open("page with a program of WASI that has threads", "wasi/page-threads.js", ISOLATION, "threadfs"),
    open("page with a compiled module", "page-module.js", ISOLATION, "threadfs"),
  ];
}
