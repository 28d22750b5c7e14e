// Compiles and drives the C rival.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LineProgram } from "./remote.js";

const SOURCE = fileURLToPath(new URL("../../native/syscall.c", import.meta.url));

/** Compiles syscall.c into `directory`; returns the program, or undefined where there is no C compiler or no Linux. */
export function compileSyscall(directory: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  const program = path.join(directory, "syscall");
  for (const compiler of [process.env.CC, "cc", "gcc", "clang"]) {
    if (!compiler) continue;
    try {
      execFileSync(compiler, ["-O2", "-Wall", "-o", program, SOURCE], { stdio: ["ignore", "ignore", "pipe"] });
      return program;
    } catch (error) {
      const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: Buffer };
      if (code !== "ENOENT") throw new Error(`${compiler} cannot compile ${SOURCE}:\n${stderr ?? error}`);
    }
  }
  return undefined;
}

/** Existing or missing paths. */
export type Which = "e" | "m";

/** What one loop of calls measured. */
export interface LoopResult {
  /** Nanoseconds a call in the median part of the loop. */
  ns: number;
  /** Calls that found the path. */
  found: number;
}

/** Paths relative to the tree's root. */
export interface PathLists {
  existing: string[];
  missing: string[];
  order: Uint32Array;
}

export class Syscall {
  readonly #program: LineProgram;

  /**
   * @param program as compileSyscall() returned it
   * @param scratch directory for the lists
   * @param cwd the tree's root
   */
  constructor(program: string, lists: PathLists, scratch: string, cwd: string) {
    const file = (name: string, contents: string | Uint32Array): string => {
      const at = path.join(scratch, name);
      writeFileSync(at, contents);
      return at;
    };
    const files = [
      file("existing", `${lists.existing.join("\n")}\n`),
      file("missing", `${lists.missing.join("\n")}\n`),
      file("order", lists.order),
    ];
    this.#program = new LineProgram(program, files, cwd);
  }

  /** Runs one loop of a system call. */
  async loop(name: "access" | "stat" | "empty", which: Which, count: number): Promise<LoopResult> {
    const [ns = Number.NaN, found = Number.NaN] = (await this.#program.ask(`${name} ${which} ${count}`))
      .split(" ")
      .map(Number);
    return { ns, found };
  }

  stop(): void {
    this.#program.stop();
  }
}
