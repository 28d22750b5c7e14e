/** A worker that dies, hangs or fails is an error within a bounded time, never a wait without end. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { WorkerPool } from "../../dist/job/worker-pool.js";

const directory = mkdtempSync(join(tmpdir(), "threadfs-pool-"));
after(() => rmSync(directory, { recursive: true }));
const script = join(directory, "worker.mjs");
writeFileSync(
  script,
  `import { parentPort } from "node:worker_threads";
   parentPort.on("message", ({ id, request }) => {
     if (request.task === "exit") process.exit(7);
     if (request.task === "throw") throw new Error("on purpose");
     if (request.task === "hang") return;
     if (request.task === "fail") parentPort.postMessage({ id, error: { code: "EIO", message: "no luck", stack: "" } });
     else parentPort.postMessage({ id, value: request.task });
   });`,
);

const SOON = 20_000;

async function withPool(work) {
  const pool = new WorkerPool(pathToFileURL(script), 2, "worker", {});
  try {
    await work(pool);
  } finally {
    await pool.stop();
  }
}

test("every worker answers its own order", () =>
  withPool(async (pool) => {
    assert.equal(pool.size, 2);
    assert.deepEqual(await pool.askAll((index) => ({ task: `task ${index}` }), SOON), ["task 0", "task 1"]);
  }));

test("a worker's failure has its code", () =>
  withPool((pool) =>
    assert.rejects(
      pool.askAll((index) => ({ task: index === 1 ? "fail" : "ok" }), SOON),
      { code: "EIO", message: `worker 2, "fail": no luck` },
    ),
  ));

for (const task of ["exit", "throw"]) {
  test(`a worker that ends by ${task}`, () =>
    withPool(async (pool) => {
      await assert.rejects(
        pool.askAll((index) => ({ task: index === 0 ? task : "hang" }), SOON),
        { code: "ERR_WORKER_DIED" },
      );
      // Later orders are refused at once.
      await assert.rejects(
        pool.askAll(() => ({ task: "ok" }), SOON),
        { code: "ERR_WORKER_DIED" },
      );
    }));
}

test("a worker that is terminated while it works", () =>
  withPool(async (pool) => {
    const asked = pool.askAll(() => ({ task: "hang" }), SOON);
    pool.workers[1].terminate();
    await assert.rejects(asked, { code: "ERR_WORKER_DIED" });
  }));

test("a worker that does not answer", () =>
  withPool((pool) =>
    assert.rejects(
      pool.askAll(() => ({ task: "hang" }), 50),
      { code: "ETIMEDOUT" },
    ),
  ));
