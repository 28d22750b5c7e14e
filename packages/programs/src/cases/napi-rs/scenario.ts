/** A project that bindings of napi-rs read: rolldown bundles it, oxc-resolver finds its files, and tailwind's oxide its class names. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { workerData } from "node:worker_threads";
import { attachVfs, type Fs } from "threadfs";
import type { NapiBinding } from "threadfs/napi-rs";
import type { WorkerSetup } from "../support/worker.js";
import { type BindingName, startOnTree, stockLoader } from "./bindings.js";

const require = createRequire(import.meta.url);

/** More names, and more bytes, than an answer of the proxy of napi-rs holds: about a hundred, and 10,240. */
export const MODULES = 160;
export const LONG = 40_000;

const started = new Map<BindingName, NapiBinding>();

/** What a binding exports: on the disk by its own loader, on a tree by ours. */
async function load(name: BindingName): Promise<Record<string, unknown>> {
  const { handle } = workerData as WorkerSetup;
  if (handle === undefined) return require(stockLoader(name)) as Record<string, unknown>;
  let binding = started.get(name);
  if (binding === undefined) {
    binding = await startOnTree(name, await attachVfs(handle));
    started.set(name, binding);
  }
  return binding.exports;
}

/** The JavaScript of rolldown, with this side's binding. */
async function loadRolldown(): Promise<Rolldown> {
  const exports = await load("rolldown");
  Object.assign(globalThis, { binding: { exports } });
  process.env.NAPI_RS_NATIVE_LIBRARY_PATH = fileURLToPath(new URL("./binding.cjs", import.meta.url));
  return (await import("rolldown")) as Rolldown;
}

/** A module of the project; one of them is long. */
function moduleText(n: number): string {
  const filler = n === 7 ? `export const long = "${"x".repeat(LONG)}";\n` : "";
  return `${filler}import { word } from "words";\nexport const m${n}: string = word("p-${n} text-red-${n % 10}00");\n`;
}

export function fill(fs: Fs, dir: string): void {
  const files: Record<string, string> = {
    "main.ts": Array.from({ length: MODULES }, (_, n) => `export * from "./many/m${n}";\n`).join(""),
    "store/words/package.json": JSON.stringify({
      name: "words",
      exports: { import: "./lib/index.js" },
      type: "module",
    }),
    "store/words/lib/index.js": "export const word = (text) => text.trim();\nexport const unused = 1;\n",
    "page.html": '<p class="flex mt-4 underline">text</p>\n',
  };
  for (let n = 0; n < MODULES; n++) files[`many/m${n}.ts`] = moduleText(n);
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(dirname(`${dir}/${name}`), { recursive: true });
    fs.writeFileSync(`${dir}/${name}`, text);
  }
  fs.mkdirSync(`${dir}/node_modules`);
  fs.symlinkSync("../store/words", `${dir}/node_modules/words`);
}

interface Bundle {
  write(options: object): Promise<{ output: { fileName: string; code?: string }[] }>;
  close(): Promise<void>;
}

interface Rolldown {
  rolldown(options: object): Promise<Bundle>;
}

const shout = {
  name: "shout",
  transform: (code: string, id: string) =>
    id.endsWith("m3.ts") ? { code: code.replace("text-red", "text-RED"), map: null } : null,
};

/** Bundles the project into a folder, through a plugin. Returns the names of its files and its code, or the error. */
export async function bundle(_fs: Fs, dir: string, input: string, into: string): Promise<unknown> {
  const { rolldown } = await loadRolldown();
  try {
    const made = await rolldown({ input: `${dir}/${input}`, cwd: dir, plugins: [shout] });
    const { output } = await made.write({ dir: `${dir}/${into}`, sourcemap: true });
    await made.close();
    return output.map(({ fileName, code }) => [fileName, code]);
  } catch (error) {
    return String((error as Error).message);
  }
}

export function read(fs: Fs, path: string): string {
  return fs.readFileSync(path, "utf8");
}

export function rename(fs: Fs, from: string, to: string): void {
  fs.renameSync(from, to);
}

/** How many workers the binding has had made; on the disk the loader keeps that to itself. */
export function workers(_fs: Fs, name: BindingName): number {
  return started.get(name)?.workerCount ?? 0;
}

interface Resolver {
  sync(directory: string, request: string): object;
  async(directory: string, request: string): Promise<object>;
  clearCache(): void;
}

let resolver: Resolver | undefined;

/** Resolves in this thread, then in those of the binding. */
export async function resolve(_fs: Fs, dir: string): Promise<unknown> {
  const { ResolverFactory } = (await load("resolver")) as { ResolverFactory: new (options: object) => Resolver };
  resolver ??= new ResolverFactory({ extensions: [".ts", ".js"], conditionNames: ["import"] });
  resolver.clearCache();
  const requests = ["./main", "./many/m159", "./many/m160", "words", "none"];
  const results = [requests.map((request) => resolver?.sync(dir, request))];
  resolver.clearCache();
  results.push(await Promise.all(requests.map((request) => resolver?.async(dir, request))));
  return results;
}

interface Scanner {
  readonly files: string[];
  scan(): string[];
}

/** The class names of the project, and the files in which they are looked for. */
export async function scan(_fs: Fs, dir: string): Promise<unknown> {
  const { Scanner } = (await load("oxide")) as { Scanner: new (options: object) => Scanner };
  const scanner = new Scanner({ sources: [{ base: dir, pattern: "**/*", negated: false }] });
  const found = scanner.scan().sort();
  return { found, files: scanner.files.sort() };
}

/** So long the first files are waited for: whatever the binding does then, it is in the middle. */
const FIRST_MS = 5000;

/** Bundles the project into a file for each module, and terminates the workers of the binding when the first ones are there. Returns whether it had ended. */
export async function killMidway(fs: Fs, dir: string, into: string): Promise<boolean> {
  const { rolldown } = await loadRolldown();
  const made = await rolldown({ input: `${dir}/main.ts`, cwd: dir });
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  void made.write({ dir: `${dir}/${into}`, preserveModules: true }).then(end, end);
  const deadline = performance.now() + FIRST_MS;
  const isThere = (): boolean => fs.existsSync(`${dir}/${into}/many/m0.js`);
  while (!isThere() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  started.get("rolldown")?.close();
  return ended;
}
