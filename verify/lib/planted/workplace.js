/**
 * A copy of the project in which checks run on another core: the checks find everything by where they stand, so that they are the
 * same to the byte, and what they say of the fault is what they would say of the project.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { ROOT } from "../names.js";

const COPIED = ["verify", "test", "src", "package.json", "package-lock.json", "README.md", "ARCHITECTURE.md", "docs"];
/** What of dist/ belongs to a core. */
const OF_CORE = (path) => path.endsWith(".wasm") || path.includes(`${sep}verify`) || path.includes(`${sep}names-`);
/** Longest output that is kept of a check; the end of what is longer. */
const OUTPUT_MAX = 1 << 20;
/** Time a check may take beyond its own budget: for rewriting the core, and for tests. */
const BEYOND_MS = 120_000;

export class Workplace {
  /** @param {string} dir */
  constructor(dir) {
    this.dir = dir;
  }

  /** A copy without a core. */
  static async make() {
    const dir = await mkdtemp(join(tmpdir(), "threadfs-planted-"));
    for (const name of COPIED) await cp(join(ROOT, name), join(dir, name), { recursive: true });
    const dist = join(ROOT, "dist");
    await cp(dist, join(dir, "dist"), { recursive: true, filter: (from) => !OF_CORE(from.slice(dist.length)) });
    await symlink(join(ROOT, "node_modules"), join(dir, "node_modules"));
    return new Workplace(dir);
  }

  /** Puts in the project's own core. */
  async useSound() {
    await this.#use(ROOT, [
      ["dist/core.wasm", "core.wasm"],
      ["dist/core.debug.wasm", "core.debug.wasm"],
      ["dist/verify/core.names.wasm", "verify/core.names.wasm"],
      ["dist/verify/core.names.wasm.map", "verify/core.names.wasm.map"],
    ]);
  }

  /** Puts in a core that was built with edits (mutant.js). @param {string} kept @param {{ debug?: boolean }} options */
  async use(kept, { debug = false } = {}) {
    await this.#use(kept, [
      ["core.wasm", "core.wasm"],
      ...(debug ? [["core.debug.wasm", "core.debug.wasm"]] : []),
      ["core.wasm", "verify/core.names.wasm"],
      ["core.wasm.map", "verify/core.names.wasm.map"],
    ]);
  }

  async #use(from, files) {
    const dist = join(this.dir, "dist");
    await rm(join(dist, "verify"), { recursive: true, force: true });
    await rm(join(this.dir, "core"), { recursive: true, force: true });
    await mkdir(join(dist, "verify"), { recursive: true });
    await cp(join(from, "core"), join(this.dir, "core"), { recursive: true });
    for (const [name, to] of files) await cp(join(from, name), join(dist, to));
  }

  /**
   * Runs a check to its end.
   * @param {import("./steps.js").Step} step
   * @returns {Promise<{ code: number | null, output: string, seconds: number, late: boolean }>} `late`: it was ended, as it
   *   had gone on for two minutes longer than it was to
   */
  run({ args }) {
    const began = performance.now();
    const budget = Number(args[args.indexOf("--seconds") + 1]) || 0;
    return new Promise((resolve) => {
      const env = { ...process.env, NO_COLOR: "1" };
      const child = spawn(process.execPath, args, {
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
          // It and whatever it has started.
          process.kill(-(child.pid ?? 0), "SIGKILL");
        },
        budget * 1000 + BEYOND_MS,
      );
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8");
        stream.on("data", (text) => {
          output = (output + text).slice(-OUTPUT_MAX);
        });
      }
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve({ code, output, seconds: (performance.now() - began) / 1000, late });
      });
    });
  }

  async remove() {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** What the checks are made of, the planted faults left out: results on the sound core are good as long as it is the same. */
export function toolsName() {
  const hash = createHash("sha256");
  for (const dir of ["verify", "test", "dist"]) {
    const files = readdirSync(join(ROOT, dir), { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    );
    const paths = files.map(({ parentPath, path, name }) => join(parentPath ?? path, name)).sort();
    for (const path of paths) {
      const name = path.slice(ROOT.length);
      if (name.startsWith(join("verify", "lib", "planted")) || name.startsWith(join("dist", "verify"))) continue;
      hash.update(name).update(readFileSync(path));
    }
  }
  return hash.digest("hex").slice(0, 32);
}
