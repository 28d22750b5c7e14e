/** node-sqlite3-wasm, for which `node:fs` is replaced, and wa-sqlite with the locks of a tree: two workers write one database. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { onTree, sameOnTree } from "../support/sides.js";
import { assertTransactions } from "../support/transactions.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;
const LOCKS = new URL("./locks-scenario.js", import.meta.url).href;
const COUNT = 50;

test("SQLite keeps the transactions of two workers apart", async () => {
  const result = await sameOnTree(
    SCENARIO,
    async (run, dir) => {
      await run(1, "open", dir);
      await run(2, "open", dir);
      await Promise.all([run(1, "insert", dir, 1, COUNT), run(2, "insert", dir, 2, COUNT)]);
      const seen = [await run(1, "look", dir), await run(2, "look", dir), await run(1, "refuse")];
      await run(1, "close");
      seen.push(await run(2, "look", dir));
      await run(2, "close");
      return seen;
    },
    { mocked: true },
  );
  const [one, two, refused] = result as [{ numbers: unknown }, unknown, string];
  assert.deepEqual(one.numbers, { different: 2 * COUNT, last: 2 * COUNT });
  assert.deepEqual(two, one);
  assert.match(refused, /UNIQUE constraint failed/);
});

test("SQLite locks ranges of a file in the tree, and a worker that dies in a transaction gives its locks back", async () => {
  await onTree(LOCKS, (run, dir, end) => assertTransactions(run, end, dir, [dir]));
});
