/**
 * Deaths of threads with components: the short form, and all accesses of the methods that close them. What each mechanism is for: planted/linux/wasi-faults.ts takes it out, and this check tells.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../dist/deaths/programs/components.js";

test("a thread with a component may die at any access: some accesses of every method", async (t) => {
  const { ok, explored, failures } = await run({ seed: 3, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored.complete, explored.calls);
});

test("all accesses of the methods that drop streams, whose descriptors are dropped before", async () => {
  const { ok, explored, failures } = await run({ seed: 4, only: "Stream.[dispose]" });
  assert.deepEqual(failures, []);
  assert.ok(ok && Number(explored.deaths) > 200, JSON.stringify(explored));
});
