/** The hosts that run the programs as they are: Node, Bun, Deno. */
import { chmodSync } from "node:fs";
import type { Case } from "./cases.js";
import { moduleFile, versionOf } from "./install.js";
import { ENTRIES, type Project } from "./project.js";
import { runProgram } from "./run.js";

/** A host's name, the package that it comes from, its program in the package, and the arguments before the script's name. */
type Host = readonly [name: string, packageName: string, program: string, ...args: string[]];

const HOSTS: readonly Host[] = [
  ["Node", "node20", "bin/node"],
  ["Node", "node22", "bin/node"],
  ["Node", "node24", "bin/node"],
  ["Node", "node26", "bin/node"],
  ["Bun", "@oven/bun-linux-x64", "bin/bun"],
  ["Deno", "@deno/linux-x64-glibc", "deno", "run", "--allow-all"],
];

export function runtimeCases(project: Project): Case[] {
  return HOSTS.flatMap(([name, packageName, program, ...args]) =>
    ENTRIES.map((entry) => ({
      name: `${name} ${versionOf(packageName)}, ${entry}`,
      run: () => {
        const folder = project.programs(`${packageName.replace(/\W+/g, "-")}-${entry.replace("/", "-")}`, entry);
        const path = moduleFile(packageName, program);
        chmodSync(path, 0o755);
        return runProgram(path, [...args, "threads.js"], { cwd: folder });
      },
    })),
  );
}
