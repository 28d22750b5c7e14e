/**
 * A worker of the job: opens the tree that the main thread made and serves the main thread's requests.
 */
import { workerData } from "node:worker_threads";
import { attachVfs, type FsSync, type Vfs } from "threadfs";
import { Loader, type LoadReport, type SharedName } from "../load/load.js";
import { WorkStack } from "../load/work-stack.js";
import { type CounterValues, counterDelta } from "../support/counters.js";
import { PRIVILEGED } from "../support/credentials.js";
import { CliError } from "../support/errors.js";
import { serveRequests } from "../support/worker-pool.js";
import { LookupChecker, type LookupReport } from "./lookup.js";
import { Mutator, type MutatorReport } from "./mutator.js";
import type { PackedQueries } from "./packed-queries.js";
import type {
  JobRequest,
  LearnRequest,
  LoadRequest,
  LookUpRequest,
  MemfsRequest,
  MutateRequest,
  RivalName,
  RivalRequest,
  WorkerStart,
} from "./requests.js";
import { memfsWith, nodeFs, Rival, type RivalReport } from "./rivals.js";

class JobWorker {
  readonly #vfs: Vfs;
  readonly #fs: FsSync;
  #loader: Loader | undefined;
  #questions: PackedQueries | undefined;
  #checker: LookupChecker | undefined;
  readonly #rivals = new Map<RivalName, Rival>();

  constructor(vfs: Vfs) {
    this.#vfs = vfs;
    this.#fs = vfs.context(PRIVILEGED).fs;
  }

  close(): void {
    this.#vfs.close();
  }

  handle(request: JobRequest): unknown {
    switch (request.task) {
      case "hello":
        return undefined;
      case "load":
        return this.#load(request);
      case "fill":
        return this.#fill();
      case "learn":
        return this.#learn(request);
      case "look":
        return this.#look(request);
      case "churn":
        return this.#mutate(request);
      case "memfs":
        return this.#prepareMemfs(request);
      case "rival":
        return this.#rival(request);
    }
  }

  #load(request: LoadRequest): SharedName[] {
    this.#loader = new Loader({ ...request, fs: this.#fs });
    this.#loader.run(new WorkStack(request.list));
    return this.#loader.report.shared;
  }

  #fill(): LoadReport {
    if (!this.#loader) throw new CliError("EINVAL", "the contents were requested before the names were loaded");
    this.#loader.fill();
    return this.#loader.report;
  }

  #learn({ questions, things }: LearnRequest): void {
    this.#questions = questions;
    this.#checker = new LookupChecker(this.#fs, questions, things);
  }

  #look({ stop, seconds, all, seed, ref }: LookUpRequest): LookupReport {
    if (!this.#checker) throw new CliError("EINVAL", "a lookup was requested before the queries were sent");
    const checker = this.#checker;
    // Set for each request and not reset afterwards: in a core that has failed, resetting would throw and hide the first error.
    this.#vfs.walkMode({ ref });
    return this.#counting(() => checker.run(stop, seconds, all, seed));
  }

  /** Adds to a report what the core counted in this thread meanwhile. */
  #counting<T extends { counters: CounterValues }>(work: () => T): T {
    const before = this.#vfs.counters({ own: true });
    const report = work();
    report.counters = counterDelta(before, this.#vfs.counters({ own: true }));
    return report;
  }

  #mutate({ stop, seconds, list, things }: MutateRequest): MutatorReport {
    const mutator = new Mutator(this.#vfs, this.#fs, list, things);
    return this.#counting(() => mutator.run(stop, performance.now() + seconds * 1000));
  }

  async #prepareMemfs({ loaded }: MemfsRequest): Promise<boolean> {
    const memfs = await memfsWith(loaded);
    if (memfs) this.#rivals.set("memfs", new Rival(memfs, this.#known()));
    return memfs !== undefined;
  }

  #rival({ rival, seconds, seed }: RivalRequest): RivalReport {
    if (rival === "node" && !this.#rivals.has(rival)) this.#rivals.set(rival, new Rival(nodeFs, this.#known()));
    const other = this.#rivals.get(rival);
    if (!other) throw new CliError("EINVAL", `a lookup in ${rival} was requested before it was loaded`);
    return other.run(seconds, seed);
  }

  #known(): PackedQueries {
    if (!this.#questions) throw new CliError("EINVAL", "a lookup was requested before the queries were sent");
    return this.#questions;
  }
}

const jobWorker = attachVfs((workerData as WorkerStart).handle).then((vfs) => new JobWorker(vfs));
serveRequests<JobRequest>(
  async (request) => (await jobWorker).handle(request),
  async () => (await jobWorker).close(),
);
