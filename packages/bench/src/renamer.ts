// Do readers notice a thread that renames? Readers look up a tree of 10,000 files in random order while another thread
// renames a directory of the same tree there and back as fast as it can. In the quiet run that other thread computes
// in registers: both runs load the machine alike, so the difference is the renaming alone.
//
// Two places: a directory that no reader passes, and one that every twentieth path goes through (those lookups may rightly
// find nothing while the directory has its other name).

import os from "node:os";
import { defined } from "../../cli/dist/support/defined.js";
import type { BenchOptions, Question } from "./lib/question.js";
import { benchOrder } from "./lib/random.js";
import { Result } from "./lib/result.js";
import { openThreadfs } from "./lib/rivals.js";
import { pairwise, summary } from "./lib/stats.js";
import { rate, type TimedRun, TimedWorkers, undisturbedRate } from "./lib/timed-workers.js";
import { fileName, makeFiles } from "./lib/tree.js";

const FILES = 10000;
const SIDE = 20;

const SPEED_TARGET = 90;
const RCU_TARGET = 99.9;

/** A directory that is renamed. */
interface Place {
  name: string;
  from: string;
  to: string;
  /** Whether every lookup must find its file: no path goes through the directory. */
  everywhere: boolean;
}

const BESIDE: Place = {
  name: "a directory beside the readers' paths",
  from: "/workspace/project/packages/elsewhere",
  to: "/workspace/project/packages/elsewhere-2",
  everywhere: true,
};

const PASSED: Place = {
  name: "a directory on every 20th path",
  from: "/workspace/project/packages/package-7",
  to: "/workspace/project/packages/package-7-2",
  everywhere: false,
};

/** The threads of this bench: `count` readers, then the renamer. */
class Readers {
  readonly #workers: TimedWorkers;
  readonly count: number;
  readonly #ms: number;

  constructor(workers: TimedWorkers, count: number, ms: number) {
    this.#workers = workers;
    this.count = count;
    this.#ms = ms;
  }

  async prepare(): Promise<void> {
    for (let i = 0; i < this.count; i++) {
      await this.#workers.prepare(i, "read", { kind: "exists", order: benchOrder(FILES, i + 1), side: SIDE });
    }
    await this.#workers.prepare(this.count, "compute", { kind: "compute" });
  }

  async prepareRenamer({ name, from, to }: Place): Promise<void> {
    await this.#workers.prepare(this.count, name, { kind: "rename", from, to });
  }

  /** The readers read while the last thread does `task`; returns the readers' runs and the last thread's. */
  async read(task: string): Promise<{ lookups: TimedRun[]; other: TimedRun }> {
    const tasks = new Array<string>(this.count).fill("read");
    const runs = await this.#workers.run([...tasks, task], this.#ms);
    return { lookups: runs.slice(0, this.count), other: defined(runs[this.count], "the last thread's run") };
  }

  /** Runs the renamer without readers. */
  renameAlone(place: Place): Promise<TimedRun> {
    return this.#workers.runAlone(this.count, place.name, this.#ms);
  }
}

/** A round's figures of the readers beside the renamer. */
interface Round {
  rate: number;
  undisturbed: number;
  renames: number;
  /** Percent of the walks that ended in rcu mode. */
  share: number;
  /** ECHILD restarts and sequence retries in a million lookups. */
  restarts: number;
  retries: number;
}

/** One round beside the renamer: what the readers did and how their walks ended, by their own counters. */
async function besideRenamer(threads: Readers, place: Place): Promise<Round> {
  const { lookups, other } = await threads.read(place.name);
  const sum = (pick: (run: TimedRun) => number) => lookups.reduce((total, run) => total + pick(run), 0);
  const counted = (counter: string) => sum(({ counters }) => counters[counter] ?? 0);
  const read = sum(({ count }) => count);
  const found = sum(({ hits }) => hits);
  if (place.everywhere ? found !== read : found === 0) throw new Error(`${place.name}: ${found} of ${read} found`);
  return {
    rate: rate(lookups) / 1e6,
    undisturbed: undisturbedRate(lookups) / 1e6,
    renames: rate([other]) / 1e6,
    share: (100 * counted("endedRcu")) / (counted("endedRcu") + counted("endedRef")),
    restarts: (counted("echildRestarts") * 1e6) / read,
    retries: (counted("seqRetries") * 1e6) / read,
  };
}

async function measurePlace(threads: Readers, place: Place, options: BenchOptions, result: Result): Promise<void> {
  await threads.prepareRenamer(place);
  const alone = await threads.renameAlone(place);
  const quiet: number[] = [];
  const quietUndisturbed: number[] = [];
  const beside: Round[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const { lookups } = await threads.read("compute");
    quiet.push(rate(lookups) / 1e6);
    quietUndisturbed.push(undisturbedRate(lookups) / 1e6);
    beside.push(await besideRenamer(threads, place));
    options.log(`${place.name}: round ${round + 1} of ${options.rounds}`);
  }
  const all = (field: keyof Round) => beside.map((round) => round[field]);
  result.measure(place.name, "readers, quiet", "M/s", quiet);
  result.measure(place.name, "readers beside the renamer", "M/s", all("rate"));
  result.measure(place.name, "the renamer beside readers", "M/s", all("renames"));
  result.measure(place.name, "the renamer alone", "M/s", [rate([alone]) / 1e6]);
  result.measure(place.name, "ECHILD restarts", "in 1 M lookups", all("restarts"));
  result.measure(place.name, "sequence retries", "in 1 M lookups", all("retries"));
  const percent = (above: number, below: number) => (100 * above) / below;
  const speed = pairwise(all("rate"), quiet, percent);
  result.figure(`${place.name}: readers' speed`, "quiet, same load", "%", summary(speed), {
    target: SPEED_TARGET,
    best: percent(Math.max(...all("rate")), Math.max(...quiet)),
  });
  const undisturbed = pairwise(all("undisturbed"), quietUndisturbed, percent);
  result.figure(`${place.name}: readers' speed`, "the same while on a core (median batch)", "%", summary(undisturbed));
  const shares = summary(all("share"));
  result.figure(`${place.name}: ended in rcu mode`, "all lookups", "%", shares, { target: RCU_TARGET });
}

async function run(options: BenchOptions): Promise<Result> {
  const result = new Result("renamer", "Do readers notice a thread that renames in the same tree at full speed?");
  if (options.skip.includes("threadfs")) return result;
  const { vfs } = await openThreadfs(2 ** 28);
  makeFiles(vfs.fs, 0, FILES, "/", SIDE);
  vfs.fs.mkdirSync(BESIDE.from);
  // One thread a core, the renamer among them: with more, the bench would measure the scheduler.
  const readers = Math.max(1, Math.min(os.availableParallelism() - 1, 15));
  const workers = await TimedWorkers.start(readers + 1, vfs.handle);
  try {
    const threads = new Readers(workers, readers, options.quick ? 300 : 1000);
    await threads.prepare();
    await threads.read("compute"); // Warm.
    for (const place of [BESIDE, PASSED]) await measurePlace(threads, place, options, result);
    result.note(`${readers} reader(s) and one renamer; first path ${`/${fileName(0, SIDE)}`}`);
  } finally {
    await workers.stop();
    vfs.close();
  }
  return result;
}

export default { name: "renamer", run } satisfies Question;
