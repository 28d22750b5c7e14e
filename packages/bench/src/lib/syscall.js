// Compiles and drives the C rival.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LineProgram } from "./remote.js";

const SOURCE = fileURLToPath(new URL("../../native/syscall.c", import.meta.url));

/**
 * Compiles rivals/syscall.c into `directory`.
 * @returns {string | undefined} the program, or undefined where there is no C compiler or no Linux
 */
export function compileSyscall(directory) {
  if (process.platform !== "linux") return undefined;
  const program = path.join(directory, "syscall");
  for (const compiler of [process.env.CC, "cc", "gcc", "clang"]) {
    if (!compiler) continue;
    try {
      execFileSync(compiler, ["-O2", "-Wall", "-o", program, SOURCE], { stdio: ["ignore", "ignore", "pipe"] });
      return program;
    } catch (error) {
      if (error.code !== "ENOENT") throw new Error(`${compiler} cannot compile ${SOURCE}:\n${error.stderr ?? error}`);
    }
  }
  return undefined;
}

export class Syscall {
  #program;

  /**
   * @param {string} program what compileSyscall answered
   * @param {{ existing: string[], missing: string[], order: Uint32Array }} lists paths relative to `cwd`
   * @param {string} scratch directory for the lists
   * @param {string} cwd the tree's root
   */
  constructor(program, lists, scratch, cwd) {
    const files = ["existing", "missing", "order"].map((name) => path.join(scratch, name));
    writeFileSync(files[0], `${lists.existing.join("\n")}\n`);
    writeFileSync(files[1], `${lists.missing.join("\n")}\n`);
    writeFileSync(files[2], lists.order);
    this.#program = new LineProgram(program, files, { cwd });
  }

  /**
   * Runs one loop.
   * @param {"access" | "stat" | "empty"} name the system call
   * @param {"e" | "m"} which existing or missing paths
   * @returns {Promise<{ ns: number, found: number }>} nanoseconds a call in the median part of the loop, and the calls that answered 0
   */
  async loop(name, which, count) {
    const [ns, found] = (await this.#program.ask(`${name} ${which} ${count}`)).split(" ").map(Number);
    return { ns, found };
  }

  stop() {
    this.#program.stop();
  }
}
