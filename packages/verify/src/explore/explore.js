/**
 * All schedules of a few operations up to a number of preemptions, or many of them by chance.
 *
 * explore() walks the tree of decisions depth first. A decision is asked for before each access to a conflicting word, and
 * whenever a thread blocks, spins, sleeps or ends. A run is repeated from the start up to the decision that is changed.
 *
 * Preemptions. Taking a thread off that could go on costs one; going over to another because this one ended, is blocked or
 * looks in vain at a word costs none. Nor does to go on looking although somebody else could run: one who was taken off in
 * the middle of a change may stay away for as long as others look. A sleeper whose time is over early costs one. All schedules that cost at most `bound` are covered, whoever starts and whoever goes on where
 * one blocks. Where nobody can run by himself there is no choice: the one whose time is over first goes on.
 *
 * Why only conflicting words are points. Let C be the words that in some explored run are touched by two threads, one of
 * them writing. Exploration is repeated until no run adds to C. Claim: each schedule within the bound has the same partial
 * order of conflicting accesses as one whose switches all stand before accesses to C. Take a schedule and its first switch
 * that does not, away from thread A; let a1 ... an be what A would do up to its next access to C, or to its end. Move them
 * before the switch. That changes nothing unless somebody touches one of their words, with a write on either side, before
 * A goes on. Take the first who does, B. Up to there B has read what he reads in the schedule where a1 ... an came first,
 * so there B makes that access too. That schedule's prefix costs no more and has its first such switch later, so by
 * induction a run with the same order was explored; in it both touched the word, and it is in C: a contradiction. So the
 * switch moves to before the access to C, at the same price, and one goes on with the next switch.
 *
 * Why states are visited once. The machine's signature of a prefix is that of its partial order of conflicting accesses:
 * two prefixes with the same one have led to the same memory and the same threads, and the same calls were over before
 * others began. If one was explored with the same thread running and at least as many preemptions left, all that can
 * follow was explored. (53 bits are compared: with 10^6 states the odds that any two of them are taken for one are 1 in
 * 10^4.)
 *
 * Calls one after the other. A call that touches no conflicting word has no point and, above, no place: it could be anywhere. But what it
 * answers is held against the calls that were over before it began, so before all else the calls are run one by one in each order
 * that their threads allow. With a call that has points, its being over before another begins is part of the signature.
 *
 * Loops that wait. A thread that reads a word again with nothing in between may give way for nothing until the word is
 * written, or look on to the end of its bounded loop. What is left out: looking on for a while, giving way, and looking on
 * again. A driver's call is one step with the access before it.
 */

import { randomBelow } from "../../../cli/dist/support/random.js";
import {
  ABANDON,
  AT_ACCESS,
  AT_CALL,
  AT_NO_THREAD,
  AT_SPIN,
  AT_WAIT,
  BLOCKED,
  READY,
  SPINNING,
} from "../machine/constants.js";

/** @typedef {import("../machine/machine.js").Machine} Machine */
/** @typedef {import("../machine/machine.js").Outcome} Outcome */

/**
 * @typedef {object} Failure
 * @property {string} message
 * @property {string} replay the schedule, for {@link parseSchedule}
 */

/**
 * @typedef {object} Explored
 * @property {number} runs schedules run, those given up as already known included
 * @property {number} schedules runs that went to their end
 * @property {number} states distinct states at decisions
 * @property {number} conflicts words that are points
 * @property {boolean} complete every schedule within the bound was covered
 * @property {Failure[]} failures
 */

const FULL = 1e9;
/** States that are remembered; some 50 bytes each. */
const VISITED_MAX = 4_000_000;

/** Who may go on at a decision, and at what price. Filled anew at each one: one array for all. */
class Choices {
  ids = new Int32Array(8);
  costs = new Int32Array(8);
  count = 0;

  /** @param {Machine} machine @param {import("../machine/machine.js").LogicalThread | null} t */
  fill(machine, t, reason, budget) {
    this.count = 0;
    const self = t === null ? -1 : t.id;
    if (reason === AT_ACCESS || reason === AT_CALL) this.#add(self, 0);
    const price = reason === AT_ACCESS ? 1 : 0;
    if (price <= budget) {
      for (const o of machine.threads) if (o.id !== self && o.state === READY) this.#add(o.id, price);
    }
    if (reason === AT_SPIN) this.#add(self, 0);
    if (this.count === 0) {
      this.#byTime(machine);
    } else if (budget >= 1) {
      for (const o of machine.waiters) if (machine.sleepAddresses.includes(o.waitAddress)) this.#add(o.id, 1);
    }
  }

