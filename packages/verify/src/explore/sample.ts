/** Random schedules of a few operations: random walks and random priorities in turn. */
import { type Random, randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { ABANDON, AT_ACCESS, AT_SPIN, AT_WAIT, BLOCKED } from "../machine/constants.js";
import type { LogicalThread } from "../machine/logical-thread.js";
import type { Controller, Machine, Operation } from "../machine/machine.js";
import { Choices } from "./choices.js";
import { type Explored, type Judge, NO_DEADLINE, nothingExplored, runCallByCall, verdict } from "./run.js";
import { formatSchedule } from "./schedule.js";

/** Switches at each scheduling point with odds of 1 in `odds`. */
class RandomWalk implements Controller {
  readonly #random: Random;
  readonly #odds: number;
  readonly #choices = new Choices();

  constructor(random: Random, odds: number) {
    this.#random = random;
    this.#odds = odds;
  }

  choose(machine: Machine, t: LogicalThread | null, reason: number): number {
    if (reason === AT_ACCESS && t !== null && this.#random(this.#odds) !== 0) return t.id;
    this.#choices.fill(machine, t, reason, 1);
    const { ids, count } = this.#choices;
    return count === 0 ? ABANDON : (ids[this.#random(count)] as number);
  }
}

/**
 * Probabilistic concurrency testing: each thread has a priority, and the thread with the highest one that can run does; at `changes`
 * random scheduling points the running thread falls to the lowest priority. A run finds a bug that needs d orderings with odds of at
 * least 1 / (n k^(d-1)).
 */
class Priorities implements Controller {
  /** The threads by their priorities, the highest first. */
  readonly #order: number[];
  readonly #changes: Set<number>;
  readonly #choices = new Choices();
  /** Scheduling points so far. */
  points = 0;

  constructor(random: Random, threads: number, changes: number, length: number) {
    this.#order = shuffled(
      Array.from({ length: threads }, (_, i) => i),
      random,
    );
    this.#changes = new Set(Array.from({ length: changes }, () => random(length)));
  }

  choose(machine: Machine, t: LogicalThread | null, reason: number): number {
    if (t !== null && reason === AT_ACCESS) {
      if (this.#changes.has(this.points++)) this.#lower(t.id);
    } else if (t !== null && (reason === AT_SPIN || reason === AT_WAIT)) {
      this.#lower(t.id);
    }
    this.#choices.fill(machine, t, reason, 1);
    const { ids, count } = this.#choices;
    let best = ABANDON;
    for (const id of ids.subarray(0, count)) {
      if (machine.thread(id).state === BLOCKED && count > 1) continue;
      if (best === ABANDON || this.#order.indexOf(id) < this.#order.indexOf(best)) best = id;
    }
    return best === ABANDON && count > 0 ? (ids[0] as number) : best;
  }

  /** Gives a thread the lowest priority. */
  #lower(id: number): void {
    this.#order.splice(this.#order.indexOf(id), 1);
    this.#order.push(id);
  }
}

export interface SampleOptions {
  /** Repeats the schedules. */
  seed: number;
  maxRuns: number;
  deadline?: number;
  maxFailures?: number;
  judge: Judge;
}

export function sample(
  machine: Machine,
  operations: Operation[],
  { seed, maxRuns, deadline = NO_DEADLINE, maxFailures = 1, judge }: SampleOptions,
): Explored {
  const random = randomBelow(seed);
  const out = nothingExplored();
  const seen = new Set<number>();
  let length = 200;
  while (out.runs < maxRuns && out.failures.length < maxFailures && performance.now() <= deadline) {
    const byPriority = out.runs % 2 === 1;
    const controller = byPriority
      ? new Priorities(random, operations.length, 1 + random(3), length)
      : new RandomWalk(random, 2 << random(6));
    const outcome = runCallByCall(machine, operations, controller);
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
