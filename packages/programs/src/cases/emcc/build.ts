/** Compiles the C programs, with FS and with WASMFS. What docs/emscripten.md has for threads of the latter is compiled with them. */
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../support/project.js";
import { installCompiler, SOURCES } from "../wasi/compiler.js";
import { emcc, installEmcc, WORK } from "./root.js";

const OWN_SOURCES = join(REPOSITORY, "packages", "programs", "src", "cases", "emcc", "c");
const DOCUMENT = join(REPOSITORY, "docs", "emscripten.md");

/** A program with its file system, and whether it has threads. */
export interface Built {
  readonly name: string;
  readonly kind: "fs" | "wasmfs";
  readonly threaded?: boolean;
}

/** What the sources leave out, on Linux too. */
export const LEFT_OUT: Readonly<Record<Built["kind"], readonly string[]>> = {
  fs: ["-DEMSCRIPTEN_PATHS"],
  wasmfs: ["-DEMSCRIPTEN_PATHS", "-DWASMFS"],
};

const NAMES = ["files", "find", "records", "shared"];
const BUILT: readonly Built[] = (["fs", "wasmfs"] as const).flatMap((kind) => [
  ...NAMES.map((name) => ({ name, kind })),
  { name: "threads", kind, threaded: true },
]);

const COMMON = ["-sEXPORT_ES6", "-sINVOKE_RUN=0"];

/** Puts a file of the document beside the sources. */
function takeFromDocument(name: string): void {
  const [, text] = new RegExp(`\`\`\`js\\n// ${name}\\n([^]*?)\`\`\``).exec(readFileSync(DOCUMENT, "utf8")) ?? [];
  if (text === undefined) throw new Error(`${DOCUMENT} has no ${name}`);
  writeFileSync(join(WORK, name), text);
}

function optionsOf({ kind, threaded = false }: Built): string[] {
  const exported = `-sEXPORTED_RUNTIME_METHODS=callMain,ENV${kind === "fs" ? ",FS" : ""}`;
  const threads = threaded ? ["-pthread", "-sPTHREAD_POOL_SIZE=3"] : [];
  if (kind === "fs") return [...COMMON, ...threads, exported, "-sFORCE_FILESYSTEM"];
  const inThreads = threaded ? ["--extern-pre-js", "tree-top.js", "--pre-js", "tree-pre.js"] : [];
  return [...COMMON, ...threads, exported, "-sWASMFS", "mount.c", ...inThreads];
}

/** The module of a program; its WebAssembly lies beside it, with another ending. */
export function moduleOf({ name, kind }: Built): string {
  return join(WORK, `${kind}-${name}.mjs`);
}

/** Installs Emscripten, and the compiler for this machine, and compiles what is older than its sources. */
export function buildPrograms(): void {
  installCompiler();
  installEmcc();
  for (const folder of [SOURCES, OWN_SOURCES]) {
    for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(WORK, name));
  }
  takeFromDocument("tree-top.js");
  takeFromDocument("tree-pre.js");
  const age = Math.max(
    ...[
      ...readdirSync(SOURCES).map((name) => join(SOURCES, name)),
      ...readdirSync(OWN_SOURCES).map((name) => join(OWN_SOURCES, name)),
      DOCUMENT,
      new URL(import.meta.url),
    ].map((path) => statSync(path).mtimeMs),
  );
  for (const built of BUILT) {
    const made = moduleOf(built);
    const { mtimeMs } = statSync(made, { throwIfNoEntry: false }) ?? { mtimeMs: 0 };
    if (mtimeMs > age) continue;
    emcc([`${built.name}.c`, ...LEFT_OUT[built.kind], ...optionsOf(built), "-o", `${built.kind}-${built.name}.mjs`]);
  }
}