  /**
   * Nobody can run by himself. Whose time is over first goes on: one who looks in vain, one who sleeps, one who waits for a
   * lock, the longest first. No choice, as to choose the same one for ever is no schedule that happens.
   */
  #byTime({ threads, waiters, sleepAddresses }) {
    const next =
      threads.find(({ state }) => state === SPINNING) ??
      waiters.find(({ waitAddress }) => sleepAddresses.includes(waitAddress)) ??
      waiters[0];
    if (next !== undefined) this.#add(next.id, 0);
  }

  #add(id, cost) {
    this.ids[this.count] = id;
    this.costs[this.count++] = cost;
  }
}

/** Depth-first through all decisions. */
class Search {
  /** @type {{ ids: Int32Array, costs: Int32Array, at: number, spent: number }[]} */
  stack = [];
  /** State -> most preemptions that were left there. @type {Map<number, number>} */
  visited = new Map();
  choices = new Choices();
  depth = 0;
  spent = 0;
  pruned = 0;

  constructor(bound, reduce) {
    this.bound = bound;
    this.reduce = reduce;
  }

  begin() {
    this.depth = 0;
    this.spent = 0;
    this.known = false;
  }

  choose(machine, t, reason) {
    const left = this.bound - this.spent;
    if (left === 0 && reason === AT_ACCESS) {
      if (!this.reduce || this.depth < this.stack.length || !this.#seen(machine, t, 0)) return t.id;
      this.known = true;
      return ABANDON;
    }
    const c = this.choices;
    c.fill(machine, t, reason, left);
    if (c.count === 0) return ABANDON;
    if (this.depth < this.stack.length) {
      if (c.count === 1) return c.ids[0];
      const entry = this.stack[this.depth++];
      this.spent = entry.spent + entry.costs[entry.at];
      return entry.ids[entry.at];
    }
    if (this.reduce && (c.count > 1 || reason !== AT_ACCESS) && this.#seen(machine, t, left)) {
      this.known = true;
      return ABANDON;
    }
    if (c.count === 1) {
      this.spent += c.costs[0];
      return c.ids[0];
    }
    this.stack.push({ ids: c.ids.slice(0, c.count), costs: c.costs.slice(0, c.count), at: 0, spent: this.spent });
    this.depth++;
    this.spent += c.costs[0];
    return c.ids[0];
  }

  #seen(machine, t, left) {
    const key = stateKey(machine, t);
    const most = this.visited.get(key);
    if (most !== undefined && most >= left) return true;
    // A set that is full forgets nothing: what is not in it is explored again.
    if (this.visited.size < VISITED_MAX || most !== undefined) this.visited.set(key, left);
    return false;
  }

  /** Changes the last decision that can be changed; false: all is done. */
  advance() {
    while (this.stack.length > 0) {
      const entry = this.stack[this.stack.length - 1];
      if (++entry.at < entry.ids.length) return true;
      this.stack.pop();
    }
    return false;
  }

  /** With other points the decisions are others. */
  forget() {
    this.stack.length = 0;
    this.visited.clear();
  }
}

/** The state at a decision: the signature, who runs, who is stopped how, and the time. */
function stateKey(machine, t) {
  let status = t === null ? 7 : t.id;
  for (const o of machine.threads) status = status * 8 + o.state;
  status = (status * 61 + (machine.clock % 1e6)) | 0;
  const lo = (machine.conflicts.sigLo ^ Math.imul(status, 0x9e3779b1)) >>> 0;
  const hi = (machine.conflicts.sigHi + Math.imul(status, 0x85ebca6b)) >>> 0;
  return hi * 0x200000 + (lo >>> 11);
}

/**
 * All schedules within a bound.
 * @param {Machine} machine sealed
 * @param {import("../machine/machine.js").Operation[]} operations
 * @param {object} options
 * @param {number} [options.bound] preemptions
 * @param {boolean} [options.reduce] leave out what follows from states already seen
 * @param {number} [options.deadline] Date.now() at which to stop
 * @param {number} [options.maxRuns]
 * @param {number} [options.maxFailures]
 * @param {any} [options.built]
 * @param {(outcome: Outcome) => string | null} options.judge of each run that went to its end: what is wrong with it
 * @returns {Explored}
 */
