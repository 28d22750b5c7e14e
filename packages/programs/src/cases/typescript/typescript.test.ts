/** TypeScript: one worker writes the sources, another one compiles them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;
const WRONG = 'export const a = "text";';

interface Build {
  wrong: [code: number][];
  written: string[];
}

test("createIncrementalProgram() builds in one worker what the other one wrote, and goes on from its build", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    const first = await run(2, "build", dir);
    const outputs = await run(1, "outputs", dir);
    const again = await run(1, "build", dir);
    await run(2, "edit", dir, WRONG);
    return [first, again, await run(1, "build", dir), outputs];
  });
  const [first, again, wrong] = result as [Build, Build, Build];
  assert.deepEqual([first.wrong, again.wrong, again.written], [[], [], []]);
  assert.ok(first.written.length > 0);
  assert.deepEqual(
    wrong.wrong.map(([code]) => code),
    [2322],
  );
});

test("createWatchProgram() in one worker hears of the changes of the other one", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    await run(2, "watch", dir);
    const builds = [await run(2, "watched", dir, 1)];
    await run(1, "edit", dir, WRONG);
    builds.push(await run(2, "watched", dir, 2));
    await run(1, "edit", dir, "export const a = 2;");
    builds.push(await run(2, "watched", dir, 3));
    await run(2, "unwatch");
    return builds;
  });
  const builds = (result as [number][][][]).at(-1);
  assert.deepEqual(
    builds?.map((wrong) => wrong.map(([code]) => code)),
    [[], [2322], []],
  );
});

test("TypeScript 7 checks what is in the tree", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "project", dir);
    const first = await run(2, "checkWith7", dir);
    await run(1, "edit", dir, WRONG);
    return [first, await run(2, "checkWith7", dir)];
  });
  const [[first], [wrong]] = result as [[[unknown, unknown, [code: number][]]], [[unknown, unknown, [code: number][]]]];
  assert.deepEqual(first[2], []);
  assert.deepEqual(
    wrong[2].map(([code]) => code),
    [2322],
  );
});
