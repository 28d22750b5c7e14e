/** The options of the test runner. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { oracleNode } from "../dist/oracle.js";

/** Runs a small file of tests, as one asks for it who gives these options too. */
function runTests(...options: string[]) {
  const runner = fileURLToPath(new URL("../dist/run-tests.js", import.meta.url));
  return spawnSync(process.execPath, [runner, "tools/pack-files", ...options], {
    encoding: "utf8",
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
}

test("--node=26 and --node=PATH run the tests in another Node.js, and anything else is refused", () => {
  // A binary that ends the run with a code of its own shows that it is the one which is run.
  const { status } = runTests("--node=/bin/false");
  assert.equal(status, 1);
  const refused = runTests("--node=25");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /--node= takes 26 or the path of a binary, not 25/);
  const { status: ran, stdout } = runTests("--node=26", "--test-reporter=tap");
  assert.equal(ran, 0, stdout);
  assert.equal(runTests(`--node=${oracleNode()}`).status, 0);
});

test('a filter with "!" leaves files out', () => {
  const none = runTests("!pack-files");
  assert.equal(none.status, 1);
  assert.match(none.stderr, /no test file matches tools\/pack-files !pack-files/);
  assert.equal(runTests("!tools/no-file").status, 0);
});
