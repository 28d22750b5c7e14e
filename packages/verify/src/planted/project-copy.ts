/**
 * A copy of the project in which checks run on another core, or on another library around it: the checks find all files relative to
 * their own, so that they are the same to the byte, and report the same as in the project itself.
 */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, lstat, mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { applyEdits, type Edit, packageSources } from "../binary/mutant.js";
import { KEPT_DIR, LIBRARY, ROOT, SHIPPING, symbolsOf } from "../binary/symbols.js";
import { LIMIT_SECONDS, type Step } from "./detectors.js";
import type { Ended } from "./report.js";

const COPIED = [
  "packages",
  "package.json",
  "package-lock.json",
  "tsconfig.base.json",
  "README.md",
  "ARCHITECTURE.md",
  "docs",
];
/** The Node.js of the tests' oracle: 200 MB, which the copy has as a link. */
const ORACLE = join("packages", "oracle", "node_modules");
/** Left out of the copy: the files of a core, and files that no check reads. */
const LEFT_OUT = [
  join(LIBRARY, "core"),
  KEPT_DIR,
  ORACLE,
  join("packages", "bench"),
  // 1.2 GB and 470 MB, where they are installed.
  join("packages", "hosts", "node_modules"),
  join("packages", "programs", "node_modules"),
];
const leftOut = (path: string) => LEFT_OUT.includes(path) || /\.wasm(?:\.map)?$/.test(path);
/** A core's binaries in the project: the shipping one, the debug build, and the one with names for its checks. */
const DEBUG = join(LIBRARY, "dist", "core.debug.wasm");
const NAMES = join(KEPT_DIR, "core.names.wasm");
/** The seed of the suite's property tests, which otherwise take one by the clock. */
const PROPERTY_SEED = "1";
/** Longest output that is kept of a check; of longer output the end is kept. */
const OUTPUT_MAX = 1 << 20;
/** Ends a process that uses more processor time than so many seconds, however busy the machine is. */
const LIMITED = ["-c", 'ulimit -S -t "$0" && exec "$@"'];
/** A check that waits for ever is killed after so many times its limit. */
const HANGS = 4;
/** The compiler of packages. A fault may leave an import or a parameter unused. */
const COMPILER = ["node_modules/typescript/bin/tsc", "--noUnusedLocals", "false", "--noUnusedParameters", "false"];

export class ProjectCopy {
  /** The packages whose sources have edits. */
  #edited: ReadonlySet<string> = new Set();

  private constructor(readonly dir: string) {}

  /** A copy without a core. */
  static async make(): Promise<ProjectCopy> {
    const dir = await mkdtemp(join(tmpdir(), "threadfs-planted-"));
    for (const name of COPIED) await copyIn(name, dir);
    if (existsSync(join(ROOT, ORACLE))) await symlink(join(ROOT, ORACLE), join(dir, ORACLE));
    await linkModules(join(ROOT, "node_modules"), join(dir, "node_modules"));
    return new ProjectCopy(dir);
  }

