/** Installs what the hosts need: this folder's packages, and the browsers from the system's packages. */
import { readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installFromDebian } from "../../tools/dist/install/debian.js";
import { installPackages as installInto } from "../../tools/dist/install/private-packages.js";

/** The folder of this package, and its modules. */
export const HERE = fileURLToPath(new URL("../", import.meta.url));
const MODULES = join(HERE, "node_modules");

/** A browser: the variable that has its path, the names of its program, its package in Debian. */
interface BrowserProgram {
  readonly variable: string;
  readonly names: readonly string[];
  readonly debian: string;
}

const BROWSERS = {
  /** The smallest build first. */
  chromium: {
    variable: "CHROMIUM",
    names: ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"],
    debian: "chromium-headless-shell",
  },
  firefox: { variable: "FIREFOX", names: ["firefox-esr", "firefox"], debian: "firefox-esr" },
} as const satisfies Record<string, BrowserProgram>;

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
  // One of the packages is for the processor "wasm32": npm would refuse it on every machine.
  installInto(HERE, "--force");
}

function find({ variable, names }: BrowserProgram): string | undefined {
  const { PATH = "" } = process.env;
  const path = process.env[variable];
  if (path !== undefined) return path;
  for (const name of names) {
    for (const folder of PATH.split(delimiter)) {
      const path = join(folder, name);
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path;
    }
  }
  return undefined;
}

/** The path of a browser. undefined: it is not installed. */
export function browserPath(name: keyof typeof BROWSERS): string | undefined {
  return find(BROWSERS[name]);
}

/**
 * The paths of the browsers: those in the variables CHROMIUM and FIREFOX, those in PATH, or ones that are installed now, where that is
 * possible.
 * @throws Error that says what to install
 */
export function installBrowsers(): Record<keyof typeof BROWSERS, string> {
  const missing = Object.values(BROWSERS).filter((browser) => find(browser) === undefined);
  if (missing.length > 0) {
    const variables = missing.map(({ variable }) => variable).join(" and ");
    const packages = missing.map(({ debian }) => debian);
    installFromDebian(packages, "a browser", `, or set ${variables} to the path of the browser`);
  }
  const { chromium, firefox } = BROWSERS;
  return { chromium: find(chromium) ?? chromium.names[0], firefox: find(firefox) ?? firefox.names[0] };
}
