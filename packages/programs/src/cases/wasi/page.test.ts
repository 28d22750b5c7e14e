/** A C program as a component in a page of Chromium does what it does on Linux. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestBrowser } from "../../../../hosts/dist/browser.js";
import { installBrowsers } from "../../../../hosts/dist/install.js";
import { REPOSITORY } from "../support/project.js";
import { compileC, installCompiler } from "./compiler.js";
import { transpile } from "./component.js";
import { ENV, INPUT, NODE, onLinux, PROGRAMS } from "./native.js";
import type { PageSetup } from "./page-component.js";
import { treeOf } from "./tree.js";

const work = mkdtempSync(join(tmpdir(), "threadfs-page-"));
const page = join(work, "page");
const linux = join(work, "linux");
const SHIM = fileURLToPath(import.meta.resolve("@bytecodealliance/preview2-shim/instantiation"));

/** Where the page has what it imports by name. */
const IMPORTS = {
  threadfs: "/threadfs/src/index.js",
  "threadfs/wasi-preview2": "/threadfs/src/wasi-preview2.js",
  "@bytecodealliance/preview2-shim": "/shim/browser/index.js",
  "@bytecodealliance/preview2-shim/instantiation": "/shim/common/instantiation.js",
};

before(() => {
  installCompiler();
  mkdirSync(linux);
  mkdirSync(page);
  cpSync(join(REPOSITORY, "packages", "threadfs", "dist"), join(page, "threadfs"), { recursive: true });
  cpSync(dirname(dirname(SHIM)), join(page, "shim"), { recursive: true });
  const compiled = dirname(fileURLToPath(import.meta.url));
  for (const file of ["page-component.js", "cli.js", "tree.js"]) cpSync(join(compiled, file), join(page, file));
  const head = `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>`;
  writeFileSync(join(page, "index.html"), `${head}<script type="module" src="./page-component.js"></script>\n`);
});
after(() => rmSync(work, { recursive: true }));

test("calls on files and names", async (t) => {
  const [name, args] = PROGRAMS[0];
  const { wasm, native } = compileC(name, work);
  await transpile(wasm, join(page, name), name);
  const { code, ...printed } = onLinux(linux, native, args);
  const modules = readdirSync(join(page, name)).filter((file) => file.endsWith(".wasm"));
  const expected = { printed, failed: code !== 0, tree: treeOf(NODE, linux) };
  const setup: PageSetup = { name, modules, args, env: ENV, input: INPUT, expected };
  writeFileSync(join(page, "setup.json"), JSON.stringify(setup));
  const browser = await TestBrowser.chromium(installBrowsers().chromium);
  t.after(() => browser.close());
  await browser.openFolder(page);
});
