/** Two workers, each with a program of Emscripten, on one tree. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { onTree } from "../support/sides.js";
import { assertTransactions } from "../support/transactions.js";

const SCENARIO = new URL("./scenario.js", import.meta.url).href;
const ENOENT = 44;

test("a worker's program sees at once what another one has written, renamed and removed", async () => {
  await onTree(SCENARIO, async (run) => {
    await Promise.all([run(1, "begin"), run(2, "begin")]);
    await run(1, "write", "/mnt/work/one", "text");
    assert.equal(await run(2, "read", "/mnt/work/one"), "text");
    await run(1, "rename", "/mnt/work/one", "/mnt/work/two");
    assert.deepEqual([await run(2, "read", "/mnt/work/one"), await run(2, "read", "/mnt/work/two")], [ENOENT, "text"]);
    await run(2, "write", "/mnt/work/one", "other");
    assert.equal(await run(1, "read", "/mnt/work/one"), "other");
    await run(2, "unlink", "/mnt/work/two");
    assert.equal(await run(1, "read", "/mnt/work/two"), ENOENT);
  });
});

test("lines that two programs append stay whole, and both may create the same files", async () => {
  await onTree(SCENARIO, async (run) => {
    await Promise.all([run(1, "begin"), run(2, "begin")]);
    await Promise.all([run(1, "append", "/mnt/work/log", 1, 500), run(2, "append", "/mnt/work/log", 2, 500)]);
    const lines = String(await run(1, "read", "/mnt/work/log"))
      .trimEnd()
      .split("\n");
    const wanted = [1, 2].flatMap((writer) =>
      Array.from({ length: 500 }, (_, i) => `${writer} ${String(i).padStart(6, "0")}`),
    );
    assert.deepEqual(lines.sort(), wanted);
    await Promise.all([run(1, "create", "/mnt/work", 500), run(2, "create", "/mnt/work", 500)]);
  });
});

test("SQLite keeps the transactions of two programs apart, and one that dies in a transaction gives its locks back", async () => {
  await onTree(SCENARIO, async (run, _dir, end) => {
    await Promise.all([run(1, "begin"), run(2, "begin")]);
    await assertTransactions(run, end, "/mnt/work/test.sqlite", []);
  });
});

test("a program that is terminated among its calls leaves a whole tree, and no open file", async () => {
  await onTree(SCENARIO, async (run, _dir, end, vfs) => {
    await Promise.all([run(1, "begin"), run(2, "begin")]);
    const contexts = vfs.contexts().length;
    const started = new Int32Array(new SharedArrayBuffer(4));
    void run(1, "churn", "/mnt/work", started).catch(() => {});
    while (Atomics.load(started, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await end(1);
    assert.equal(vfs.contexts().length, contexts - 1);
    for (const name of vfs.fs.readdirSync("/work")) assert.ok(["held", "new", "file"].includes(name), name);
    await run(2, "write", "/mnt/work/new", "mine");
    await run(2, "rename", "/mnt/work/new", "/mnt/work/file");
    assert.equal(await run(2, "read", "/mnt/work/file"), "mine");
    vfs.fs.unlinkSync("/work/held");
    await vfs.snapshot();
  });
});
