/** Installs packages of Debian, for tests that need a browser or a compiler. */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";

/** apt writes here when it fetches the lists of packages. */
const LISTS = "/var/lib/apt/lists/partial";
/** Lists that are younger are good enough. */
const FRESH_MS = 3_600_000;
const LIMIT_MS = 300_000;
/** The index of the manual would be made anew for each package that has pages in it, for ten seconds. */
const NO_MANUAL = ["-o", "Dpkg::Options::=--path-exclude=/usr/share/man/*"];

function apt(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  execFileSync("apt-get", args, { stdio: ["ignore", "ignore", "pipe"], timeout: LIMIT_MS, env });
}

/**
 * Installs packages, as root.
 * @param what is missing, for the error
 * @param how else the user may help
 * @throws Error that says what to install
 */
export function installFromDebian(packages: readonly string[], what: string, how = ""): void {
  const todo = `install ${packages.join(", ")}${how}`;
  if (process.getuid?.() !== 0) throw new Error(`${what} is missing: ${todo}`);
  try {
    const { mtimeMs = 0 } = statSync(LISTS, { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > FRESH_MS) apt("update");
    apt("install", "--yes", "--no-install-recommends", ...NO_MANUAL, ...packages);
  } catch (cause) {
    throw new Error(`${what} is missing, and could not be installed: ${todo}`, { cause });
  }
}
