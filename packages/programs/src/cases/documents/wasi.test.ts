/** The programs in docs/wasi.md run, with C programs in the place of the reader's: they leave the files that these leave on Linux, and end with the same code. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { Project, REPOSITORY, runNode } from "../support/project.js";
import { compileC, installCompiler } from "../wasi/compiler.js";
import { transpile } from "../wasi/component.js";
import { onLinux } from "../wasi/native.js";

const PAGE = readFileSync(join(REPOSITORY, "docs", "wasi.md"), "utf8");
const TEXTS = [...PAGE.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
const [COMMAND = "", MAIN = "", THREAD = "", COMPONENT = ""] = TEXTS;

/** What the tests add to a program: its last line of output has the files that are in the tree then, and the exit code. */
const report = (code: string): string => `
const sizes = vfs.fs.readdirSync("/sandbox").map((name) => [name, vfs.fs.statSync("/sandbox/" + name).size]);
console.log(JSON.stringify({ files: sizes.sort(), open: vfs.counters().openFiles, code: ${code} }));
`;

/** A project with a compiled program, and what that does on Linux. */
async function withProgram(t: TestContext, name: string, threaded: boolean) {
  const project = new Project();
  t.after(() => project.remove());
  const { wasm, native } = compileC(name, project.dir, threaded);
  const linux = join(project.dir, "linux");
  mkdirSync(linux);
  const { code, stdout } = onLinux(linux, native, []);
  const files = readdirSync(linux).map((file) => [file, statSync(join(linux, file)).size]);
  const expected = { printed: stdout, report: { files: files.sort(), open: 0, code } };
  renameSync(wasm, join(project.dir, "prog.wasm"));
  return { project, expected };
}

/** Runs a program of the page. Returns what it has printed, and the report. */
async function run({ dir }: Project, text: string, code: string) {
  writeFileSync(join(dir, "main.mjs"), text + report(code));
  const lines = (await runNode(dir, ["main.mjs"])).trimEnd().split("\n");
  const last: unknown = JSON.parse(lines.pop() ?? "");
  return { printed: lines.map((line) => `${line}\n`).join(""), report: last };
}

before(() => installCompiler());

test("the page has its programs", () => assert.equal(TEXTS.length, 4));

test("a command", async (t) => {
  const { project, expected } = await withProgram(t, "records", false);
  assert.deepEqual(await run(project, COMMAND, "code"), expected);
});

test("a program with threads", async (t) => {
  const { project, expected } = await withProgram(t, "threads", true);
  writeFileSync(join(project.dir, "thread.mjs"), THREAD);
  assert.deepEqual(await run(project, MAIN, "await wasi.ended()"), expected);
});

test("a component", async (t) => {
  const { project, expected } = await withProgram(t, "records", false);
  await transpile(join(project.dir, "prog.wasm"), join(project.dir, "prog"), "prog.component");
  // A component has no exit code: run() returns.
  assert.deepEqual(await run(project, COMPONENT, "0"), expected);
});
