/** The reporter of `npm test`, on files of tests made for it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FILE_COUNT, shortName } from "../dist/test-run/progress-reporter.js";

const REPORTER = new URL("../dist/test-run/progress-reporter.js", import.meta.url).href;

/** Runs files of tests, given as name and text, and returns what the reporter prints, without the times. */
function report(t: TestContext, files: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), "reporter-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(dir, name);
    writeFileSync(path, `import { describe, test } from "node:test";\n${text}`);
    return path;
  });
  const env: NodeJS.ProcessEnv = { ...process.env, [FILE_COUNT]: String(paths.length) };
  delete env.NODE_TEST_CONTEXT;
  const args = ["--test", "--test-concurrency=1", `--test-reporter=${REPORTER}`, ...paths];
  return spawnSync(process.execPath, args, { env, encoding: "utf8" })
    .stdout.replaceAll(/[^\s(]*\/reporter-\w+\//g, "")
    .replaceAll(/\d+\.\d+ s$/gm, "N s")
    .replaceAll(/^ℹ duration_ms .*\n/gm, "");
}

test("a file that passes is one line with its counts", (t) => {
  const text = report(t, {
    "a.test.mjs": `test("one", () => {}); describe("s", () => { test("two", () => {}); test("three", { skip: true }, () => {}); });`,
    "b.test.mjs": `test("four", () => {});`,
  });
  const [first, second, ...rest] = text.split("\n");
  assert.equal(first, "✔ 1/2 a: 2 passed, 1 skipped, N s");
  assert.equal(second, "✔ 2/2 b: 1 passed, N s");
  assert.deepEqual(rest.slice(0, 3), ["ℹ tests 4", "ℹ suites 1", "ℹ pass 3"]);
});

test("a failed test is shown with the names of its suites and its error, and once more at the end", (t) => {
  const text = report(t, { "a.test.mjs": `describe("s", () => { test("two", () => { throw new Error("bad"); }); });` });
  assert.match(text, /✖ s › two \(a:2\)\n {4}Error: bad\n/);
  assert.match(text, /✖ 1\/1 a: 0 passed, 1 failed, N s/);
  assert.match(text, /\nFailed:\n✖ s › two \(a:2\)\n$/);
});

test("a file that a signal ends is a failure with the signal", (t) => {
  const text = report(t, { "a.test.mjs": `process.kill(process.pid, "SIGKILL");` });
  assert.match(text, /✖ 1\/1 a: 0 passed, 1 failed, N s/);
  assert.match(text, /SIGKILL/);
});

test("a file is named by its package and its folder", () => {
  const file = fileURLToPath(new URL("../../threadfs/build/walk/drop.test.js", import.meta.url));
  assert.equal(shortName(file), "threadfs/walk/drop");
});
