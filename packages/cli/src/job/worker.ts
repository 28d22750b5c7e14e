/**
 * A worker of the job: opens the tree that the main thread made and does what it is ordered to. One order at a time.
 */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type FsSync, type Vfs } from "threadfs";
import { Loader, type LoadReport, type SharedName } from "../load/load.js";
import { WorkStack } from "../load/work-stack.js";
import { type CounterValues, counterDelta } from "../support/counters.js";
import { CliError, noteOf } from "../support/errors.js";
import { LookupChecker, type LookupReport } from "./lookup.js";
import { Mutator, type MutatorReport } from "./mutator.js";
import type { PackedQueries } from "./queries.js";
import {
  type LearnRequest,
  type LoadRequest,
  type LookUpRequest,
  type MemfsRequest,
  type MutateRequest,
  PRIVILEGED,
  type RivalName,
  type RivalRequest,
  type WorkerStart,
} from "./requests.js";
import { memfsWith, nodeFs, Rival, type RivalReport } from "./rivals.js";
import type { Reply, Request } from "./worker-pool.js";

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

  do(request: Request): unknown {
    switch (request.task) {
      case "hello":
        return undefined;
      case "load":
        return this.#load(request as LoadRequest);
      case "fill":
        return this.#fill();
      case "learn":
        return this.#learn(request as LearnRequest);
      case "look":
        return this.#look(request as LookUpRequest);
      case "churn":
        return this.#mutate(request as MutateRequest);
      case "memfs":
        return this.#prepareMemfs(request as MemfsRequest);
      case "rival":
        return this.#rival(request as RivalRequest);
      case "close":
        return this.#vfs.close();
      default:
        throw new CliError("EINVAL", `no such task: ${request.task}`);
    }
  }

  #load(request: LoadRequest): SharedName[] {
    this.#loader = new Loader({ ...request, fs: this.#fs });
    this.#loader.run(new WorkStack(request.list));
    return this.#loader.report.shared;
  }

  #fill(): LoadReport {
    if (!this.#loader) throw new CliError("EINVAL", "asked to load contents before there are names");
    this.#loader.fill();
    return this.#loader.report;
  }

  #learn({ questions, things }: LearnRequest): void {
    this.#questions = questions;
    this.#checker = new LookupChecker(this.#fs, questions, things);
  }

  #look({ stop, seconds, all, seed, ref }: LookUpRequest): LookupReport {
    if (!this.#checker) throw new CliError("EINVAL", "asked to look up before the questions are known");
    const checker = this.#checker;
    // Set for each order and not put back: a core that gave up would hide why with the error of putting it back.
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
    if (!other) throw new CliError("EINVAL", `asked to look up in ${rival} before it is there`);
    return other.run(seconds, seed);
  }

  #known(): PackedQueries {
    if (!this.#questions) throw new CliError("EINVAL", "asked to look up before the questions are known");
    return this.#questions;
  }
}

const port = parentPort;
if (!port) throw new CliError("EINVAL", "this file is a worker's and does nothing by itself");
const jobWorker = attachVfs((workerData as WorkerStart).handle).then((vfs) => new JobWorker(vfs));
port.on("message", async ({ id, request }: { id: number; request: Request }) => {
  let reply: Reply;
  try {
    reply = { id, value: await (await jobWorker).do(request) };
  } catch (error) {
    reply = { id, error: noteOf(error) };
  }
  port.postMessage(reply);
});
