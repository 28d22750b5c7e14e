/**
 * Hostile memory: bits of the arena are flipped, pointers lead elsewhere, lists become rings, counts become huge, locks are taken by
 * threads that do not exist; then every operation is called, and some are damaged while they run. Each must return, panic or trap
 * within a bounded number of accesses to memory.
 *
 *   npm run verify -- hostile [--seconds N] [--seed N] [--cases N]
 *
 * The core is the shipping one, with every access reported. Steps are accesses; a wait counts too, and its time passes at
 * once. A case is a number: `--seed N --cases 1` repeats that one.
 */

import { type Random, randomBelow } from "../../../cli/dist/support/random.js";
import {
  attach,
  type Core,
  createMemory,
  type Hooks,
  type ShippingCore,
  shippingCore,
  type Thread,
} from "../binary/core.js";
import { defineCheck, endOfRun, type Failure, nothingChecked, type Outcome, type RunInput } from "../support/check.js";
import { UNLIMITED } from "../support/command-line.js";
import { defined, messageOf } from "../support/defined.js";
import { Corruption } from "./corruption.js";
import { build, driverCall, OPERATIONS, type Operation, type State } from "./fixture.js";

export const title = "whatever the shared memory holds, every operation ends";

const ARENA = 4 << 20;
/**
 * Most accesses of one operation. The longest bounded wait of the core: sleeps of 2 ms for a lock's owner until its limit of 10 s,
 * of which an operation takes some ten; rounds through a list of 2^20.
 */
const STEPS_MAX = 1 << 24;
/** Cases of the short form. */
const SHORT_CASES = 40;
/** Sites remembered to name an endless loop. */
const TAIL = 4096;

/** What a look at the clock takes. */
const CLOCK_TICK_MS = 2 ** -10;

/** Thrown out of the core when an operation makes too many steps. */
class StepLimitExceeded extends Error {}

/** Counts steps, is the core's clock, and remembers the sites of the last steps. */
class StepCounter {
  steps = 0;
  limit = STEPS_MAX;
  time = 1_700_000_000_000;
  /** The step of the operation before which the memory is damaged, and the function that damages it. */
  corruptAt = -1;
  corrupt: () => void = () => {};
  readonly hooks: Hooks;
  readonly #tail = new Int32Array(TAIL);

  constructor() {
    const at = (site: number): undefined => {
      this.#tail[this.steps & (TAIL - 1)] = site;
      if (++this.steps > this.limit) throw new StepLimitExceeded("endless");
      if (this.steps === this.corruptAt) this.corrupt();
    };
    this.hooks = {
      access: at,
      store: at,
      range: (site, _to, _from, length) => {
        this.steps += length >>> 6;
        return at(site);
      },
      now: () => this.time,
      // Time passes for a thread that spins, too.
      clock: () => {
        this.time += CLOCK_TICK_MS;
        return this.time;
      },
      wait: (_p, _expected, ms) => {
        this.time += ms;
        return 2;
      },
    };
  }

  start(limit: number): void {
    this.steps = 0;
    this.limit = limit;
  }

  /** Where the last steps were made: functions and files, what was inlined by its own file, the most frequent first. */
  where(core: Core): string[] {
    const times = new Map<string, number>();
    for (const site of this.#tail) {
      const { line, func } = defined(core.sites[site], `site ${site}`);
      const name = `${func} (${line.slice(0, line.lastIndexOf(":"))})`;
      times.set(name, (times.get(name) ?? 0) + 1);
    }
    return [...times]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 8)
      .map(([name]) => name);
  }
}

/** The memory before the damage, and the values that the operations need from it. */
interface Fixture {
  state: State;
  bytes: Uint8Array;
}

function prepare(core: ShippingCore): Fixture {
  const memory = createMemory({ maxBytes: ARENA });
  const hooks = { driverCall: driverCall(() => thread) };
  const thread = attach(memory, core.shipping, hooks, { init: { seed: 42 } });
  const state = build(thread);
  return { state, bytes: new Uint8Array(memory.buffer).slice() };
}

type Ending =
  | "returned"
  | "returned an errno"
  | "endless"
  | "trapped"
  | "overflowed its stack"
  | "panicked"
  | "timed out";

/** How a call ended that threw. */
function outcomeOf(error: unknown): Ending {
  if (error instanceof StepLimitExceeded) return "endless";
  if (error instanceof WebAssembly.RuntimeError) return "trapped";
  if (error instanceof RangeError) return "overflowed its stack";
  if (/^core: (panic|threadAttach)/.test(messageOf(error))) return "panicked";
  if (/^core: the call waited too long/.test(messageOf(error))) return "timed out";
  throw error;
}

