/**
 * Death: a thread is stopped for ever before each of its accesses to shared memory, in each operation of the catalogue, holding
 * whatever it holds. Another one takes over what it held. Then the arena must be whole to the last count, the operation
 * must have happened or not, and everything must work on.
 *
 * The dead thread is an instance of the instrumented shipping core whose hook throws instead of coming back; it is never
 * called again. Its own scratch area is nobody else's business, so that accesses there are no places to die at; its slot, with
 * the journal, is.
 *
 * With `--meanwhile NAME` the survivor first does the operations whose name contains it, before it takes over, wherever that does not
 * make it wait: what it has seen then must agree with whether the dead one's operation happened.
 *
 * Twice: with a chance of one in RECOVERER_DEATH_ODDS the thread that takes over dies as well, at some access of its own, and a third one has both.
 */

import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { PANIC_LOCK, SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { addressOf } from "../arena/core-source.js";
import { attach, createMemory, shippingCore } from "../binary/core.js";
import { check as checkArena } from "../fsck/check-arena.js";
import { resolveCall } from "../model/call-sequence.js";
import { begin, finish } from "../scenario/core-calls.js";
import { judgeBystander } from "../scenario/linearizability.js";
import { dump, judge, operations, trees } from "../scenario/operations.js";
import { defineCheck } from "../support/check.js";

export const title = "a thread may die at any access, holding anything: the tree is whole and the others go on";

const ARENA = 3 << 20;
/** One death in so many is one of who takes over, too; at one place in so many somebody works on before the death is known. */
const RECOVERER_DEATH_ODDS = 8;
const BYSTANDER_ODDS = 8;
const REPORTED_MAX = 5;

/** A lock stayed taken for as long as anybody waits. */
/** Where threads nap: no waiting for anybody. */
const SLEEP = addressOf("G_SLEEP");

/** What is counted. */
const RECOVERER_DEATHS = "deaths of the recovering thread";
const BYSTANDER_OPERATIONS = "operations of a bystander before the recovery";
const WOULD_WAIT = "of these, operations that would have waited";

/** Thrown at the place of death. */
class ThreadDeath extends Error {}

/** Thrown where somebody would have to wait for the dead one. */
class WouldWait extends Error {}

/** A tree to die in: built once, restored before every death. */
class DeathFixture {
  constructor(treeName) {
    this.tree = trees[treeName];
    this.watched = shippingCore({ accesses: true });
    this.plain = this.watched.shipping;
    this.plainModule = new WebAssembly.Module(this.plain);
    this.memory = createMemory({ maxBytes: ARENA, threads: 1 });
    const builder = this.#thread(this.plainModule, {}, { init: { seed: 1 } });
    this.built = this.#runAll(builder, this.tree.build(builder.t));
    builder.t.driverState = undefined;
    builder.exports.threadDetach();
    this.image = new Uint8Array(this.memory.buffer).slice();
    this.driverImage = structuredClone(this.driverState);
  }

  /** A logical thread of its own: its instance, its slot. */
  #thread(core, hooks, options = {}) {
    const state = { t: undefined };
    const thread = attach(
      this.memory,
      core,
      {
        now: () => this.tree.clock,
        clock: () => this.clock++,
        wait: () => 2,
        driverCall: (...args) => this.tree.driverCall(state.t, ...args),
        ...hooks,
      },
      options,
    );
    this.driverState ??= this.tree.newDriverState();
    state.t = {
      scratch: new Uint8Array(this.memory.buffer, thread.scratch, SCRATCH.SIZE),
      clock: this.tree.clock,
      driverState: this.driverState,
    };
    thread.t = state.t;
    return thread;
  }

  clock = 1;

  #runAll(thread, calls) {
    let step = calls.next();
    while (!step.done) {
      const [name, ...args] = step.value;
      step = calls.next(thread.exports[name](...args));
    }
    return step.value;
  }

  restore() {
    new Uint8Array(this.memory.buffer).set(this.image);
    this.driverState = structuredClone(this.driverImage);
    this.clock = 1;
  }

  /** A thread that dies before its n-th access, counted from now on; Infinity: it only counts. */
  victim(n) {
    const progress = { accesses: 0, site: -1, address: 0 };
    const own = (address) => address >= progress.scratch && address < progress.scratch + SCRATCH.SIZE;
    const hit = (site, address) => {
      if (!progress.begun || own(address)) return;
      if (progress.accesses++ !== n) return;
      progress.site = site;
      progress.address = address;
      throw new ThreadDeath();
    };
    const thread = this.#thread(this.watched, { access: hit, store: hit, range: hit });
    progress.scratch = thread.scratch;
    thread.progress = progress;
    return thread;
  }

  survivor() {
    return this.#thread(this.plainModule, {});
  }

  /** One that does not wait for locks: not asleep on one, nor by looking at it again and again until its time is over. */
  nonBlockingSurvivor() {
    const wait = (address) => {
      if (address !== SLEEP) throw new WouldWait();
      return 2;
    };
    const panic = (code) => {
      if (code === PANIC_LOCK) throw new WouldWait();
    };
    return this.#thread(this.plainModule, { wait, panic });
  }

  /** Runs an operation's calls; their answers, into `answers` as they come. */
  calls(thread, operation, answers = []) {
    for (const given of operation.calls) {
      const call = resolveCall(given, answers);
      const [name, ...args] = begin(thread.t, call, this.built.contexts);
      answers.push(finish(thread.t, call, thread.exports[name](...args)));
    }
    return answers;
  }

  /** Runs an operation on a mortal thread. The answers of the calls that ended; whether it died. */
  runVictim(thread, operation) {
    const answers = [];
    thread.progress.begun = true;
    try {
      this.calls(thread, operation, answers);
    } catch (error) {
      if (!(error instanceof ThreadDeath)) throw error;
      return { answers, died: true };
    }
    return { answers, died: false };
  }

  /** The same where `other` was done before anything was taken over. */
  verdictWithBystander(survivor, operation, ended, other, answers) {
    const { problems } = checkArena(this.memory, { live: [survivor.slot] });
    if (problems.length > 0) return `the arena is not whole:\n    ${problems.slice(0, 6).join("\n    ")}`;
    const final = this.#runAll(survivor, dump(survivor.t, this.built));
    return judgeBystander(this.tree, operation, ended, other, answers, final);
  }

  /** What is wrong after everything has been taken over, or null. */
  verdict(survivor, operation, answers) {
    let { problems } = checkArena(this.memory, { live: [survivor.slot] });
    if (problems.length > 0) return `the arena is not whole:\n    ${problems.slice(0, 6).join("\n    ")}`;
    const final = this.#runAll(survivor, dump(survivor.t, this.built));
    const wrong = judge(this.tree, [operation], [answers], final, { dead: [0] });
    if (wrong !== null) return wrong;
    ({ problems } = checkArena(this.memory, { live: [survivor.slot] }));
    if (problems.length > 0)
      return `the arena is not whole after more calls:\n    ${problems.slice(0, 6).join("\n    ")}`;
    return null;
  }
}

