/**
 * Torture on real threads, in the manner of rcutorture: the shipping core with poison in freed memory, files stamped with
 * what they are and which generation, readers that know what may be where, and every operation mixed in other threads.
 *
 *   npm run verify -- torture [--seconds N] [--seed N] [--threads N] [--lookups N] [--renames N] [--core FILE]
 *   npm run verify -- torture --planted all|NAME [--seconds N]
 *
 * With `lookups` and `renames` the run ends when both counts are reached (or the time is over). The threads' schedules are
 * the machine's: a seed repeats what each thread does, not how they meet.
 */
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { createVfs } from "../../../threadfs/dist/src/index.js";
import { buildMutant } from "../binary/mutant.js";
import { check as fsck } from "../fsck/check-arena.js";
import { defineCheck } from "../support/check.js";
import { ruleDriver } from "./mount-workloads.js";
import { PLANTED } from "./planted-faults.js";
import { COUNT, controlOf, countersOf, makeSharedState, Ring, RUNNING, STATE, STOPPED } from "./shared-state.js";
import { Thread } from "./thread.js";
import { makeWorkloads } from "./workloads.js";

export const title = "Torture: poison, stamps and all operations on real threads";

/** Address of the header's word that asks for poison (core/mem/layout.ts). */
const H_POISON = 1064;
const MAX_BYTES = 256 << 20;
/** A thread that makes no turn for so long is stuck: longer than the time after which a lock's owner is taken for dead. */
const STUCK_MS = 15_000;
const POLL_MS = 50;

/** Who does what, in the order in which threads are added. */
const ROLES = ["reader", "mixer", "renamer", "tracker", "sleeper", "fs", "mixer", "reader"];

/** The same for a run that is to reach a number of lookups: most of its time goes to them. */
const COUNT_ROLES = ["reader", "renamer", "reader", "mixer", "reader", "tracker", "reader", "sleeper"];
const COUNT_THREADS = 8;
/** Longest time of such a run where none is given, in seconds. */
const COUNT_SECONDS = 7200;

/** Objects alive once everything that can go has gone. */
function objectCounts(vfs) {
  for (let i = 0; i < 3; i++) {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  }
  const { dentries, inodes, mounts, openFiles } = vfs.counters();
  return { dentries, inodes, mounts, openFiles };
}

/** The threads of a run: started, watched and stopped. */
class WorkerPool {
  members = [];
  failures = [];
  #sharedState;
  #control;

  constructor(sharedState) {
    this.#sharedState = sharedState;
    this.#control = controlOf(sharedState);
  }

