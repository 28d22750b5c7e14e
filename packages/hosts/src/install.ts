/** Installs what the hosts need: this folder's packages, and Chromium from the system's packages. */
import { readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackages as installInto } from "../../tools/dist/private-packages.js";
import { run } from "./run.js";

/** The folder of this package, and its modules. */
export const HERE = fileURLToPath(new URL("../", import.meta.url));
const MODULES = join(HERE, "node_modules");

/** Chromium's names, the smallest build first. */
const BROWSERS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
const DEBIAN_PACKAGE = "chromium-headless-shell";

/** The path of a file in an installed package. */
export function moduleFile(...path: string[]): string {
  return join(MODULES, ...path);
}

/** The version of an installed package. */
export function versionOf(name: string): string {
  return (JSON.parse(readFileSync(moduleFile(name, "package.json"), "utf8")) as { version: string }).version;
}

/** Installs the packages, unless they are there. */
export function installPackages(): void {
  installInto(HERE);
}

function findBrowser(): string | undefined {
  const { CHROMIUM, PATH = "" } = process.env;
  if (CHROMIUM !== undefined) return CHROMIUM;
  for (const name of BROWSERS) {
    for (const folder of PATH.split(delimiter)) {
      const path = join(folder, name);
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path;
    }
  }
  return undefined;
}

/**
 * The path of Chromium: that in the variable CHROMIUM, one in PATH, or one that is installed now, where that is possible.
 * @throws Error that says what to install
 */
export async function installBrowser(): Promise<string> {
  const found = findBrowser();
  if (found !== undefined) return found;
  const how = `install ${DEBIAN_PACKAGE}, or set CHROMIUM to the path of a Chromium`;
  if (process.getuid?.() !== 0) throw new Error(`no Chromium: ${how}`);
  try {
    await run("apt-get", ["update"], { cwd: HERE });
    await run("apt-get", ["install", "--yes", "--no-install-recommends", DEBIAN_PACKAGE], {
      cwd: HERE,
      env: { DEBIAN_FRONTEND: "noninteractive" },
    });
  } catch (cause) {
    throw new Error(`no Chromium, and it could not be installed: ${how}`, { cause });
  }
  const installed = findBrowser();
  if (installed === undefined) throw new Error(`no Chromium: ${how}`);
  return installed;
}
