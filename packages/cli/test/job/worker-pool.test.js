/** A worker that dies, hangs or fails is an error within a bounded time, never a wait without end. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Crew } from "../../dist/job/worker-pool.js";

const directory = mkdtempSync(join(tmpdir(), "threadfs-crew-"));
after(() => rmSync(directory, { recursive: true }));
const script = join(directory, "worker.mjs");
writeFileSync(
  script,
  `import { parentPort } from "node:worker_threads";
   parentPort.on("message", ({ id, order }) => {
     if (order.task === "exit") process.exit(7);
     if (order.task === "throw") throw new Error("on purpose");
     if (order.task === "hang") return;
     if (order.task === "fail") parentPort.postMessage({ id, error: { code: "EIO", message: "no luck", stack: "" } });
     else parentPort.postMessage({ id, value: order.task });
   });`,
);

const SOON = 20_000;

async function withCrew(work) {
  const crew = new Crew(pathToFileURL(script), 2, "hand", {});
  try {
    await work(crew);
  } finally {
    await crew.stop();
  }
}

test("every worker answers its own order", () =>
  withCrew(async (crew) => {
    assert.equal(crew.size, 2);
    assert.deepEqual(await crew.askAll((index) => ({ task: `task ${index}` }), SOON), ["task 0", "task 1"]);
  }));

test("a worker's failure has its code", () =>
  withCrew((crew) =>
    assert.rejects(
      crew.askAll((index) => ({ task: index === 1 ? "fail" : "ok" }), SOON),
      { code: "EIO", message: `hand 2, "fail": no luck` },
    ),
  ));

for (const task of ["exit", "throw"]) {
  test(`a worker that ends by ${task}`, () =>
    withCrew(async (crew) => {
      await assert.rejects(
        crew.askAll((index) => ({ task: index === 0 ? task : "hang" }), SOON),
        { code: "ERR_WORKER_DIED" },
      );
      // Later orders are refused at once.
      await assert.rejects(
        crew.askAll(() => ({ task: "ok" }), SOON),
        { code: "ERR_WORKER_DIED" },
      );
    }));
}

test("a worker that is terminated while it works", () =>
  withCrew(async (crew) => {
    const asked = crew.askAll(() => ({ task: "hang" }), SOON);
    crew.workers[1].terminate();
    await assert.rejects(asked, { code: "ERR_WORKER_DIED" });
  }));

test("a worker that does not answer", () =>
  withCrew((crew) =>
    assert.rejects(
      crew.askAll(() => ({ task: "hang" }), 50),
      { code: "ETIMEDOUT" },
    ),
  ));
