/** The hosts that run the programs as they are: Node, Bun, Deno. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Case } from "./cases.js";
import { HERE, moduleFile, versionOf } from "./install.js";
import { ENTRIES, type Project } from "./project.js";
import { run, runProgram } from "./run.js";

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
  const cases = HOSTS.flatMap((host) => {
    const [name, packageName] = host;
    const version = `${name} ${versionOf(packageName)}`;
    const folder = packageName.replace(/\W+/g, "-");
    const entries = ENTRIES.map((entry) => ({
      name: `${version}, ${entry}`,
      run: () => {
        const [path, args] = programOf(host);
        const cwd = project.programs(`${folder}-${entry.replace("/", "-")}`, entry);
        return runProgram(path, [...args, "threads.js"], { cwd });
      },
    }));
    const threads = {
      name: `${version}, a program of WASI that has threads`,
      run: () => {
        const [path, args] = programOf(host);
        return runProgram(path, [...args, "wasi/host-threads.js"], { cwd: project.programs(`${folder}-wasi`) });
      },
    };
    const example = {
      name: `${version}, the example in docs/workers.md`,
      run: () => runExample(host, project.programs(`${folder}-workers`)),
    };
    return [...entries, threads, example];
  });
  return [...cases, mountCase(project)];
}

/** The one Node that has node:vfs. */
function mountCase(project: Project): Case {
  const host: Host = ["Node", "node26", "bin/node", "--experimental-vfs", "--disable-warning=ExperimentalWarning"];
  return {
    name: `Node ${versionOf("node26")}, a tree as a file system of node:vfs`,
    run: () => {
      const [path, args] = programOf(host);
      return runProgram(path, [...args, "adapters/node-vfs.js"], { cwd: project.programs("node26-mount") });
    },
  };
}

/** A host's program and its arguments. */
function programOf([, packageName, program, ...args]: Host): [path: string, args: string[]] {
  const path = moduleFile(packageName, program);
  chmodSync(path, 0o755);
  return [path, args];
}

/** Runs the first program of the page on workers: it prints what the comments behind its calls of console.log() say. */
async function runExample(host: Host, folder: string): Promise<void> {
  const page = readFileSync(join(HERE, "..", "..", "docs", "workers.md"), "utf8");
  for (const name of ["main.mjs", "worker.mjs"]) {
    const [, code] = new RegExp(`^\`${name}\`:\n\n\`\`\`js\n([^]*?)^\`\`\`$`, "m").exec(page) ?? [];
    if (code === undefined) throw new Error(`docs/workers.md has no ${name}`);
    writeFileSync(join(folder, name), code);
  }
  const [path, args] = programOf(host);
  const printed = await run(path, [...args, "main.mjs"], { cwd: folder });
  const said = [...readFileSync(join(folder, "main.mjs"), "utf8").matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)];
  const lines = said.map(([, line]) => `${line}\n`).join("");
  if (lines === "" || printed !== lines) throw new Error(`the example printed:\n${printed}instead of:\n${lines}`);
}
