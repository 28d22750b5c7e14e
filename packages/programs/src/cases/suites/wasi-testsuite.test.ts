/**
 * The programs of WebAssembly/wasi-testsuite for preview 1, from a copy of its branch prod/testsuite-base: no package has them.
 *
 *   WASI_TESTSUITE=DIR npm run test:wasi-testsuite
 *
 * On a tree each of them must end as its specification says. How many do with node:wasi on tmpfs is printed beside it.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { Worker } from "node:worker_threads";
import type { Side, SuiteProgram, SuiteResult } from "./program.worker.js";

/** What a program is given, and how it is to end. */
interface Specification {
  args?: string[];
  env?: Record<string, string>;
  root?: string;
  exit_code?: number;
  stdout?: string;
}

/** A program that has not ended after so long is terminated. */
const HANG_MS = 120_000;
const WORKER = new URL("./program.worker.js", import.meta.url);
const FOLDER = process.env.WASI_TESTSUITE;

/** The programs of the suite, by the language that they are written in. */
function programs(folder: string): string[] {
  const tests = join(folder, "tests");
  return readdirSync(tests)
    .map((language) => join(tests, language, "testsuite", "wasm32-wasip1"))
    .filter((dir) => existsSync(dir))
    .flatMap((dir) => readdirSync(dir).flatMap((name) => (name.endsWith(".wasm") ? [join(dir, name)] : [])))
    .sort();
}

function specificationOf(file: string): Specification {
  const path = file.replace(/\.wasm$/, ".json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Specification) : {};
}

async function run(side: Side, file: string, { args = [], env = {}, root }: Specification): Promise<SuiteResult> {
  const workerData: SuiteProgram = { side, file, args, env, root: root && join(file, "..", root) };
  const worker = new Worker(WORKER, { workerData });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<SuiteResult>((resolve) => {
      timer = setTimeout(() => resolve({ error: "it does not end" }), HANG_MS);
      worker.once("message", resolve);
      worker.once("error", (error) => resolve({ error: String(error) }));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** What is wrong with an end; undefined: nothing. */
function wrongWith(result: SuiteResult, { exit_code: code = 0, stdout }: Specification): string | undefined {
  if ("error" in result) return result.error;
  if (result.code !== code) return `exit code ${result.code}`;
  return stdout === undefined || stdout === result.stdout ? undefined : `it printed ${JSON.stringify(result.stdout)}`;
}

before(() => {
  if (FOLDER === undefined || !existsSync(join(FOLDER, "tests")))
    throw new Error("WASI_TESTSUITE must name a copy of WebAssembly/wasi-testsuite, branch prod/testsuite-base");
});

const files = FOLDER === undefined ? [] : programs(FOLDER);

for (const file of files) {
  test(basename(file), async () => {
    const specification = specificationOf(file);
    assert.equal(wrongWith(await run("threadfs", file, specification), specification), undefined);
  });
}

test("there are programs, and node:wasi is counted beside them", async () => {
  assert.ok(files.length > 0, `no program in ${FOLDER}`);
  const failed: string[] = [];
  for (const file of files) {
    const specification = specificationOf(file);
    const wrong = wrongWith(await run("node", file, specification), specification);
    if (wrong !== undefined) failed.push(basename(file, ".wasm"));
  }
  // The reporter prints no diagnostics of tests that pass.
  console.log(
    `node:wasi of ${process.version}: ${files.length - failed.length} of ${files.length}; not ${failed.join(", ")}`,
  );
});
