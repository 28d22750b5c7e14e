/** proper-lockfile: two workers take turns at a file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

test("proper-lockfile lets one worker at a time to a file", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "begin", dir);
    await Promise.all([run(1, "count", dir, 30), run(2, "count", dir, 30)]);
    return run(1, "look", dir);
  });
  assert.deepEqual(result, ["60", ["number"]]);
});
