/**
 * The main job: loads a real directory into one shared tree with several threads, then looks everything up from all
 * of them while another thread changes the tree, checks every answer, and measures the same lookups in other file systems.
 *
 *   load -> plan what moves -> write the queries -> look up beside the mutator -> without it -> in ref mode -> rivals
 */
import { closeSync, existsSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { SingleBar } from "cli-progress";
import { createVfs, type Vfs } from "threadfs";
import {
  joinReports,
  Loader,
  type LoadLimits,
  type LoadReport,
  realDirectory,
  type SharedName,
  TALLY,
  TALLY_BYTES,
} from "../load/load.js";
import { WorkStack } from "../load/work-stack.js";
import { counterSum } from "../support/counters.js";
import { PRIVILEGED } from "../support/credentials.js";
import { defined } from "../support/defined.js";
import { CliError, codeOf, EXIT_FAILED, EXIT_UNNOTICED, EXIT_USAGE } from "../support/errors.js";
import { WorkerPool } from "../support/worker-pool.js";
import type { LookupReport, WrongAnswer } from "./lookup.js";
import { joinRounds, type Measured, rowOf } from "./measure.js";
import { describeMovingEntry, type MovingEntry, MovingState, Plan } from "./moving.js";
import { Mutator, type MutatorReport } from "./mutator.js";
import { CALL, type PackedQueries } from "./packed-queries.js";
import { missingNear, QueryTable } from "./queries.js";
import { Model, nodeOf } from "./reference-model.js";
import { type JobResult, printJob } from "./report.js";
import type { JobRequest, LoadRequest, RivalName } from "./requests.js";
import type { RivalReport } from "./rivals.js";

export interface JobOptions extends LoadLimits {
  directory: string;
  /** How long to look up beside the mutator; each comparison takes a part of that. */
  seconds: number;
  /** Threads that look up; at least two load. */
  threads: number;
  /** Largest size of the shared memory in bytes. */
  maxBytes: number;
  seed: number;
  /** File for the result as JSON. */
  json?: string;
  /** Plants a wrong answer, to see that it is noticed. */
  selfTest: boolean;
}

const SCRIPT = new URL("./worker.js", import.meta.url);
const LIST_BYTES = 8 << 20;
/** What the counter `chunksUsed` counts, in bytes. */
const CHUNK = 65536;
const LOAD_TIMEOUT = 15 * 60_000;
/** Time limit of a request beyond the time that it is given, in ms. */
const GRACE = 60_000;
/** The time of each comparison, as a share of that beside the mutator, and the rounds it comes in. */
const COMPARISON_SHARE = 0.4;
const ROUNDS = 4;
/** One in this many missing paths is also looked up for its error; not all, because an exception costs 20 lookups. */
const ASK_WHY = 64;
/** Wrong answers that are printed. */
const EXAMPLES = 20;
/** memfs takes some 20 us and 3 kB a name in every thread; a larger tree is not loaded into it. */
const MEMFS_ENTRIES = 200_000;

const NODE = "node:fs, the real directory";
const MEMFS = "memfs, one copy in each thread";

/** A way of looking up that is measured. */
interface Way {
  name: string;
  look(seconds: number): Promise<Measured[]>;
}

/** Shows on a terminal what the job is doing, on a line that the next call overwrites. */
function say(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r${text}\x1b[K`);
}

/** Runs the job and prints its result. Returns the exit status. */
export async function runJob(options: JobOptions): Promise<number> {
  const source = realDirectory(options.directory, EXIT_USAGE);
  if (options.json !== undefined) checkWritable(options.json);
  const vfs = await createVfs({ maxBytes: options.maxBytes });
  const job = new Job(vfs, source, options);
  try {
    await job.run();
  } finally {
    await job.close();
    vfs.close();
  }
  printJob(job.result);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(job.result, null, 2)}\n`);
  return job.exitStatus;
}

/** Finds out before the run whether a file can be written after it. @throws CliError ENOENT, EISDIR, EACCES ... */
function checkWritable(path: string): void {
  const existed = existsSync(path);
  try {
    closeSync(openSync(path, "a"));
  } catch (error) {
    throw new CliError(codeOf(error), `--json ${path}: ${(error as Error).message}`, EXIT_USAGE);
  }
  if (!existed) unlinkSync(path);
}

class Job {
  readonly result: JobResult;
  readonly #vfs: Vfs;
  readonly #options: JobOptions;
  readonly #source: string;
  /** The directory's path in the tree: its own, so that the same strings can be looked up in both. */
  readonly #target: string;
  readonly #pool: WorkerPool<JobRequest>;
  readonly #mutator: WorkerPool<JobRequest>;
  /** Memory of the moving things; allocated when their number is known. */
  #things = new SharedArrayBuffer(8);
  #moving: MovingEntry[] = [];
  #load: LoadReport | undefined;
  #nextSeed: number;

  constructor(vfs: Vfs, source: string, options: JobOptions) {
    this.#vfs = vfs;
    this.#source = source;
    this.#target = source === "/" ? "" : source;
    this.#options = options;
    this.#nextSeed = options.seed;
    const start = { handle: vfs.handle };
    this.#pool = new WorkerPool(SCRIPT, Math.max(2, options.threads), "worker", start);
    this.#mutator = new WorkerPool(SCRIPT, 1, "mutator", start);
    this.result = emptyResult(source, options);
  }

  get exitStatus(): number {
    const { wrong, planted } = this.result.check;
    if (wrong > 0) return EXIT_FAILED;
    return planted === undefined ? 0 : EXIT_UNNOTICED;
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.stop(), this.#mutator.stop()]);
  }

  async run(): Promise<void> {
    await Promise.all([this.#pool, this.#mutator].map((pool) => pool.askAll(() => ({ task: "hello" }), GRACE)));
    const load = await this.#loadTree();
    this.#load = load;
    const { plan, questions } = this.#prepare(load);
    await this.#learn(questions);
    await this.#lookUpBesideMutator(plan);
    await this.#compare(this.#options.seconds * COMPARISON_SHARE);
    const node = this.result.rows.find((row) => row.name === NODE)?.all;
    for (const row of this.result.rows) if (row.all !== undefined && node) row.timesNode = row.all / node;
  }

  async #loadTree(): Promise<LoadReport> {
    const { contentLimit, contentTotal, maxEntries } = this.#options;
    const list = WorkStack.memory(LIST_BYTES);
    const tally = new Int32Array(new SharedArrayBuffer(TALLY_BYTES));
    const common = { source: this.#source, target: this.#target, tally, contentLimit, contentTotal, maxEntries };
    const empty = this.#vfs.counters().chunksUsed;
    const begin = performance.now();
    const own = new Loader({ ...common, fs: this.#vfs.context(PRIVILEGED).fs });
    own.root();
    const work = new WorkStack(list);
    work.push("/");
    const bar = this.#progress(work, tally);
    const request: LoadRequest = { task: "load", list, ...common };
    const shared = await this.#pool.askAll<SharedName[]>(() => request, LOAD_TIMEOUT).finally(bar);
    own.linkTogether(shared.flat());
    const named = this.#vfs.counters().chunksUsed;
    say("loading contents");
    own.fill();
    const load = joinReports([
      own.report,
      ...(await this.#pool.askAll<LoadReport>(() => ({ task: "fill" }), LOAD_TIMEOUT)),
    ]);
    const seconds = (performance.now() - begin) / 1000;
    const { loaded: _loaded, shared: _shared, ...counts } = load;
    Object.assign(this.result.load, counts, { entries: load.loaded.length, seconds, threads: this.#pool.size });
    this.result.memory = memoryOf({ empty, named, all: this.#vfs.counters().chunksUsed }, load);
    return load;
  }

  /** Shows on a terminal how far loading is. Returns the function that ends it. */
  #progress(work: WorkStack, tally: Int32Array): () => void {
    if (!process.stdout.isTTY) return () => undefined;
    const format = "loading {bar} {value}/{total} directories, {entries} entries";
    const bar = new SingleBar({ format, hideCursor: true, clearOnComplete: true });
    const show = (): void => {
      const done = Atomics.load(tally, TALLY.DIRECTORIES);
      bar.setTotal(done + work.unfinished);
      bar.update(done, { entries: Atomics.load(tally, TALLY.ENTRIES) });
    };
    bar.start(1, 0, { entries: 0 });
    const timer = setInterval(show, 100);
    return () => {
      clearInterval(timer);
      show();
      bar.stop();
    };
  }

  /** Decides what moves, what is looked up, and which answers are right. */
  #prepare(load: LoadReport): { plan: Plan; questions: PackedQueries } {
    const loaded = load.loaded.sort((a, b) => (a.path < b.path ? -1 : 1));
    const model = new Model();
    for (const one of loaded) model.add(one.path, nodeOf(one));
    const fs = this.#vfs.context(PRIVILEGED).fs;
    const plan = new Plan(model, fs, this.#source, loaded.length, this.#options.seed);
    this.#moving = plan.things;
    this.#things = MovingState.memory(plan.things.length);
    new Mutator(this.#vfs, fs, plan.things, this.#things).prepare();

    const table = new QueryTable(model, plan.things);
    const reasons: string[] = [];
    for (const [i, { path, mode, target }] of loaded.entries()) {
      table.add({ path, call: CALL.STAT });
      if (target !== undefined) table.add({ path, call: CALL.LSTAT });
      const missing = missingNear(table, path, (mode & 0o170000) === 0o040000, i);
      if (missing === undefined) continue;
      table.add({ path: missing, call: CALL.EXISTS });
      if (i % ASK_WHY === 0) reasons.push(missing);
    }
    table.endBase();
    for (const path of reasons) table.add({ path, call: CALL.ACCESS });
    for (const question of plan.questions) table.add(question);
    if (this.#options.selfTest) this.result.check.planted = this.#plant(table);
    const questions = table.pack();
    this.result.questions = { existing: loaded.length, all: questions.count, tangled: table.tangled };
    this.result.churn.things = plan.things.length;
    return { plan, questions };
  }

  #plant(table: QueryTable): string {
    const path = table.plantWrongAnswer();
    if (path === undefined) throw new CliError("EINVAL", "--self-test: no file to plant a wrong answer at", EXIT_USAGE);
    return path;
  }

  async #learn(questions: PackedQueries): Promise<void> {
    await this.#pool.askAll(() => ({ task: "learn", questions, things: this.#things }), GRACE);
  }

  async #lookUpBesideMutator(plan: Plan): Promise<void> {
    const name = "threadfs, beside the mutator";
    say(`looking up: ${name}`);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const { seconds } = this.#options;
    const churn: JobRequest = {
      task: "churn",
      stop,
      seconds: seconds + GRACE / 1000,
      list: plan.things,
      things: this.#things,
    };
    const churning = this.#mutator.askAll<MutatorReport>(() => churn, seconds * 1000 + 2 * GRACE);
    const looking = this.#look(stop, seconds, true, false).finally(() => Atomics.store(stop, 0, 1));
    const [[moved], reports] = await Promise.all([churning, looking]);
    Object.assign(this.result.churn, moved);
    this.result.counters = counterSum(reports.map((report) => report.counters));
    this.result.rows.push(rowOf(name, reports.slice(0, this.#options.threads)));
  }

  /**
   * The same lookups in a tree that no thread changes, by each way in turn, in several rounds: other work of the machine
   * then slows all of them alike.
   */
  async #compare(seconds: number): Promise<void> {
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const ways: Way[] = [
      { name: "threadfs, nothing else going on", look: (time) => this.#look(stop, time, false, false) },
      { name: "threadfs, forced through ref-walk", look: (time) => this.#look(stop, time, false, true) },
      { name: NODE, look: (time) => this.#rival("node", time) },
    ];
    const absent = await this.#prepareMemfs();
    if (absent === undefined) ways.push({ name: MEMFS, look: (time) => this.#rival("memfs", time) });

    const measured = ways.map((way) => ({ ...way, rounds: [] as Measured[][] }));
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, look, rounds } of measured) {
        say(`looking up: ${name}`);
        rounds.push(await look(Math.max(0.05, seconds / ROUNDS)));
      }
    }
    for (const { name, rounds } of measured) {
      this.result.rows.push(rowOf(name, joinRounds(rounds).slice(0, this.#options.threads)));
    }
    if (absent !== undefined) this.result.rows.push({ name: MEMFS, absent });
    say("");
  }

  /** Loads memfs in each worker. Returns why it is absent, or undefined when it is loaded. */
  async #prepareMemfs(): Promise<string | undefined> {
    const loaded = this.#load?.loaded ?? [];
    if (loaded.length > MEMFS_ENTRIES) return `not loaded: more than ${MEMFS_ENTRIES} entries`;
    say(`loading ${MEMFS}`);
    const request = (index: number): JobRequest => ({ task: "memfs", loaded: this.#rests(index) ? [] : loaded });
    const installed = await this.#pool.askAll<boolean>(request, LOAD_TIMEOUT);
    return installed.every((yes) => yes) ? undefined : "not installed";
  }

  /** Whether a worker looks nothing up: loading may have more threads than looking up. */
  #rests(index: number): boolean {
    return index >= this.#options.threads;
  }

  async #look(stop: Int32Array, seconds: number, all: boolean, ref: boolean): Promise<LookupReport[]> {
    const request = (index: number): JobRequest => ({
      task: "look",
      stop,
      seconds: this.#rests(index) ? 0 : seconds,
      all,
      ref,
      seed: this.#nextSeed++,
    });
    const reports = await this.#pool.askAll<LookupReport>(request, seconds * 1000 + GRACE);
    this.#enterAnswers(reports);
    return reports;
  }

  #rival(rival: RivalName, seconds: number): Promise<RivalReport[]> {
    const request = (index: number): JobRequest => ({
      task: "rival",
      rival,
      seconds: this.#rests(index) ? 0 : seconds,
      seed: this.#nextSeed++,
    });
    return this.#pool.askAll<RivalReport>(request, seconds * 1000 + GRACE);
  }

  #enterAnswers(reports: LookupReport[]): void {
    const { check } = this.result;
    for (const report of reports) {
      check.checked += report.lookups;
      check.loose += report.loose;
      check.still += report.still;
      check.wrong += report.wrong;
      for (const example of report.examples) {
        const known = check.examples.some(
          ({ path, answered }) => path === example.path && answered === example.answered,
        );
        if (!known && check.examples.length < EXAMPLES) check.examples.push(named(example, this.#moving));
      }
    }
  }
}

/** A wrong answer with descriptions of its things in place of their numbers. */
function named(wrong: WrongAnswer, moving: MovingEntry[]): JobResult["check"]["examples"][number] {
  const things = wrong.things.map(({ thing, before, after }) => {
    return { what: describeMovingEntry(defined(moving[thing], `thing ${thing}`)), before, after };
  });
  return { ...wrong, things };
}

/** @param chunks in use: in the empty tree, with all names, and with contents */
function memoryOf(chunks: { empty: number; named: number; all: number }, load: LoadReport): JobResult["memory"] {
  const [emptyBytes, namedBytes, bytes] = [chunks.empty * CHUNK, chunks.named * CHUNK, chunks.all * CHUNK];
  const nameBytes = load.loaded.reduce((sum, { path }) => sum + Buffer.byteLength(path) - path.lastIndexOf("/") - 1, 0);
  const entries = Math.max(1, load.loaded.length);
  return {
    bytes,
    emptyBytes,
    namedBytes,
    contentBytes: load.contentBytes,
    nameBytes,
    perEntry: (bytes - load.contentBytes) / entries,
    perName: (namedBytes - emptyBytes) / entries,
  };
}

function emptyResult(directory: string, options: JobOptions): JobResult {
  const { seconds, threads, seed, contentLimit, contentTotal, maxEntries } = options;
  return {
    directory,
    settings: { seconds, threads, seed, contentLimit, contentTotal, maxEntries, node: process.version },
    load: {} as JobResult["load"],
    memory: {} as JobResult["memory"],
    questions: { existing: 0, all: 0, tangled: 0 },
    churn: { things: 0 } as JobResult["churn"],
    rows: [],
    counters: {},
    check: { checked: 0, still: 0, loose: 0, wrong: 0, examples: [] },
  };
}
