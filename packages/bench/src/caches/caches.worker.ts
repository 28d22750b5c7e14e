// A thread of the bench "caches".

import { workerData } from "node:worker_threads";
import { attachVfs, type VfsHandle } from "threadfs";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import { benchOrder } from "../lib/random.js";
import { median } from "../lib/stats.js";
import { type CachesRequest, type CachesRun, CONTROL, FILES, filesDriver, type Role } from "./driver.js";

const { handle, control } = workerData as { handle: VfsHandle; control: Int32Array };
const vfs = await attachVfs(handle);
const { fs } = vfs;
let asked = 0;
vfs.registerDriver(filesDriver(() => asked++));

const BATCH = 256;
const paths = Array.from(benchOrder(FILES), (n) => `/m/f${n}`);
let at = 0;
let names = 0;
let state = 1;

const BATCHES: Record<Role, () => void> = {
  look() {
    for (let i = 0; i < BATCH; i++) {
      if (!fs.existsSync(paths[at] as string)) throw new Error(`${paths[at]} is gone`); // `at` is below the length
      if (++at === paths.length) at = 0;
    }
  },
  ask() {
    for (let i = 0; i < BATCH; i++) if (fs.existsSync(`/m/none-${names++}`)) throw new Error("a missing name exists");
  },
  compute() {
    for (let i = 0; i < BATCH * 64; i++) state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1) | 0;
  },
};

function run({ role, threads, turns = Number.POSITIVE_INFINITY }: CachesRequest): CachesRun {
  const batch = BATCHES[role];
  batch();
  asked = 0;
  Atomics.add(control, CONTROL.READY, 1);
  while (Atomics.load(control, CONTROL.READY) < threads && Atomics.load(control, CONTROL.STOP) === 0);
  const batches: number[] = [];
  const start = process.hrtime.bigint();
  let before = start;
  do {
    batch();
    const after = process.hrtime.bigint();
    batches.push(Number(after - before));
    before = after;
  } while (Atomics.load(control, CONTROL.STOP) === 0 && batches.length * BATCH < turns);
  return { count: batches.length * BATCH, wall: Number(before - start), ns: median(batches) / BATCH, asked };
}

serveRequests<CachesRequest>(run, () => vfs.close());
