/** fs-extra and graceful-fs, for which `node:fs` is replaced: two workers on one tree. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;
const FORMS = new URL("./forms.js", import.meta.url).href;
const mocked = { mocked: true };

test("fs-extra makes, copies, moves, reads and removes as on the disk, and another worker sees it", async () => {
  const result = await sameOnTree(
    SCENARIO,
    async (run, dir) => [
      await run(1, "make", dir),
      await run(2, "look", dir),
      await run(2, "copyAndMove", dir),
      await run(1, "look", dir),
      await run(1, "readAndRemove", dir),
    ],
    mocked,
  );
  const [, files] = result as [unknown, [string, ...unknown[]][]];
  assert.ok(files.some(([name]) => name === "l/soft"));
});

test("every form of fs-extra's functions does the same, and leaves the same", async () => {
  const result = await sameOnTree(
    FORMS,
    async (run, dir) => {
      const promised = run(1, "forms", dir, "promise");
      const called = run(2, "forms", dir, "callback");
      const results = [await promised, await called, await run(1, "forms", dir, "sync")];
      return [
        results,
        await Promise.all(["promise", "callback", "sync"].map((form) => run(2, "look", `${dir}/${form}`))),
      ];
    },
    mocked,
  );
  const [, [promised, called, sync]] = result as [unknown, unknown[]];
  assert.deepEqual(called, promised);
  assert.deepEqual(sync, promised);
});

test("graceful-fs reads and writes hundreds of files at once, in two workers", async () => {
  await sameOnTree(
    SCENARIO,
    async (run, dir) => {
      await run(1, "make", dir);
      return Promise.all([run(1, "graceful", `${dir}/a`), run(2, "graceful", `${dir}/x`)]);
    },
    mocked,
  );
});
