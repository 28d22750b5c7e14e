// What does a thread that asks a driver for names that do not exist cost the others? One thread looks 1,000 existing names of the
// driver up, which are in the cache: alone, beside a thread that only computes, and beside one that asks for a name after the other that
// does not exist, a million in the end. Lookups lost, calls of the driver for files that were in the cache, and the memory that the
// names hold.

import { WorkerPool } from "../../cli/dist/support/worker-pool.js";
import { type CachesRequest, type CachesRun, CONTROL, FILES, filesDriver, type Role } from "./caches/driver.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { Result } from "./lib/result.js";
import { openThreadfs } from "./lib/rivals.js";

const WORKER = new URL("./caches/caches.worker.js", import.meta.url);
const REQUEST_LIMIT_MS = 10 * 60 * 1000;
const MAX_BYTES = 2 ** 26;

type Pool = WorkerPool<CachesRequest>;

/** Runs a looker, and a thread beside it that does something else, for `ms`. */
async function together(pool: Pool, control: Int32Array, beside: Role | undefined, ms: number): Promise<CachesRun[]> {
  control.fill(0);
  const roles: Role[] = ["look", ...(beside ? [beside] : [])];
  const runs = roles.map((role, index) =>
    pool.ask<CachesRun>(index, { task: "run", role, threads: roles.length }, REQUEST_LIMIT_MS),
  );
  await new Promise((resolve) => setTimeout(resolve, ms));
  Atomics.store(control, CONTROL.STOP, 1);
  return Promise.all(runs);
}

const rateOf = ({ count, wall }: CachesRun): number => (count * 1e3) / wall;

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("caches", "What does a thread that asks for names that do not exist cost the others?");
  if (options.skip.includes("threadfs")) return result;
  const { vfs } = await openThreadfs(MAX_BYTES);
  vfs.registerDriver(filesDriver(() => undefined));
  vfs.fs.mkdirSync("/m");
  vfs.mount(null, "/m", "files");
  const control = new Int32Array(new SharedArrayBuffer(8));
  const pool: Pool = new WorkerPool(WORKER, 2, "thread", { handle: vfs.handle, control });
  try {
    const ms = options.quick ? 150 : 300;
    const cases = {
      alone: undefined,
      "beside a thread that computes": "compute",
      "beside the one that asks": "ask",
    } as const;
    const rates = Object.keys(cases).map((): number[] => []);
    const quiet = Object.keys(cases).map((): number[] => []);
    let asks: number[] = [];
    let again = 0;
    let looked = 0;
    for (let round = -1; round < options.rounds; round++) {
      for (const [n, role] of Object.values(cases).entries()) {
        const [looker, other] = await together(pool, control, role, ms);
        // The first round warms.
        if (round < 0 || looker === undefined) continue;
        rates[n]?.push(rateOf(looker));
        quiet[n]?.push(looker.ns);
        again += looker.asked;
        looked += looker.count;
        if (role === "ask" && other !== undefined) asks = [...asks, rateOf(other)];
      }
    }
    const names = Object.keys(cases);
    const [alone, computing, asking] = rates.map((all, n) =>
      result.measure("existing names", names[n] ?? "", "M/s", all),
    );
    result.ratio("lookups that are left", asking, alone);
    result.ratio("lookups that are left", asking, computing);
    for (const [n, all] of quiet.entries()) result.measure("a lookup, median batch", names[n] ?? "", "ns", all);
    result.measure("missing names", "the one that asks", "M/s", asks);
    result.figure("calls of the driver for cached files", `${looked} lookups`, "", again);
    const million = 1e6;
    control.fill(0);
    await pool.ask<CachesRun>(1, { task: "run", role: "ask", threads: 1, turns: million }, REQUEST_LIMIT_MS);
    const held = vfs.counters();
    result.curve(
      `memory after ${million} missing names more, of ${MAX_BYTES} bytes`,
      [
        "names that do not exist",
        "files in the cache",
        "dentries in all",
        "bytes of chunks in use",
        "names forgotten",
        "failed allocations",
      ],
      [
        [
          held.negativeDentries,
          held.unusedDentries - held.negativeDentries,
          held.dentries,
          held.chunksUsed << 16,
          held.shrunkDentries,
          held.failedAllocations,
        ],
      ],
    );
    result.note(`${FILES} files in the cache; ${vfs.counters().activatedDentries} uses of a name that was idle`);
  } finally {
    await pool.stop();
    vfs.close();
  }
  return result;
}

export default { name: "caches", run } satisfies Question;
