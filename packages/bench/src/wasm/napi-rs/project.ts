// The project that rolldown bundles: the ES modules of TypeBox, a package that packages/programs installs; and how it is copied into a file system.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { BenchFs } from "../../lib/rivals.js";
import { MODULES } from "../../programs/files.js";

const SOURCE = path.join(MODULES, "@sinclair", "typebox", "build", "esm");
const PARTS = ["type", "compiler", "errors", "parser", "system", "value"];

export const isInstalled = (): boolean => existsSync(SOURCE) && existsSync(path.join(MODULES, "rolldown"));

/** Copies the project into a directory. Returns how many modules it has, without its main one. */
export function copyProject(fs: BenchFs, root: string): number {
  let modules = 0;
  for (const entry of readdirSync(SOURCE, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".mjs")) continue;
    const file = path.join(entry.parentPath, entry.name);
    const target = path.posix.join(root, path.relative(SOURCE, file));
    fs.mkdirSync(path.posix.dirname(target), { recursive: true });
    fs.writeFileSync(target, readFileSync(file));
    modules++;
  }
  const lines = PARTS.map((part) => `export * as ${part} from "./${part}/index.mjs";\n`);
  fs.writeFileSync(`${root}/main.mjs`, lines.join(""));
  return modules;
}
