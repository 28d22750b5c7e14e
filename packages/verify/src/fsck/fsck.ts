/**
 * The arena is consistent after random work of every kind: with free memory, with memory that is short all the time, through
 * several attachments in turn, and by real threads at the same time. In turn the checker runs every few steps, and a failure names
 * the seed and the last steps; after threads it runs when all have detached. With `--counters near-end` all counters of the arena
 * are close to their end at first.
 */
import { randomBelow } from "../../../cli/dist/support/random.js";
import { WorkerPool } from "../../../cli/dist/support/worker-pool.js";
import type { Driver, FsSync, Vfs } from "../../../threadfs/dist/src/index.js";
import { attachVfs, createVfs } from "../../../threadfs/dist/src/index.js";
import { defineCheck, endOfRun, type Failure, type Outcome, type RunInput } from "../support/check.js";
import { codeOf, defined, stackOf } from "../support/defined.js";
import { HANG_MS } from "../support/hang.js";
import { objectDriver } from "../workload/object-driver.js";
import { RandomCalls } from "../workload/random-calls.js";
import type { RandomCallsData, RandomCallsRequest } from "../workload/random-calls.worker.js";
import { makeEras, twinDrivers } from "../workload/twin-driver.js";
import { check as checkArena } from "./check-arena.js";
import { COUNTERS, isNearEnd, setCountersNearEnd } from "./near-end.js";

export const title = "the arena is whole after random work";

/** Steps on one tree, and between two runs of the checker. */
const STEPS = 2000;
const EVERY = 50;
const SHORT_TREES = 6;
const TREES_MAX = 100_000;
/** Real threads work after this many trees. */
const TREES_A_TURN = 10;
/** Every so many trees there is one more, with drivers whose directories have several names. */
const TWINS_A_TURN = 2;
const THREADS = 3;
const THREAD_STEPS = 4000;
const RANDOM_CALLS = new URL("../workload/random-calls.worker.js", import.meta.url);
/** Sizes of the arena, of which the seed chooses one, and how many pages of 4 KiB are left free; undefined: all. */
interface Shape {
  maxBytes: number;
  free?: number;
  nearEnd?: boolean;
  /** The tree has the drivers whose directories have several names and go stale, in place of the plain one. */
  twins?: boolean;
}
const SHAPES: Shape[] = [
  { maxBytes: 16 << 20 },
  { maxBytes: 2 << 20, free: 20 },
  { maxBytes: 4 << 20, free: 3 },
  { maxBytes: 2 << 20, free: 0 },
];

/** Counts of the run, by name. */
type Explored = ReturnType<typeof nothingExplored>;

const nothingExplored = () => ({
  trees: 0,
  "of them with directories of several names": 0,
  steps: 0,
  "steps that succeeded": 0,
  looks: 0,
  "steps that returned ENOSPC": 0,
  "steps of real threads": 0,
});

export interface FsckOptions extends RunInput {
  /** "near-end": all counters are close to their end at first. */
  counters?: string | undefined;
  /** The run ends after this many trees. */
  trees?: number | undefined;
}

export async function run(options: FsckOptions): Promise<Outcome> {
  const { seed, short = false, log = () => undefined, counters, trees = TREES_MAX } = options;
  const nearEnd = isNearEnd(counters);
  const until = endOfRun(options);
  const most = short ? Math.min(SHORT_TREES, trees) : trees;
  const explored = nothingExplored();
  const failures: Failure[] = [];
  for (let n = 0; n < most && (n === 0 || performance.now() < until); n++) {
    const shape = defined(SHAPES[(seed + n) % SHAPES.length], "shape");
    const replay = `--seed ${seed + n} --trees 1${nearEnd ? " --counters near-end" : ""}`;
    const found: (Failure | undefined)[] = [await workOn(seed + n, { ...shape, nearEnd }, explored)];
    // A run that is repeated for its first tree alone has this one too.
    if (n % TWINS_A_TURN === 0) found.push(await workOn(seed + n, { ...shape, nearEnd, twins: true }, explored));
    failures.push(...found.flatMap((wrong) => wrong ?? []).map((wrong) => ({ ...wrong, replay })));
    if (n % TREES_A_TURN === 2) {
      for (const twins of [false, true]) {
        const beside = await threads(seed + n, { ...shape, nearEnd, twins }, explored);
        if (beside !== undefined) failures.push(beside);
      }
    }
    if (n % 20 === 19) log(`${explored.trees} trees`);
    if (failures.length >= 5) break;
  }
  return { ok: failures.length === 0, explored, failures };
}

