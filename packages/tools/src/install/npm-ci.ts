/** Installs a folder that is not a workspace, by its own lock file. */
import { spawnSync } from "node:child_process";

/** Longest time that an installation may take, in milliseconds: there are hundreds of packages. */
const INSTALL_MS = 15 * 60_000;

/**
 * `npm ci` in a folder, whose output goes to standard error. Scripts of packages, which would download more, do not run.
 * @param options of npm ci, besides those of all
 * @throws Error
 */
export function npmCi(folder: string, ...options: string[]): void {
  // Variables of the npm that runs this script would lead the new one to its folder.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const { status, error } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...options], {
    cwd: folder,
    env,
    stdio: ["ignore", 2, 2],
    timeout: INSTALL_MS,
  });
  if (status !== 0) throw new Error(`npm ci in ${folder} failed: ${error?.message ?? `exit code ${status}`}`);
}
