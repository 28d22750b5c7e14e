/** Runs the blocks of JavaScript of a document, each as a program of its own, and compares what they print with their comments. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TIMEOUT_MS } from "../../../../tools/dist/limits.js";

const REPOSITORY = fileURLToPath(new URL("../../../../../", import.meta.url));

/** What a program prints according to the comments behind its calls of console.log(), in their order. */
function expected(program: string): string[] {
  return [...program.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text = ""]) => text);
}

/** A test for each block of a document of the repository. `files`: what a program finds in its working directory. */
export function testExamples(document: string, files: Record<string, string> = {}): void {
  const text = readFileSync(join(REPOSITORY, document), "utf8");
  const blocks = [...text.matchAll(/^(#+ .*)$|```js\n([\s\S]*?)```/gm)];
  assert.ok(blocks.some(([, , code]) => code !== undefined));
  let heading = "";
  for (const [, title, code] of blocks) {
    if (title !== undefined) heading = title;
    if (code === undefined) continue;
    test(`${document}: ${heading.replace(/^#+ /, "")}`, (t) => {
      const directory = mkdtempSync(join(tmpdir(), "threadfs-example-"));
      t.after(() => rmSync(directory, { recursive: true }));
      symlinkSync(join(REPOSITORY, "node_modules"), join(directory, "node_modules"));
      for (const [name, contents] of Object.entries(files)) writeFileSync(join(directory, name), contents);
      writeFileSync(join(directory, "example.mjs"), code);
      const printed = execFileSync(process.execPath, ["example.mjs"], {
        cwd: directory,
        encoding: "utf8",
        timeout: TIMEOUT_MS,
      });
      assert.ok(expected(code).length > 0, "the example prints something");
      assert.deepEqual(printed.split("\n").slice(0, -1), expected(code));
    });
  }
}
