/** The threads that may run next at a decision, with their costs in preemptions. */
import {
  AT_ACCESS,
  AT_CALL,
  AT_LOOK,
  AT_SPIN,
  LIMIT_PASSES,
  LOOK_SITE,
  READY,
  SPINNING,
} from "../machine/constants.js";
import type { LogicalThread } from "../machine/logical-thread.js";
import type { Machine } from "../machine/machine.js";

/**
 * How many time limits may pass in one run as a choice: that of a call, and that of what follows it, be it the taking back of what the
 * call had begun or the same call once more. Where no thread can run they pass without being counted.
 */
const LIMITS_MAX = 2;

/** Filled at each decision: one array for all of them. */
export class Choices {
  readonly ids = new Int32Array(8);
  readonly costs = new Int32Array(8);
  count = 0;

  fill(machine: Machine, t: LogicalThread | null, reason: number, budget: number): void {
    this.count = 0;
    const self = t === null ? -1 : t.id;
    if (reason === AT_ACCESS || reason === AT_CALL) this.#add(self, 0);
    const cost = reason === AT_ACCESS ? 1 : 0;
    if (cost <= budget) {
      for (const o of machine.threads) if (o.id !== self && o.state === READY) this.#add(o.id, cost);
    }
    if (reason === AT_SPIN) this.#add(self, 0);
    if (reason === AT_LOOK) {
      // The other thread sleeps for a shorter time than the limit.
      if (this.count === 0) this.#byTime(machine);
      if (this.count === 0 || machine.limits < LIMITS_MAX) this.#add(LIMIT_PASSES, 0);
    } else if (this.count === 0) {
      this.#byTime(machine);
    } else if (budget >= 1) {
      for (const o of machine.waiters) if (machine.sleepAddresses.includes(o.waitAddress)) this.#add(o.id, 1);
    }
  }

  /**
   * No thread can run. The thread runs on whose time is over first: one that spins, one that sleeps, one that waits for a lock, the
   * longest first, one that looks at the clock. It is no choice, as a schedule that chooses the same thread for ever does not happen.
   */
  #byTime({ threads, waiters, sleepAddresses }: Machine): void {
    const next =
      threads.find(({ state, site }) => state === SPINNING && site !== LOOK_SITE) ??
      waiters.find(({ waitAddress }) => sleepAddresses.includes(waitAddress)) ??
      waiters[0] ??
      threads.find(({ state }) => state === SPINNING);
    if (next !== undefined) this.#add(next.id, 0);
  }

  #add(id: number, cost: number): void {
    this.ids[this.count] = id;
    this.costs[this.count++] = cost;
  }
}