export function explore(machine, operations, options) {
  const { bound = 2, reduce = true, deadline = FULL * 1e6, maxRuns = FULL, maxFailures = 1, built, judge } = options;
  const out = { runs: 0, schedules: 0, states: 0, conflicts: 0, complete: false, failures: [] };
  exploreCallOrders(machine, operations, { deadline, maxRuns, built, judge }, out);
  if (out.failures.length >= maxFailures) return out;
  const search = new Search(bound, reduce);
  for (;;) {
    search.begin();
    const outcome = machine.run(operations, search, built);
    out.runs++;
    const bad = search.known ? null : verdict(outcome, judge);
    const replay = bad === null ? "" : formatSchedule(machine.schedule);
    if (!search.known) out.schedules++;
    if (bad !== null) out.failures.push({ message: bad, replay });
    // With more points from here on the decisions made so far mean something else.
    if (machine.adoptConflicts()) {
      search.forget();
      out.schedules = 0;
    } else if (!search.advance()) {
      out.complete = true;
      break;
    }
    if (out.failures.length >= maxFailures || out.runs >= maxRuns || Date.now() > deadline) break;
  }
  out.states = search.visited.size;
  out.conflicts = machine.conflicts.known;
  return out;
}

/** The calls one by one, in each order. @param {Explored} out runs and failures are entered */
function exploreCallOrders(machine, operations, { deadline, maxRuns, built, judge }, out) {
  const search = new Search(0, false);
  do {
    search.begin();
    const outcome = runCallByCall(machine, operations, search, built);
    out.runs++;
    const bad = verdict(outcome, judge);
    if (bad !== null) out.failures.push({ message: bad, replay: formatSchedule(machine.schedule) });
    machine.adoptConflicts();
    if (out.failures.length > 0 || out.runs >= maxRuns || Date.now() > deadline) return;
  } while (search.advance());
}

/** A run in which the controller is asked before each call as well. */
function runCallByCall(machine, operations, controller, built) {
  machine.callByCall = true;
  try {
    return machine.run(operations, controller, built);
  } finally {
    machine.callByCall = false;
  }
}

function verdict(outcome, judge) {
  if (outcome.status === "done") return judge(outcome);
  return outcome.status === "abandoned"
    ? "nobody can go on, and not all have ended"
    : `${outcome.status}: ${outcome.message}`;
}

// ---------------------------------------------------------------------------------------------------- by chance

/** At each point with odds of 1 in `odds` somebody else. */
class RandomWalk {
  choices = new Choices();

  constructor(random, odds) {
    this.random = random;
    this.odds = odds;
  }

  choose(machine, t, reason) {
    if (reason === AT_ACCESS && this.random(this.odds) !== 0) return t.id;
    this.choices.fill(machine, t, reason, 1);
    const { ids, count } = this.choices;
    return count === 0 ? ABANDON : ids[this.random(count)];
  }
}

/**
 * Probabilistic concurrency testing: each thread has a priority, the highest that can runs; at `changes` random points the one who runs
 * falls to the lowest. A bug that needs d orderings is met with odds of at least 1 / (n k^(d-1)) a run.
 */
class Priorities {
  choices = new Choices();
  points = 0;

  constructor(random, threads, changes, length) {
    this.order = Array.from({ length: threads }, (_, i) => i);
    for (let i = threads - 1; i > 0; i--) {
      const j = random(i + 1);
      [this.order[i], this.order[j]] = [this.order[j], this.order[i]];
    }
    this.changes = new Set(Array.from({ length: changes }, () => random(length)));
  }

  choose(machine, t, reason) {
    if (reason === AT_ACCESS) {
      if (this.changes.has(this.points++)) this.#last(t.id);
    } else if (reason === AT_SPIN || reason === AT_WAIT) {
      this.#last(t.id);
    }
    this.choices.fill(machine, t, reason, 1);
    const { ids, count } = this.choices;
    let best = ABANDON;
    for (let i = 0; i < count; i++) {
      if (machine.threads[ids[i]].state === BLOCKED && count > 1) continue;
      if (best === ABANDON || this.order.indexOf(ids[i]) < this.order.indexOf(best)) best = ids[i];
    }
    return best === ABANDON && count > 0 ? ids[0] : best;
  }

