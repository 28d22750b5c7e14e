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

/** So long a wait for an event before its change is made visible once more, and how many of them. */
const WAIT_MS = 1000;
const WAITS = 300;

for (const usePolling of [false, true]) {
  test(`chokidar hears in one worker what another one changes${usePolling ? ", by polling" : ""}`, async () => {
    const result = await sameOnTree(
      SCENARIO,
      async (run, dir) => {
        await run(2, "fill", dir);
        const found = await run(1, "watch", dir, usePolling);
        for (const [what, name] of CHANGES) {
          await run(2, "change", dir, what, name);
          for (let n = 0; (await run(1, "until", dir, `${what} /${name}`, WAIT_MS)) === null; n++) {
            assert.ok(n < WAITS, `no event after ${n} seconds: ${what} /${name}`);
            await run(2, "again", dir, what, name);
          }
        }
        await run(1, "close");
        return found;
      },
      { mocked: true },
    );
    assert.deepEqual(result, ["add /a.txt", "add /sub/deep/b.txt", "addDir ", "addDir /sub", "addDir /sub/deep"]);
  });
}
