/** The first program in docs/napi-rs.md and its worker run, and print what the comment behind the call of console.log() says. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { printedBy } from "../support/printed.js";
import { Project, REPOSITORY, runNode } from "../support/project.js";

const PAGE = readFileSync(join(REPOSITORY, "docs", "napi-rs.md"), "utf8");

test("main.mjs prints what it says", async (t) => {
  const project = new Project();
  t.after(() => project.remove());
  const files = [...PAGE.matchAll(/^```js\n\/\/ (\w+\.mjs)\n([\s\S]*?)^```$/gm)];
  for (const [, name = "", text = ""] of files) writeFileSync(join(project.dir, name), text);
  assert.deepEqual(
    files.map(([, name]) => name),
    ["main.mjs", "worker.mjs"],
  );
  const printed = await runNode(project.dir, ["main.mjs"]);
  assert.deepEqual(printed.trimEnd().split("\n"), printedBy(files[0]?.[2] ?? ""));
});
