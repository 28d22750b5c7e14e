/**
 * Hostile memory: words of the arena are flipped, pointers led elsewhere, rings made of lists, counts made huge, locks taken by
 * nobody; then every operation is called, and more is done in the middle of some. Each must answer, panic or trap within a bounded number of accesses to memory.
 *
 *   npm run verify -- hostile [--seconds N] [--seed N] [--cases N]
 *
 * The core is the shipping one, with every access reported. Steps are accesses; a wait counts too, and its time passes at
 * once. A case is a number: `--seed N --cases 1` repeats that one.
 */

import { randomBelow } from "../../../cli/dist/support/random.js";
import { attach, createMemory, shippingCore } from "../binary/core.js";
import { defineCheck } from "../support/check.js";
import { Corruption, KINDS } from "./corruption.js";
import { build, driverCall, OPERATIONS } from "./fixture.js";

export const title = "Hostile memory: every operation ends";

const ARENA = 4 << 20;
/**
 * Most accesses of one operation. The longest that the core means to make: 5000 naps of 2 ms for a lock's owner, of which an
 * operation takes some ten; rounds through a list of 2^20.
 */
const STEPS_MAX = 1 << 24;
/** Sites remembered to name an endless loop. */
const TAIL = 4096;

/** Thrown out of the core when an operation makes too many steps. */
class StepLimitExceeded extends Error {}

/** Counts steps, tells the time, remembers where the core has been. */
class StepCounter {
  steps = 0;
  limit = STEPS_MAX;
  time = 1_700_000_000_000;
  /** Step at which the memory is damaged in the middle of the operation, and what does it. */
  corruptAt = -1;
  corrupt = () => {};
  tail = new Int32Array(TAIL);

  constructor() {
    const at = (site) => {
      this.tail[this.steps & (TAIL - 1)] = site;
      if (++this.steps > this.limit) throw new StepLimitExceeded("endless");
      if (this.steps === this.corruptAt) this.corrupt();
    };
    this.hooks = {
      access: at,
      store: at,
      range: (site, _to, _from, length) => {
        this.steps += length >>> 6;
        at(site);
      },
      now: () => this.time,
      wait: (_p, _expected, ms) => {
        this.time += ms;
        return 2;
      },
    };
  }

  start(limit) {
    this.steps = 0;
    this.limit = limit;
  }

  /** Where the last steps were made: functions and files, what was inlined by its own file, the most frequent first. */
  where(core) {
    const times = new Map();
    for (const site of this.tail) {
      const { line, func } = core.sites[site];
      const name = `${func} (${line.slice(0, line.lastIndexOf(":"))})`;
      times.set(name, (times.get(name) ?? 0) + 1);
    }
    return [...times]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 8)
      .map(([name]) => name);
  }
}

/** The memory as it is before the damage, and what the operations need to know of it. */
function prepare(core) {
  const memory = createMemory({ maxBytes: ARENA });
  let thread;
  const hooks = { driverCall: driverCall(() => thread) };
  thread = attach(memory, core.shipping, hooks, { init: { seed: 42 } });
  const state = build(thread);
  return { state, bytes: new Uint8Array(memory.buffer).slice() };
}

/** How a call ended. */
function outcomeOf(error) {
  if (error instanceof StepLimitExceeded) return "endless";
  if (error instanceof WebAssembly.RuntimeError) return "trapped";
  if (error instanceof RangeError) return "overflowed its stack";
  if (/^core: (panic|threadAttach)/.test(error.message)) return "panicked";
  throw error;
}

/** One case: damage drawn from `seed`, then every operation in a scattered order. */
class Case {
  constructor(core, fixture, memory, seed, stepsMax) {
    Object.assign(this, { core, fixture, memory, seed, stepsMax });
    this.next = randomBelow(seed);
    this.counter = new StepCounter();
    this.outcomes = {};
    this.failures = [];
    this.most = 0;
  }

  #attach() {
    const hooks = { ...this.counter.hooks, driverCall: driverCall(() => this.thread) };
    this.thread = attach(this.memory, this.core, hooks, { watching: true });
  }

  run() {
    new Uint8Array(this.memory.buffer).set(this.fixture.bytes);
    const damage = new Corruption(this.memory.buffer, ARENA, this.next);
    for (let n = 1 + this.next(3); n > 0; n--) damage[damage.pick(KINDS)]();
    const names = Object.keys(OPERATIONS);
    for (let n = names.length; n > 0; n--) {
      const [name] = names.splice(this.next(n), 1);
      this.#operate(name, damage);
    }
    this.said = damage.said;
    return this;
  }

  #operate(name, damage) {
    this.counter.start(this.stepsMax);
    // Some of the damage is done while the core is at work: between its look at a word and what it makes of it.
    this.counter.corruptAt = this.next(16) === 0 ? 1 + this.next(500) : -1;
    this.counter.corrupt = () => {
      damage.said.push(`in step ${this.counter.steps} of ${name}:`);
      damage[damage.pick(KINDS)]();
    };
    let how;
    try {
      if (this.thread === undefined) this.#attach();
      const answer = OPERATIONS[name](this.thread, this.fixture.state);
      how = answer < 0 ? "answered an errno" : "answered";
      if (name === "threadDetach") this.thread = undefined;
    } catch (error) {
      how = outcomeOf(error);
      // As src/bridge/attachment.ts has it: whoever was in the core when it gave up makes no call any more.
      this.thread = undefined;
    }
    this.most = Math.max(this.most, this.counter.steps);
    this.outcomes[how] = (this.outcomes[how] ?? 0) + 1;
    if (how === "endless") {
      const where = this.counter.where(this.core);
      this.failures.push({ name, where, damage: [...damage.said] });
    }
  }
}

/**
 * @param {{ seconds?: number, seed?: number, short?: boolean, log?: (line: string) => void, cases?: number,
 *   stepsMax?: number }} options
 */
export async function run({
  seconds = 30,
  seed = 1,
  short = false,
  log = () => {},
  cases = 0,
  stepsMax = STEPS_MAX,
} = {}) {
  const limit = short ? Math.min(seconds, 4) : seconds;
  const core = shippingCore({ accesses: true });
  const fixture = prepare(core);
  const memory = createMemory({ maxBytes: ARENA });
  const explored = { cases: 0, operations: 0, "most steps of one": 0 };
  const failures = [];
  const began = performance.now();
  let lastLog = began;
  for (let n = 0; cases > 0 ? n < cases : performance.now() - began < limit * 1000; n++) {
    const one = new Case(core, fixture, memory, seed + n, stepsMax).run();
    explored.cases++;
    for (const [how, times] of Object.entries(one.outcomes)) {
      explored[how] = (explored[how] ?? 0) + times;
      explored.operations += times;
    }
    explored["most steps of one"] = Math.max(explored["most steps of one"], one.most);
    for (const { name, where, damage } of one.failures) {
      failures.push({
        message: `${name} made more than ${stepsMax} steps, in ${where.join(", ")}`,
        replay: `npm run verify -- hostile --seed ${seed + n} --cases 1`,
        trace: damage.join("\n"),
      });
    }
    if (performance.now() - lastLog > 5000) {
      lastLog = performance.now();
      log(`${explored.cases} cases, ${failures.length} failures`);
      await new Promise(setImmediate);
    }
  }
  return { ok: failures.length === 0, explored, failures };
}

export const check = defineCheck({ title, options: { cases: { type: "number", least: 0 } }, run });
