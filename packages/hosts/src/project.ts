/** A fresh project with the packed library installed: what a user has. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HERE, moduleFile } from "./install.js";
import { run } from "./run.js";

const LIBRARY = join(HERE, "..", "threadfs");
/** The compiled programs, and their sources. */
const PROGRAMS = join(HERE, "dist", "programs");
const SOURCES = join(HERE, "src", "programs");

/** The entries of the library that bring the core. */
export const ENTRIES = ["threadfs", "threadfs/inline"] as const;
/** The one that takes a compiled core. */
export const MODULE = "threadfs/module";
export type Entry = (typeof ENTRIES)[number] | typeof MODULE;

/** A project: a folder with node_modules/threadfs. */
export class Project {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** Packs the built library and installs the tarball into a new folder. */
  static async make(dir: string): Promise<Project> {
    mkdirSync(dir, { recursive: true });
    const env = { THREADFS_BUILT: "1" };
    const packed = await run("npm", ["pack", "--json", "--pack-destination", dir], { cwd: LIBRARY, env });
    const [{ filename }] = JSON.parse(packed.slice(packed.search(/^\[$/m))) as [{ filename: string }];
    writeFileSync(join(dir, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund", join(dir, filename)], { cwd: dir });
    return new Project(dir);
  }

  /** A folder of the project with the programs, which import the library by this entry. */
  programs(name: string, entry: Entry = "threadfs"): string {
    const folder = join(this.dir, name);
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(PROGRAMS, { recursive: true, encoding: "utf8" }).filter((each) =>
      each.endsWith(".js"),
    )) {
      const text = readFileSync(join(PROGRAMS, file), "utf8");
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text.replaceAll('from "threadfs"', `from "${entry}"`));
    }
    const page = '<!doctype html><meta charset="utf-8"><script type="module" src="./page.js"></script>\n';
    writeFileSync(join(folder, "index.html"), page);
    return folder;
  }

  /** Puts the source of a program into a folder of the project. */
  source(name: string, folder: string): string {
    const path = join(this.dir, folder, name);
    mkdirSync(dirname(path), { recursive: true });
    cpSync(join(SOURCES, name), path);
    return path;
  }

  /** Changes a file of the project. */
  edit(path: string, change: (text: string) => string): void {
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }

  /** Makes a package of the hosts one that the programs in a folder find. */
  link(name: string, folder: string): void {
    const path = join(this.dir, folder, "node_modules", name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(moduleFile(name), path);
  }
}
