/**
 * A worker of the job: opens the tree that the main thread made and does what it is ordered to. One order at a time.
 */
import { parentPort, workerData } from "node:worker_threads";
import { attachVfs, type FsSync, type Vfs } from "threadfs";
import { Loader, type LoadReport, type SharedName } from "../load/load.js";
import { WorkList } from "../load/work-stack.js";
import { type CounterValues, counterDelta } from "../support/counters.js";
import { CliError, noteOf } from "../support/errors.js";
import { Looker, type LookupReport } from "./lookup.js";
import { Churner, type ChurnReport } from "./mutator.js";
import type { PackedQuestions } from "./queries.js";
import {
  type ChurnOrder,
  type LearnOrder,
  type LoadOrder,
  type LookOrder,
  type MemfsOrder,
  PRIVILEGED,
  type RivalName,
  type RivalOrder,
  type WorkerStart,
} from "./requests.js";
import { memfsWith, nodeFs, Rival, type RivalReport } from "./rivals.js";
import type { Order, Reply } from "./worker-pool.js";

class Hand {
  readonly #vfs: Vfs;
  readonly #fs: FsSync;
  #loader: Loader | undefined;
  #questions: PackedQuestions | undefined;
  #looker: Looker | undefined;
  readonly #rivals = new Map<RivalName, Rival>();

  constructor(vfs: Vfs) {
    this.#vfs = vfs;
    this.#fs = vfs.context(PRIVILEGED).fs;
  }

  do(order: Order): unknown {
    switch (order.task) {
      case "hello":
        return undefined;
      case "load":
        return this.#load(order as LoadOrder);
      case "fill":
        return this.#fill();
      case "learn":
        return this.#learn(order as LearnOrder);
      case "look":
        return this.#look(order as LookOrder);
      case "churn":
        return this.#churn(order as ChurnOrder);
      case "memfs":
        return this.#prepareMemfs(order as MemfsOrder);
      case "rival":
        return this.#rival(order as RivalOrder);
      case "close":
        return this.#vfs.close();
      default:
        throw new CliError("EINVAL", `no such task: ${order.task}`);
    }
  }

  #load(order: LoadOrder): SharedName[] {
    this.#loader = new Loader({ ...order, fs: this.#fs });
    this.#loader.run(new WorkList(order.list));
    return this.#loader.report.shared;
  }

  #fill(): LoadReport {
    if (!this.#loader) throw new CliError("EINVAL", "asked to load contents before there are names");
    this.#loader.fill();
    return this.#loader.report;
  }

  #learn({ questions, things }: LearnOrder): void {
    this.#questions = questions;
    this.#looker = new Looker(this.#fs, questions, things);
  }

  #look({ stop, seconds, all, seed, ref }: LookOrder): LookupReport {
    if (!this.#looker) throw new CliError("EINVAL", "asked to look up before the questions are known");
    const looker = this.#looker;
    // Set for each order and not put back: a core that gave up would hide why with the error of putting it back.
    this.#vfs.walkMode({ ref });
    return this.#counting(() => looker.run(stop, seconds, all, seed));
  }

  /** Adds to a report what the core counted in this thread meanwhile. */
  #counting<T extends { counters: CounterValues }>(work: () => T): T {
    const before = this.#vfs.counters({ own: true });
    const report = work();
    report.counters = counterDelta(before, this.#vfs.counters({ own: true }));
    return report;
  }

  #churn({ stop, seconds, list, things }: ChurnOrder): ChurnReport {
    const churner = new Churner(this.#vfs, this.#fs, list, things);
    return this.#counting(() => churner.run(stop, performance.now() + seconds * 1000));
  }

  async #prepareMemfs({ loaded }: MemfsOrder): Promise<boolean> {
    const memfs = await memfsWith(loaded);
    if (memfs) this.#rivals.set("memfs", new Rival(memfs, this.#known()));
    return memfs !== undefined;
  }

  #rival({ rival, seconds, seed }: RivalOrder): RivalReport {
    if (rival === "node" && !this.#rivals.has(rival)) this.#rivals.set(rival, new Rival(nodeFs, this.#known()));
    const other = this.#rivals.get(rival);
    if (!other) throw new CliError("EINVAL", `asked to look up in ${rival} before it is there`);
    return other.run(seconds, seed);
  }

  #known(): PackedQuestions {
    if (!this.#questions) throw new CliError("EINVAL", "asked to look up before the questions are known");
    return this.#questions;
  }
}

const port = parentPort;
if (!port) throw new CliError("EINVAL", "this file is a worker's and does nothing by itself");
const hand = attachVfs((workerData as WorkerStart).handle).then((vfs) => new Hand(vfs));
port.on("message", async ({ id, order }: { id: number; order: Order }) => {
  let reply: Reply;
  try {
    reply = { id, value: await (await hand).do(order) };
  } catch (error) {
    reply = { id, error: noteOf(error) };
  }
  port.postMessage(reply);
});
