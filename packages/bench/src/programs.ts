// What do real programs gain? Two workers at once resolve all modules of a real node_modules, bundle a package, check types: on one
// tree of threadfs, on one directory by node:fs, and each on a volume of its own by memfs.
//
// What is not comparable: memfs's workers share nothing, and have loaded their files before. Most of a bundler's and a compiler's time is
// its own work, so their ratios say little about the file system; module resolution is what asks it most.

import { WorkerPool } from "../../cli/dist/support/worker-pool.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { type Measure, Result } from "./lib/result.js";
import { KINDS, type Kind, LABEL, openThreadfs } from "./lib/rivals.js";
import { makeTempDirectory, removeTempDirectory } from "./lib/tempdir.js";
import { copyPrograms, listPrograms, type Programs } from "./programs/files.js";
import type { ProgramRequest, ProgramRun, ProgramWorkerStart } from "./programs/worker.js";

const WORKER = new URL("./programs/worker.js", import.meta.url);
const WORKERS = 2;
/** Longest time of one task, in ms. */
const TIMEOUT = 600_000;

const TASKS = [
  { task: "resolve", what: "enhanced-resolve, all of node_modules" },
  { task: "bundle", what: "webpack, fast-glob" },
  { task: "check", what: "TypeScript, types of Node" },
] as const;

/** A rival with its workers. */
interface Side {
  kind: Kind;
  pool: WorkerPool<ProgramRequest>;
  close(): void;
}

async function openSide(kind: Kind, programs: Programs): Promise<Side> {
  const start = { ...programs, kind, handle: undefined };
  const pool = (data: ProgramWorkerStart) => new WorkerPool<ProgramRequest>(WORKER, WORKERS, LABEL[kind], data);
  if (kind === "threadfs") {
    const { vfs } = await openThreadfs();
    copyPrograms(vfs.fs, programs.files, "/project");
    return { kind, pool: pool({ ...start, handle: vfs.handle, root: "/project" }), close: () => vfs.close() };
  }
  if (kind === "memfs") return { kind, pool: pool({ ...start, root: "/project" }), close: () => {} };
  const root = makeTempDirectory();
  copyPrograms(await import("node:fs"), programs.files, root);
  return { kind, pool: pool({ ...start, root }), close: () => removeTempDirectory(root) };
}

/** Runs a task in all workers of a side at once. Returns the time of the slower one, and what they found. */
async function runTask({ pool }: Side, task: ProgramRequest["task"]): Promise<ProgramRun> {
  const runs = await pool.askAll<ProgramRun>(() => ({ task }), TIMEOUT);
  const found = new Set(runs.map((run) => run.found));
  if (found.size !== 1) throw new Error(`${task}: the workers found ${[...found].join(" and ")}`);
  return { ms: Math.max(...runs.map(({ ms }) => ms)), found: [...found].join() };
}

async function measure(sides: readonly Side[], options: BenchOptions, result: Result): Promise<void> {
  for (const side of sides) await runTask(side, "open");
  const rounds = Math.max(2, Math.ceil(options.rounds / 3));
  for (const { task, what } of TASKS) {
    const times = new Map<Kind, number[]>(sides.map(({ kind }) => [kind, []]));
    const found = new Set<string>();
    for (let round = -1; round < rounds; round++) {
      for (const side of sides) {
        const run = await runTask(side, task);
        found.add(run.found);
        // The first round compiles the programs.
        if (round >= 0) times.get(side.kind)?.push(run.ms);
      }
    }
    if (found.size !== 1) throw new Error(`${what}: the rivals found ${[...found].join(" and ")}`);
    options.log(`${what}: ${[...found].join()}`);
    const measures = new Map<Kind, Measure>();
    for (const [kind, ms] of times) measures.set(kind, result.measure(what, LABEL[kind], "ms", ms));
    for (const kind of ["node", "memfs"] as const) result.ratio(what, measures.get(kind), measures.get("threadfs"));
  }
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("programs", "What do two workers' programs gain?");
  const programs = listPrograms();
  if (programs === undefined) {
    result.note("left out: npm run test:programs installs the programs");
    return result;
  }
  const sides: Side[] = [];
  try {
    for (const kind of KINDS) if (!options.skip.includes(kind)) sides.push(await openSide(kind, programs));
    await measure(sides, options, result);
    result.note(`${programs.files.length} files, ${programs.requests.length} requests to the resolver in each worker`);
  } finally {
    for (const { pool, close } of sides) {
      await pool.stop();
      close();
    }
  }
  return result;
}

export default { name: "programs", run } satisfies Question;
