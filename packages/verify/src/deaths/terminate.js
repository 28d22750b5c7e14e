/**
 * Real workers that die at work, on the shipping core: by terminate() at any moment and in the middle of an Atomics.wait, by an uncaught
 * exception, by process.exit(), by a natural end, of a stack that is full inside the core, of a panic. Several at a time, while
 * others and this thread work on. Every few deaths everything stands still, and must be whole: see packages/verify/src/deaths/victim-state.js.
 *
 *   npm run verify -- terminate [--seconds N] [--seed N] [--deaths N]
 *
 * The moment of a terminate() is the machine's; everything else follows from the seed.
 */
import { Worker } from "node:worker_threads";
import { randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { createVfs } from "../../../threadfs/dist/src/index.js";
import { check as checkArena } from "../fsck/check-arena.js";
import { defineCheck } from "../support/check.js";
import { makeReader } from "../torture/roles.js";
import { ruleDriver } from "../torture/rule-driver.js";
import { COUNT, Counts, controlOf, makeSharedState } from "../torture/shared-state.js";
import { bystanderThread, CONTROL, STATE } from "./bystander.js";
import { ProgressRecord, STATES } from "./progress-record.js";
import { statelessDriver } from "./stateless-driver.js";
import { heldBy, judgeVictim, removeVictim, slotsOf } from "./victim-state.js";

export const title = "workers that die in every way: what they held is taken over, and the others work on";

const MAX_BYTES = 256 << 20;
const CONCURRENT_VICTIMS = 8;
const CONCURRENT_VICTIMS_SHORT = 3;
const SHORT_ROUNDS = 7;
/** Nothing here takes as long; above the 10 s after which a lock's owner is taken for dead. */
const TIMEOUT_MS = 25_000;
const FILE = new URL("./terminate.worker.js", import.meta.url);
const BYSTANDERS = ["reader", "mixer"];

/** Ways to die, with how often each, and the bound of the number at which it comes about. */
const DEATH_KINDS = {
  terminate: [9, 1],
  "terminate in a wait": [3, 60],
  throw: [1, 150],
  exit: [1, 150],
  end: [1, 150],
  "exit in a call": [3, 60],
  "throw out of the core": [2, 60],
  "throw in a hook": [1, 40],
  overflow: [1, 60],
  panic: [2, 60],
};
const WEIGHTED_KINDS = Object.entries(DEATH_KINDS).flatMap(([how, [weight]]) => Array(weight).fill(how));

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function within(promise, what, ms = TIMEOUT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function until(done, what) {
  const end = Date.now() + TIMEOUT_MS;
  while (!done()) {
    if (Date.now() > end) throw new Error(`${what}: not within ${TIMEOUT_MS} ms`);
    await pause(2);
  }
}

class Run {
  counts = { rounds: 0, deaths: 0 };
  failures = [];
  #lives = 0;
  /** Threads that are being ended from here: as long as their end is not told, this thread makes no calls. */
  #ending = 0;
  #bystanders = [];
  #stopped = false;

  constructor({ seed, log }) {
    Object.assign(this, { seed, log, next: randomBelow(seedOf(seed, 77)) });
  }

  count(what, n = 1) {
    this.counts[what] = (this.counts[what] ?? 0) + n;
  }

  fail(message) {
    this.failures.push({ message, replay: `npm run verify -- terminate --seed ${this.seed}` });
  }

  async start() {
    this.vfs = await createVfs({ maxBytes: MAX_BYTES });
    this.sharedState = makeSharedState(BYSTANDERS.length + 1);
    this.control = new Int32Array(new SharedArrayBuffer(64));
    const { vfs } = this;
    for (const driver of [ruleDriver(), statelessDriver()]) vfs.registerDriver(driver);
    this.own = await bystanderThread({
      handle: vfs.handle,
      sharedState: this.sharedState,
      index: BYSTANDERS.length,
      seed: this.seed,
    });
    for (const dir of ["/t/tmp", "/m", "/common", "/p"]) vfs.fs.mkdirSync(dir, { recursive: true });
    this.before = this.#objectCounts();
    for (const workload of Object.values(this.own.workloads)) workload.build(this.own.thread);
    controlOf(this.sharedState)[0] = 1;
    for (const [index, kind] of BYSTANDERS.entries()) this.#bystanders.push(await this.#startBystander(index, kind));
    this.reading = makeReader(this.own.thread, this.own.workloads);
  }

  #objectCounts() {
    for (let n = 0; n < 3; n++) {
      this.vfs.synchronizeRcu();
      this.vfs.shrink(1 << 20);
    }
    const { dentries, inodes, mounts, openFiles } = this.vfs.counters();
    return { dentries, inodes, mounts, openFiles };
  }

  async #startBystander(index, kind) {
    const { vfs, sharedState, seed } = this;
    const control = this.control.buffer;
    const workerData = { role: "bystander", kind, handle: vfs.handle, sharedState, index, seed, control };
    const worker = new Worker(FILE, { workerData });
    const member = { worker, slots: [], ended: false };
    worker.on("message", ({ failure, slots }) => {
      if (failure) this.fail(failure);
      else member.slots = slots;
    });
    worker.on("error", (error) => this.fail(`the ${kind} that works on: ${error.stack}`));
    worker.on("exit", () => {
      member.ended = true;
    });
    await until(() => member.slots.length > 0 || member.ended, `the start of the ${kind}`);
    return member;
  }

  #command(state) {
    Atomics.store(this.control, CONTROL.STATE, state);
    Atomics.notify(this.control, CONTROL.STATE);
  }

  /** This thread's own work: it reads what the others change, and writes at a place of its own. Between the turns come events. */
  async work() {
    const { fs } = this.vfs;
    for (let n = 0; !this.#stopped; n++) {
      if (this.#ending === 0) {
        this.reading();
        const text = `text ${n}`;
        fs.writeFileSync("/p/new", text);
        fs.renameSync("/p/new", "/p/file");
        const read = fs.readFileSync("/p/file", "utf8");
        if (read !== text) throw new Error(`/p/file is "${read}" where "${text}" was written`);
        this.count("turns of this thread");
      }
      // Those who are born and die need the processors too.
      await pause(1);
    }
  }

  /** One worker, from its birth to its death. */
  async life({ how, watched }) {
    const life = ++this.#lives;
    const seed = seedOf(this.seed, life);
    const next = randomBelow(seed ^ 0x1234);
    const workload = { seed, life, driver: how === "throw in a hook" || next(3) === 0 };
    const context = this.vfs.context({});
    const home = `/m/${life}`;
    this.vfs.fs.mkdirSync(home);
    for (const dir of ["a", "b", "mnt", "bnd", "drv", "over"]) this.vfs.fs.mkdirSync(`${home}/${dir}`);
    context.chdir(`${home}/a`);
    const record = new ProgressRecord();
    const plan = { how, at: 1 + next(DEATH_KINDS[how][1]) };
    const workerData = { role: "victim", handle: context.handle, record: record.buffer, plan, ...workload };
    const worker = new Worker(FILE, { workerData, stderr: true });
    const dead = { life, how, plan, workload, context, record, vfs: this.vfs, slots: [], held: [] };
    const name = worker.threadId + 1;
    if (watched) this.vfs.attachWorker(worker);
    else worker.once("exit", () => this.#recover(dead, name));
    worker.on("error", (error) => {
      dead.error = error;
    });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await within(this.#end(worker, dead, next), `worker ${life}, ${how}`);
    await within(ended, `the end of worker ${life}, ${how}`);
    this.count("deaths");
    this.count(how);
    return dead;
  }

  /** Looks at what a dead thread held, and takes it over. */
  #recover(dead, name) {
    const { memory } = this.vfs.handle;
    for (const slot of slotsOf(memory, name)) {
      dead.held.push(heldBy(memory, slot));
      this.vfs.threadDied(slot);
    }
    this.count("deaths looked at");
    for (const what of Object.keys(dead.held[0] ?? {}))
      if (dead.held.some((held) => held[what])) this.count(`dead ${what}`);
  }

  async #end(worker, { how, record }, next) {
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

  /** Everything stands still and is looked at; what the dead have left goes. */
  async checkAtRest(dead) {
    this.#command(STATE.PAUSE);
    const all = this.#bystanders.length;
    await until(() => Atomics.load(this.control, CONTROL.PAUSED) === all || this.failures.length > 0, "standing still");
    if (this.failures.length > 0) return;
    this.vfs.shrink(0);
    this.#whole("after the deaths", dead);
    for (const one of dead) this.#judge(one);
    if (this.failures.length > 0) return;
    for (const one of dead) removeVictim(one);
    this.vfs.shrink(0);
    this.#whole("after what the dead have left is gone", dead);
    this.#command(STATE.WORK);
    await until(() => Atomics.load(this.control, CONTROL.PAUSED) === 0, "going on");
  }

  #whole(when, dead) {
    const live = [this.vfs.threadSlot, ...this.own.slots, ...this.#bystanders.flatMap(({ slots }) => slots)];
    const { problems } = checkArena(this.vfs.handle.memory, { live });
    const who = dead.map(({ life, how, record }) => `${life} ${how} in step ${record.begun}`).join(", ");
    if (problems.length > 0) this.fail(`the arena ${when} (${who}):\n    ${problems.slice(0, 8).join("\n    ")}`);
  }

  #judge(dead) {
    const { life, how, record, error } = dead;
    if (record.state === STATES.WRONG) return this.fail(`worker ${life} (${how}) saw: ${record.message}`);
    if (record.state === STATES.NEW) return this.fail(`worker ${life} (${how}) never began: ${error?.stack}`);
    const { wrong, inHand } = judgeVictim(dead);
    if (wrong) this.fail(`worker ${life} (${how}): ${wrong}`);
    this.count("steps", record.ended);
    if (inHand) this.count(`in hand: ${inHand}`);
    if (error?.code === "ERR_THREADFS_PANIC") this.count("calls that gave up");
  }

  async end() {
    this.#stopped = true;
    await this.working;
    if (this.control) this.#command(STATE.STOP);
    const left = this.#bystanders.filter(({ ended }) => !ended);
    for (const member of left)
      await until(() => member.ended || this.failures.length > 0, "the end of those who work on");
    for (const { worker } of this.#bystanders) await worker.terminate();
    this.count(
      "turns of the others",
      this.#bystanders.reduce((n, _, i) => n + new Counts(this.sharedState, i).get(COUNT.turns), 0),
    );
    if (this.failures.length === 0) {
      const { expelledReaders, lockWaits } = this.vfs.counters();
      Object.assign(this.counts, { expelledReaders, lockWaits });
      this.#nothingLost();
    }
    this.own?.close();
    this.vfs?.close();
  }

  #nothingLost() {
    for (const workload of Object.values(this.own.workloads)) workload.last?.(this.own.thread);
    this.vfs.fs.rmSync("/t/", { recursive: true });
    this.vfs.fs.rmSync("/p/file");
    this.vfs.fs.mkdirSync("/t/tmp", { recursive: true });
    const after = this.#objectCounts();
    for (const [name, n] of Object.entries(this.before)) {
      if (after[name] !== n) this.fail(`${name} were ${n} before and are ${after[name]} after: lost`);
    }
  }
}

