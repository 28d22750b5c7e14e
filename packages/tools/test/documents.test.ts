/** The documents agree with the tree, and the check of that notices when they do not. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkDocument, checkDocuments, REPOSITORY, SourceTree } from "../dist/documents.js";
import { TIMEOUT_MS } from "../dist/limits.js";

const tree = new SourceTree(REPOSITORY);
const scripts = new Set(["test"]);

test("every link, path, command and name in the documents exists", () => {
  assert.deepEqual(checkDocuments(tree), []);
});

for (const [what, text, problem] of [
  ["a link without a file", "[x](docs/none.md)", "no file docs/none.md"],
  ["a link without its heading", "[x](README.md#none)", "no heading for README.md#none"],
  ["a path without a file", "see `core/vfs/none.ts`", "no file core/vfs/none.ts"],
  ["a folder that is not there", "see `packages/none/`", "no file packages/none/"],
  ["a function that nothing defines", "then `nowhereDefined()` ends", "nothing is called nowhereDefined"],
  ["a constant that nothing defines", "see `NO_SUCH_CONSTANT`", "nothing is called NO_SUCH_CONSTANT"],
  [
    "a function of another file",
    "`core/vfs/walk/namei.ts` `rcuWalk()`, `copyFileSync()`",
    "copyFileSync is not in the file named before it",
  ],
  [
    "a title without a test",
    '`packages/verify/test/support/results.test.ts` "the results have ...", "no such title"',
    'no test "no such title" there',
  ],
  ["a row without a test", "`core/vfs/walk/namei.ts` row 999", "no test of row 999 there"],
  ["a script that npm does not have", "`npm run none`", "no script none"],
  [
    "a command without a file",
    "```\nnode packages/verify/dist/none.js --only x",
    "no file packages/verify/dist/none.js",
  ],
] as const) {
  test(`${what} is reported`, () => {
    const problems = checkDocument(tree, "ARCHITECTURE.md", text, scripts);
    assert.deepEqual(problems, [`ARCHITECTURE.md:${text.split("\n").length}: ${problem}`]);
  });
}

/** What the first example behind a heading of the README prints. */
function outputOfExample(t: { after(close: () => void): void }, heading: string): string {
  const [, section = ""] = (tree.files.get("README.md") ?? "").split(`\n## ${heading}\n`);
  const [, example] = /```js\n([\s\S]*?)```/.exec(section) ?? [];
  assert.ok(example !== undefined, `the README has no example of "${heading}"`);
  const directory = mkdtempSync(join(tmpdir(), "threadfs-readme-"));
  t.after(() => rmSync(directory, { recursive: true }));
  symlinkSync(join(REPOSITORY, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "example.mjs"), example);
  return execFileSync(process.execPath, [join(directory, "example.mjs")], { encoding: "utf8", timeout: TIMEOUT_MS });
}

test("the README's first example prints what it says", (t) => {
  assert.equal(outputOfExample(t, "Two threads, one tree"), "hello\n");
});

test("the README's example of a sandbox prints what it says, and the agent stays in its root", (t) => {
  const lines = ["done", "mine", "EACCES: permission denied, open '/new.txt'", ""];
  assert.equal(outputOfExample(t, "Sandboxes"), lines.join("\n"));
});
