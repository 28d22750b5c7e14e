/**
 * Torture on real threads, in the manner of rcutorture: the shipping core with poison in freed memory, files stamped with
 * their identity and generation, readers that know which file may be at which name, and threads that make every kind of change.
 *
 *   npm run verify -- torture [--seconds N] [--seed N] [--threads N] [--turns N] [--lookups N] [--renames N] [--core FILE]
 *   npm run verify -- torture --counters near-end                              all counters begin close to their end
 *   npm run verify -- torture --planted all|NAME [--seconds N]
 *
 * With `turns` the run ends when each thread has made so many, with `lookups` and `renames` when both counts are reached (or the time
 * is over). The schedules of the threads
 * depend on the machine: a seed repeats the calls of each thread, not their interleaving.
 */

import { readFile } from "node:fs/promises";
import { randomBelow, seedOf } from "../../../cli/dist/support/random.js";
import { Attachment } from "../../../threadfs/dist/src/bridge/attachment.js";
import { createVfs, type Vfs } from "../../../threadfs/dist/src/index.js";
import { H_POISON } from "../arena/layout.js";
import { buildMutant } from "../binary/mutant.js";
import { check as fsck } from "../fsck/check-arena.js";
import { COUNTERS, isNearEnd, setCountersNearEnd } from "../fsck/near-end.js";
import { defineCheck, endOfRun, nothingChecked, type Outcome, type RunOptions } from "../support/check.js";
import { UNLIMITED } from "../support/command-line.js";
import { elementAt, stackOf } from "../support/defined.js";
import { pause } from "../support/hang.js";
import { notEmpty } from "../support/usage-error.js";
import { registerDrivers } from "./drivers.js";
import { PLANTED } from "./planted-faults.js";
import { COUNT, type CountIndex, makeSharedState } from "./shared-state.js";
import { type Finding, POLL_MS, type Role, Supervisor } from "./supervisor.js";
import { Thread } from "./thread.js";
import type { Workload } from "./workloads/workload.js";
import { makeWorkloads, type Workloads } from "./workloads/workloads.js";

export const title = "Torture: poison, stamps and all operations on real threads";

const MAX_BYTES = 256 << 20;

/** The roles of the threads, in the order in which threads are added. */
const ROLES: readonly Role[] = ["reader", "mixer", "renamer", "tracker", "sleeper", "fs", "mixer", "reader"];

/** The same for a run that ends at a number of lookups: most of its threads look up. */
const COUNT_ROLES: readonly Role[] = ["reader", "renamer", "reader", "mixer", "reader", "tracker", "reader", "sleeper"];
const COUNT_THREADS = 8;
/** Longest time of such a run where none is given, in seconds. */
const COUNT_SECONDS = 7200;
/** The time of a run that ends by time, where none is given. */
const SECONDS = 30;
/** The threads of the short form, and the turns that each of them makes at least. */
const SHORT_THREADS = 5;
const SHORT_TURNS = 1500;

/** Objects alive in a tree. */
const GAUGES = ["dentries", "inodes", "mounts", "openFiles"] as const;
type ObjectCounts = Record<(typeof GAUGES)[number], number>;

/** Objects in use after all files are removed and all unused memory is freed. */
function objectCounts(vfs: Vfs): ObjectCounts {
  for (let i = 0; i < 3; i++) {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  }
  const { dentries, inodes, mounts, openFiles } = vfs.counters();
  return { dentries, inodes, mounts, openFiles };
}

/** Checks the whole arena, in which no thread is at work. */
function brokenParts(vfs: Vfs, when: string): Finding[] {
  const { problems } = fsck(vfs.handle.memory);
  return problems.map((problem) => ({ message: `the arena ${when}: ${problem}` }));
}

/** After all threads have ended: the arena is whole, every file can be removed, and no object is lost. */
function checkEnd(vfs: Vfs, workloads: Workloads, thread: Thread, before: ObjectCounts): Finding[] {
  const broken = brokenParts(vfs, "after the run");
  if (broken.length > 0) return broken;
  for (const workload of Object.values<Workload>(workloads)) workload.last?.(thread);
  vfs.fs.rmSync("/t", { recursive: true });
  const after = objectCounts(vfs);
  const lost = GAUGES.filter((name) => after[name] !== before[name]);
  return [
    ...lost.map((name) => ({ message: `${name} were ${before[name]} before and are ${after[name]} after: lost` })),
    ...brokenParts(vfs, "after everything was removed"),
  ];
}

