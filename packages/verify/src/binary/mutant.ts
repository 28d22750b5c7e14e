/**
 * Builds of the core with a fault planted, for the tests of the checks: a copy of core/ in a temporary directory, edited, and built
 * like the shipping build, with names in it. Each build is kept under a hash of its input.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import { codeOf, defined } from "../support/defined.js";
import type { CompileRequest } from "./mutant.worker.js";
import { LIBRARY, ROOT } from "./symbols.js";

/** Longest time a build may take. */
const BUILD_MS = 300_000;
/** Beside the sources: the files that determine the compiler. */
const TOOLS = ["package-lock.json"];

/**
 * `file`: below core/, or the path of a package's TypeScript from the project's directory ("packages/threadfs/src/..."). `from` must
 * stand in it exactly once.
 */
export type Edit = { file: string; from: string; to: string };

/** Whether an edit changes the core; the others change the TypeScript of a package. */
export function isCoreEdit({ file }: Edit): boolean {
  return !file.startsWith("packages/");
}

/** The sources of the core by their paths below core/. */
export function coreSources(root = ROOT): Map<string, string> {
  const base = join(root, LIBRARY, "core");
  const files = readdirSync(base, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, path, name }) => relative(base, join(parentPath ?? path, name))).sort();
  return new Map(paths.map((path) => [path, readFileSync(join(base, path), "utf8")]));
}

/** The files of packages that edits change, by the paths that the edits give. */
export function packageSources(edits: Edit[]): Map<string, string> {
  const files = edits.filter((edit) => !isCoreEdit(edit)).map(({ file }) => file);
  return new Map(files.map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));
}

/**
 * The sources with edits made in turn.
 * @throws Error when an edit does not fit
 */
export function applyEdits(sources: Map<string, string>, edits: Edit[]) {
  const out = new Map(sources);
  for (const { file, from, to } of edits) {
    const text = out.get(file);
    if (text?.split(from).length !== 2) throw new Error(`${file} does not hold this once: ${from}`);
    out.set(
      file,
      text.replace(from, () => to),
    );
  }
  return out;
}

/** The constants that the core shares with TypeScript: nothing is planted in them. */
function abiSources() {
  const base = join(ROOT, LIBRARY, "abi");
  return readdirSync(base)
    .sort()
    .map((name) => [join("abi", name), readFileSync(join(base, name), "utf8")]);
}

/** The name under which a build of these sources is kept. */
export function buildName(sources: Map<string, string>): string {
  const hash = createHash("sha256");
  for (const tool of TOOLS) hash.update(readFileSync(join(ROOT, tool)));
  for (const [path, text] of [...abiSources(), ...sources]) hash.update(`${path}\0${text}\0`);
  return hash.digest("hex").slice(0, 32);
}

const CONFIG = "asconfig.json";

/** The options of the build, but with one pass of the optimiser instead of passes until nothing changes: half the time. */
function quicker(config: string): string {
  return JSON.stringify({ ...JSON.parse(config), options: { ...JSON.parse(config).options, converge: false } });
}

const KEPT = join(tmpdir(), "threadfs-mutants");

/**
 * A directory with core/ as edited and core.wasm, core.wasm.map; with `debug` also core.debug.wasm. Made once for the same sources.
 * @param edits of the core
 * @throws Error when an edit does not fit, or the compiler's
 */
export async function keptMutant(edits: Edit[], { debug = false }: { debug?: boolean } = {}): Promise<string> {
  const sources = applyEdits(coreSources(), edits);
  const kept = join(KEPT, buildName(sources));
  const before = building.get(kept);
  const here = (before ?? Promise.resolve()).catch(() => undefined).then(() => build(sources, edits, kept, debug));
  building.set(kept, here);
  return await here;
}

/** The last build under each name: no build runs twice at the same time. */
const building = new Map<string, Promise<string>>();

async function build(sources: Map<string, string>, edits: Edit[], kept: string, debug: boolean): Promise<string> {
  const missing = ["core.wasm", ...(debug ? ["core.debug.wasm"] : [])].filter((name) => !existsSync(join(kept, name)));
  if (missing.length === 0) return kept;
  const dir = await mkdtemp(join(tmpdir(), "threadfs-core-"));
  try {
    for (const name of ["abi", "core"]) await cp(join(ROOT, LIBRARY, name), join(dir, name), { recursive: true });
    await symlink(join(ROOT, "node_modules"), join(dir, "node_modules"));
    await writeFile(join(dir, "core", CONFIG), quicker(defined(sources.get(CONFIG), CONFIG)));
    for (const { file } of edits) await writeFile(join(dir, "core", file), defined(sources.get(file), file));
    await mkdir(join(dir, "out"));
    for (const name of missing) await compile(dir, name);
    await keep(dir, kept);
    return kept;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The thread that compiles, from the first compilation on. */
let compiler: WorkerPool<CompileRequest> | undefined;

async function compile(dir: string, name: string): Promise<void> {
  const target = name === "core.debug.wasm" ? ["debug"] : ["release", "--debug", "--sourceMap"];
  const args = ["--config", "core/asconfig.json", "--outFile", `out/${name}`, "--target", ...target];
  compiler ??= new WorkerPool(new URL("./mutant.worker.js", import.meta.url), 1, "compiler");
  try {
    await compiler.ask(0, { task: "compile", baseDir: dir, args }, BUILD_MS);
  } catch (error) {
    if (codeOf(error) === "ERR_WORKER_DIED") compiler = undefined;
    throw error;
  }
}

/** Moves a build to the place where it is kept: file by file, the program last, as another process may look for it. */
async function keep(dir: string, kept: string): Promise<void> {
  await mkdir(kept, { recursive: true });
  await cp(join(dir, "core"), join(kept, "core"), { recursive: true });
  const built = readdirSync(join(dir, "out")).sort((a, b) => b.length - a.length);
  for (const name of built) {
    const aside = join(kept, `${name}.${process.pid}`);
    await cp(join(dir, "out", name), aside);
    await rename(aside, join(kept, name));
  }
}

/**
 * @returns the binary
 * @throws Error when an edit does not fit, or the compiler's
 */
export async function buildMutant(edits: Edit[]): Promise<Uint8Array> {
  return new Uint8Array(await readFile(join(await keptMutant(edits), "core.wasm")));
}
