/** TypeScript on any `fs`: the parts of the scenario, each for one worker. */
import nodeFs from "node:fs";
import { dirname, join } from "node:path";
import type { Fs } from "threadfs";
import ts from "typescript";
import { fileSystemOf, systemOf } from "./system.js";

const LIBRARY = dirname(ts.sys.getExecutingFilePath());

/** A project with a package behind a link, and TypeScript's own declarations where the compiler looks for them. */
export function project(fs: Fs, dir: string): void {
  const files = {
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        strict: true,
        target: "ES2022",
        lib: ["es5"],
        module: "NodeNext",
        outDir: "out",
        rootDir: "src",
        declaration: true,
        incremental: true,
        types: [],
      },
      include: ["src"],
      exclude: ["src/excluded"],
    }),
    "package.json": JSON.stringify({ type: "module" }),
    "src/index.ts": 'import { dep } from "dep"; import { a } from "./a.js"; export const sum: number = a + dep;',
    "src/a.ts": "export const a = 1;",
    "src/excluded/wrong.ts": 'export const wrong: number = "";',
    "store/dep/package.json": JSON.stringify({ name: "dep", type: "module", exports: { types: "./index.d.ts" } }),
    "store/dep/index.d.ts": "export declare const dep: number;",
  };
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(dirname(`${dir}/${name}`), { recursive: true });
    fs.writeFileSync(`${dir}/${name}`, text);
  }
  fs.mkdirSync(`${dir}/node_modules`);
  fs.symlinkSync("../store/dep", `${dir}/node_modules/dep`);
  fs.mkdirSync(LIBRARY, { recursive: true });
  for (const name of nodeFs.readdirSync(LIBRARY).filter((name) => /^lib\..*\.d\.ts$/.test(name))) {
    const path = join(LIBRARY, name);
    if (!fs.existsSync(path)) fs.writeFileSync(path, nodeFs.readFileSync(path));
  }
}

/** Changes a file so that it does not fit the others any more, or back. */
export function edit(fs: Fs, dir: string, text: string): void {
  fs.writeFileSync(`${dir}/src/a.ts`, text);
}

const told = ({ code, file, start, messageText }: ts.Diagnostic) => [
  code,
  file?.fileName,
  start,
  ts.flattenDiagnosticMessageText(messageText, "\n"),
];

function parse(system: ts.System, dir: string): ts.ParsedCommandLine {
  const host = {
    ...system,
    onUnRecoverableConfigFileDiagnostic: ({ messageText }: ts.Diagnostic) => {
      throw new Error(ts.flattenDiagnosticMessageText(messageText, "\n"));
    },
  };
  const parsed = ts.getParsedCommandLineOfConfigFile(`${dir}/tsconfig.json`, {}, host);
  if (parsed === undefined) throw new Error("no configuration");
  return parsed;
}

/** Builds with the information of the last build. Returns what was wrong, and which files were written. */
export function build(fs: Fs, dir: string): unknown {
  const system = systemOf(fs, LIBRARY, dir);
  const { fileNames, options, errors } = parse(system, dir);
  const host = ts.createIncrementalCompilerHost(options, system);
  const program = ts.createIncrementalProgram({ rootNames: fileNames, options, host });
  const wrong = [...errors, ...ts.getPreEmitDiagnostics(program.getProgram())];
  const written: string[] = [];
  program.emit(undefined, (path, text) => {
    written.push(path);
    host.writeFile(path, text, false);
  });
  const sources = program.getSourceFiles().map(({ fileName }) => fileName);
  return { fileNames, wrong: wrong.map(told), written, sources };
}

/** Reads what a build has written. */
export function outputs(fs: Fs, dir: string): unknown {
  const names = fs.readdirSync(`${dir}/out`, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => [name, name.endsWith(".tsbuildinfo") || fs.readFileSync(`${dir}/out/${name}`, "utf8")]);
}

let watching: { builds: unknown[][]; heard?: () => void; close(): void } | undefined;

/** Watches the project: builds, and builds again when another thread changes a file. */
export function watch(fs: Fs, dir: string): void {
  const builds: unknown[][] = [];
  const create = ts.createSemanticDiagnosticsBuilderProgram;
  const system = systemOf(fs, LIBRARY, dir);
  const host = ts.createWatchCompilerHost(
    `${dir}/tsconfig.json`,
    { noEmit: true },
    system,
    create,
    undefined,
    () => {},
  );
  host.afterProgramCreate = (program) => {
    builds.push(program.getSemanticDiagnostics().map(told));
    watching?.heard?.();
  };
  const { close } = ts.createWatchProgram(host);
  watching = { builds, close };
}

/** What the watch found wrong in its `count` builds; waits until there are so many. */
export async function watched(_fs: Fs, _dir: string, count: number): Promise<unknown> {
  if (watching === undefined) throw new Error("nothing is watched");
  const state = watching;
  while (state.builds.length < count) {
    await new Promise<void>((resolve) => {
      state.heard = resolve;
    });
  }
  return state.builds.slice(0, count);
}

export function unwatch(): void {
  watching?.close();
}

interface Api7 {
  updateSnapshot(params: { openProjects: string[] }): {
    getProjects(): {
      rootFiles: readonly string[];
      program: {
        getSourceFileNames(): readonly string[];
        getSemanticDiagnostics(): readonly { code: number; fileName?: string; pos: number; text: string }[];
      };
    }[];
  };
  close(): void;
}

/** Checks the project with TypeScript 7, a program of its own, which asks this thread for the files. */
export async function checkWith7(fs: Fs, dir: string): Promise<unknown> {
  const { API } = (await import("typescript-7/unstable/sync")) as unknown as {
    API: new (options: { cwd: string; fs: object }) => Api7;
  };
  const library = dirname(dirname(import.meta.resolve("typescript-7/package.json").replace("file://", "")));
  const api = new API({ cwd: dir, fs: fileSystemOf(fs, library) });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [`${dir}/tsconfig.json`] });
    return snapshot
      .getProjects()
      .map(({ rootFiles, program }) => [
        rootFiles,
        program.getSourceFileNames().filter((name) => name.startsWith(dir)),
        program.getSemanticDiagnostics().map(({ code, fileName, pos, text }) => [code, fileName, pos, text]),
      ]);
  } finally {
    api.close();
  }
}
