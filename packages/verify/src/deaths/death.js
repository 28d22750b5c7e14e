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
 * Twice: with a chance of one in TWICE the thread that takes over dies as well, at some access of its own, and a third one has both.
 */
import { SCRATCH } from "../../../threadfs/dist/abi/abi.js";
import { addressOf, numberOf } from "../arena/core-source.js";
import { attach, createMemory, shippingCore } from "../binary/core.js";
import { check } from "../fsck/check-arena.js";
import { resolveCall } from "../model/call-sequence.js";
import { begin, finish } from "../scenario/core-calls.js";
import { judgeBeside } from "../scenario/linearizability.js";
import { dump, judge, operations, trees } from "../scenario/operations.js";
import { main } from "../support/command-line.js";
import { randomBelow, shuffled } from "../support/random.js";

export const title = "a thread may die at any access, holding anything: the tree is whole and the others go on";

const ARENA = 3 << 20;
/** One death in so many is one of who takes over, too; at one place in so many somebody works on before the death is known. */
const TWICE = 8;
const BESIDE = 8;
const FAILURES_TOLD = 5;

/** A lock stayed taken for as long as anybody waits. */
const PANIC_LOCK = numberOf("PANIC_LOCK");
/** Where threads nap: no waiting for anybody. */
const SLEEP = addressOf("G_SLEEP");

/** What is counted. */
const TWICE_DEAD = "deaths of who takes over";
const BEFORE = "others' operations before it was known";
const WOULD_WAIT = "of which it would have had to wait";

/** Thrown at the place of death. */
class Death extends Error {}

/** Thrown where somebody would have to wait for the dead one. */
class Waits extends Error {}

/** A tree to die in: built once, restored before every death. */
class Graveyard {
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
  mortal(n) {
    const life = { accesses: 0, site: -1, address: 0 };
    const own = (address) => address >= life.scratch && address < life.scratch + SCRATCH.SIZE;
    const hit = (site, address) => {
      if (!life.begun || own(address)) return;
      if (life.accesses++ !== n) return;
      life.site = site;
      life.address = address;
      throw new Death();
    };
    const thread = this.#thread(this.watched, { access: hit, store: hit, range: hit });
    life.scratch = thread.scratch;
    thread.life = life;
    return thread;
  }

  survivor() {
    return this.#thread(this.plainModule, {});
  }

