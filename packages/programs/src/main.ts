/**
 * `npm run test:programs -- [FILTER ...]`: installs programs of others, compiles the cases against their types, and runs them on a tree that
 * two workers share. A filter is a part of a case's path ("git", "fs-extra/copy").
 *
 * Some run only where a filter names them: those of Emscripten's compiler (`npm run test:emcc`), which is large and compiles its C library
 * first, and the public suites that no package has, of which a copy is needed (`npm run test:wasi-testsuite`, `npm run test:node-vfs`,
 * `npm run test:just-bash`).
 */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { installPackages } from "../../tools/dist/install/private-packages.js";
import { TIMEOUT_MS } from "../../tools/dist/limits.js";
import { FILE_COUNT } from "../../tools/dist/test-run/progress-reporter.js";

/** The folder of this package, its cases, and where they are compiled to: the packages that they import are found from there. */
const HERE = fileURLToPath(new URL("../", import.meta.url));
const CASES = join(HERE, "src", "cases");
const COMPILED = join(HERE, "dist", "cases");
const TOOLS = new URL("../../tools/dist/test-run/", import.meta.url);
const COMPILER = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));

/** Compiles the cases, which a program whose types refuse those of a tree makes fail. */
function compile(): void {
  const { status } = spawnSync(process.execPath, [COMPILER, "--build", CASES], { stdio: "inherit" });
  if (status !== 0) throw new Error("the cases do not compile");
}

/** The cases whose programs Emscripten compiles, and all that run only by their names. */
const COMPILED_BY_EMCC = "emcc/";
const BY_NAME = [COMPILED_BY_EMCC, "suites/wasi-testsuite", "suites/node-vfs", "suites/just-bash"];

/** The compiled files of cases, found by their sources. */
function caseFiles(filters: readonly string[]): string[] {
  return readdirSync(CASES, { recursive: true, encoding: "utf8" })
    .map((file) => file.split(sep).join("/"))
    .filter((file) => /\.test\.ts$/.test(file))
    .filter((file) =>
      filters.length === 0
        ? !BY_NAME.some((start) => file.startsWith(start))
        : filters.some((part) => file.includes(part)),
    )
    .map((file) => join(COMPILED, file.replace(/\.ts$/, ".js")))
    .sort();
}

const files = caseFiles(process.argv.slice(2));
if (files.length === 0) throw new Error(`no case matches ${process.argv.slice(2).join(" ")}`);
// One of the packages is for the processor "wasm32": npm would refuse it on every machine.
installPackages(HERE, "--force");
compile();
if (files.some((file) => file.includes(join(COMPILED, COMPILED_BY_EMCC)))) {
  const { buildPrograms } = (await import(pathToFileURL(join(COMPILED, COMPILED_BY_EMCC, "build.js")).href)) as {
    buildPrograms: () => void;
  };
  buildPrograms();
}
const args = [
  `--import=${new URL("watchdog.js", TOOLS).href}`,
  "--test",
  "--test-concurrency=2",
  `--test-reporter=${new URL("progress-reporter.js", TOOLS).href}`,
  `--test-timeout=${TIMEOUT_MS}`,
];
const child = spawn(process.execPath, [...args, ...files], {
  stdio: "inherit",
  env: { ...process.env, [FILE_COUNT]: String(files.length) },
});
child.on("close", (code) => {
  process.exitCode = code ?? 1;
});
