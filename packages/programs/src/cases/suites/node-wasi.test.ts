/**
 * The programs of Node's own tests of node:wasi, as they are compiled in a copy of nodejs/node: no package has them.
 *
 *   NODE_SOURCE=DIR npm run test:node-wasi
 *
 * Each of them checks itself, and ends with 0 or prints what is expected. How many do with node:wasi on tmpfs and with browser_wasi_shim in memory is printed beside it. Programs with threads
 * are left out: each of the sides would need a way of its own to start them.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { printOthers, type Specified, wrongOn } from "./run.js";

const SOURCE = process.env.NODE_SOURCE;
/** Programs that find links in their directory. */
const WITH_LINKS = ["create_symlink", "follow_symlink", "link", "symlink_escape", "symlink_loop"];
const IN_SUBDIR = "a file of the directory below";
/** What is to be told of a program besides its name. */
const SPECIAL: Readonly<Record<string, Partial<Specified>>> = {
  create_symlink: { stdout: IN_SUBDIR },
  exitcode: { code: 120 },
  follow_symlink: { stdout: IN_SUBDIR },
  main_args: { args: ["foo", "-bar", "--baz=value"] },
  stdin: { stdin: "a line", stdout: "a line" },
};
/** Programs that print files of their directory, by the names of the files. */
const PRINTS: Readonly<Record<string, readonly string[]>> = {
  freopen: ["input2.txt"],
  read_file: ["input.txt"],
  read_file_twice: ["input.txt", "input.txt"],
};
/** It expects a listing without "." and "..", which wasi-testsuite asks for. */
const REFUSED = ["readdir"];

/** The directory with links. */
const links = mkdtempSync(join(tmpdir(), "threadfs-node-wasi-"));
mkdirSync(join(links, "subdir"));
writeFileSync(join(links, "input.txt"), "a file");
writeFileSync(join(links, "subdir", "input-in-subdir.txt"), IN_SUBDIR);
for (const [body, name] of [
  ["./input-in-subdir.txt", "input_link.txt"],
  ["../../outside.txt", "outside.txt"],
  ["loop2", "loop1"],
  ["loop1", "loop2"],
] as const)
  symlinkSync(body, join(links, "subdir", name));
after(() => rmSync(links, { recursive: true }));

function specified(source: string, file: string): Specified {
  const name = basename(file, ".wasm");
  const files = join(source, "test", "fixtures", "wasi");
  const stdout = (PRINTS[name] ?? []).map((each) => readFileSync(join(files, each), "utf8")).join("");
  const preopens = { "/sandbox": WITH_LINKS.includes(name) ? links : files, "/tmp": undefined };
  const env = { NODE_PLATFORM: "linux" };
  return { file, args: [name], env, preopens, stdin: "", code: 0, stdout, ...SPECIAL[name] };
}

/** The programs without threads: those have a memory of their own. */
function programs(source: string): Specified[] {
  const folder = join(source, "test", "wasi", "wasm");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".wasm"))
    .sort()
    .map((name) => join(folder, name))
    .filter((file) => {
      const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(file)));
      return !imports.some(({ kind }) => kind === "memory");
    })
    .map((file) => specified(source, file));
}

before(() => {
  if (SOURCE === undefined || !existsSync(join(SOURCE, "test", "wasi", "wasm")))
    throw new Error("NODE_SOURCE must name a copy of nodejs/node, with test/wasi and test/fixtures/wasi");
});

const all = SOURCE === undefined ? [] : programs(SOURCE);

for (const program of all) {
  const name = basename(program.file, ".wasm");
  test(name, async () => {
    const wrong = await wrongOn("threadfs", program);
    if (REFUSED.includes(name)) assert.match(`${wrong}`, /unreachable/);
    else assert.equal(wrong, undefined);
  });
}

test("there are programs, and others are counted beside", async () => {
  assert.ok(all.length > 0, `no program in ${SOURCE}`);
  await printOthers(all);
});