/**
 * @param {{ seconds: number, seed: number, short?: boolean, log?: (line: string) => void, deaths?: number }} options
 *   `short`: at most seven rounds; `deaths`: ends with so many, if that is before the time is over
 */
export async function run({
  seconds,
  seed,
  short = false,
  log = () => undefined,
  deaths: most = Number.POSITIVE_INFINITY,
}) {
  const deadline = performance.now() + seconds * 1000;
  const rounds = short ? SHORT_ROUNDS : Number.POSITIVE_INFINITY;
  const run = new Run({ seed, log });
  let deck = [];
  const draw = () => {
    if (deck.length === 0) deck = [...WEIGHTED_KINDS];
    return deck.splice(run.next(deck.length), 1)[0];
  };
  try {
    await run.start();
    run.working = run.work().catch((error) => run.fail(`this thread: ${error.stack}`));
    while (performance.now() < deadline && run.counts.deaths < most && run.counts.rounds < rounds) {
      const watched = run.counts.rounds % 2 === 0;
      const lives = Array.from({ length: short ? CONCURRENT_VICTIMS_SHORT : CONCURRENT_VICTIMS }, () =>
        run.life({ how: draw(), watched }),
      );
      await run.checkAtRest(await Promise.all(lives));
      run.count("rounds");
      if (run.failures.length > 0) break;
      if (run.counts.rounds % 10 === 0) log(`${run.counts.deaths} deaths in ${run.counts.rounds} rounds`);
    }
  } catch (error) {
    run.fail(`${error.stack}`);
  }
  await run.end();
  return { ok: run.failures.length === 0, explored: run.counts, failures: run.failures };
}

export const check = defineCheck({ title, options: { deaths: { type: "number", least: 1 } }, run });
