import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { shippingCore } from "../../dist/binary/core.js";
import { measure, run, TABLES, Tally } from "../../dist/coherence/storefree.js";

describe("no rcu-walk of the conformance suite stores to anything but its thread's slot and scratch", () => {
  const tally = new Tally();
  let ran = 0;
  for (const file of TABLES) {
    test(`no walk in the cases of ${file.replace(/\.js$/, "")} does`, async () => {
      const { cases, all } = await measure(shippingCore({ accesses: true }), { tables: [file], tally, compare: false });
      ran += cases;
      assert.equal(cases, all);
      assert.deepEqual(tally.failures, []);
    });
  }

  test("the walks of all cases were seen, whether they ended in rcu mode or left it", (t) => {
    t.diagnostic(`cases: ${ran}`);
    for (const [name, value] of Object.entries(tally.explored())) t.diagnostic(`${name}: ${value}`);
    assert.ok(ran > 6000, `${ran} cases`);
    assert.ok(tally.inRcu > 50_000 && tally.parts.left > 50_000 && tally.parts.ended > 50_000);
    assert.deepEqual([tally.stores.elsewhere, tally.partStores.elsewhere, tally.failed], [0, 0, 0]);
    assert.equal(tally.parts.all, tally.parts.ended + tally.parts.left);
  });
});

test("the short form of the check holds, and the instrumented core returns the same as the plain one", async () => {
  const { ok, failures } = await run({ seed: 1, short: true });
  assert.deepEqual(failures, []);
  assert.ok(ok);
});
