/** A worker that dies, hangs or fails is an error within a bounded time; the caller never waits without end. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { WorkerPool } from "../../dist/support/worker-pool.js";

const directory = mkdtempSync(join(tmpdir(), "threadfs-pool-"));
after(() => rmSync(directory, { recursive: true }));
const script = join(directory, "worker.mjs");
writeFileSync(
  script,
  `import { serveRequests } from ${JSON.stringify(new URL("../../dist/support/worker-pool.js", import.meta.url).href)};
   serveRequests(({ task }) => {
     if (task === "exit") process.exit(7);
     if (task === "throw") setImmediate(() => { throw new Error("on purpose"); });
     if (task === "throw" || task === "hang") return new Promise(() => undefined);
     if (task === "fail") throw Object.assign(new Error("no luck"), { code: "EIO" });
     return task;
   });`,
);

const SOON = 20_000;

async function withPool(use: (pool: WorkerPool) => Promise<void>): Promise<void> {
  const pool = new WorkerPool(pathToFileURL(script), 2, "worker");
  try {
    await use(pool);
  } finally {
    await pool.stop();
  }
}

test("every worker replies to its own request", () =>
  withPool(async (pool) => {
    assert.equal(pool.size, 2);
    assert.deepEqual(await pool.askAll((index) => ({ task: `task ${index}` }), SOON), ["task 0", "task 1"]);
    assert.equal(await pool.ask(1, { task: "alone" }, SOON), "alone");
  }));

test("requests to one worker are handled one at a time, in their order", () =>
  withPool(async (pool) => {
    const tasks = ["a", "b", "c"];
    assert.deepEqual(await Promise.all(tasks.map((task) => pool.ask(0, { task }, SOON))), tasks);
    const hung = assert.rejects(pool.ask(0, { task: "hang" }, 50), { code: "ETIMEDOUT" });
    await assert.rejects(pool.ask(0, { task: "after it" }, 100), { code: "ETIMEDOUT" });
    await hung;
  }));

test("the error of a worker's task keeps its code", () =>
  withPool((pool) =>
    assert.rejects(
      pool.askAll((index) => ({ task: index === 1 ? "fail" : "ok" }), SOON),
      { code: "EIO", message: `worker 2, "fail": no luck` },
    ),
  ));

test("settleAll waits for every reply, also when a request fails", () =>
  withPool(async (pool) => {
    const settled = await pool.settleAll((index) => ({ task: index === 0 ? "fail" : "ok" }), SOON);
    assert.deepEqual(
      settled.map((end) => (end.status === "fulfilled" ? end.value : end.status)),
      ["rejected", "ok"],
    );
  }));

for (const task of ["exit", "throw"]) {
  test(`a worker that ends by ${task} fails its request and all later ones`, () =>
    withPool(async (pool) => {
      await assert.rejects(
        pool.askAll((index) => ({ task: index === 0 ? task : "hang" }), SOON),
        { code: "ERR_WORKER_DIED" },
      );
      await assert.rejects(
        pool.askAll(() => ({ task: "ok" }), SOON),
        { code: "ERR_WORKER_DIED" },
      );
    }));
}

test("a worker that is terminated while it works fails its request", () =>
  withPool(async (pool) => {
    const asked = pool.askAll(() => ({ task: "hang" }), SOON);
    await pool.workers[1]?.terminate();
    await assert.rejects(asked, { code: "ERR_WORKER_DIED" });
  }));

test("a worker that does not reply in time fails its request", () =>
  withPool((pool) =>
    assert.rejects(
      pool.askAll(() => ({ task: "hang" }), 50),
      { code: "ETIMEDOUT" },
    ),
  ));