  /** Puts in the project's own core. */
  async useSound(): Promise<void> {
    symbolsOf(new Uint8Array(readFileSync(join(ROOT, SHIPPING))));
    await this.#use(join(ROOT, LIBRARY), ROOT, [
      [SHIPPING, SHIPPING],
      [DEBUG, DEBUG],
      [NAMES, NAMES],
      [`${NAMES}.map`, `${NAMES}.map`],
    ]);
  }

  /** Puts in a core that was built with edits (mutant.ts) and is kept in this directory. */
  async use(kept: string, { debug = false }: { debug?: boolean } = {}): Promise<void> {
    await this.#use(kept, kept, [
      ["core.wasm", SHIPPING],
      ...(debug ? ([["core.debug.wasm", DEBUG]] as const) : []),
      ["core.wasm", NAMES],
      ["core.wasm.map", `${NAMES}.map`],
    ]);
  }

  /** `source`: the directory with core/; `files`: names in `from`, and in the copy. */
  async #use(source: string, from: string, files: (readonly [name: string, to: string])[]): Promise<void> {
    await rm(join(this.dir, KEPT_DIR), { recursive: true, force: true });
    await mkdir(join(this.dir, KEPT_DIR), { recursive: true });
    await rm(join(this.dir, LIBRARY, "core"), { recursive: true, force: true });
    await cp(join(source, "core"), join(this.dir, LIBRARY, "core"), { recursive: true });
    for (const [name, to] of files) await cp(join(from, name), join(this.dir, to));
  }

  /**
   * Edits the sources of packages, and compiles those. The packages that were edited before are as in the project again.
   * @throws Error when an edit does not fit, or the compiler's errors
   */
  async edit(edits: Edit[]): Promise<void> {
    for (const name of this.#edited) for (const dir of ["src", "dist"]) await copyIn(join(name, dir), this.dir);
    const sources = applyEdits(packageSources(edits), edits);
    this.#edited = new Set([...sources.keys()].map((file) => file.split("/").slice(0, 2).join("/")));
    for (const [file, text] of sources) await writeFile(join(this.dir, file), text);
    for (const name of this.#edited) await this.#compile(name);
  }

  async #compile(name: string): Promise<void> {
    try {
      await promisify(execFile)(process.execPath, [...COMPILER, "--project", name], { cwd: this.dir });
    } catch (error) {
      throw new Error(`${name} does not compile: ${(error as { stdout?: unknown }).stdout}`, { cause: error });
    }
  }

  /** Runs a check to its end; kills it when it takes too much processor time, or hangs. */
  run({ args, limitSeconds = LIMIT_SECONDS }: Step): Promise<Ended & { seconds: number }> {
    const began = performance.now();
    return new Promise((resolve) => {
      // Properties draw the same cases on each core, so that a failure comes from the fault and not from other cases.
      const env = { ...process.env, NO_COLOR: "1", PROPERTY_SEED, ALL_LINUX_PROGRAMS: "1" };
      const child = spawn("/bin/sh", [...LIMITED, `${limitSeconds}`, process.execPath, ...args], {
        cwd: this.dir,
        env,
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      let late = false;
      const timer = setTimeout(
        () => {
          late = true;
          // The check and all processes that it has started.
          process.kill(-(child.pid ?? 0), "SIGKILL");
        },
        limitSeconds * 1000 * HANGS,
      );
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8");
        stream.on("data", (text: string) => {
          output = (output + text).slice(-OUTPUT_MAX);
        });
      }
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        // Killed by nothing else than its limits, it has not come to its end.
        resolve({ code, output, seconds: (performance.now() - began) / 1000, late: late || signal === "SIGXCPU" });
      });
    });
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Copies a file or a folder of the project. */
async function copyIn(name: string, dir: string): Promise<void> {
  const filter = (from: string) => !leftOut(from.slice(ROOT.length));
  await cp(join(ROOT, name), join(dir, name), { recursive: true, filter });
}

/** Links to the installed packages; to the copy's own where they are the project's. */
async function linkModules(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const name of await readdir(from)) {
    const own = (await lstat(join(from, name))).isSymbolicLink();
    await symlink(own ? await readlink(join(from, name)) : join(from, name), join(to, name));
  }
}

/** What the checks are made of, the planted faults left out: results on the sound core are good as long as it is the same. */
export function toolsName(): string {
  const hash = createHash("sha256");
  for (const dir of [
    "threadfs/dist",
    "threadfs/build",
    "verify/dist",
    "verify/build",
    "cli/dist",
    "cli/build",
    "tools/dist",
  ]) {
    const base = join(ROOT, "packages", dir);
    const files = readdirSync(base, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    const paths = files.map(({ parentPath, path, name }) => join(parentPath ?? path, name)).sort();
    for (const path of paths) {
      const name = path.slice(ROOT.length);
      if (name.startsWith(KEPT_DIR) || name.startsWith(join("packages", "verify", "dist", "planted"))) continue;
      if (/\.(?:tsbuildinfo|d\.ts)$/.test(name)) continue;
      hash.update(name).update(readFileSync(path));
    }
  }
  return hash.digest("hex").slice(0, 32);
}
