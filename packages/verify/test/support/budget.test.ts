/** The time of a run: it ends the long form of a check, and decides nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { run as death } from "../../dist/deaths/death.js";
import { run as hostile } from "../../dist/hostile/hostile.js";
import { toolBroken } from "../../dist/planted/report.js";
import { endOfRun } from "../../dist/support/check.js";

/** A time that is over when the run begins. */
const seconds = -1;

// Fails when endOfRun() takes the time of a short form.
test("a short form makes all of its work, whatever the time", async () => {
  assert.equal(endOfRun({ seconds, short: true }), Number.POSITIVE_INFINITY);
  assert.equal(endOfRun({}), Number.POSITIVE_INFINITY);
  const { ok, explored, failures } = await death({
    seconds,
    seed: 1,
    short: true,
    only: "sysMkdir(path=/d/x mode=493)",
  });
  assert.deepEqual(failures, []);
  assert.ok(ok && Number(explored.operations) > 0 && explored.complete === explored.operations);
});

// Fails when such a run holds, as it once did.
test("a long form that has no time to check anything fails, and says so", async () => {
  for (const check of [death, hostile]) {
    const { ok, failures } = await check({ seconds, seed: 1 });
    assert.equal(ok, false);
    assert.deepEqual(
      failures.map(({ message }) => message),
      ["ERR_VERIFY_BUDGET: nothing was checked in -1 s; give more --seconds"],
    );
    assert.ok(toolBroken(failures[0]?.message ?? ""), "no planted fault is caught by it");
  }
});
