/** The short form of packages/verify/src/torture/escape.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../dist/torture/escape.js";

// Fails when ".." does not ask whether its directory is below the root (core/vfs/walk/step.ts).
test("no walk leaves its directory while another thread exchanges what is on its way", async (t) => {
  const { ok, explored, failures } = await run({ seed: 1, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.ok(Number(explored.walks) >= 20_000 && Number(explored.exchanges) >= 20_000);
});
