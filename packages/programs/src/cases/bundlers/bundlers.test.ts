/** enhanced-resolve, webpack, rollup: one worker makes the project, another one builds it, the first one reads the result. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

test("enhanced-resolve finds the same files, and the same are missing", async () => {
  await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    return Promise.all([run(1, "resolveAll", dir), run(2, "resolveAll", dir)]);
  });
});

type Build = { errors: unknown[]; modules: [name: string, cached: boolean][] };

test("webpack builds, and another worker's build takes the modules from its cache", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    const first = await run(2, "buildWithWebpack", dir, "index");
    const bundle = await run(1, "contents", `${dir}/dist`);
    const again = await run(1, "buildWithWebpack", dir, "index");
    assert.deepEqual(await run(2, "contents", `${dir}/dist`), bundle);
    return { first, again, bundle };
  });
  const { first, again, bundle } = result as { first: Build; again: Build; bundle: [string, string][] };
  assert.deepEqual(first.errors, []);
  assert.ok(first.modules.length > 0 && first.modules.every(([, cached]) => !cached));
  assert.ok(again.modules.length > 0 && again.modules.every(([, cached]) => cached));
  assert.ok(bundle.some(([name, text]) => name === "index.js" && text.includes('"linked"')));
});

test("webpack takes a loader from the disk, and gives it what is in the tree", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    return [await run(2, "buildWithWebpack", dir, "loud"), await run(1, "contents", `${dir}/dist`)];
  });
  const [{ errors }, bundle] = result as [Build, [string, string][]];
  assert.deepEqual(errors, []);
  assert.ok(bundle.some(([name, text]) => name === "loud.js" && text.includes('"QUIET"')));
});

test("thread-loader's workers see what another worker has written, and what they cannot find is an error", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    const missing = (await run(2, "buildWithWebpack", dir, "threads")) as Build;
    await run(1, "write", `${dir}/src/none.txt`, "third");
    return [
      missing.errors.length,
      await run(2, "buildWithWebpack", dir, "threads"),
      await run(1, "contents", `${dir}/dist`),
    ];
  });
  const [missing, { errors }, bundle] = result as [number, Build, [string, string][]];
  assert.deepEqual([missing, errors], [1, []]);
  const text = bundle.find(([name]) => name === "threads.js")?.[1] ?? "";
  for (const word of ["first", "second", "third"])
    assert.match(text, new RegExp(`one:"${word}",other:"${word}",elsewhere:!0`));
});

test("rollup reads and writes by the promises of the tree", async () => {
  await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    const built = await run(2, "buildWithRollup", dir);
    return [built, await run(1, "contents", `${dir}/rolled`)];
  });
});
