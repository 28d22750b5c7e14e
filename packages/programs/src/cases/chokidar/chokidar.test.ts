/** chokidar, for which `node:fs` is replaced: one worker watches, another one changes the tree. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

/** Changes, one at a time: the next one is made when the event of the last one has come. */
const CHANGES = [
  ["add", "sub/new.txt"],
  ["change", "sub/new.txt"],
  ["change", "a.txt"],
  ["addDir", "made"],
  ["unlink", "sub/deep/b.txt"],
  ["unlinkDir", "sub"],
] as const;

for (const usePolling of [false, true]) {
  test(`chokidar hears in one worker what another one changes${usePolling ? ", by polling" : ""}`, async () => {
    const result = await sameOnTree(
      SCENARIO,
      async (run, dir) => {
        await run(2, "fill", dir);
        const heard = [await run(1, "watch", dir, usePolling)];
        for (const [what, name] of CHANGES) {
          await run(2, "change", dir, what, name);
          heard.push(await run(1, "until", dir, [`${what} /${name}`]));
        }
        await run(1, "close");
        return heard[0];
      },
      { mocked: true },
    );
    assert.deepEqual(result, ["add /a.txt", "add /sub/deep/b.txt", "addDir ", "addDir /sub", "addDir /sub/deep"]);
  });
}
