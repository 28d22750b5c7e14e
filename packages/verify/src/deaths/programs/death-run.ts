/** What the checks that stop a program at each access of its calls have in common: which accesses, until when, and what they have found. */
import { randomBelow, shuffled } from "../../../../cli/dist/support/random.js";
import { endOfRun, type Failure, type RunInput } from "../../support/check.js";
import { stackOf } from "../../support/defined.js";
import { difference } from "./states.js";

/** The short form stops each call at about this many accesses. */
const SHORT_DEATHS = 3;
/** A call that waits is stopped at its first accesses. */
export const WAITING_ACCESSES = 1500;
const REPORTED_MAX = 5;

/** What is wrong with a state that is none of those that a death may leave: before the call, after it, and others. */
export function neitherNorNot(state: string, allowed: readonly { readonly state: string }[]): string {
  const [before, after] = allowed.map((one) => difference(state, one.state));
  return `the call has neither happened nor not happened. Before it:\n${before}\n  after it:\n${after ?? "    (it does not end)"}`;
}

/** Where a call was stopped, and what is wrong with what that has left. */
export interface Judged {
  readonly place: string;
  readonly wrong: string | null;
}

export class DeathRun {
  readonly failures: Failure[] = [];
  protected readonly random: (below: number) => number;
  readonly #until: number;
  readonly #short: boolean;
  readonly #seed: number;

  constructor(options: RunInput) {
    this.random = randomBelow(options.seed);
    this.#until = endOfRun(options);
    this.#short = options.short ?? false;
    this.#seed = options.seed;
  }

  get ended(): boolean {
    return performance.now() > this.#until || this.failures.length >= REPORTED_MAX;
  }

  shuffled<T>(cases: readonly T[]): T[] {
    return shuffled(cases, this.random);
  }

  /** The accesses at which a call is stopped, of as many. Returns whether it came to their end. */
  protected *stops(accesses: number): Generator<number, boolean> {
    const step = this.#short ? Math.max(1, Math.ceil(accesses / SHORT_DEATHS)) : 1;
    let n = this.#short ? this.random(step) : 0;
    for (; n < accesses && !this.ended; n += step) yield n;
    return n >= accesses;
  }

  /** What `judge` says, or that the survivor failed. */
  protected async judged(judge: () => Promise<Judged>): Promise<Judged> {
    try {
      return await judge();
    } catch (error) {
      return { place: "", wrong: `the survivor failed: ${stackOf(error)}` };
    }
  }

  protected report(name: string, where: string, what: string): void {
    this.failures.push({
      message: `${name}${where}: ${what}`,
      replay: `--only ${JSON.stringify(name)} --seed ${this.#seed}`,
    });
  }
}