/** Works on one tree. @returns a failure, if there is one */
async function workOn(
  seed: number,
  { maxBytes, free, nearEnd, twins }: Shape,
  explored: Explored,
): Promise<Failure | undefined> {
  const drivers: Driver[] = twins ? twinDrivers(makeEras()) : [objectDriver()];
  const vfs = await createVfs({ maxBytes });
  const others = [await attachVfs(vfs.handle, { share: false }), await attachVfs(vfs.handle, { share: false })];
  const all = [vfs, ...others];
  // Nobody reads it, because the event loop does not turn: the checker compares the log with the tree.
  const changes = vfs.changes({ persistent: false });
  for (const one of all) for (const driver of drivers) one.registerDriver(driver);
  if (twins) mountTwins(vfs);
  if (free !== undefined) ballast(vfs.fs, free);
  if (nearEnd) setCountersNearEnd(vfs.handle.memory);
  const workloads = all.map(
    (one, k) => new RandomCalls(one, seed * 3 + k, { drivers: drivers.map(({ name }) => name) }),
  );
  if (twins) for (const workload of workloads) workload.noteTwins();
  explored.trees++;
  if (twins) explored["of them with directories of several names"]++;
  const next = randomBelow(seed);
  const name = `seed ${seed}${twins ? ", directories of several names" : ""}`;
  try {
    for (let step = 0; step < STEPS; step += EVERY) {
      const trace: string[] = [];
      for (let k = 0; k < EVERY; k++) {
        const n = next(workloads.length);
        const workload = defined(workloads[n], "workload");
        workload.step();
        trace.push(`${n}: ${workload.trace.at(-1)}`);
      }
      note(explored, trace);
      const { problems } = checkArena(vfs.handle.memory, { live: all.map((one) => one.threadSlot) });
      explored.looks++;
      if (problems.length > 0) return failure(`${name}, ${step + EVERY} steps`, problems, trace);
    }
    for (const workload of workloads) workload.close();
    await changes.return?.();
    const { problems, counts } = checkArena(vfs.handle.memory);
    if (counts.files !== 0) problems.push(`${counts.files} files are open after all were closed`);
    if (problems.length > 0) return failure(`${name}, all closed`, problems, []);
    return undefined;
  } finally {
    for (const one of all) one.close();
  }
}

/** Several threads work on one tree at the same time. @returns a failure, if there is one when they have detached */
async function threads(
  seed: number,
  { maxBytes, free, nearEnd, twins }: Shape,
  explored: Explored,
): Promise<Failure | undefined> {
  const vfs = await createVfs({ maxBytes });
  const eras = twins ? makeEras() : undefined;
  if (eras !== undefined) {
    for (const driver of twinDrivers(eras)) vfs.registerDriver(driver);
    mountTwins(vfs);
  }
  // Their slots get their scratch areas while there is room.
  for (const one of await Promise.all(Array.from({ length: THREADS }, () => attachVfs(vfs.handle, { share: false }))))
    one.close();
  const changes = vfs.changes({ persistent: false });
  if (free !== undefined) ballast(vfs.fs, free);
  if (nearEnd) setCountersNearEnd(vfs.handle.memory);
  const workerData: RandomCallsData = { handle: vfs.handle, eras };
  const pool = new WorkerPool<RandomCallsRequest>(RANDOM_CALLS, THREADS, "thread", workerData);
  try {
    const ready = await pool.settleAll((k) => ({ task: "prepare", seed: seed * 31 + k }), HANG_MS);
    const ends = await pool.settleAll(() => ({ task: "run", steps: THREAD_STEPS }), HANG_MS);
    const errors = [...ready, ...ends].flatMap((end) => (end.status === "rejected" ? [stackOf(end.reason)] : []));
    explored["steps of real threads"] += THREADS * THREAD_STEPS;
    const { problems } = checkArena(vfs.handle.memory, { live: [vfs.threadSlot] });
    explored.looks++;
    const wrong = [...errors, ...problems];
    return wrong.length === 0
      ? undefined
      : {
          message: `threads, seed ${seed}${twins ? ", directories of several names" : ""}: ${wrong[0]}`,
          trace: wrong.join("\n"),
        };
  } finally {
    await pool.stop();
    await changes.return?.();
    vfs.close();
  }
}

function mountTwins(vfs: Vfs): void {
  for (const [path, driver] of [
    ["/a", "alias"],
    ["/b", "twin"],
  ] as const) {
    vfs.fs.mkdirSync(path);
    vfs.mount("none", path, driver);
  }
}

/** Fills the arena except for this many pages. */
function ballast(fs: FsSync, free: number): void {
  const fd = fs.openSync("/ballast", "w");
  const size = () => fs.fstatSync(fd).size;
  try {
    for (let n = 0; n < 100_000; n++) fs.writeSync(fd, Buffer.alloc(65_536, "b"));
  } catch (error) {
    if (codeOf(error) !== "ENOSPC") throw error;
  }
  fs.ftruncateSync(fd, Math.max(size() - free * 4096, 0));
  fs.closeSync(fd);
}

function note(explored: Explored, trace: string[]): void {
  explored.steps += trace.length;
  explored["steps that returned ENOSPC"] += trace.filter((line) => line.endsWith(": ENOSPC")).length;
  explored["steps that succeeded"] += trace.filter((line) => !/: E[A-Z]+$/.test(line)).length;
}

function failure(where: string, problems: string[], trace: string[]): Failure {
  return { message: `${where}: ${problems[0]}`, trace: [...problems, ...trace.slice(-EVERY)].join("\n") };
}

export const check = defineCheck({ title, options: { ...COUNTERS, trees: { type: "number", least: 1 } }, run });
