/** glob, fast-glob, tinyglobby, fdir: one worker fills and changes the tree, the other one searches it, and finds what it finds on the disk. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

for (const [name, call] of [
  ["glob", "withGlob"],
  ["fast-glob", "withFastGlob"],
  ["tinyglobby", "withTinyglobby"],
  ["fdir", "withFdir"],
] as const) {
  test(`${name} finds in one worker what the other one has made`, async () => {
    const [before, after] = (await sameOnTree(SCENARIO, async (run, dir) => {
      await run(1, "fill", dir);
      const before = await run(2, call, dir);
      await run(1, "change", dir);
      return [before, await run(2, call, dir)];
    })) as Record<string, string[]>[];
    assert.ok(before?.promised?.includes("src/a/1.ts"));
    assert.ok(after?.promised?.includes("src/moved/1.ts"));
    assert.ok(after?.promised?.includes("empty/new.ts"));
  });
}