/**
 * Takes over a dead thread's things; `second`, if there is one, dies of it. The answers of threadRecover(), the last one of the
 * survivor for the one who died first.
 */
function recoverAll(survivor, dead, second) {
  if (second === undefined) return [survivor.exports.threadRecover(dead.slot, 0)];
  try {
    second.progress.begun = true;
    second.exports.threadRecover(dead.slot, 0);
    second.exports.threadDetach();
    return [ALREADY_FREED];
  } catch (error) {
    if (!(error instanceof ThreadDeath)) throw error;
    return [survivor.exports.threadRecover(second.slot, 0), survivor.exports.threadRecover(dead.slot, 0)];
  }
}

/** -EINVAL: that slot has been given back already. */
const ALREADY_FREED = -22;

function runDeath(fixture, operation, n, diesAt, recover) {
  fixture.restore();
  const thread = fixture.victim(n);
  const second = diesAt === undefined ? undefined : fixture.victim(diesAt);
  const survivor = fixture.survivor();
  const { answers, died } = fixture.runVictim(thread, operation);
  if (!died) return { died };
  const where = { ...thread.progress };
  try {
    const taken = recover(survivor, thread, second);
    const last = taken.at(-1);
    if (last !== 0 && last !== ALREADY_FREED) return { died, where, wrong: `threadRecover() answered ${taken}` };
    return { died, twice: taken.length > 1, where, wrong: fixture.verdict(survivor, operation, answers) };
  } catch (error) {
    return { died, where, wrong: `the survivor failed: ${error.stack}` };
  }
}

/** The same, but that `other` is done by the survivor before it takes over. `waited`: it would have had to wait. */
function runDeathWithBystander(fixture, operation, n, other) {
  fixture.restore();
  const thread = fixture.victim(n);
  const survivor = fixture.nonBlockingSurvivor();
  const { answers: ended, died } = fixture.runVictim(thread, operation);
  const where = { ...thread.progress };
  try {
    const answers = fixture.calls(survivor, other);
    const taken = survivor.exports.threadRecover(thread.slot, 0);
    if (taken !== 0) return { died, where, wrong: `threadRecover() answered ${taken}` };
    return { died, where, wrong: fixture.verdictWithBystander(survivor, operation, ended, other, answers) };
  } catch (error) {
    if (error instanceof WouldWait) return { died, waited: true, where, wrong: null };
    return { died, where, wrong: `the survivor failed: ${error.stack}` };
  }
}

const fixtures = new Map();

