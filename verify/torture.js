/**
 * Torture on real threads, in the manner of rcutorture: the shipping core with poison in freed memory, files stamped with
 * what they are and which generation, readers that know what may be where, and every operation mixed in other threads.
 *
 *   node verify/torture.js [--seconds N] [--seed N] [--threads N] [--lookups N] [--renames N] [--core FILE]
 *
 * With `lookups` and `renames` the run ends when both counts are reached (or the time is over). The threads' schedules are
 * the machine's: a seed repeats what each thread does, not how they meet.
 */
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { Arena } from "../dist/arena.js";
import { createVfs } from "../dist/index.js";
import { check as fsck } from "./lib/fsck.js";
import { randomBelow, seedOf } from "./lib/random.js";
import { COUNT, controlOf, countersOf, makeBoard, Ring, RUNNING, STATE, STOPPED } from "./lib/torture/board.js";
import { ruleDriver } from "./lib/torture/places.js";
import { makeStations } from "./lib/torture/stations.js";
import { Thread } from "./lib/torture/thread.js";

export const title = "Torture: poison, stamps and all operations on real threads";

/** Address of the header's word that asks for poison (core/mem/layout.ts). */
const H_POISON = 1064;
const MAX_BYTES = 256 << 20;
/** A thread that makes no turn for so long is stuck: longer than the time after which a lock's owner is taken for dead. */
const STUCK_MS = 15_000;
const POLL_MS = 50;

/** Who does what, in the order in which threads are added. */
const ROLES = ["reader", "mixer", "renamer", "tracker", "mixer", "fs", "reader", "tracker"];

/** Objects alive once everything that can go has gone. */
function gauges(vfs) {
  for (let i = 0; i < 3; i++) {
    vfs.synchronizeRcu();
    vfs.shrink(1 << 20);
  }
  const { dentries, inodes, mounts, openFiles } = vfs.counters();
  return { dentries, inodes, mounts, openFiles };
}

/** The threads of a run: started, watched and stopped. */
class Crew {
  members = [];
  failures = [];
  #board;
  #control;

  constructor(board) {
    this.#board = board;
    this.#control = controlOf(board);
  }

