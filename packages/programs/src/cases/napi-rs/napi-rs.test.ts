/** Bindings of napi-rs from npm, in both of two workers, each with threads of its own: what they do on a tree is what they do on the disk. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sameOnTree } from "../support/sides.js";
import { LONG, MODULES } from "./scenario.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;

/** Each side's workers; only on a tree they are known. */
function checkThreads(counts: readonly number[]): void {
  assert.equal(counts[0], 0);
  assert.ok((counts[1] ?? 0) > 1, `${counts[1]} workers`);
}

test("rolldown bundles a project that another worker has written, and again what that has renamed", async () => {
  const threads: number[] = [];
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "fill", dir);
    const [first, second] = await Promise.all([
      run(1, "bundle", dir, "main.ts", "one"),
      run(2, "bundle", dir, "main.ts", "two"),
    ]);
    assert.deepEqual(first, second);
    const written = await run(1, "read", `${dir}/two/main.js`);
    assert.equal(written, await run(2, "read", `${dir}/one/main.js`));
    const missing = await run(2, "bundle", dir, "none.ts", "none");
    await run(1, "rename", `${dir}/many/m159.ts`, `${dir}/many/moved.ts`);
    const broken = await run(2, "bundle", dir, "main.ts", "three");
    await run(1, "rename", `${dir}/many/moved.ts`, `${dir}/many/m159.ts`);
    const again = await run(2, "bundle", dir, "main.ts", "two");
    threads.push(Number(await run(2, "workers", "rolldown")));
    return { first, written, missing, broken, again };
  });
  checkThreads(threads);
  const { first, written, missing, broken, again } = result as Record<string, string>;
  assert.deepEqual(again, first);
  assert.match(written ?? "", /text-RED-300/);
  assert.ok((written?.length ?? 0) > LONG + MODULES);
  assert.match(missing ?? "", /Cannot resolve entry module/);
  assert.match(broken ?? "", /m159/);
});

test("oxc-resolver and tailwind's oxide find what another worker has written", async () => {
  const threads: number[] = [];
  const result = await sameOnTree(SCENARIO, async (run, dir) => {
    await run(1, "fill", dir);
    const both = await Promise.all([run(2, "resolve", dir), run(2, "scan", dir)]);
    threads.push(Number(await run(2, "workers", "resolver")));
    return both;
  });
  checkThreads(threads);
  const [[sync, async], { found, files }] = result as [{ path?: string }[][], { found: string[]; files: string[] }];
  assert.deepEqual(async, sync);
  const paths = sync?.map(({ path }) => path?.split("/").slice(3).join("/"));
  assert.deepEqual(paths, ["main.ts", "many/m159.ts", undefined, "store/words/lib/index.js", undefined]);
  assert.ok(["flex", "mt-4", "underline", "p-159", "text-red-700"].every((name) => found.includes(name)));
  assert.ok(files.length > MODULES);
});