function fixtureOf(tree) {
  let fixture = fixtures.get(tree);
  if (fixture === undefined) {
    fixture = new DeathFixture(tree);
    fixtures.set(tree, fixture);
  }
  return fixture;
}

/** `site func op` of a place of death. */
function crashPointName(fixture, { site, address }) {
  const { func, op, line } = fixture.watched.sites[site];
  return `${func} ${op}${line ? ` (${line})` : ""} at 0x${address.toString(16)}`;
}

/**
 * @param {{ seconds: number, seed: number, short?: boolean, log?: (line: string) => void, only?: string, meanwhile?: string,
 *   recover?: typeof recoverAll }} options `short`: each operation is stopped at a few
 *   places only; `only`: operations whose name contains it; `meanwhile`: what the survivor does before it takes over, at every place (else at some
 *   places something by chance); `recover`: what is
 *   done about the dead thread, for tests of this check
 */
export async function run({
  seconds,
  seed,
  short = false,
  log = () => undefined,
  only = "",
  meanwhile,
  recover = recoverAll,
}) {
  const until = performance.now() + seconds * 1000;
  const random = randomBelow(seed);
  const explored = {
    operations: 0,
    deaths: 0,
    [RECOVERER_DEATHS]: 0,
    [BYSTANDER_OPERATIONS]: 0,
    [WOULD_WAIT]: 0,
    complete: 0,
    crashPoints: 0,
  };
  const crashPoints = new Set();
  const failures = [];
  const chosen = operations.filter(({ name, tree }) => `${tree} ${name}`.includes(only));
  if (meanwhile !== undefined && !operations.some(({ name }) => name.includes(meanwhile)))
    throw new RangeError(`death: no operation ${meanwhile}`);
  for (const operation of shuffled(chosen, random)) {
    if (performance.now() > until) break;
    const fixture = fixtureOf(operation.tree);
    fixture.restore();
    const whole = fixture.victim(Number.POSITIVE_INFINITY);
    fixture.runVictim(whole, operation);
    const all = whole.progress.accesses;
    explored.operations++;
    const step = short ? Math.max(1, Math.ceil(all / 12)) : 1;
    let n = short ? random(step) : 0;
    const others = operations.filter(({ tree, name }) => tree === operation.tree && name.includes(meanwhile ?? ""));
    const withBystander = (n, other) => {
      const wrong = checkDeathWithBystander(fixture, operation, { n, all, seed }, other, explored);
      if (wrong !== null) failures.push(wrong);
    };
    if (meanwhile !== undefined) {
      for (const other of others) {
        for (let at = n; at < all && performance.now() < until && failures.length < REPORTED_MAX; at += step)
          withBystander(at, other);
      }
      if (failures.length >= REPORTED_MAX) break;
      continue;
    }
    for (; n < all && performance.now() < until && failures.length < REPORTED_MAX; n += step) {
      const second = random(RECOVERER_DEATH_ODDS) === 0 ? random(400) : undefined;
      const { died, twice, where, wrong } = runDeath(fixture, operation, n, second, recover);
      if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
      explored.deaths++;
      if (twice) explored[RECOVERER_DEATHS]++;
      crashPoints.add(where.site);
      if (random(BYSTANDER_ODDS) === 0) withBystander(n, others[random(others.length)]);
      if (wrong === null) continue;
      failures.push({
        message: `${operation.tree}, ${operation.name}: dead before access ${n} of ${all}, ${crashPointName(fixture, where)}${second === undefined ? "" : `, then at ${second}`}\n  ${wrong}`,
        replay: `--only ${JSON.stringify(operation.name)} --seed ${seed}`,
      });
    }
    if (n >= all) explored.complete++;
    log(`${operation.tree} ${operation.name}: ${all} accesses`);
    if (failures.length >= REPORTED_MAX) break;
  }
  explored.crashPoints = crashPoints.size;
  return { ok: failures.length === 0, explored, failures };
}

/** One place of death, with `other` done before the death is known; what is wrong then, or null. */
function checkDeathWithBystander(fixture, operation, { n, all, seed }, other, explored) {
  const { died, waited, where, wrong } = runDeathWithBystander(fixture, operation, n, other);
  if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
  explored[BYSTANDER_OPERATIONS]++;
  if (waited) explored[WOULD_WAIT]++;
  if (wrong === null) return null;
  return {
    message: `${operation.tree}, ${operation.name}: dead before access ${n} of ${all}, ${crashPointName(fixture, where)}, then ${other.name}\n  ${wrong}`,
    replay: `--only ${JSON.stringify(operation.name)} --meanwhile ${JSON.stringify(other.name)} --seed ${seed}`,
  };
}

export const check = defineCheck({ title, options: { only: { type: "string" }, meanwhile: { type: "string" } }, run });
