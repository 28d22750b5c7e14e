/** The short form of the check of all interleavings, pair by pair: all schedules with one preemption, however long they take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run, SHORT } from "../../dist/explore/interleave.js";
import type { Outcome } from "../../dist/support/check.js";

for (const only of SHORT) {
  test(`every schedule of ${only} is one that the model allows, and leaves a whole arena`, async () => {
    const { ok, explored, failures }: Outcome = await run({ seed: 1, short: true, only });
    assert.deepEqual(failures, []);
    assert.ok(ok);
    assert.match(String(explored["pairs, 1 preemption"]), /^1 sets, 1 completely/);
  });
}
