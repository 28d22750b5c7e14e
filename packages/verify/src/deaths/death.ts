/**
 * Death: a thread is stopped for ever before each of its accesses to shared memory, in each operation of the catalogue, holding
 * whatever it holds. Another thread recovers it. Then the arena must be whole to the last count, the operation must have
 * happened or not, and everything must work.
 *
 * The dead thread is an instance of the instrumented shipping core whose hook throws instead of returning; it is never called
 * again. No other thread reads its scratch area, so that accesses there are no crash points; those to its slot, with the undo
 * log, are.
 *
 * With `--meanwhile NAME` the survivor first does the operations whose name contains it, before it recovers the thread, wherever
 * that does not make it wait: what it sees must agree with whether the dead thread's operation happened.
 *
 * At one death in RECOVERER_DEATH_ODDS the recovering thread dies as well, at some access of its own, and a third one recovers
 * both.
 */

import { type Random, randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { operations, type TreeOperation } from "../scenario/operations.js";
import { defineCheck, type Failure, type Outcome } from "../support/check.js";
import { defined, stackOf } from "../support/defined.js";
import { notEmpty } from "../support/usage-error.js";
import {
  type CrashPoint,
  type DeathFixture,
  fixtureOf,
  ThreadDeath,
  type TreeThread,
  type VictimThread,
  WouldWait,
} from "./death-fixture.js";

export const title = "a thread may die at any access, holding anything: the tree is whole and the others continue";

/** In one death out of this many the recovering thread dies too; at one crash point out of this many there is a bystander. */
const RECOVERER_DEATH_ODDS = 8;
const BYSTANDER_ODDS = 8;
/** The recovering thread dies before one of its first accesses. */
const RECOVERER_ACCESSES = 400;
/** The short form stops each operation at about this many accesses. */
const SHORT_DEATHS = 12;
const REPORTED_MAX = 5;
/** -EINVAL: that slot is free already. */
const ALREADY_FREED = -22;

/** What is counted. */
const RECOVERER_DEATHS = "deaths of the recovering thread";
const BYSTANDER_OPERATIONS = "operations of a bystander before the recovery";
const WOULD_WAIT = "of these, operations that would have waited";

/** Recovers a dead thread. @returns the results of threadRecover(), the last one for the thread that died first */
type Recover = (survivor: TreeThread, dead: VictimThread, second?: VictimThread) => number[];

/** `second`, if there is one, starts the recovery and dies in it. */
const recoverAll: Recover = (survivor, dead, second) => {
  const recover = ({ thread }: TreeThread, { thread: { slot } }: TreeThread) => thread.call("threadRecover", slot, 0);
  if (second === undefined) return [recover(survivor, dead)];
  try {
    second.start();
    recover(second, dead);
    second.thread.call("threadDetach");
    return [ALREADY_FREED];
  } catch (error) {
    if (!(error instanceof ThreadDeath)) throw error;
    return [recover(survivor, second), recover(survivor, dead)];
  }
};

/** A death, and what is wrong after the recovery, or null. */
interface Death {
  died: boolean;
  where: CrashPoint;
  wrong: string | null;
  /** The recovering thread died too. */
  twice?: boolean;
  /** The bystander would have had to wait. */
  waited?: boolean;
}

function runDeath(
  fixture: DeathFixture,
  operation: TreeOperation,
  n: number,
  diesAt: number | undefined,
  recover: Recover,
): Death {
  fixture.restore();
  const victim = fixture.victim(n);
  const second = diesAt === undefined ? undefined : fixture.victim(diesAt);
  const survivor = fixture.survivor();
  const { results, died } = fixture.runVictim(victim, operation);
  const where = { ...victim.crash };
  if (!died) return { died, where, wrong: null };
  try {
    const taken = recover(survivor, victim, second);
    const last = taken.at(-1);
    if (last !== 0 && last !== ALREADY_FREED) return { died, where, wrong: `threadRecover() returned ${taken}` };
    return { died, twice: taken.length > 1, where, wrong: fixture.verdict(survivor, operation, results) };
  } catch (error) {
    return { died, where, wrong: `the survivor failed: ${stackOf(error)}` };
  }
}

/** The same, but the survivor does `other` before it recovers the thread. */
function runDeathWithBystander(
  fixture: DeathFixture,
  operation: TreeOperation,
  n: number,
  other: TreeOperation,
): Death {
  fixture.restore();
  const victim = fixture.victim(n);
  const survivor = fixture.nonBlockingSurvivor();
  const { results: ended, died } = fixture.runVictim(victim, operation);
  const where = { ...victim.crash };
  try {
    const results = fixture.calls(survivor, other);
    const [taken] = recoverAll(survivor, victim);
    if (taken !== 0) return { died, where, wrong: `threadRecover() returned ${taken}` };
    return { died, where, wrong: fixture.verdictWithBystander(survivor, operation, ended, other, results) };
  } catch (error) {
    if (error instanceof WouldWait) return { died, waited: true, where, wrong: null };
    return { died, where, wrong: `the survivor failed: ${stackOf(error)}` };
  }
}

export interface DeathOptions {
  seconds: number;
  seed: number;
  /** Each operation is stopped at a few accesses only. */
  short?: boolean;
  log?: (line: string) => void;
  /** Operations whose name contains it. */
  only?: string | undefined;
  /** The operation that the survivor does before it recovers the thread, at every crash point. Without it: a random one, at some crash points. */
  meanwhile?: string | undefined;
  /** For tests of this check: another recovery. */
  recover?: Recover;
}

/** A run: its options, and what it has found. */
class Run {
  readonly counts = {
    operations: 0,
    deaths: 0,
    [RECOVERER_DEATHS]: 0,
    [BYSTANDER_OPERATIONS]: 0,
    [WOULD_WAIT]: 0,
    complete: 0,
    crashPoints: 0,
  };
  readonly failures: Failure[] = [];
  readonly #crashPoints = new Set<number>();
  readonly #until: number;
  readonly #seed: number;
  readonly #short: boolean;
  readonly #meanwhile: string | undefined;
  readonly #recover: Recover;

  constructor(
    { seconds, seed, short = false, meanwhile, recover = recoverAll }: DeathOptions,
    readonly random: Random,
  ) {
    this.#until = performance.now() + seconds * 1000;
    this.#seed = seed;
    this.#short = short;
    this.#meanwhile = meanwhile;
    this.#recover = recover;
  }

  /** Whether the time is over, or enough failures were found. */
  get ended(): boolean {
    return performance.now() > this.#until || this.failures.length >= REPORTED_MAX;
  }

  /** Stops an operation at its accesses. @returns how many it has */
  operation(operation: TreeOperation): number {
    const fixture = fixtureOf(operation.tree);
    fixture.restore();
    const whole = fixture.victim(Number.POSITIVE_INFINITY);
    fixture.runVictim(whole, operation);
    const all = whole.crash.accesses;
    this.counts.operations++;
    const step = this.#short ? Math.max(1, Math.ceil(all / SHORT_DEATHS)) : 1;
    const from = this.#short ? this.random(step) : 0;
    const meanwhile = this.#meanwhile;
    const others = operations.filter(({ tree, name }) => tree === operation.tree && name.includes(meanwhile ?? ""));
    let n = from;
    if (meanwhile !== undefined) {
      for (const other of others)
        for (n = from; n < all && !this.ended; n += step) this.#withBystander(fixture, operation, { n, all }, other);
      return all;
    }
    for (; n < all && !this.ended; n += step) this.#death(fixture, operation, { n, all }, others);
    if (n >= all) this.counts.complete++;
    return all;
  }

  /** One death before access `n` of `all`, at times with a second death, and once more with a bystander. */
  #death(
    fixture: DeathFixture,
    operation: TreeOperation,
    { n, all }: { n: number; all: number },
    others: TreeOperation[],
  ): void {
    const second = this.random(RECOVERER_DEATH_ODDS) === 0 ? this.random(RECOVERER_ACCESSES) : undefined;
    const { died, twice, where, wrong } = runDeath(fixture, operation, n, second, this.#recover);
    if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
    this.counts.deaths++;
    if (twice) this.counts[RECOVERER_DEATHS]++;
    this.#crashPoints.add(where.site);
    this.counts.crashPoints = this.#crashPoints.size;
    if (this.random(BYSTANDER_ODDS) === 0) {
      this.#withBystander(fixture, operation, { n, all }, defined(others[this.random(others.length)], "operation"));
    }
    if (wrong === null) return;
    const also = second === undefined ? "" : `, then at ${second}`;
    this.failures.push({
      message: `${operation.tree}, ${operation.name}: dead before access ${n} of ${all}, ${fixture.crashPointName(where)}${also}\n  ${wrong}`,
      replay: `--only ${JSON.stringify(operation.name)} --seed ${this.#seed}`,
    });
  }

  #withBystander(
    fixture: DeathFixture,
    operation: TreeOperation,
    { n, all }: { n: number; all: number },
    other: TreeOperation,
  ): void {
    const { died, waited, where, wrong } = runDeathWithBystander(fixture, operation, n, other);
    if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
    this.counts[BYSTANDER_OPERATIONS]++;
    if (waited) this.counts[WOULD_WAIT]++;
    if (wrong === null) return;
    this.failures.push({
      message: `${operation.tree}, ${operation.name}: dead before access ${n} of ${all}, ${fixture.crashPointName(where)}, then ${other.name}\n  ${wrong}`,
      replay: `--only ${JSON.stringify(operation.name)} --meanwhile ${JSON.stringify(other.name)} --seed ${this.#seed}`,
    });
  }
}

export async function run(options: DeathOptions): Promise<Outcome> {
  const { only = "", meanwhile, log = () => undefined } = options;
  const all = operations.map(({ name, tree }) => `${tree} ${name}`);
  const named = operations.filter(({ name, tree }) => `${tree} ${name}`.includes(only));
  const chosen = notEmpty(named, `--only ${only}`, all).filter(({ tree }) =>
    operations.some((other) => other.tree === tree && other.name.includes(meanwhile ?? "")),
  );
  notEmpty(chosen, `--meanwhile ${meanwhile} on the same tree`, all);
  const run = new Run(options, randomBelow(options.seed));
  for (const operation of shuffled(chosen, run.random)) {
    if (run.ended) break;
    const all = run.operation(operation);
    if (meanwhile === undefined) log(`${operation.tree} ${operation.name}: ${all} accesses`);
  }
  return { ok: run.failures.length === 0, explored: run.counts, failures: run.failures };
}

export const check = defineCheck({ title, options: { only: { type: "string" }, meanwhile: { type: "string" } }, run });
