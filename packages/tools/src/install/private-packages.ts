/** Installs what a package needs that is no workspace: those packages are large, and only the command that runs it installs them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { npmCi } from "./npm-ci.js";

/**
 * Installs the packages of a folder's lock file, unless those of this lock are there.
 * @param options of npmCi()
 * @throws Error
 */
export function installPackages(folder: string, ...options: string[]): void {
  const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
  // A copy of the lock that was installed: another lock is installed anew.
  const installed = join(folder, "node_modules", ".installed-lock.json");
  if (existsSync(installed) && readFileSync(installed, "utf8") === lock) return;
  npmCi(folder, ...options);
  writeFileSync(installed, lock);
}