  #last(id) {
    this.order.splice(this.order.indexOf(id), 1);
    this.order.push(id);
  }
}

/**
 * Schedules by chance: walks and priorities in turn. Repeatable by its seed.
 * @param {Machine} machine @param {import("../machine/machine.js").Operation[]} operations
 * @param {{ seed: number, maxRuns: number, deadline?: number, built?: any, maxFailures?: number, judge: (outcome: Outcome) => string | null }} options
 * @returns {Explored}
 */
export function sample(machine, operations, { seed, maxRuns, deadline = FULL * 1e6, built, maxFailures = 1, judge }) {
  const random = randomBelow(seed);
  const out = { runs: 0, schedules: 0, states: 0, conflicts: 0, complete: false, failures: [] };
  const seen = new Set();
  let length = 200;
  while (out.runs < maxRuns && out.failures.length < maxFailures && Date.now() <= deadline) {
    const byPriority = out.runs % 2 === 1;
    const controller = byPriority
      ? new Priorities(random, operations.length, 1 + random(3), length)
      : new RandomWalk(random, 2 << random(6));
    const outcome = runCallByCall(machine, operations, controller, built);
    out.runs++;
    out.schedules++;
    if (controller instanceof Priorities) length = Math.max(length, controller.points);
    seen.add((machine.conflicts.sigHi >>> 0) * 0x200000 + (machine.conflicts.sigLo >>> 11));
    const bad = verdict(outcome, judge);
    if (bad !== null) out.failures.push({ message: bad, replay: formatSchedule(machine.schedule) });
    machine.adoptConflicts();
  }
  out.states = seen.size;
  out.conflicts = machine.conflicts.known;
  return out;
}

// ---------------------------------------------------------------------------------------------------- replaying

/** @typedef {import("../machine/machine.js").Segment} Segment */

/**
 * A schedule as text: who runs, a letter, and the number of the access before which he gives way, with "w": of the wait in which he
 * sleeps; no number: he ends. "a120-b35w-a-b": a to before his 120th access, b to his 35th, where he waits, a to his end, b to his.
 * @param {Segment[]} trail
 */
export function formatSchedule(schedule) {
  return schedule
    .map(([id, steps, waits]) => `${String.fromCharCode(97 + id)}${steps || ""}${waits ? "w" : ""}`)
    .join("-");
}

/** @param {string} text @returns {Segment[]} @throws Error for what is no schedule */
export function parseSchedule(text) {
  return text.split("-").map((part) => {
    const [, who, steps, waits] = /^([a-h])(\d*)(w?)$/.exec(part) ?? [];
    if (who === undefined) throw new Error(`No schedule: ${text}`);
    return [who.charCodeAt(0) - 97, Number(steps), waits === "w"];
  });
}

/** Runs one schedule again. Behind its end each thread runs to its own. */
export class Replay {
  at = 0;
  choices = new Choices();

  /** @param {Segment[]} trail */
  constructor(schedule) {
    this.schedule = schedule;
  }

  choose(machine, t, reason) {
    const now = this.schedule[this.at];
    if (t !== null && now !== undefined) {
      const before = reason === AT_CALL ? t.steps + 1 : t.steps;
      const here = now[1] === before && now[2] === (reason === AT_WAIT);
      // A thread that waits or has ended cannot go on, whatever the schedule says.
      if (here || reason === AT_WAIT || reason === AT_NO_THREAD) this.at++;
      else return t.id;
    }
    const next = this.schedule[this.at];
    if (next !== undefined && canRun(machine.threads[next[0]])) return next[0];
    this.choices.fill(machine, t, reason, 0);
    return this.choices.count === 0 ? ABANDON : this.choices.ids[0];
  }
}

const canRun = ({ state }) => state === READY || state === SPINNING || state === BLOCKED;

/**
 * Runs one schedule again, every access being a point.
 * @param {Machine} machine @param {import("../machine/machine.js").Operation[]} operations @param {string} schedule @param {any} [built]
 * @returns {Outcome}
 */
export function replay(machine, operations, schedule, built) {
  const before = machine.everyAccess;
  machine.everyAccess = true;
  try {
    return runCallByCall(machine, operations, new Replay(parseSchedule(schedule)), built);
  } finally {
    machine.everyAccess = before;
  }
}
