/**
 * The programs in docs/emscripten.md for FS, for locks and for PHP run in a worker, with sql.js in the place of the reader's program. What the page has for threads of WASMFS is
 * compiled and run by `npm run test:emcc`.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Project, REPOSITORY, runNode } from "../support/project.js";

const PAGE = readFileSync(join(REPOSITORY, "docs", "emscripten.md"), "utf8");

/** The program of a section. */
function programOf(section: string): string {
  const [, text] = new RegExp(`^${section}\n(?:(?!^#)[^])*?^\`\`\`js\n([^]*?)^\`\`\`$`, "m").exec(PAGE) ?? [];
  if (text === undefined) throw new Error(`docs/emscripten.md has no program below ${section}`);
  return text;
}

/** Makes the tree and starts the worker. It prints what is in the file that the worker's program has written. */
const MAIN = `
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { createVfs } from "threadfs";
const vfs = await createVfs({ maxBytes: 1 << 26 });
const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData: vfs.handle });
const [said] = await once(worker, "message");
await worker.terminate();
console.log(JSON.stringify([said, vfs.fs.readFileSync("/file", "utf8")]));
`;

/** What a page's program has been left to its reader: the worker, and the build. */
const WORKER = `
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
`;
const SQL = `
const { resolve } = createRequire(import.meta.url);
const makeProgram = createRequire(import.meta.url)("@jlongster/sql.js/dist/sql-wasm-debug.js");
const bytes = readFileSync(resolve("@jlongster/sql.js/dist/sql-wasm-debug.wasm"));
`;
const ATTACH = 'import { attachVfs } from "threadfs";\n';
const MADE = "const vfs = await attachVfs(workerData);\n";

/** Runs a worker of these parts. Returns what it says, and what its program has written. */
async function run(t: TestContext, ...parts: string[]): Promise<[said: unknown, written: string]> {
  const project = new Project();
  t.after(() => project.remove());
  writeFileSync(join(project.dir, "main.mjs"), MAIN);
  writeFileSync(join(project.dir, "worker.mjs"), [WORKER, ...parts].join(""));
  return JSON.parse(await runNode(project.dir, ["main.mjs"])) as [unknown, string];
}

test("a tree is mounted in a program", async (t) => {
  const start = `${SQL}const program = await makeProgram({ wasmBinary: bytes });\n`;
  const use = `
    FS.writeFile("/mnt/file", "by FS");
    vfs.fs.appendFileSync("/file", ", and by the tree");
    parentPort.postMessage(FS.readFile("/mnt/file", { encoding: "utf8" }));
  `;
  const text = "by FS, and by the tree";
  assert.deepEqual(await run(t, start, programOf("# Programs of Emscripten"), use), [text, text]);
});

// Without lockImports() there is none.
test("SQLite's locks are the tree's", async (t) => {
  const use = `
    FS.mkdir("/mnt");
    FS.mount(threadfs, { vfs, FS }, "/mnt");
    FS.writeFile("/mnt/file", "");
    const db = new program.Database("/mnt/db", { filename: true });
    const lockOf = () => vfs.getLockSync(vfs.fs.openSync("/db", "r+"), { type: "wr" })?.type;
    const types = [lockOf()];
    db.exec("begin immediate");
    types.push(lockOf());
    db.exec("commit");
    types.push(lockOf());
    parentPort.postMessage(types);
  `;
  const start = `${ATTACH}${SQL}${MADE}`;
  const program = `${programOf("## Locks")}const { FS } = program;\n`;
  assert.deepEqual(await run(t, start, program, use), [[null, "wr", null], ""]);
});

test("PHP has the tree and its locks", async (t) => {
  const use = `
    const php1 = await php.run({ code: "<?php file_put_contents('/app/file', 'by PHP');" });
    vfs.flockSync(vfs.fs.openSync("/file", "r+"), "ex");
    const code = "<?php var_dump(flock(fopen('/app/file', 'r+'), LOCK_EX | LOCK_NB), file_get_contents('/app/file'));";
    parentPort.postMessage(php1.text + (await php.run({ code })).text);
  `;
  assert.deepEqual(await run(t, ATTACH, MADE, programOf("## PHP"), use), [
    'bool(false)\nstring(6) "by PHP"\n',
    "by PHP",
  ]);
});
