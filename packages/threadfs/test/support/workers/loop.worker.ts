/** Does a piece of work on a tree again and again until a message tells it to stop (see startLoop() in threads.ts). */
import { workerData } from "node:worker_threads";
import { serveRequests } from "../../../../cli/dist/support/worker-pool.js";
import { attachVfs } from "../../../dist/src/index.js";
import type { LoopRequest, LoopWorkerData } from "../threads.js";

const { handle, shared } = workerData as LoopWorkerData;
const vfs = await attachVfs(handle);

function begun(): void {
  if (Atomics.exchange(shared, 1, 1) === 0) Atomics.notify(shared, 1);
}

serveRequests<LoopRequest>(({ source, maxRounds }) => {
  const work = new Function("vfs", "round", source);
  let rounds = 0;
  try {
    while (Atomics.load(shared, 0) === 0 && rounds < maxRounds) {
      work(vfs, rounds++);
      Atomics.store(shared, 2, rounds);
      begun();
    }
  } finally {
    begun();
    vfs.close();
  }
  return rounds;
});
