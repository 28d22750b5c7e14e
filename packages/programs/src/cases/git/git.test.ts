/** isomorphic-git: two workers on one repository. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

test("a worker commits, another branches, both see what git on the disk has", async () => {
  const result = await sameOnTree(SCENARIO, async (run, dir) => [
    await run(1, "begin", dir),
    await run(2, "look", dir),
    await run(2, "branch", dir),
    await run(1, "look", dir),
    await run(1, "merge", dir),
    await run(2, "look", dir),
    await run(1, "pack", dir),
    await run(2, "look", dir),
  ]);
  const [, , , , , merged] = result as { files: string[] }[];
  assert.deepEqual(merged?.files, ["a.txt", "link", "sub", "sub/b.txt", "sub/c.txt"]);
});

test("a worker reads the log while another one commits", async () => {
  await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "begin", dir);
    const [, log] = await Promise.all([run(1, "commitMany", dir, 20), run(2, "followLog", dir, 20)]);
    assert.equal((log as string[]).length, 20);
    return log;
  });
});