  async start(handle, roles, options) {
    const among = (role) => roles.filter((other) => other === role).length;
    const seen = {};
    for (const [index, role] of roles.entries()) {
      const member = seen[role] ?? 0;
      seen[role] = member + 1;
      const workerData = { handle, board: this.#board, index, role, member, among: among(role), ...options };
      this.members.push(this.#hire(index, role, workerData));
    }
    await Promise.all(this.members.map(({ ready }) => ready));
    Atomics.store(this.#control, STATE, RUNNING);
    Atomics.notify(this.#control, STATE);
  }

  #hire(index, role, workerData) {
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
      const turns = countersOf(this.#board, member.index)[COUNT.turns];
      if (turns !== member.turns) {
        member.turns = turns;
        member.since = now;
      } else if (!member.ended && now - member.since > STUCK_MS) {
        const last = new Ring(this.#board, member.index).lines(1)[0];
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
    return this.members.reduce((sum, { index }) => sum + countersOf(this.#board, index)[which], 0);
  }

  /** The last calls of every thread. */
  trace() {
    return this.members.map(({ index, role }) => {
      const lines = new Ring(this.#board, index).lines();
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
function checkEnd(vfs, stations, thread, before) {
  const broken = wholeness(vfs, "after the run");
  if (broken.length > 0) return broken;
  for (const station of Object.values(stations)) station.last?.(thread);
  vfs.fs.rmSync("/t", { recursive: true });
  const after = gauges(vfs);
  const lost = Object.keys(before).filter((name) => after[name] !== before[name]);
  return [
    ...lost.map((name) => ({ message: `${name} were ${before[name]} before and are ${after[name]} after: lost` })),
    ...wholeness(vfs, "after everything was removed"),
  ];
}

/**
 * @param {{ seconds?: number, seed?: number, short?: boolean, log?: (line: string) => void, threads?: number,
 *   lookups?: number, renames?: number, core?: WebAssembly.Module }} options
 * `short`: four threads for at most three seconds. `core`: another build, for the tests of this tool.
 */
export async function run(options = {}) {
  const { seconds = 30, seed = 1, short = false, log = () => {}, lookups = 0, renames = 0, core } = options;
  const limit = short ? Math.min(seconds, 3) : seconds;
  const roles =
    options.roles ?? Array.from({ length: options.threads ?? (short ? 4 : 6) }, (_, i) => ROLES[i % ROLES.length]);
  const clock = { ms: 1000 };
  const now = () => clock.ms;
  const vfs = await createVfs({ now, maxBytes: MAX_BYTES, ...(core ? { core } : {}) });
  new Int32Array(vfs.handle.memory.buffer)[H_POISON >>> 2] = 1;
  const board = makeBoard(roles.length + 1);
  const arena = Arena.attach(vfs.handle, { now });
  const before = gauges(vfs);
  const next = randomBelow(seedOf(seed, roles.length));
  const thread = new Thread({ arena, vfs, clock, board, index: roles.length, next });
  const crew = new Crew(board);
  const replay = `node verify/torture.js --seed ${seed} --threads ${roles.length} --seconds ${limit}`;
  let failures = [];
  let began = performance.now();
  try {
    vfs.registerDriver(ruleDriver());
    arena.drivers.register(ruleDriver());
    vfs.fs.mkdirSync("/t/tmp", { recursive: true });
    const stations = makeStations(thread);
    for (const station of Object.values(stations)) station.build(thread);
    await crew.start(vfs.handle, roles, { seed, lookups, renames });
    began = performance.now();
    await supervise(crew, { limit, lookups, renames, began, log });
    crew.stop();
    const spent = (performance.now() - began) / 1000;
    await crew.end();
    failures = crew.failures;
    if (failures.length === 0) failures = checkEnd(vfs, stations, thread, before);
    return report(crew, vfs, failures, { spent, seed, replay });
  } catch (error) {
    crew.stop();
    await crew.end();
    failures = [...crew.failures, { index: roles.length, role: "the parent", message: `${error.stack}` }];
    return report(crew, vfs, failures, { spent: (performance.now() - began) / 1000, seed, replay });
  } finally {
    arena.close();
    vfs.close();
  }
}

/** Until the time is over, both counts are reached, or somebody has failed. */
async function supervise(crew, { limit, lookups, renames, began, log }) {
  let told = performance.now();
  while (!crew.stopped && performance.now() - began < limit * 1000) {
    await pause(POLL_MS);
    crew.watch();
    const done = [crew.total(COUNT.lookups), crew.total(COUNT.renames)];
    if (lookups + renames > 0 && done[0] >= lookups && done[1] >= renames) return;
    if (performance.now() - told > 5000) {
      told = performance.now();
      log(`${done[0]} lookups, ${done[1]} renames in ${Math.round((told - began) / 1000)} s`);
    }
  }
}

function report(crew, vfs, failures, { spent, seed, replay }) {
  const sum = (which) => crew.total(COUNT[which]);
  const explored = {
    seed,
    threads: crew.members.length,
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
      trace: [...expelled, ...crew.trace()].join("\n"),
    })),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const text = { type: "string" };
  const known = {
    seconds: text,
    seed: text,
    threads: text,
    lookups: text,
    renames: text,
    core: text,
    short: { type: "boolean" },
  };
  const { values } = parseArgs({ options: known });
  const numbers = Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      name === "core" || name === "short" ? [] : [[name, Number(value)]],
    ),
  );
  const core = values.core === undefined ? undefined : await WebAssembly.compile(await readFile(values.core));
  const { ok, explored, failures } = await run({ ...numbers, short: values.short, core, log: console.log });
  console.log(title);
  for (const [name, value] of Object.entries(explored)) console.log(`  ${name}: ${value}`);
  for (const { message, replay, trace } of failures) console.log(`\nFAILED ${message}\n${trace}\nreplay: ${replay}`);
  process.exitCode = ok ? 0 : 1;
}
