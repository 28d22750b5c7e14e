/**
 * Real workers that die at work, on the shipping core: by terminate() at any moment and in the middle of an Atomics.wait, by an uncaught
 * exception, by process.exit(), by a natural end, by a stack overflow inside the core, by a panic. Several die at a time, while
 * others and this thread work. After every few deaths all threads pause, and the tree must be whole: see victim-state.ts.
 *
 *   npm run verify -- terminate [--seconds N] [--seed N] [--deaths N]
 *
 * The moment of a terminate() depends on the machine; everything else follows from the seed.
 */
import { Worker } from "node:worker_threads";
import { type Random, randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { threadNumberAt } from "../../../threadfs/dist/src/bridge/waiting.js";
import { createVfs, type Vfs } from "../../../threadfs/dist/src/index.js";
import { check as checkArena } from "../fsck/check-arena.js";
import { defineCheck, endOfRun, type Failure, nothingChecked, type Outcome, type RunInput } from "../support/check.js";
import { codeOf, defined, stackOf } from "../support/defined.js";
import { pause, settled, until } from "../support/hang.js";
import { makeDrivers } from "../torture/drivers.js";
import { makeReader, type Turn } from "../torture/roles.js";
import { COUNT, Counts, controlOf, makeSharedState, STATE as RUN_STATE, RUNNING } from "../torture/shared-state.js";
import type { Workload } from "../torture/workloads/workload.js";
import {
  type Bystander,
  type BystanderData,
  type BystanderMessage,
  bystanderThread,
  CONTROL,
  STATE,
} from "./bystander.js";
import { ProgressRecord, STATES } from "./progress-record.js";
import { statelessDriver } from "./stateless-driver.js";
import type { TerminateData } from "./terminate.worker.js";
import type { DeathKind } from "./victim.js";
import { heldBy, judgeVictim, removeVictim, slotsOf, type Victim } from "./victim-state.js";

export const title = "workers that die in every way are recovered, and the others continue to work";

const MAX_BYTES = 256 << 20;
const CONCURRENT_VICTIMS = 8;
const CONCURRENT_VICTIMS_SHORT = 3;
/** The short form has seven rounds, and more where a slow thread has not come to its work in them: up to this many. */
const SHORT_ROUNDS = 7;
const SHORT_ROUNDS_MAX = 200;
const FILE = new URL("./terminate.worker.js", import.meta.url);
const BYSTANDERS: readonly BystanderData["kind"][] = ["reader", "mixer"];

/** The weight of each way to die, and the bound of the step or call at which it happens. */
const DEATH_KINDS: Record<DeathKind, { weight: number; within: number }> = {
  terminate: { weight: 9, within: 1 },
  "terminate in a wait": { weight: 3, within: 60 },
  throw: { weight: 1, within: 150 },
  exit: { weight: 1, within: 150 },
  end: { weight: 1, within: 150 },
  "exit in a call": { weight: 3, within: 60 },
  "throw out of the core": { weight: 2, within: 60 },
  "throw in a hook": { weight: 1, within: 40 },
  overflow: { weight: 1, within: 60 },
  panic: { weight: 2, within: 60 },
};
// The keys are those of the type.
const WEIGHTED_KINDS = (Object.keys(DEATH_KINDS) as DeathKind[]).flatMap((how) =>
  Array<DeathKind>(DEATH_KINDS[how].weight).fill(how),
);

/** Objects alive in a tree. */
const GAUGES = ["dentries", "inodes", "mounts", "openFiles"] as const;
type ObjectCounts = Record<(typeof GAUGES)[number], number>;

/** Objects in use after all files are removed and all unused memory is freed. */
function objectCounts(vfs: Vfs): ObjectCounts {
  for (let n = 0; n < 3; n++) {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  }
  const { dentries, inodes, mounts, openFiles } = vfs.counters();
  return { dentries, inodes, mounts, openFiles };
}

/** The worker of a bystander. */
interface Member {
  worker: Worker;
  slots: number[];
  ended: boolean;
}

/** A worker that has died. */
interface Dead extends Victim {
  life: number;
  how: DeathKind;
  record: ProgressRecord;
  /** What its slots held. */
  held: Record<string, boolean>[];
  error?: unknown;
}

/** The tree of a run, and this thread's part in it. */
interface Tree {
  vfs: Vfs;
  /** This thread as a bystander. */
  own: Bystander;
  /** Objects alive before the workloads. */
  before: ObjectCounts;
}

class Run {
  readonly failures: Failure[] = [];
  readonly next: Random;
  readonly #seed: number;
  readonly #counts = new Map([
    ["rounds", 0],
    ["deaths", 0],
  ]);
  readonly #sharedState = makeSharedState(BYSTANDERS.length + 1);
  readonly #controlBuffer = new SharedArrayBuffer(64);
  readonly #control = new Int32Array(this.#controlBuffer);
  readonly #bystanders: Member[] = [];
  #tree: Tree | undefined;
  #lives = 0;
  /** Threads that are being terminated from here: until that has returned, this thread makes no calls. */
  #ending = 0;
  #stopped = false;
  #work: Promise<void> = Promise.resolve();

  constructor(seed: number) {
    this.#seed = seed;
    this.next = randomBelow(seedOf(seed, 77));
  }

  get #vfs(): Vfs {
    return defined(this.#tree, "tree").vfs;
  }

  get counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  counted(what: "rounds" | "deaths" | "steps" | "turns of this thread"): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Whether each thread has worked: the dead ones, this one, and every bystander. */
  get allHaveWorked(): boolean {
    const dead = this.counted("steps") > 0;
    return dead && this.counted("turns of this thread") > 0 && this.#bystanders.every((_, i) => this.#turnsOf(i) > 0);
  }

  #turnsOf(bystander: number): number {
    return new Counts(this.#sharedState, bystander).get(COUNT.turns);
  }

  count(what: string, n = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + n);
  }

  fail(message: string): void {
    this.failures.push({ message, replay: `npm run verify -- terminate --seed ${this.#seed}` });
  }

  /** Makes the tree, starts the bystanders and this thread's own work. */
  async start(): Promise<void> {
    const vfs = await createVfs({ maxBytes: MAX_BYTES });
    for (const driver of [...makeDrivers(this.#sharedState), statelessDriver()]) vfs.registerDriver(driver);
    const { handle } = vfs;
    const [sharedState, seed] = [this.#sharedState, this.#seed];
    const own = await bystanderThread({ handle, sharedState, index: BYSTANDERS.length, seed });
    for (const dir of ["/t/tmp", "/m", "/common", "/p"]) vfs.fs.mkdirSync(dir, { recursive: true });
    this.#tree = { vfs, own, before: objectCounts(vfs) };
    for (const workload of Object.values<Workload>(own.workloads)) workload.build(own.thread);
    controlOf(sharedState)[RUN_STATE] = RUNNING;
    for (const [index, kind] of BYSTANDERS.entries()) this.#bystanders.push(await this.#startBystander(index, kind));
    const read = makeReader(own.thread, own.workloads);
    this.#work = this.#ownWork(read).catch((error) => this.fail(`this thread: ${stackOf(error)}`));
  }

  async #startBystander(index: number, kind: BystanderData["kind"]): Promise<Member> {
    const { handle } = this.#vfs;
    const [sharedState, seed, control] = [this.#sharedState, this.#seed, this.#controlBuffer];
    const workerData: TerminateData = { role: "bystander", kind, handle, sharedState, index, seed, control };
    const worker = new Worker(FILE, { workerData });
    const member: Member = { worker, slots: [], ended: false };
    worker.on("message", ({ failure, slots = [] }: BystanderMessage) => {
      if (failure) this.fail(failure);
      else member.slots = slots;
    });
    worker.on("error", (error) => this.fail(`the bystander (${kind}): ${stackOf(error)}`));
    worker.on("exit", () => {
      member.ended = true;
    });
    await until(() => member.slots.length > 0 || member.ended, `the start of the ${kind}`);
    return member;
  }

  #command(state: number): void {
    Atomics.store(this.#control, CONTROL.STATE, state);
    Atomics.notify(this.#control, CONTROL.STATE);
  }

  /** This thread's own work: it reads the files that the others change, and writes files of its own. Events are handled between the turns. */
  async #ownWork(read: Turn): Promise<void> {
    const { fs } = this.#vfs;
    for (let n = 0; !this.#stopped; n++) {
      if (this.#ending === 0) {
        read();
        const text = `text ${n}`;
        fs.writeFileSync("/p/new", text);
        fs.renameSync("/p/new", "/p/file");
        const found = fs.readFileSync("/p/file", "utf8");
        if (found !== text) throw new Error(`/p/file is "${found}" where "${text}" was written`);
        this.count("turns of this thread");
      }
      // Leave processor time to the threads that start and die.
      await pause(1);
    }
  }

  /** One worker, from its start to its death. `watched`: attachWorker() recovers it, else this thread. */
  async life({ how, watched }: { how: DeathKind; watched: boolean }): Promise<Dead> {
    const vfs = this.#vfs;
    const life = ++this.#lives;
    const seed = seedOf(this.#seed, life);
    const next = randomBelow(seed ^ 0x1234);
    const workload = { seed, life, driver: how === "throw in a hook" || next(3) === 0 };
    const context = vfs.context({});
    const home = `/m/${life}`;
    vfs.fs.mkdirSync(home);
    for (const dir of ["a", "b", "mnt", "bnd", "drv", "over"]) vfs.fs.mkdirSync(`${home}/${dir}`);
    context.chdir(`${home}/a`);
    const record = new ProgressRecord();
    const plan = { how, at: 1 + next(DEATH_KINDS[how].within) };
    const { handle } = context;
    const workerData: TerminateData = { role: "victim", handle, record: record.buffer, plan, ...workload };
    const worker = new Worker(FILE, { workerData, stderr: true });
    const dead: Dead = { life, how, workload, context, record, vfs, held: [] };
    const name = worker.threadId + 1;
    if (watched) vfs.attachWorker(worker);
    else worker.once("exit", () => this.#recover(dead, name));
    worker.on("error", (error) => {
      dead.error = error;
    });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await settled(this.#end(worker, dead, next), `worker ${life}, ${how}`);
    await settled(ended, `the end of worker ${life}, ${how}`);
    this.count("deaths");
    this.count(how);
    return dead;
  }

  /** Notes what a dead thread held, and recovers it. */
  #recover(dead: Dead, name: number): void {
    const { memory } = this.#vfs.handle;
    for (const slot of slotsOf(memory, name)) {
      dead.held.push(heldBy(memory, slot));
      this.#vfs.threadDied(threadNumberAt(memory, slot));
    }
    this.count("deaths looked at");
    for (const what of Object.keys(dead.held[0] ?? {}))
      if (dead.held.some((held) => held[what])) this.count(`dead ${what}`);
  }

  /** Terminates a worker whose plan it is to be terminated. */
  async #end(worker: Worker, { how, record }: Dead, next: Random): Promise<void> {
    if (!how.startsWith("terminate")) return;
    const wanted = how === "terminate" ? STATES.READY : STATES.PAUSED;
    let gone = false;
    worker.once("exit", () => {
      gone = true;
    });
    await until(() => gone || record.state >= wanted, `a worker that is to be ended (${how})`);
    if (how === "terminate") await pause(next(25) + next(1000) / 1000);
    this.#ending++;
    try {
      await worker.terminate();
    } finally {
      this.#ending--;
    }
  }

  /** Pauses all threads, checks the tree, and removes what the dead workers have left. */
  async checkAtRest(dead: Dead[]): Promise<void> {
    this.#command(STATE.PAUSE);
    const all = this.#bystanders.length;
    const paused = () => Atomics.load(this.#control, CONTROL.PAUSED);
    await until(() => paused() === all || this.failures.length > 0, "standing still");
    if (this.failures.length > 0) return;
    this.#vfs.shrink(0);
    this.#whole("after the deaths", dead);
    for (const one of dead) this.#judge(one);
    if (this.failures.length > 0) return;
    for (const one of dead) removeVictim(one);
    this.#vfs.shrink(0);
    this.#whole("after what the dead have left is gone", dead);
    this.#command(STATE.WORK);
    await until(() => paused() === 0, "going on");
  }

  #whole(when: string, dead: Dead[]): void {
    const { vfs, own } = defined(this.#tree, "tree");
    const live = [vfs.threadSlot, ...own.slots, ...this.#bystanders.flatMap(({ slots }) => slots)];
    const { problems } = checkArena(vfs.handle.memory, { live });
    const who = dead.map(({ life, how, record }) => `${life} ${how} in step ${record.begun}`).join(", ");
    if (problems.length > 0) this.fail(`the arena ${when} (${who}):\n    ${problems.slice(0, 8).join("\n    ")}`);
  }

  #judge(dead: Dead): void {
    const { life, how, record, error } = dead;
    const fail = (what: string) => this.fail(`worker ${life} (${how})${what}`);
    if (record.state === STATES.WRONG || record.state === STATES.NEW) {
      fail(record.state === STATES.WRONG ? ` saw: ${record.message}` : ` never began: ${stackOf(error)}`);
      return;
    }
    const { wrong, inHand } = judgeVictim(dead);
    if (wrong) fail(`: ${wrong}`);
    this.count("steps", record.ended);
    if (inHand) this.count(`in hand: ${inHand}`);
    if (codeOf(error) === "ERR_THREADFS_PANIC") this.count("calls that gave up");
  }

  async end(): Promise<void> {
    this.#stopped = true;
    await this.#work;
    this.#command(STATE.STOP);
    const left = this.#bystanders.filter(({ ended }) => !ended);
    for (const member of left) await until(() => member.ended || this.failures.length > 0, "the end of the bystanders");
    for (const { worker } of this.#bystanders) await worker.terminate();
    for (const i of this.#bystanders.keys()) this.count("turns of the others", this.#turnsOf(i));
    if (this.#tree === undefined) return;
    if (this.failures.length === 0) this.#countAtEnd(this.#tree);
    this.#tree.own.close();
    this.#tree.vfs.close();
  }

  /** No object leaks: without its files the tree has as many objects as before. */
  #countAtEnd({ vfs, own, before }: Tree): void {
    const { expelledReaders, lockWaits } = vfs.counters();
    this.count("expelledReaders", expelledReaders);
    this.count("lockWaits", lockWaits);
    for (const workload of Object.values<Workload>(own.workloads)) workload.last?.(own.thread);
    vfs.fs.rmSync("/t/", { recursive: true });
    vfs.fs.rmSync("/p/file");
    vfs.fs.mkdirSync("/t/tmp", { recursive: true });
    const after = objectCounts(vfs);
    for (const name of GAUGES) {
      if (after[name] !== before[name])
        this.fail(`${name} were ${before[name]} before and are ${after[name]} after: lost`);
    }
  }
}

export interface TerminateOptions extends RunInput {
  /** The long form ends after this many deaths, if the time is not over before. */
  deaths?: number | undefined;
}

export async function run(options: TerminateOptions): Promise<Outcome> {
  const { seconds, seed, short = false, log = () => undefined, deaths: most = Number.POSITIVE_INFINITY } = options;
  const end = endOfRun(options);
  const run = new Run(seed);
  const goesOn = (): boolean => {
    const rounds = run.counted("rounds");
    if (short) return rounds < SHORT_ROUNDS || (rounds < SHORT_ROUNDS_MAX && !run.allHaveWorked);
    return performance.now() < end && run.counted("deaths") < most;
  };
  const deck: DeathKind[] = [];
  const draw = (): DeathKind => {
    if (deck.length === 0) deck.push(...WEIGHTED_KINDS);
    const [how] = deck.splice(run.next(deck.length), 1);
    return defined(how, "way to die");
  };
  try {
    await run.start();
    while (goesOn()) {
      const watched = run.counted("rounds") % 2 === 0;
      const lives = Array.from({ length: short ? CONCURRENT_VICTIMS_SHORT : CONCURRENT_VICTIMS }, () =>
        run.life({ how: draw(), watched }),
      );
      await run.checkAtRest(await Promise.all(lives));
      run.count("rounds");
      if (run.failures.length > 0) break;
      if (run.counted("rounds") % 10 === 0) log(`${run.counted("deaths")} deaths in ${run.counted("rounds")} rounds`);
    }
  } catch (error) {
    run.fail(stackOf(error));
  }
  await run.end();
  if (run.failures.length === 0 && run.counted("deaths") === 0) run.failures.push(nothingChecked(seconds));
  else if (short && run.failures.length === 0 && !run.allHaveWorked) run.fail("a thread did no work in any round");
  return { ok: run.failures.length === 0, explored: run.counts, failures: run.failures };
}

export const check = defineCheck({ title, options: { deaths: { type: "number", least: 1 } }, run });
