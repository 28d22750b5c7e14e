/** The programs in pages about single programs run, and print what the comments behind their calls of console.log() say. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { printedBy } from "../support/printed.js";
import { Project, REPOSITORY, runNode } from "../support/project.js";

/** Pages, with the number of their programs. */
const PAGES = { "just-bash": 2 };

for (const [page, count] of Object.entries(PAGES)) {
  const markdown = readFileSync(join(REPOSITORY, "docs", `${page}.md`), "utf8");
  const programs = [...markdown.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

  test(`${page}.md has its programs`, () => assert.equal(programs.length, count));

  for (const [i, text] of programs.entries()) {
    test(`program ${i + 1} of ${page}.md prints what it says`, async (t) => {
      const project = new Project();
      t.after(() => project.remove());
      writeFileSync(join(project.dir, "program.mjs"), text);
      const printed = await runNode(project.dir, ["program.mjs"]);
      assert.deepEqual(printed.trimEnd().split("\n"), printedBy(text));
    });
  }
}
