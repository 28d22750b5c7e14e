// A thread of the bench "writers".

import nodeFs from "node:fs";
import { workerData } from "node:worker_threads";
import { attachVfs } from "threadfs";
import { defined } from "../../../cli/dist/support/defined.js";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import type { Turns } from "../lib/timed-workers.js";
import { WORKLOADS, type WriterRequest, type WriterStart } from "./workloads.js";

const { handle, base, control } = workerData as WriterStart;
const vfs = handle === undefined ? undefined : await attachVfs(handle);
const fs = (vfs?.fs ?? nodeFs) as typeof nodeFs;
const batches = new Map<string, () => number>();

function run({ name, thread, threads }: WriterRequest): Turns {
  const batch = batches.get(name) ?? defined(WORKLOADS[name], name).make(fs, base, thread);
  batches.set(name, batch);
  batch();
  Atomics.add(control, 1, 1);
  while (Atomics.load(control, 1) < threads && Atomics.load(control, 0) === 0);
  let count = 0;
  const start = process.hrtime.bigint();
  while (Atomics.load(control, 0) === 0) count += batch();
  return { count, wall: Number(process.hrtime.bigint() - start) };
}

serveRequests<WriterRequest>(run, () => vfs?.close());
