/** Adds a page to a shared memory, again and again, while another thread uses it; and says so. */
import { workerData } from "node:worker_threads";

export interface GrowthWorkerData {
  memory: WebAssembly.Memory;
  /** How many pages have been added. */
  added: Int32Array;
  pages: number;
}

const { memory, added, pages } = workerData as GrowthWorkerData;
for (let n = 0; n < pages; n++) {
  memory.grow(1);
  Atomics.add(added, 0, 1);
  // Until the other thread has made calls with this size.
  Atomics.wait(added, 1, n, 1000);
}
