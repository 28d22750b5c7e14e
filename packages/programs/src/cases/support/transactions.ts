/** What SQLite promises two workers that write one database on a tree. */
import assert from "node:assert/strict";
import type { End, Run } from "./sides.js";

const COUNT = 50;

/**
 * Fails unless the transactions of two workers stay apart, and the locks of one that ends in a transaction are given back.
 * @param database the argument of the scenario's "open"
 * @param each the first arguments of its other calls
 */
export async function assertTransactions(run: Run, end: End, database: string, each: readonly string[]): Promise<void> {
  await run(1, "open", database);
  await run(2, "open", database);
  await Promise.all([run(1, "insert", ...each, 1, COUNT), run(2, "insert", ...each, 2, COUNT)]);
  const wanted = {
    rows: [
      [1, COUNT],
      [2, COUNT],
    ],
    numbers: [[2 * COUNT, 2 * COUNT]],
    integrity: [["ok"]],
    files: ["test.sqlite"],
  };
  assert.deepEqual(await run(2, "look", ...each), wanted);
  await run(1, "leave", ...each);
  assert.equal(await run(2, "refused"), true);
  await end(1);
  await run(2, "insert", ...each, 2, 1);
  const { rows, integrity } = (await run(2, "look", ...each)) as typeof wanted;
  assert.deepEqual([rows[0], rows[1], integrity], [[1, COUNT], [2, COUNT + 1], [["ok"]]]);
}