/** One case: damage drawn from `seed`, then every operation in a scattered order. */
class Case {
  readonly outcomes = new Map<Ending, number>();
  readonly failures: { name: string; where: string[]; damage: string[] }[] = [];
  /** Most steps of one operation. */
  most = 0;
  readonly #counter = new StepCounter();
  readonly #next: Random;
  #thread: Thread | undefined;

  constructor(
    readonly core: Core,
    readonly fixture: Fixture,
    readonly memory: WebAssembly.Memory,
    seed: number,
    readonly stepsMax: number,
  ) {
    this.#next = randomBelow(seed);
  }

  #attach(): Thread {
    const hooks = { ...this.#counter.hooks, driverCall: driverCall(() => defined(this.#thread, "thread")) };
    return attach(this.memory, this.core, hooks, { watching: true });
  }

  run(): this {
    new Uint8Array(this.memory.buffer).set(this.fixture.bytes);
    const damage = new Corruption(this.memory.buffer, ARENA, this.#next);
    for (let n = 1 + this.#next(3); n > 0; n--) damage.any();
    const left = Object.entries(OPERATIONS);
    while (left.length > 0) {
      for (const [name, operation] of left.splice(this.#next(left.length), 1)) this.#operate(name, operation, damage);
    }
    return this;
  }

  #operate(name: string, operation: Operation, damage: Corruption): void {
    this.#counter.start(this.stepsMax);
    // Some of the damage is done while the core runs: between its read of a word and its use of the value.
    this.#counter.corruptAt = this.#next(16) === 0 ? 1 + this.#next(500) : -1;
    this.#counter.corrupt = () => {
      damage.said.push(`in step ${this.#counter.steps} of ${name}:`);
      damage.any();
    };
    let how: Ending;
    try {
      this.#thread ??= this.#attach();
      const result = operation(this.#thread, this.fixture.state);
      how = result < 0 ? "returned an errno" : "returned";
      if (name === "threadDetach") this.#thread = undefined;
    } catch (error) {
      how = outcomeOf(error);
      // As in src/bridge/attachment.ts: after an exception out of the core the thread makes no further call.
      this.#thread = undefined;
    }
    this.most = Math.max(this.most, this.#counter.steps);
    this.outcomes.set(how, (this.outcomes.get(how) ?? 0) + 1);
    if (how === "endless") {
      const where = this.#counter.where(this.core);
      this.failures.push({ name, where, damage: [...damage.said] });
    }
  }
}

export interface HostileOptions extends RunInput {
  /** So many; 0: those of the short form, or as many as the time allows. */
  cases?: number | undefined;
  stepsMax?: number;
}

export async function run(options: HostileOptions): Promise<Outcome> {
  const { seconds, seed, short = false, log = () => {}, cases = 0, stepsMax = STEPS_MAX } = options;
  const most = cases > 0 ? cases : short ? SHORT_CASES : UNLIMITED;
  const core = shippingCore({ accesses: true });
  const fixture = prepare(core);
  const memory = createMemory({ maxBytes: ARENA });
  let operations = 0;
  let steps = 0;
  const outcomes = new Map<Ending, number>();
  const failures: Failure[] = [];
  let done = 0;
  // A number of cases that the caller gives is the end of the run, too.
  const end = cases > 0 ? UNLIMITED : endOfRun(options);
  let lastLog = performance.now();
  for (let n = 0; n < most && performance.now() < end; n++) {
    const one = new Case(core, fixture, memory, seed + n, stepsMax).run();
    done++;
    for (const [how, times] of one.outcomes) {
      outcomes.set(how, (outcomes.get(how) ?? 0) + times);
      operations += times;
    }
    steps = Math.max(steps, one.most);
    for (const { name, where, damage } of one.failures) {
      failures.push({
        message: `${name} made more than ${stepsMax} steps, in ${where.join(", ")}`,
        replay: `npm run verify -- hostile --seed ${seed + n} --cases 1`,
        trace: damage.join("\n"),
      });
    }
    if (performance.now() - lastLog > 5000) {
      lastLog = performance.now();
      log(`${done} cases, ${failures.length} failures`);
      await new Promise(setImmediate);
    }
  }
  if (done === 0) failures.push(nothingChecked(seconds));
  const explored = { cases: done, operations, "most steps of one": steps, ...Object.fromEntries(outcomes) };
  return { ok: failures.length === 0, explored, failures };
}

export const check = defineCheck({ title, options: { cases: { type: "number", least: 0 } }, run });
