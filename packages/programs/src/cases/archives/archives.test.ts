/** tar and archiver, for which `node:fs` is replaced: one worker packs, another one unpacks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;
const mocked = { mocked: true };

test("tar packs in one worker and unpacks in another one what it does on the disk", async () => {
  const result = await sameOnTree(
    SCENARIO,
    async (run, dir) => {
      await run(1, "fill", dir);
      const packed = await run(1, "packWithTar", dir);
      return [packed, await run(2, "unpackWithTar", dir)];
    },
    mocked,
  );
  const [, [one]] = result as [unknown, [string[][]]];
  assert.ok(one.some(([name]) => name === "in/sub/soft"));
  assert.ok(one.some(([name]) => name === "added"));
});

for (const kind of ["tar", "zip"]) {
  test(`archiver makes the same bytes of a ${kind} as on the disk, and tar reads them`, async () => {
    const result = await sameOnTree(
      SCENARIO,
      async (run, dir) => {
        await run(1, "fill", dir);
        return run(2, "packWithArchiver", dir, kind);
      },
      mocked,
    );
    const [size, pointer, warnings] = result as [number, number, string[]];
    assert.deepEqual([size, warnings], [pointer, ["ENOENT"]]);
  });
}
