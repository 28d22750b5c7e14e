// A thread of the bench "writers".

import nodeFs from "node:fs";
import { threadId, workerData } from "node:worker_threads";
import { attachVfs } from "threadfs";
import { defined } from "../../../cli/dist/support/defined.js";
import { serveRequests } from "../../../cli/dist/support/worker-pool.js";
import { median } from "../lib/stats.js";
import type { TimedRun } from "../lib/timed-workers.js";
import { WORKLOADS, type WriterRequest, type WriterStart } from "./workloads.js";

const { handle, base, control } = workerData as WriterStart;
const vfs = handle === undefined ? undefined : await attachVfs(handle);
const fs = (vfs?.fs ?? nodeFs) as typeof nodeFs;
const batches = new Map<string, () => number>();

/** The number of this thread among those of its pool, whose threads begin one after the other. */
const number = threadId % 2;

function run({ name, threads }: WriterRequest): TimedRun {
  const batch = batches.get(name) ?? defined(WORKLOADS[name], name).make(fs, base, number);
  batches.set(name, batch);
  batch();
  Atomics.add(control, 1, 1);
  while (Atomics.load(control, 1) < threads && Atomics.load(control, 0) === 0);
  const times: number[] = [];
  let count = 0;
  const start = process.hrtime.bigint();
  let before = start;
  while (Atomics.load(control, 0) === 0) {
    const calls = batch();
    const after = process.hrtime.bigint();
    times.push(Number(after - before) / calls);
    count += calls;
    before = after;
  }
  const ns = times.length === 0 ? Number.POSITIVE_INFINITY : median(times);
  return { count, hits: count, ns, wall: Number(before - start), counters: {} };
}

serveRequests<WriterRequest>(run, () => vfs?.close());