  /** One that does not wait for locks: not asleep on one, nor by looking at it again and again until its time is over. */
  impatient() {
    const wait = (address) => {
      if (address !== SLEEP) throw new Waits();
      return 2;
    };
    const panic = (code) => {
      if (code === PANIC_LOCK) throw new Waits();
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
  live(thread, operation) {
    const answers = [];
    thread.life.begun = true;
    try {
      this.calls(thread, operation, answers);
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      return { answers, died: true };
    }
    return { answers, died: false };
  }

  /** The same where `other` was done before anything was taken over. */
  verdictBeside(survivor, operation, ended, other, answers) {
    const { problems } = check(this.memory, { live: [survivor.slot] });
    if (problems.length > 0) return `the arena is not whole:\n    ${problems.slice(0, 6).join("\n    ")}`;
    const final = this.#runAll(survivor, dump(survivor.t, this.built));
    return judgeBeside(this.tree, operation, ended, other, answers, final);
  }

  /** What is wrong after everything has been taken over, or null. */
  verdict(survivor, operation, answers) {
    let { problems } = check(this.memory, { live: [survivor.slot] });
    if (problems.length > 0) return `the arena is not whole:\n    ${problems.slice(0, 6).join("\n    ")}`;
    const final = this.#runAll(survivor, dump(survivor.t, this.built));
    const wrong = judge(this.tree, [operation], [answers], final, { dead: [0] });
    if (wrong !== null) return wrong;
    ({ problems } = check(this.memory, { live: [survivor.slot] }));
    if (problems.length > 0)
      return `the arena is not whole after more calls:\n    ${problems.slice(0, 6).join("\n    ")}`;
    return null;
  }
}

/**
 * Takes over a dead thread's things; `second`, if there is one, dies of it. The answers of threadDead(), the last one of the
 * survivor for the one who died first.
 */
function takeOverAll(survivor, dead, second) {
  if (second === undefined) return [survivor.exports.threadDead(dead.slot, 0)];
  try {
    second.life.begun = true;
    second.exports.threadDead(dead.slot, 0);
    second.exports.threadDetach();
    return [GIVEN_BACK];
  } catch (error) {
    if (!(error instanceof Death)) throw error;
    return [survivor.exports.threadDead(second.slot, 0), survivor.exports.threadDead(dead.slot, 0)];
  }
}

/** -EINVAL: that slot has been given back already. */
const GIVEN_BACK = -22;

function die(yard, operation, n, diesAt, takeOver) {
  yard.restore();
  const thread = yard.mortal(n);
  const second = diesAt === undefined ? undefined : yard.mortal(diesAt);
  const survivor = yard.survivor();
  const { answers, died } = yard.live(thread, operation);
  if (!died) return { died };
  const where = { ...thread.life };
  try {
    const taken = takeOver(survivor, thread, second);
    const last = taken.at(-1);
    if (last !== 0 && last !== GIVEN_BACK) return { died, where, wrong: `threadDead() answered ${taken}` };
    return { died, twice: taken.length > 1, where, wrong: yard.verdict(survivor, operation, answers) };
  } catch (error) {
    return { died, where, wrong: `the survivor failed: ${error.stack}` };
  }
}

/** The same, but that `other` is done by the survivor before it takes over. `waited`: it would have had to wait. */
function dieBeside(yard, operation, n, other) {
  yard.restore();
  const thread = yard.mortal(n);
  const survivor = yard.impatient();
  const { answers: ended, died } = yard.live(thread, operation);
  const where = { ...thread.life };
  try {
    const answers = yard.calls(survivor, other);
    const taken = survivor.exports.threadDead(thread.slot, 0);
    if (taken !== 0) return { died, where, wrong: `threadDead() answered ${taken}` };
    return { died, where, wrong: yard.verdictBeside(survivor, operation, ended, other, answers) };
  } catch (error) {
    if (error instanceof Waits) return { died, waited: true, where, wrong: null };
    return { died, where, wrong: `the survivor failed: ${error.stack}` };
  }
}

const yards = new Map();

function yardOf(tree) {
  let yard = yards.get(tree);
  if (yard === undefined) {
    yard = new Graveyard(tree);
    yards.set(tree, yard);
  }
  return yard;
}

/** `site func op` of a place of death. */
function place(yard, { site, address }) {
  const { func, op, line } = yard.watched.sites[site];
  return `${func} ${op}${line ? ` (${line})` : ""} at 0x${address.toString(16)}`;
}

/**
 * @param {{ seconds: number, seed: number, short?: boolean, log?: (line: string) => void, only?: string, meanwhile?: string,
 *   values?: { only?: string, meanwhile?: string }, takeOver?: typeof takeOverAll }} options `short`: each operation is stopped at a few
 *   places only; `only`: operations whose name contains it; `meanwhile`: what the survivor does before it takes over, at every place (else at some
 *   places something by chance); `takeOver`: what is
 *   done about the dead thread, for tests of this check
 */
export async function run({
  seconds,
  seed,
  short = false,
  log = () => undefined,
  values = {},
  only = values.only ?? "",
  meanwhile = values.meanwhile,
  takeOver = takeOverAll,
}) {
  const until = performance.now() + seconds * 1000;
  const random = randomBelow(seed);
  const explored = { operations: 0, deaths: 0, [TWICE_DEAD]: 0, [BEFORE]: 0, [WOULD_WAIT]: 0, complete: 0, places: 0 };
  const places = new Set();
  const failures = [];
  const chosen = operations.filter(({ name, tree }) => `${tree} ${name}`.includes(only));
  if (meanwhile !== undefined && !operations.some(({ name }) => name.includes(meanwhile)))
    throw new RangeError(`death: no operation ${meanwhile}`);
  for (const operation of shuffled(chosen, random)) {
    if (performance.now() > until) break;
    const yard = yardOf(operation.tree);
    yard.restore();
    const whole = yard.mortal(Number.POSITIVE_INFINITY);
    yard.live(whole, operation);
    const all = whole.life.accesses;
    explored.operations++;
    const step = short ? Math.max(1, Math.ceil(all / 12)) : 1;
    let n = short ? random(step) : 0;
    const others = operations.filter(({ tree, name }) => tree === operation.tree && name.includes(meanwhile ?? ""));
    const beside = (n, other) => {
      const wrong = dieBefore(yard, operation, { n, all, seed }, other, explored);
      if (wrong !== null) failures.push(wrong);
    };
    if (meanwhile !== undefined) {
      for (const other of others) {
        for (let at = n; at < all && performance.now() < until && failures.length < FAILURES_TOLD; at += step)
          beside(at, other);
      }
      if (failures.length >= FAILURES_TOLD) break;
      continue;
    }
    for (; n < all && performance.now() < until && failures.length < FAILURES_TOLD; n += step) {
      const second = random(TWICE) === 0 ? random(400) : undefined;
      const { died, twice, where, wrong } = die(yard, operation, n, second, takeOver);
      if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
      explored.deaths++;
      if (twice) explored[TWICE_DEAD]++;
      places.add(where.site);
      if (random(BESIDE) === 0) beside(n, others[random(others.length)]);
      if (wrong === null) continue;
      failures.push({
        message: `${operation.tree}, ${operation.name}: dead before access ${n} of ${all}, ${place(yard, where)}${second === undefined ? "" : `, then at ${second}`}\n  ${wrong}`,
        replay: `--only ${JSON.stringify(operation.name)} --seed ${seed}`,
      });
    }
    if (n >= all) explored.complete++;
    log(`${operation.tree} ${operation.name}: ${all} accesses`);
    if (failures.length >= FAILURES_TOLD) break;
  }
  explored.places = places.size;
  return { ok: failures.length === 0, explored, failures };
}

/** One place of death, with `other` done before the death is known; what is wrong then, or null. */
function dieBefore(yard, operation, { n, all, seed }, other, explored) {
  const { died, waited, where, wrong } = dieBeside(yard, operation, n, other);
  if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
  explored[BEFORE]++;
  if (waited) explored[WOULD_WAIT]++;
  if (wrong === null) return null;
  return {
    message: `${operation.tree}, ${operation.name}: dead before access ${n} of ${all}, ${place(yard, where)}, then ${other.name}\n  ${wrong}`,
    replay: `--only ${JSON.stringify(operation.name)} --meanwhile ${JSON.stringify(other.name)} --seed ${seed}`,
  };
}

await main(import.meta.url, { title, run, options: { only: { type: "string" }, meanwhile: { type: "string" } } });
