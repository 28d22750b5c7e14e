/**
 * The programs in docs/recipes.md run, in Node 26 or, where they are for older versions, in the Node.js of the tests, and print what the
 * comments behind their calls of console.log() say.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { installOracle } from "../../../../tools/dist/oracle.js";
import { printedBy } from "../support/printed.js";
import { Project, REPOSITORY, runNode } from "../support/project.js";

const RECIPES = readFileSync(join(REPOSITORY, "docs", "recipes.md"), "utf8");
const BLOCKS = [...RECIPES.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

test("there are recipes", () => assert.equal(BLOCKS.length, 8));

for (const [i, text] of BLOCKS.entries()) {
  test(`recipe ${i + 1} prints what it says`, async (t) => {
    const project = new Project();
    t.after(() => project.remove());
    const runner = text.includes('from "vitest"') ? "vitest" : text.includes("node:test") ? "node" : undefined;
    writeFileSync(join(project.dir, runner === undefined ? "recipe.mjs" : "recipe.test.mjs"), text);
    const args = {
      vitest: [project.module("vitest", "vitest.mjs"), "run"],
      node: ["--test", "--experimental-test-module-mocks", "--test-reporter=tap"],
      none: ["recipe.mjs"],
    }[runner ?? "none"];
    const node = text.includes("in Node 20.") ? process.execPath : installOracle();
    const printed = await runNode(project.dir, args, node);
    if (runner === "vitest") return assert.match(printed, /1 passed/);
    if (runner === "node") return assert.match(printed, /^# pass 2$/m);
    assert.deepEqual(printed.trimEnd().split("\n"), printedBy(text));
  });
}
