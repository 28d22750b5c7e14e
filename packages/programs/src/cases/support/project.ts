/** A folder in which a program of a user runs: with the packages of this one, and threadfs. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TIMEOUT_MS } from "../../../../tools/dist/limits.js";

export const REPOSITORY = fileURLToPath(new URL("../../../../../", import.meta.url));
const MODULES = join(REPOSITORY, "packages", "programs", "node_modules");
const LIBRARY = join(REPOSITORY, "packages", "threadfs");

export class Project {
  readonly dir = mkdtempSync(join(tmpdir(), "threadfs-project-"));

  constructor() {
    const modules = join(this.dir, "node_modules");
    mkdirSync(modules);
    // Vitest writes into node_modules, so it is a folder, and only what it has are links.
    for (const name of readdirSync(MODULES).filter((name) => !name.startsWith("."))) {
      symlinkSync(join(MODULES, name), join(modules, name));
    }
    symlinkSync(LIBRARY, join(modules, "threadfs"));
  }

  /** Puts a copy of a folder into the project. Returns its path. */
  copy(folder: string, name: string): string {
    const path = join(this.dir, name);
    cpSync(folder, path, { recursive: true });
    return path;
  }

  /** The path of a file in a package. */
  module(...path: string[]): string {
    return join(MODULES, ...path);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true });
  }
}

/** Runs a program of Node to its end. Returns what it prints. @throws Error with all of its output when it fails */
export function runNode(cwd: string, args: readonly string[], node = process.execPath): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: "1", NODE_TEST_CONTEXT: undefined };
    execFile(node, args, { cwd, env, timeout: TIMEOUT_MS }, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`${args.join(" ")} failed with ${error.code ?? error.signal}:\n${out}${err}`));
    });
  });
}
