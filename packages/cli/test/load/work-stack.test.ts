/** The shared stack of work returns each directory once, and undefined when all are finished. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { WorkStack } from "../../dist/load/work-stack.js";

/** Takes every item; an item of less than four parts adds three of its own. */
function drain(list: WorkStack): string[] {
  const taken: string[] = [];
  for (let item = list.take(); item !== undefined; item = list.take()) {
    taken.push(item);
    if (item.split("/").length < 4) for (const part of ["x", "ö", "z"]) list.push(`${item}/${part}`);
    list.finish();
  }
  return taken;
}

function expected(): string[] {
  const all = ["r"];
  for (const item of all)
    if (item.split("/").length < 4) for (const part of ["x", "ö", "z"]) all.push(`${item}/${part}`);
  return all.sort();
}

for (const bytes of [1 << 16, 40, 0]) {
  test(`one thread takes each item once, with ${bytes} bytes of shared memory`, () => {
    const list = new WorkStack(WorkStack.memory(bytes));
    list.push("r");
    assert.equal(list.unfinished, 1);
    assert.deepEqual(drain(list).sort(), expected());
    assert.equal(list.unfinished, 0);
    assert.equal(list.take(), undefined);
  });
}

test("several threads together take each item once", async () => {
  const memory = WorkStack.memory(200);
  const list = new WorkStack(memory);
  for (let i = 0; i < 20; i++) list.push("r");
  const url = new URL("../../dist/load/work-stack.js", import.meta.url).href;
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(${JSON.stringify(url)}).then(({ WorkStack }) => {
      const drain = ${drain.toString()};
      parentPort.postMessage(drain(new WorkStack(workerData)));
    });`;
  const workers = [1, 2].map(() => new Worker(code, { eval: true, workerData: memory }));
  const others = workers.map(
    (worker) =>
      new Promise<string[]>((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      }),
  );
  const taken = [drain(list), ...(await Promise.all(others))].flat();
  const all = Array.from({ length: 20 }, expected).flat();
  assert.deepEqual(taken.sort(), all.sort());
});