export interface TortureOptions extends Partial<RunOptions> {
  threads?: number | undefined;
  /** The run ends when each thread has made this many turns. */
  turns?: number | undefined;
  /** The run ends when both counts are reached, if that is before the time is over: two hours if none is given. */
  lookups?: number | undefined;
  renames?: number | undefined;
  roles?: readonly Role[] | undefined;
  /** "near-end": all counters are close to their end at first. */
  counters?: string | undefined;
  /** Another build, for the tests of this tool. */
  core?: WebAssembly.Module | undefined;
}

/** The plan of a run. */
interface Plan {
  readonly seed: number;
  readonly turns: number;
  readonly lookups: number;
  readonly renames: number;
  /** Longest time, in seconds. */
  readonly seconds: number;
  readonly roles: readonly Role[];
  /** The arguments that repeat it. */
  readonly replay: string;
}

function planOf(options: TortureOptions): Plan {
  const { seed = 1, short = false, lookups = 0, renames = 0 } = options;
  const counting = lookups + renames > 0;
  const turns = options.turns ?? (short && !counting ? SHORT_TURNS : 0);
  const usual = counting ? COUNT_SECONDS : turns > 0 ? UNLIMITED : SECONDS;
  const seconds = short ? UNLIMITED : (options.seconds ?? usual);
  const kinds = counting ? COUNT_ROLES : ROLES;
  const threads = options.threads ?? (counting ? COUNT_THREADS : short ? SHORT_THREADS : 6);
  const roles = options.roles ?? Array.from({ length: threads }, (_, i) => elementAt(kinds, i % kinds.length));
  const also = isNearEnd(options.counters) ? " --counters near-end" : "";
  const counts = `${turns > 0 ? ` --turns ${turns}` : ""}${counting ? ` --lookups ${lookups} --renames ${renames}` : ""}`;
  const time = seconds === UNLIMITED ? "" : ` --seconds ${seconds}`;
  const replay = `npm run verify -- torture --seed ${seed} --threads ${roles.length}${time}${counts}${also}`;
  return { seed, turns, lookups, renames, seconds, roles, replay };
}

export async function run(options: TortureOptions = {}): Promise<Outcome> {
  const { log = () => {}, core } = options;
  const plan = planOf(options);
  const { seed, roles } = plan;
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await createVfs({ now, maxBytes: MAX_BYTES, ...(core ? { core } : {}) });
  new Int32Array(vfs.handle.memory.buffer)[H_POISON >>> 2] = 1;
  const sharedState = makeSharedState(roles.length + 1);
  const arena = Attachment.attach(vfs.handle, { now });
  const before = objectCounts(vfs);
  const next = randomBelow(seedOf(seed, roles.length));
  const thread = new Thread({ arena, vfs, clock, sharedState, index: roles.length, next });
  const supervisor = new Supervisor(vfs.handle, sharedState, roles, plan);
  let began = performance.now();
  try {
    registerDrivers(vfs, arena, sharedState);
    vfs.fs.mkdirSync("/t/tmp", { recursive: true });
    const workloads = makeWorkloads(thread);
    for (const workload of Object.values<Workload>(workloads)) workload.build(thread);
    if (isNearEnd(options.counters)) setCountersNearEnd(vfs.handle.memory);
    await supervisor.start();
    began = performance.now();
    await supervise(supervisor, plan, log);
    supervisor.stop();
    const spent = (performance.now() - began) / 1000;
    await supervisor.end();
    const failures = supervisor.failures.length > 0 ? supervisor.failures : checkEnd(vfs, workloads, thread, before);
    if (failures.length === 0 && supervisor.total(COUNT.turns) === 0) failures.push(nothingChecked(plan.seconds));
    return outcome(supervisor, vfs, failures, spent, plan);
  } catch (error) {
    supervisor.stop();
    await supervisor.end();
    const failures = [...supervisor.failures, { index: roles.length, role: "the parent", message: stackOf(error) }];
    return outcome(supervisor, vfs, failures, (performance.now() - began) / 1000, plan);
  } finally {
    arena.close();
    vfs.close();
  }
}

/** Returns when the time is over, all counts are reached, or a thread has failed. */
async function supervise(supervisor: Supervisor, plan: Plan, log: (line: string) => void): Promise<void> {
  const { turns, lookups, renames } = plan;
  const began = performance.now();
  const end = endOfRun(plan);
  let lastLog = began;
  while (!supervisor.stopped && performance.now() < end) {
    await pause(POLL_MS);
    supervisor.watch();
    const [lookupsDone, renamesDone] = [supervisor.total(COUNT.lookups), supervisor.total(COUNT.renames)];
    const counted = lookupsDone >= lookups && renamesDone >= renames && supervisor.fewestTurns >= turns;
    if (turns + lookups + renames > 0 && counted) return;
    if (performance.now() - lastLog > 5000) {
      lastLog = performance.now();
      log(`${lookupsDone} lookups, ${renamesDone} renames in ${Math.round((lastLog - began) / 1000)} s`);
    }
  }
}

