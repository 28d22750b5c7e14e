/**
 * Compiles the core, unless it was compiled from the same sources before: that takes most of the time of a build. Runs before tsc, in the folder of the library:
 *
 *   node ../tools/dist/build-core.js
 *
 *   dist/core.wasm, dist/core.debug.wasm    the targets of core/asconfig.json
 *   generated/core-exports.ts, core-layout.ts   see core-declarations.ts
 *   generated/core-inline.ts                    see inline-core.ts
 *   build/core.json                             hashes of what these were made from, and of themselves
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const TOOLS = fileURLToPath(new URL(".", import.meta.url));
const MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));
const ASC = join(MODULES, "assemblyscript", "bin", "asc.js");
const CONFIG = join("core", "asconfig.json");
const DECLARATIONS = join(TOOLS, "core-declarations.js");
const INLINE = join(TOOLS, "inline-core.js");

/** Files that are made from others. */
export interface Made {
  /** Files, and folders with all that is in them. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Has the hashes of both. */
  readonly stamp: string;
}

const CORE: Made = {
  inputs: ["core", "abi", join(MODULES, "assemblyscript", "package.json"), DECLARATIONS, INLINE],
  outputs: [
    join("dist", "core.wasm"),
    join("dist", "core.debug.wasm"),
    join("generated", "core-exports.ts"),
    join("generated", "core-layout.ts"),
    join("generated", "core-inline.ts"),
  ],
  stamp: join("build", "core.json"),
};

/** The files in a folder, in an order, or the file itself. */
function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
    .sort();
}

/** A hash of the names and the bytes of files; undefined: one of them is missing. */
function hashOf(paths: readonly string[]): string | undefined {
  if (!paths.every((path) => existsSync(path))) return undefined;
  const hash = createHash("sha256");
  for (const file of paths.flatMap(filesOf)) {
    const bytes = readFileSync(file);
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Runs a program of Node.js. @throws Error if it fails */
async function run(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`node ${args.join(" ")}: ${signal ?? `exit code ${code}`}`);
}

/** Whether the outputs are as they were made last, from inputs that are the same. */
function isMade({ inputs, outputs, stamp }: Made): boolean {
  if (!existsSync(stamp)) return false;
  const last = JSON.parse(readFileSync(stamp, "utf8")) as { inputs: string; outputs: string };
  return last.inputs === hashOf(inputs) && last.outputs === hashOf(outputs);
}

/** Makes the outputs, unless they are there. Returns whether it did. @throws Error if one of them is not there then */
export async function makeOnce(made: Made, make: () => Promise<void>): Promise<boolean> {
  if (isMade(made)) return false;
  const inputs = hashOf(made.inputs);
  rmSync(made.stamp, { force: true });
  await make();
  const outputs = hashOf(made.outputs);
  if (outputs === undefined) throw new Error(`one of these was not made: ${made.outputs.join(", ")}`);
  mkdirSync(dirname(made.stamp), { recursive: true });
  writeFileSync(made.stamp, JSON.stringify({ inputs, outputs }));
  return true;
}

/** Runs the compilers side by side. */
async function compile(): Promise<void> {
  const target = (name: string) => run(ASC, "--config", CONFIG, "--target", name);
  const release = target("release").then(() => run(INLINE));
  // All of them are awaited before one that has failed is told of.
  for (const end of await Promise.allSettled([release, target("debug"), run(DECLARATIONS)]))
    if (end.status === "rejected") throw end.reason;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (!(await makeOnce(CORE, compile))) console.log("the core is compiled already");
}
