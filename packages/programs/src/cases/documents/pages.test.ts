/** The programs in pages about single programs run, and print what the comments behind their calls of console.log() say. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { installOracle } from "../../../../tools/dist/oracle.js";
import { printedBy } from "../support/printed.js";
import { Project, REPOSITORY, runNode } from "../support/project.js";

/** Pages, with the number of their programs, and the options of the Node 26 that runs them, if that does. */
const PAGES: Record<string, { count: number; options?: string[] }> = {
  "just-bash": { count: 2 },
  "node-vfs": { count: 2, options: ["--experimental-vfs", "--disable-warning=ExperimentalWarning"] },
};

for (const [page, { count, options }] of Object.entries(PAGES)) {
  const markdown = readFileSync(join(REPOSITORY, "docs", `${page}.md`), "utf8");
  const programs = [...markdown.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

  test(`${page}.md has its programs`, () => assert.equal(programs.length, count));

  for (const [i, text] of programs.entries()) {
    test(`program ${i + 1} of ${page}.md prints what it says`, async (t) => {
      const project = new Project();
      t.after(() => project.remove());
      writeFileSync(join(project.dir, "program.mjs"), text);
      const node = options === undefined ? process.execPath : installOracle();
      const printed = await runNode(project.dir, [...(options ?? []), "program.mjs"], node);
      assert.deepEqual(printed.trimEnd().split("\n"), printedBy(text));
    });
  }
}
