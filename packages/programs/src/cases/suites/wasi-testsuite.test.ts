/**
 * The programs of WebAssembly/wasi-testsuite for preview 1, from a copy of its branch prod/testsuite-base: no package has them.
 *
 *   WASI_TESTSUITE=DIR npm run test:wasi-testsuite
 *
 * On a tree each of them must end as its specification says. How many do with node:wasi on tmpfs and with browser_wasi_shim in memory is printed beside it.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { countOthers, type Specified, wrongOn } from "./run.js";

/** What the suite says of a program. */
interface Specification {
  args?: string[];
  env?: Record<string, string>;
  root?: string;
  exit_code?: number;
  stdout?: string;
}

const FOLDER = process.env.WASI_TESTSUITE;

/** The programs of the suite, by the language that they are written in. */
function programs(folder: string): Specified[] {
  const tests = join(folder, "tests");
  return readdirSync(tests)
    .map((language) => join(tests, language, "testsuite", "wasm32-wasip1"))
    .filter((dir) => existsSync(dir))
    .flatMap((dir) => readdirSync(dir).flatMap((name) => (name.endsWith(".wasm") ? [join(dir, name)] : [])))
    .sort()
    .map(specified);
}

function specified(file: string): Specified {
  const path = file.replace(/\.wasm$/, ".json");
  const text = existsSync(path) ? readFileSync(path, "utf8") : "{}";
  const { args = [], env = {}, root, exit_code: code = 0, stdout } = JSON.parse(text) as Specification;
  const preopens = root === undefined ? {} : { "/": join(file, "..", root) };
  return { file, args: [basename(file), ...args], env, preopens, stdin: "", code, stdout };
}

before(() => {
  if (FOLDER === undefined || !existsSync(join(FOLDER, "tests")))
    throw new Error("WASI_TESTSUITE must name a copy of WebAssembly/wasi-testsuite, branch prod/testsuite-base");
});

const all = FOLDER === undefined ? [] : programs(FOLDER);

for (const program of all) {
  test(basename(program.file), async () => assert.equal(await wrongOn("threadfs", program), undefined));
}

test("there are programs, and others are counted beside", async () => {
  assert.ok(all.length > 0, `no program in ${FOLDER}`);
  for (const line of await countOthers(all)) console.log(line);
});
