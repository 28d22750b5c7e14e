// A worker of the bench of programs: resolves modules, bundles and checks types, with the file system of one rival.

import { createRequire } from "node:module";
import path from "node:path";
import { workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import { type BenchFs, type Kind, openRival } from "../lib/rivals.js";
import { copyPrograms, MODULES, type Programs } from "./files.js";

export interface ProgramWorkerStart extends Programs {
  kind: Kind;
  /** Of threadfs: the tree that both workers share. */
  handle: VfsHandle | undefined;
  /** Where node_modules lies. */
  root: string;
}

export interface ProgramRequest {
  task: "open" | "resolve" | "bundle" | "check";
}

export interface ProgramRun {
  ms: number;
  /** What the program found: all rivals must agree. */
  found: string;
}

/** The calls that the programs make, which BenchFs has not. */
interface ProgramFs extends BenchFs {
  readdirSync: BenchFs["readdirSync"] &
    ((path: string, options: { withFileTypes: true }) => { name: string; isDirectory(): boolean }[]);
  statSync(path: string): { mode: number; nlink: number; isFile(): boolean; isDirectory(): boolean };
  realpathSync(path: string): string;
}

/** What is used of enhanced-resolve, webpack and TypeScript, which are installed for packages/programs alone. */
interface EnhancedResolve {
  ResolverFactory: {
    createResolver(options: object): { resolveSync(context: object, from: string, request: string): string | false };
  };
  CachedInputFileSystem: new (fs: object, ms: number) => object;
}
interface Compiler {
  inputFileSystem: object;
  outputFileSystem: object;
  intermediateFileSystem: object;
  run(done: (error: Error | null, stats: { compilation: { errors: unknown[]; modules: Set<unknown> } }) => void): void;
  close(done: () => void): void;
}
interface TypeScript {
  sys: object;
  createIncrementalCompilerHost(options: object, system: object): object;
  createProgram(files: string[], options: object, host: object): { getSourceFiles(): unknown[] };
  getPreEmitDiagnostics(program: object): { messageText: unknown }[];
}

const start = workerData as ProgramWorkerStart;
const { kind, handle, requests } = start;
const load = createRequire(path.join(MODULES, "package.json"));
const opened = handle === undefined ? await openRival(kind) : await attachVfs(handle);
const fs = opened.fs as ProgramFs;
const modules = `${start.root}/node_modules`;

/** memfs has its files in each thread. */
function open(): ProgramRun {
  const begin = performance.now();
  if (kind === "memfs") copyPrograms(fs, start.files, start.root);
  fs.mkdirSync(`${start.root}/src`, { recursive: true });
  fs.writeFileSync(`${start.root}/src/bundle.js`, 'module.exports = require("fast-glob");');
  fs.writeFileSync(
    `${start.root}/src/check.ts`,
    'import { readFileSync } from "node:fs"; export const size: number = readFileSync("f").length;',
  );
  return { ms: performance.now() - begin, found: "" };
}

/** Resolves every dependency of every package, synchronously, without a cache in front of the file system. */
function resolve(): ProgramRun {
  const { ResolverFactory } = load("enhanced-resolve") as EnhancedResolve;
  const options = { extensions: [".js", ".json"], conditionNames: ["node", "require"], unsafeCache: false };
  const resolver = ResolverFactory.createResolver({ ...options, fileSystem: fs, useSyncFileSystemCalls: true });
  const counts = { found: 0, missing: 0 };
  const begin = performance.now();
  for (const { from, request } of requests) {
    try {
      resolver.resolveSync({}, `${modules}/${from}`, request);
      counts.found++;
    } catch {
      counts.missing++;
    }
  }
  return { ms: performance.now() - begin, found: JSON.stringify(counts) };
}

/** Bundles fast-glob with all that it needs. */
async function bundle(): Promise<ProgramRun> {
  const webpack = load("webpack") as (options: object) => Compiler;
  const { CachedInputFileSystem } = load("enhanced-resolve") as EnhancedResolve;
  const begin = performance.now();
  const compiler = webpack({
    mode: "none",
    target: "node",
    context: start.root,
    entry: "./src/bundle.js",
    output: { path: `${start.root}/bundled` },
    plugins: [
      {
        apply(made: Compiler) {
          made.inputFileSystem = new CachedInputFileSystem(fs, 60_000);
          made.outputFileSystem = fs;
          made.intermediateFileSystem = fs;
        },
      },
    ],
  });
  const found = await new Promise<string>((done, fail) => {
    compiler.run((error, stats) => {
      if (error !== null) return fail(error);
      const { errors, modules: bundled } = stats.compilation;
      if (errors.length > 0) return fail(new Error(`webpack: ${errors[0]}`));
      done(`${bundled.size} modules`);
    });
  });
  await new Promise<void>((done) => compiler.close(done));
  return { ms: performance.now() - begin, found };
}

/** TypeScript's calls, which fail with a value and not with an error. */
function systemOf(): object {
  const stat = (name: string) => (fs.existsSync(name) ? fs.statSync(name) : undefined);
  return {
    getExecutingFilePath: () => `${modules}/typescript/lib/typescript.js`,
    getCurrentDirectory: () => start.root,
    fileExists: (name: string) => stat(name)?.isFile() ?? false,
    directoryExists: (name: string) => stat(name)?.isDirectory() ?? false,
    readFile: (name: string) => (fs.existsSync(name) ? fs.readFileSync(name, "utf8") : undefined),
    realpath: (name: string) => (fs.existsSync(name) ? fs.realpathSync(name) : name),
    getDirectories: (name: string) =>
      fs.existsSync(name)
        ? fs.readdirSync(name, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
        : [],
  };
}

/** Checks a file that uses the types of Node. */
function check(): ProgramRun {
  const ts = load("typescript") as TypeScript;
  const begin = performance.now();
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: ["node"], module: 199, target: 9 };
  const host = ts.createIncrementalCompilerHost(options, { ...ts.sys, ...systemOf() });
  const program = ts.createProgram([`${start.root}/src/check.ts`], options, host);
  const [wrong] = ts.getPreEmitDiagnostics(program);
  if (wrong !== undefined) throw new Error(`TypeScript: ${JSON.stringify(wrong.messageText)}`);
  return { ms: performance.now() - begin, found: `${program.getSourceFiles().length} files` };
}

const tasks = { open, resolve, bundle, check };

serveRequests<ProgramRequest>(({ task }) => tasks[task]());
