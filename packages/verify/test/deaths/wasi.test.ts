/**
 * Deaths in calls of WASI: the short form, and all accesses of the calls that change the table of the program. What each mechanism is for: planted/linux/wasi-faults.ts takes it out, and this check
 * tells.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../dist/deaths/programs/wasi.js";

/** The imports of preview 1, and `thread-spawn`. */
const IMPORTS = 47;

test("a thread of a program may die at any access: some accesses of every import", async (t) => {
  const { ok, explored, failures } = await run({ seed: 3, short: true });
  t.diagnostic(JSON.stringify(explored));
  assert.deepEqual(failures, []);
  assert.ok(ok);
  assert.equal(explored.imports, IMPORTS);
  assert.equal(explored.complete, explored.calls);
});

for (const only of ["fd_renumber(5, 6)", "fd_close(5)"]) {
  test(`all accesses of ${only}, and a thread dies that settles what is left`, async () => {
    const { ok, explored, failures } = await run({ seed: 4, only });
    assert.deepEqual(failures, []);
    assert.ok(ok && Number(explored["of these, in TypeScript"]) > 5, JSON.stringify(explored));
    assert.ok(Number(explored["deaths of a thread that settles"]) > 5, JSON.stringify(explored));
  });
}
