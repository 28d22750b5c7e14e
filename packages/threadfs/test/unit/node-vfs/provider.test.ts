/** threadfs/node-vfs where there is no node:vfs, and its cases (cases.process.ts) in the Node.js that has it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TIMEOUT_MS } from "../../../../tools/dist/limits.js";
import { installOracle } from "../../../../tools/dist/oracle.js";
import { createVfs } from "../../../dist/src/index.js";
import { ThreadProvider } from "../../../dist/src/node-vfs.js";

const CASES = fileURLToPath(new URL("cases.process.js", import.meta.url));

test("without node:vfs there is an error that says what to do", async (t) => {
  const tree = await createVfs({ maxBytes: 1 << 24 });
  t.after(() => tree.close());
  assert.equal(process.getBuiltinModule("node:vfs"), undefined, "these tests run without --experimental-vfs");
  const error = { code: "ERR_THREADFS_HOST", message: /needs node:vfs: .*--experimental-vfs\. This is \d+\.\d+/ };
  assert.throws(() => new ThreadProvider(tree), error);
});

test("in Node 26 with --experimental-vfs the cases pass", () => {
  const env = { ...process.env, NO_COLOR: "1", NODE_TEST_CONTEXT: undefined };
  const args = ["--experimental-vfs", "--disable-warning=ExperimentalWarning", "--test-reporter=tap", CASES];
  const { status, stdout, stderr } = spawnSync(installOracle(), args, { env, timeout: TIMEOUT_MS, encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^# pass [1-9]/m);
});
