/** The programs in docs/workers.md run, and print what the comments behind their calls of console.log() say. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { printedBy } from "../support/printed.js";
import { Project, REPOSITORY, runNode } from "../support/project.js";

const PAGE = readFileSync(join(REPOSITORY, "docs", "workers.md"), "utf8");

/** The programs by their files: some are named in the line above, the others are whole programs. */
const FILES = [...PAGE.matchAll(/(?:^`([\w.]+)`:\n\n)?^```js\n([\s\S]*?)^```$/gm)].map(
  ([, name, text = ""], i) => [name ?? `program-${i}.mjs`, text] as const,
);
/** Those that other programs start. */
const STARTED = ["worker.mjs", "task.mjs"];

test("every program of the page is found", () => {
  assert.deepEqual(
    FILES.map(([name]) => name),
    ["main.mjs", "worker.mjs", "program-2.mjs", "program-3.mjs", "program-4.mjs", "pool.mjs", "task.mjs"],
  );
});

for (const [name, text] of FILES.filter(([name]) => !STARTED.includes(name))) {
  test(`${name} prints what it says`, async (t) => {
    const project = new Project();
    t.after(() => project.remove());
    for (const [file, code] of FILES) writeFileSync(join(project.dir, file), code);
    const printed = await runNode(project.dir, [name]);
    assert.deepEqual(printed.trimEnd().split("\n"), printedBy(text));
  });
}

test("tinypool takes the same tasks", async (t) => {
  const project = new Project();
  t.after(() => project.remove());
  const edit = (text: string, changes: readonly (readonly [string, string])[]) =>
    changes.reduce((before, [from, to]) => {
      assert.ok(before.includes(from), from);
      return before.replace(from, to);
    }, text);
  const [pool = "", task = ""] = ["pool.mjs", "task.mjs"].map((name) => new Map(FILES).get(name));
  writeFileSync(
    join(project.dir, "pool.mjs"),
    edit(pool, [
      ['{ Piscina } from "piscina"', '{ Tinypool } from "tinypool"'],
      ["new Piscina({", 'new Tinypool({ runtime: "worker_threads",'],
    ]),
  );
  writeFileSync(
    join(project.dir, "task.mjs"),
    edit(task, [
      ['{ workerData } from "piscina"', '{ Tinypool } from "tinypool"'],
      ["attachVfs(workerData,", "attachVfs(Tinypool.workerData,"],
    ]),
  );
  const printed = await runNode(project.dir, ["pool.mjs"]);
  assert.deepEqual(printed.trimEnd().split("\n"), printedBy(pool));
});