/** The tree's counters that a report shows. */
const REPORTED = [
  "endedRcu",
  "endedRef",
  "echildRestarts",
  "gracePeriods",
  "expelledReaders",
  "deferredFrees",
  "lockWaits",
] as const;

function treeCounters(vfs: Vfs): Record<string, number> {
  try {
    const counters = vfs.counters();
    return Object.fromEntries(REPORTED.map((name) => [name, counters[name]]));
  } catch {
    // The parent's own attachment is poisoned, which is among the failures.
    return {};
  }
}

function outcome(supervisor: Supervisor, vfs: Vfs, failures: readonly Finding[], spent: number, plan: Plan): Outcome {
  const sum = (which: CountIndex) => supervisor.total(which);
  const counters = treeCounters(vfs);
  const explored = {
    seed: plan.seed,
    threads: supervisor.members.length,
    seconds: Math.round(spent * 100) / 100,
    lookups: sum(COUNT.lookups),
    found: sum(COUNT.found),
    renames: sum(COUNT.renames),
    changes: sum(COUNT.changes),
    reads: sum(COUNT.reads),
    mounts: sum(COUNT.mounts),
    "threads that came and went": sum(COUNT.guests),
    "lookups a second": Math.round(sum(COUNT.lookups) / spent),
    "renames a second": Math.round(sum(COUNT.renames) / spent),
    ...counters,
  };
  const { expelledReaders } = counters;
  const expelled = expelledReaders
    ? [`${expelledReaders} readers were expelled: one that stood still for 2 s may have read freed memory`]
    : [];
  return {
    ok: failures.length === 0,
    explored,
    failures: failures.map(({ index, role, message }) => ({
      message: index === undefined ? message : `thread ${index} (${role}): ${message}`,
      replay: plan.replay,
      trace: [...expelled, ...supervisor.trace()].join("\n"),
    })),
  };
}

/** The number of runs that caught a planted fault, and the seconds that each took. */
export interface PlantedRow {
  readonly name: string;
  readonly caught: number;
  readonly runs: number;
  readonly seconds: readonly number[];
}

export interface PlantedOptions {
  /** Name of the one fault to run against; all without it. */
  only?: string | undefined;
  seconds?: number | undefined;
  seeds?: readonly number[];
  log: (line: string) => void;
}

/** Runs against each planted fault: whether it is caught, and how fast. */
export async function runPlanted({
  only,
  seconds = 20,
  seeds = [1, 2, 3],
  log,
}: PlantedOptions): Promise<PlantedRow[]> {
  const table: PlantedRow[] = [];
  const names = Object.keys(PLANTED);
  const chosen = Object.entries(PLANTED).filter(([name]) => only === undefined || name === only);
  for (const [name, edits] of notEmpty(chosen, `--planted ${only}`, names)) {
    const core = await WebAssembly.compile((await buildMutant(edits)) as Uint8Array<ArrayBuffer>);
    let caught = 0;
    const times: number[] = [];
    for (const seed of seeds) {
      const { ok, explored, failures } = await run({ seconds, seed, core });
      if (!ok) caught++;
      times.push(Number(explored.seconds));
      const how = ok ? "not caught" : failures[0]?.message.split("\n")[0];
      log(`${name}, seed ${seed}: ${explored.seconds} s, ${explored.lookups} lookups: ${how}`);
    }
    table.push({ name, caught, runs: seeds.length, seconds: times });
  }
  return table;
}

/** As an outcome: each fault with the runs that caught it. */
async function plantedOutcome(options: PlantedOptions): Promise<Outcome> {
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
    turns: { type: "number", least: 1 },
    lookups: { type: "number", least: 0 },
    renames: { type: "number", least: 0 },
    core: { type: "string" },
    planted: { type: "string" },
    ...COUNTERS,
  },
  run: async ({ core: file, planted, seconds, ...options }) => {
    if (planted !== undefined) {
      return plantedOutcome({ seconds, log: options.log, only: planted === "all" ? undefined : planted });
    }
    const core = file === undefined ? undefined : await WebAssembly.compile(await readFile(file));
    // Without `seconds` the run has a default of its own.
    return run({ ...options, ...(seconds === undefined ? {} : { seconds }), core });
  },
});
