/** Installs what a package needs that is no workspace: those packages are large, and only the command that runs it installs them. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Longest time that an installation may take, in milliseconds: there are hundreds of packages. */
const INSTALL_MS = 15 * 60_000;

/**
 * Installs the packages of a folder's lock file, unless those of this lock are there. Their scripts, which would download more, do not run.
 * @param options of npm ci, besides those of all
 * @throws Error
 */
export function installPackages(folder: string, ...options: string[]): void {
  const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
  // A copy of the lock that was installed: another lock is installed anew.
  const installed = join(folder, "node_modules", ".installed-lock.json");
  if (existsSync(installed) && readFileSync(installed, "utf8") === lock) return;
  // Variables of the npm that runs this script would lead the new one to its folder.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const { status, error } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...options], {
    cwd: folder,
    env,
    stdio: ["ignore", 2, 2],
    timeout: INSTALL_MS,
  });
  if (status !== 0) throw new Error(`npm ci in ${folder} failed: ${error?.message ?? `exit code ${status}`}`);
  writeFileSync(installed, lock);
}
