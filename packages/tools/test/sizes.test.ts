/** Folders and files stay within their limits, and the check of that notices when they do not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { REPOSITORY, SourceTree } from "../dist/documents.js";
import { checkSizes } from "../dist/sizes.js";

test("no folder has more than 15 source files, and no source file more than 500 lines", () => {
  assert.deepEqual(checkSizes(new SourceTree(REPOSITORY)), []);
});

test("a folder with 16 source files is reported; folders below it and other files do not count", () => {
  const files = new Map([
    ["a/readme.md", ""],
    ["a/b/x.ts", ""],
  ]);
  for (let i = 0; i < 15; i++) files.set(`a/${i}.ts`, "");
  assert.deepEqual(checkSizes({ files }), []);
  files.set("a/x.js", "");
  assert.deepEqual(checkSizes({ files }), ["a: 16 source files, at most 15"]);
});

test("a source file with 501 lines is reported", () => {
  const text = (lines: number) => "x\n".repeat(lines);
  const files = new Map([
    ["a.ts", text(500)],
    ["b.ts", text(501)],
    ["c.md", text(501)],
  ]);
  assert.deepEqual(checkSizes({ files }), ["b.ts: 501 lines, at most 500"]);
});
