// Does a second thread that writes add a second thread's speed? Creating, renaming, writing and reading files by one and by two
// threads, on a tree that they share and by node:fs in a directory of the kernel's memory file system.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WorkerPool } from "../../cli/dist/support/worker-pool.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { noteFileSystem } from "./lib/remote.js";
import { Result } from "./lib/result.js";
import { LABEL, openThreadfs } from "./lib/rivals.js";
import { makeTempDirectory, removeTempDirectory } from "./lib/tempdir.js";
import { rate, type Turns } from "./lib/timed-workers.js";
import { SHARED, TWO, WORKLOADS, type WriterRequest, type WriterStart } from "./writers/workloads.js";

const WORKER = new URL("./writers/writer.worker.js", import.meta.url);
const REQUEST_LIMIT_MS = 60_000;

type Rival = "threadfs" | "node";
type Pool = WorkerPool<WriterRequest>;

/** A pair of threads of one rival. */
function startPool(start: WriterStart): Pool {
  return new WorkerPool(WORKER, TWO, "writer", start);
}

/** Makes what the workloads need. */
function prepare(fs: Pick<typeof import("node:fs"), "mkdirSync" | "writeFileSync">, base: string): void {
  for (let thread = 0; thread < TWO; thread++) fs.mkdirSync(join(base, `${thread}`));
  fs.mkdirSync(join(base, SHARED));
  fs.writeFileSync(join(base, SHARED, "file"), Buffer.alloc(4096));
}

/** Runs a workload on so many threads for `ms`. Returns turns a second in thousands. */
async function turns(pool: Pool, control: Int32Array, name: string, threads: number, ms: number): Promise<number> {
  control.fill(0);
  const runs = Array.from({ length: threads }, (_, index) =>
    pool.ask<Turns>(index, { task: "run", name, thread: index, threads }, REQUEST_LIMIT_MS),
  );
  await new Promise((resolve) => setTimeout(resolve, ms));
  Atomics.store(control, 0, 1);
  return rate(await Promise.all(runs)) / 1e3;
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("writers", "Does a second thread that writes bring a second thread's worth?");
  const rivals = (["threadfs", "node"] as const).filter((rival) => !options.skip.includes(rival));
  const base = makeTempDirectory();
  const { vfs } = await openThreadfs(2 ** 28);
  prepare(vfs.fs as unknown as typeof import("node:fs"), "/");
  prepare({ mkdirSync, writeFileSync } as typeof import("node:fs"), base);
  const control = new Int32Array(new SharedArrayBuffer(8));
  const pools = new Map<Rival, Pool>();
  try {
    for (const rival of rivals) {
      pools.set(rival, startPool(rival === "node" ? { base, control } : { handle: vfs.handle, base: "/", control }));
    }
    const ms = options.quick ? 100 : 200;
    for (const [name, { target }] of Object.entries(WORKLOADS)) {
      const rounds = { one: new Map<Rival, number[]>(), two: new Map<Rival, number[]>() };
      for (let round = -1; round < options.rounds; round++) {
        for (const [rival, pool] of pools) {
          for (const [key, threads] of [
            ["one", 1],
            ["two", TWO],
          ] as const) {
            const rate = await turns(pool, control, name, threads, ms);
            // The first round warms.
            if (round >= 0) rounds[key].set(rival, [...(rounds[key].get(rival) ?? []), rate]);
          }
        }
      }
      for (const rival of rivals) {
        const one = result.measure(`${name}, ${LABEL[rival]}`, "1 thread", "k/s", rounds.one.get(rival) ?? []);
        const two = result.measure(`${name}, ${LABEL[rival]}`, "2 threads", "k/s", rounds.two.get(rival) ?? []);
        result.ratio(`${name}, ${LABEL[rival]}`, two, one, rival === "threadfs" ? target : undefined);
      }
      options.log(name);
    }
  } finally {
    for (const pool of pools.values()) await pool.stop();
    vfs.close();
    removeTempDirectory(base);
  }
  noteFileSystem(result);
  return result;
}

export default { name: "writers", run } satisfies Question;