  async start(handle, roles, options) {
    const among = (role) => roles.filter((other) => other === role).length;
    const seen = {};
    for (const [index, role] of roles.entries()) {
      const member = seen[role] ?? 0;
      seen[role] = member + 1;
      const workerData = {
        handle,
        sharedState: this.#sharedState,
        index,
        role,
        member,
        among: among(role),
        ...options,
      };
      this.members.push(this.#startWorker(index, role, workerData));
    }
    await Promise.all(this.members.map(({ ready }) => ready));
    Atomics.store(this.#control, STATE, RUNNING);
    Atomics.notify(this.#control, STATE);
  }

  #startWorker(index, role, workerData) {
    const worker = new Worker(new URL("./torture.worker.js", import.meta.url), { workerData });
    const member = { index, role, worker, ended: false, turns: -1, since: Date.now() };
    const fail = (message) => {
      this.failures.push({ index, role, message });
      this.stop();
    };
    member.ready = new Promise((resolve) => {
      worker.on("message", (message) => {
        if (message.failure !== undefined) {
          const trapped = message.kind === "Impossible" ? "" : `${message.code ?? message.kind}: `;
          fail(`${trapped}${message.failure}${trapped ? `\n${message.stack}` : ""}`);
        }
        resolve();
      });
      worker.on("error", (error) => fail(`the thread ended with ${error.stack}`));
      worker.on("exit", () => {
        member.ended = true;
        resolve();
      });
    });
    return member;
  }

  stop() {
    Atomics.store(this.#control, STATE, STOPPED);
    Atomics.notify(this.#control, STATE);
  }

  get stopped() {
    return Atomics.load(this.#control, STATE) === STOPPED;
  }

  /** Looks for threads that do not get on. */
  watch() {
    const now = Date.now();
    for (const member of this.members) {
      const turns = countersOf(this.#sharedState, member.index)[COUNT.turns];
      if (turns !== member.turns) {
        member.turns = turns;
        member.since = now;
      } else if (!member.ended && now - member.since > STUCK_MS) {
        const last = new Ring(this.#sharedState, member.index).lines(1)[0];
        this.failures.push({ index: member.index, role: member.role, message: `stuck for ${STUCK_MS} ms in ${last}` });
        member.since = Number.POSITIVE_INFINITY;
        this.stop();
      }
    }
  }

  /** Waits until all have ended; whoever does not is terminated. */
  async end() {
    const until = Date.now() + STUCK_MS;
    while (this.members.some(({ ended }) => !ended) && Date.now() < until) await pause(POLL_MS);
    for (const { worker } of this.members) await worker.terminate();
  }

  total(which) {
    return this.members.reduce((sum, { index }) => sum + countersOf(this.#sharedState, index)[which], 0);
  }

  /** The last calls of every thread. */
  trace() {
    return this.members.map(({ index, role }) => {
      const lines = new Ring(this.#sharedState, index).lines();
      return `thread ${index}, ${role}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
    });
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The arena looked through as a whole, with nobody at work in it. */
function wholeness(vfs, when) {
  const { problems } = fsck(vfs.handle.memory);
  return problems.map((problem) => ({ message: `the arena ${when}: ${problem}` }));
}

/** What is left when all threads have gone: the arena is whole, everything can be removed, and nothing was lost. */
function checkEnd(vfs, workloads, thread, before) {
  const broken = wholeness(vfs, "after the run");
  if (broken.length > 0) return broken;
  for (const workload of Object.values(workloads)) workload.last?.(thread);
  vfs.fs.rmSync("/t", { recursive: true });
  const after = objectCounts(vfs);
  const lost = Object.keys(before).filter((name) => after[name] !== before[name]);
  return [
    ...lost.map((name) => ({ message: `${name} were ${before[name]} before and are ${after[name]} after: lost` })),
    ...wholeness(vfs, "after everything was removed"),
  ];
}

/**
 * @param {{ seconds?: number, seed?: number, short?: boolean, log?: (line: string) => void, threads?: number,
 *   lookups?: number, renames?: number, roles?: string[], core?: WebAssembly.Module }} options
 * `short`: five threads for at most three seconds. `lookups`, `renames`: ends when both counts are reached, if that is before the
 * time is over, two hours if none is given. `core`: another build, for the tests of this tool.
 */
export async function run(options = {}) {
  const { seed = 1, short = false, log = () => {}, lookups = 0, renames = 0, core } = options;
  const counting = lookups + renames > 0;
  const seconds = options.seconds ?? (counting ? COUNT_SECONDS : 30);
  const limit = short ? Math.min(seconds, 3) : seconds;
  const kinds = counting ? COUNT_ROLES : ROLES;
  const threads = options.threads ?? (counting ? COUNT_THREADS : short ? 5 : 6);
  const roles = options.roles ?? Array.from({ length: threads }, (_, i) => kinds[i % kinds.length]);
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await createVfs({ now, maxBytes: MAX_BYTES, ...(core ? { core } : {}) });
  new Int32Array(vfs.handle.memory.buffer)[H_POISON >>> 2] = 1;
  const sharedState = makeSharedState(roles.length + 1);
  const arena = Attachment.attach(vfs.handle, { now });
  const before = objectCounts(vfs);
  const next = randomBelow(seedOf(seed, roles.length));
  const thread = new Thread({ arena, vfs, clock, sharedState, index: roles.length, next });
  const pool = new WorkerPool(sharedState);
  const counts = counting ? ` --lookups ${lookups} --renames ${renames}` : "";
  const replay = `npm run verify -- torture --seed ${seed} --threads ${roles.length} --seconds ${limit}${counts}`;
  let failures = [];
  let began = performance.now();
  try {
    vfs.registerDriver(ruleDriver());
    arena.drivers.register(ruleDriver());
    vfs.fs.mkdirSync("/t/tmp", { recursive: true });
    const workloads = makeWorkloads(thread);
    for (const workload of Object.values(workloads)) workload.build(thread);
    await pool.start(vfs.handle, roles, { seed, lookups, renames });
    began = performance.now();
    await supervise(pool, { limit, lookups, renames, began, log });
    pool.stop();
    const spent = (performance.now() - began) / 1000;
    await pool.end();
    failures = pool.failures;
    if (failures.length === 0) failures = checkEnd(vfs, workloads, thread, before);
    return report(pool, vfs, failures, { spent, seed, replay });
  } catch (error) {
    pool.stop();
    await pool.end();
    failures = [...pool.failures, { index: roles.length, role: "the parent", message: `${error.stack}` }];
    return report(pool, vfs, failures, { spent: (performance.now() - began) / 1000, seed, replay });
  } finally {
    arena.close();
    vfs.close();
  }
}

/** Until the time is over, both counts are reached, or somebody has failed. */
async function supervise(pool, { limit, lookups, renames, began, log }) {
  let lastLog = performance.now();
  while (!pool.stopped && performance.now() - began < limit * 1000) {
    await pause(POLL_MS);
    pool.watch();
    const done = [pool.total(COUNT.lookups), pool.total(COUNT.renames)];
    if (lookups + renames > 0 && done[0] >= lookups && done[1] >= renames) return;
    if (performance.now() - lastLog > 5000) {
      lastLog = performance.now();
      log(`${done[0]} lookups, ${done[1]} renames in ${Math.round((lastLog - began) / 1000)} s`);
    }
  }
}

function report(pool, vfs, failures, { spent, seed, replay }) {
  const sum = (which) => pool.total(COUNT[which]);
  const explored = {
    seed,
    threads: pool.members.length,
    seconds: Math.round(spent * 100) / 100,
    lookups: sum("lookups"),
    found: sum("found"),
    renames: sum("renames"),
    changes: sum("changes"),
    reads: sum("reads"),
    mounts: sum("mounts"),
    "threads that came and went": sum("guests"),
    "lookups a second": Math.round(sum("lookups") / spent),
    "renames a second": Math.round(sum("renames") / spent),
  };
  try {
    const { endedRcu, endedRef, echildRestarts, gracePeriods, expelledReaders, deferredFrees, lockWaits } =
      vfs.counters();
    Object.assign(explored, {
      endedRcu,
      endedRef,
      echildRestarts,
      gracePeriods,
      expelledReaders,
      deferredFrees,
      lockWaits,
    });
  } catch {
    // The parent's own attachment gave up: that is among the failures.
  }
  const expelled = explored.expelledReaders
    ? [`${explored.expelledReaders} readers were expelled: one that stood still for 2 s may have read freed memory`]
    : [];
  return {
    ok: failures.length === 0,
    explored,
    failures: failures.map(({ index, role, message }) => ({
      message: index === undefined ? message : `thread ${index} (${role}): ${message}`,
      replay,
      trace: [...expelled, ...pool.trace()].join("\n"),
    })),
  };
}

/**
 * Runs against each planted fault, or the one of that name: whether it is caught, and how fast.
 * @param {{ only?: string, seconds?: number, seeds?: number[], log: (line: string) => void }} options
 * @returns {Promise<{ name: string, caught: number, runs: number, seconds: number[] }[]>}
 */
export async function runPlanted({ only, seconds = 20, seeds = [1, 2, 3], log }) {
  const table = [];
  for (const [name, edits] of Object.entries(PLANTED)) {
    if (only !== undefined && name !== only) continue;
    const core = await WebAssembly.compile(await buildMutant(edits));
    const row = { name, caught: 0, runs: 0, seconds: [] };
    for (const seed of seeds) {
      const { ok, explored, failures } = await run({ seconds, seed, core });
      row.runs++;
      if (!ok) row.caught++;
      row.seconds.push(explored.seconds);
      const how = ok ? "not caught" : failures[0].message.split("\n")[0];
      log(`${name}, seed ${seed}: ${explored.seconds} s, ${explored.lookups} lookups: ${how}`);
    }
    table.push(row);
  }
  return table;
}

/** As an outcome: each fault with the runs that caught it. */
async function plantedOutcome(options) {
  const table = await runPlanted(options);
  const explored = Object.fromEntries(
    table.map(({ name, caught, runs, seconds }) => [
      name,
      `caught in ${caught} of ${runs} runs, after ${seconds.join(", ")} s`,
    ]),
  );
  return { ok: table.every(({ caught }) => caught > 0), explored, failures: [] };
}

export const check = defineCheck({
  title,
  options: {
    seconds: { type: "number", least: 0.001, parts: true },
    threads: { type: "number", least: 1 },
    lookups: { type: "number", least: 0 },
    renames: { type: "number", least: 0 },
    core: { type: "string" },
    planted: { type: "string" },
  },
  run: async ({ core: file, planted, ...options }) => {
    if (planted !== undefined) {
      const { seconds, log } = options;
      return plantedOutcome({ seconds, log, only: planted === "all" ? undefined : planted });
    }
    const core = file === undefined ? undefined : await WebAssembly.compile(await readFile(file));
    return run({ ...options, core });
  },
});
