/** The short form of the check of threads that may not sleep, pair by pair, however long they take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run, SHORT } from "../../dist/explore/timeouts.js";
import type { Outcome } from "../../dist/support/check.js";

for (const only of SHORT) {
  test(`a thread that may not sleep ends its call by a result or a time-out, and nothing is left: ${only}`, async () => {
    const { ok, explored, failures }: Outcome = await run({ seed: 1, short: true, only });
    assert.deepEqual(failures, []);
    assert.ok(ok);
    assert.match(String(explored["pairs, 1 suspension"]), /^1 pairs, 1 completely, 1 with waits;/);
  });
}
