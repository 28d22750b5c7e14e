/** A program in WebAssembly with threads of its own: all of them open the tree of two workers directly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

interface Found {
  results: { path?: string; error?: string }[][];
  threaded: boolean;
}

test("oxc-resolver in WebAssembly finds what another worker has made, in all of its threads", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "fill", dir);
    const first = await Promise.all([run(1, "resolveAll", dir), run(2, "resolveAll", dir)]);
    await run(1, "change", dir);
    return [...first, await run(2, "resolveAll", dir)];
  });
  const [before, , after] = (result as Found[]).map(({ results: [sync, async], threaded }) => {
    assert.ok(threaded);
    assert.deepEqual(async, sync);
    return sync?.map(({ path }) => path?.split("/").slice(3).join("/"));
  });
  assert.deepEqual(before, [
    "a.js",
    undefined,
    "node_modules/dep/lib/i.js",
    undefined,
    "store/linked/main.js",
    undefined,
  ]);
  assert.deepEqual(after, [
    "a.js",
    "b.js",
    undefined,
    "node_modules/other/lib/i.js",
    "store/linked/main.js",
    undefined,
  ]);
});
