/**
 * Death: a thread is stopped for ever before each of its accesses to shared memory, in each operation of the catalogue, holding
 * whatever it holds. Another thread recovers it. Then the arena must be whole to the last count, the operation must have
 * happened or not, and everything must work.
 *
 * The dead thread is an instance of the instrumented shipping core whose hook throws instead of returning; it is never called
 * again. No other thread reads its scratch area, so that accesses there are no crash points; those to its slot, with the undo
 * log, are.
 *
 * With `--counters near-end` all counters of the arena are close to their end.
 *
 * With `--meanwhile NAME` the survivor first does the operations whose name contains it, before it recovers the thread, wherever
 * that does not make it wait: what it sees must agree with whether the dead thread's operation happened.
 *
 * At one death in RECOVERER_DEATH_ODDS the recovering thread dies as well, and a third one recovers both: half of these deaths are
 * among its first accesses, which release what the dead thread held, half anywhere up to its end, in the recount too. The long form
 * also takes one crash point of each tree, and there lets the recovering thread die at each of its accesses.
 *
 * The threads also die right before commits, where the undo log has all entries of a transaction: each transaction once, told apart by the
 * places of the core from which it accesses the memory; and the transactions of the recovering thread too.
 *
 * At one crash point in ABANDON_ODDS the thread does not die but leaves its call, as it does when it has waited for too long, and
 * takes back itself what it has begun (threadAbandon()). A thread leaves a call only where it waits; here it does so anywhere.
 *
 * At one crash point in WAITER_ODDS a thread that may not sleep does another operation, and waits for what the dead thread holds: until its
 * limit passes, so that it leaves the call and makes it again after the recovery, or until the recovery.
 */

import { type Random, randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { COUNTERS, isNearEnd } from "../fsck/near-end.js";
import { deathOperations } from "../scenario/death-operations.js";
import { operations, type TreeOperation } from "../scenario/operations.js";
import { defineCheck, endOfRun, type Failure, nothingChecked, type Outcome, type RunInput } from "../support/check.js";
import { defined, stackOf } from "../support/defined.js";
import { notEmpty } from "../support/usage-error.js";
import {
  type Commit,
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
const ABANDON_ODDS = 4;
/** At one crash point out of this many a thread that may not sleep waits for what the dead one holds. */
const WAITER_ODDS = 6;
/** Accesses of a recovery that count as its first ones. */
const FIRST_ACCESSES = 400;
/** The short form stops each operation at about this many accesses; fewer where it runs all of them. */
const SHORT_DEATHS = 8;
const SHORT_DEATHS_OF_ALL = 2;
/** The short form lets the recovering thread die at each so many accesses. */
const SHORT_SECOND_STEP = 3;
const REPORTED_MAX = 5;
/** Trees on which the model of two operations at once has too many interleavings: here each dies alone. */
const MANY_INTERLEAVINGS: ReadonlySet<string> = new Set(["shared"]);
/** -EINVAL: that slot is free already. */
const ALREADY_FREED = -22;

/** What is counted. */
const RECOVERER_DEATHS = "deaths of the recovering thread";
const ABANDONED_CALLS = "abandoned calls";
const BYSTANDER_OPERATIONS = "operations of a bystander before the recovery";
const WOULD_WAIT = "of these, operations that would have waited";
const WAITER_OPERATIONS = "operations of a thread that may not sleep";
const COMMITS = "of the deaths, right before a commit";
const WAITED = "of these, operations that waited for the dead thread";

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
    // In the order of the deaths, as a host reports them. -EBUSY at first, if the second thread had begun.
    return [recover(survivor, dead), recover(survivor, second), recover(survivor, dead)];
  }
};

/** The thread leaves its call instead, and takes back what it has begun. Its end drops the references of the call. */
const abandon: Recover = (_survivor, { thread }) => [thread.call("threadAbandon", 0), thread.call("threadDetach")];

/** The thread that has recovered another, which died before its n-th access. */
function recoverer(fixture: DeathFixture, operation: TreeOperation, n: number): VictimThread {
  fixture.restore();
  const victim = fixture.victim(n);
  const second = fixture.victim(Number.POSITIVE_INFINITY);
  const survivor = fixture.survivor();
  fixture.runVictim(victim, operation);
  recoverAll(survivor, victim, second);
  return second;
}

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
    const twice = second !== undefined && taken.length > 1;
    return { died, twice, where, wrong: fixture.verdict(survivor, operation, results) };
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

/** The same, but a thread that may not sleep does `other`, and waits: for the recovery, or until its limit passes. */
function runDeathWithWaiter(
  fixture: DeathFixture,
  operation: TreeOperation,
  n: number,
  other: TreeOperation,
  inTime: boolean,
): Death {
  fixture.restore();
  const victim = fixture.victim(n);
  const survivor = fixture.survivor();
  let taken: number | undefined;
  const recover = () => {
    taken ??= recoverAll(survivor, victim).at(-1);
  };
  const waiter = fixture.waiter(() => {
    if (inTime) recover();
  });
  const { results: ended, died } = fixture.runVictim(victim, operation);
  const where = { ...victim.crash };
  try {
    const waiting = fixture.runWaiter(waiter, other, recover);
    const waited = taken !== undefined;
    recover();
    // 1: references are counted anew when the waiter is in no call.
    if (taken !== 0 && taken !== 1) return { died, where, wrong: `threadRecover() returned ${taken}` };
    const wrong = fixture.verdictWithWaiter({ waiter, survivor }, operation, ended, other, waiting);
    return { died, waited, where, wrong };
  } catch (error) {
    return { died, where, wrong: `the waiter failed: ${stackOf(error)}` };
  }
}

/** In the short form each operation is stopped at a few accesses only. */
export interface DeathOptions extends RunInput {
  /** Operations whose name contains it. */
  only?: string | undefined;
  /** The operation that the survivor does before it recovers the thread, at every crash point. Without it: a random one, at some crash points. */
  meanwhile?: string | undefined;
  /** "near-end": all counters are close to their end. */
  counters?: string | undefined;
  /** Whether the recovering thread dies at each access of one recovery in each tree. Default: in the long form. */
  everySecondDeath?: boolean;
  /** The thread is stopped at one access out of so many; default: at each. The short form chooses itself. */
  step?: number;
  /** For tests of this check: another recovery. */
  recover?: Recover;
}

/** A filter that lets the first commit of each transaction pass, and keeps its name. */
const isNew =
  (known: Set<string>) =>
  ({ transaction }: Commit): boolean => {
    if (known.has(transaction)) return false;
    known.add(transaction);
    return true;
  };

/** A run: its options, and what it has found. */
class Run {
  readonly counts = {
    operations: 0,
    deaths: 0,
    [RECOVERER_DEATHS]: 0,
    [ABANDONED_CALLS]: 0,
    [BYSTANDER_OPERATIONS]: 0,
    [WOULD_WAIT]: 0,
    [WAITER_OPERATIONS]: 0,
    [WAITED]: 0,
    [COMMITS]: 0,
    complete: 0,
    crashPoints: 0,
  };
  readonly failures: Failure[] = [];
  readonly #crashPoints = new Set<number>();
  /** Trees in which the recovering thread has died at each of its accesses. */
  readonly #recovered = new Set<string>();
  /** Transactions of the operations, and of recoveries, before whose commit a thread has died. */
  readonly #transactions = new Set<string>();
  readonly #recoveryTransactions = new Set<string>();
  readonly #until: number;
  readonly #seed: number;
  readonly #short: boolean;
  readonly #shortDeaths: number;
  readonly #meanwhile: string | undefined;
  readonly #step: number;
  readonly #everySecondDeath: boolean;
  readonly #recover: Recover;
  readonly #nearEnd: boolean;

  constructor(
    options: DeathOptions,
    readonly random: Random,
  ) {
    const { seed, short = false, everySecondDeath = !short, meanwhile, counters, recover = recoverAll } = options;
    this.#everySecondDeath = everySecondDeath;
    this.#until = endOfRun(options);
    this.#seed = seed;
    this.#short = short;
    this.#shortDeaths = options.only === undefined ? SHORT_DEATHS_OF_ALL : SHORT_DEATHS;
    this.#meanwhile = meanwhile;
    this.#step = options.step ?? 1;
    this.#recover = recover;
    this.#nearEnd = isNearEnd(counters);
  }

  /** The options that a replay needs beside those of its operation. */
  get #also(): string {
    return this.#nearEnd ? " --counters near-end" : "";
  }

  /** Whether the time is over, or enough failures were found. */
  get ended(): boolean {
    return performance.now() > this.#until || this.failures.length >= REPORTED_MAX;
  }

  /** Stops an operation at its accesses. @returns how many it has */
  operation(operation: TreeOperation): number {
    const fixture = fixtureOf(operation.tree, this.#nearEnd);
    fixture.restore();
    const whole = fixture.victim(Number.POSITIVE_INFINITY);
    fixture.runVictim(whole, operation);
    const all = whole.crash.accesses;
    this.counts.operations++;
    const step = this.#short ? Math.max(1, Math.ceil(all / this.#shortDeaths)) : this.#step;
    const from = this.#short ? this.random(step) : 0;
    const meanwhile = this.#meanwhile;
    const others = operations.filter(({ tree, name }) => tree === operation.tree && name.includes(meanwhile ?? ""));
    let n = from;
    if (meanwhile !== undefined) {
      for (const other of others)
        for (n = from; n < all && !this.ended; n += step) {
          this.#withBystander(fixture, operation, { n, all }, other);
          this.#withWaiter(fixture, operation, { n, all }, other);
        }
      return all;
    }
    for (; n < all && !this.ended; n += step) this.#death(fixture, operation, { n, all }, others);
    this.#beforeCommits(fixture, operation, whole.commits, all);
    if (n >= all) this.counts.complete++;
    if (this.#everySecondDeath && !this.#recovered.has(operation.tree)) {
      this.#recovered.add(operation.tree);
      this.#secondDeaths(fixture, operation, { n: this.random(all), all });
    }
    return all;
  }

  /**
   * The thread dies right before it commits a transaction, where everything that the transaction has stored must be taken back; and
   * so does the thread that recovers it. Each transaction once in the run.
   */
  #beforeCommits(fixture: DeathFixture, operation: TreeOperation, commits: readonly Commit[], all: number): void {
    for (const { n } of commits.filter(isNew(this.#transactions))) {
      if (this.ended) return;
      this.#judge(fixture, operation, { n, all }, this.#recover);
      this.counts[COMMITS]++;
      const again = recoverer(fixture, operation, n).commits.filter(isNew(this.#recoveryTransactions));
      for (const { n: second } of again) {
        if (this.ended) return;
        this.#judge(fixture, operation, { n, all, second }, this.#recover);
        this.counts[COMMITS]++;
      }
    }
  }

  /** The thread that recovers dies before each of its accesses, one after the other; in the short form before some. */
  #secondDeaths(fixture: DeathFixture, operation: TreeOperation, { n, all }: { n: number; all: number }): void {
    const { accesses } = recoverer(fixture, operation, n).crash;
    const step = this.#short ? SHORT_SECOND_STEP : 1;
    for (let second = this.random(step); second < accesses && !this.ended; second += step) {
      this.#judge(fixture, operation, { n, all, second }, this.#recover);
    }
  }

  /** An access of the thread that recovers the one that died at `n`. */
  #secondDeath(fixture: DeathFixture, operation: TreeOperation, n: number): number {
    const { accesses } = recoverer(fixture, operation, n).crash;
    return this.random(this.random(2) === 0 ? Math.min(accesses, FIRST_ACCESSES) : accesses);
  }

  /** One death before access `n` of `all`, at times with a second death, and once more with a bystander. */
  #death(
    fixture: DeathFixture,
    operation: TreeOperation,
    { n, all }: { n: number; all: number },
    others: TreeOperation[],
  ): void {
    const second = this.random(RECOVERER_DEATH_ODDS) === 0 ? this.#secondDeath(fixture, operation, n) : undefined;
    this.#judge(fixture, operation, { n, all, second }, this.#recover);
    if (this.random(ABANDON_ODDS) === 0) {
      this.counts[ABANDONED_CALLS]++;
      this.#judge(fixture, operation, { n, all, how: "leaves its call" }, abandon);
    }
    if (MANY_INTERLEAVINGS.has(operation.tree)) return;
    const other = () => defined(others[this.random(others.length)], "operation");
    if (this.random(BYSTANDER_ODDS) === 0) this.#withBystander(fixture, operation, { n, all }, other());
    if (this.random(WAITER_ODDS) === 0) this.#withWaiter(fixture, operation, { n, all }, other());
  }

  /** One death, or one call that is left, and the verdict on it. */
  #judge(
    fixture: DeathFixture,
    operation: TreeOperation,
    { n, all, second, how = "dead" }: { n: number; all: number; second?: number | undefined; how?: string },
    recover: Recover,
  ): void {
    const { died, twice, where, wrong } = runDeath(fixture, operation, n, second, recover);
    if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
    this.counts.deaths++;
    if (twice) this.counts[RECOVERER_DEATHS]++;
    this.#crashPoints.add(where.site);
    this.counts.crashPoints = this.#crashPoints.size;
    if (wrong === null) return;
    const also = second === undefined ? "" : `, then at ${second}`;
    this.failures.push({
      message: `${operation.tree}, ${operation.name}: ${how} before access ${n} of ${all}, ${fixture.crashPointName(where)}${also}\n  ${wrong}`,
      replay: `--only ${JSON.stringify(operation.name)}${this.#also} --seed ${this.#seed}`,
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
      replay: `--only ${JSON.stringify(operation.name)} --meanwhile ${JSON.stringify(other.name)}${this.#also} --seed ${this.#seed}`,
    });
  }

  #withWaiter(
    fixture: DeathFixture,
    operation: TreeOperation,
    { n, all }: { n: number; all: number },
    other: TreeOperation,
  ): void {
    for (const inTime of [false, true]) {
      const { died, waited, where, wrong } = runDeathWithWaiter(fixture, operation, n, other, inTime);
      if (!died) throw new Error(`death: ${operation.name} is not the same every time`);
      this.counts[WAITER_OPERATIONS]++;
      if (waited) this.counts[WAITED]++;
      if (wrong === null) continue;
      const how = inTime ? "waits for the recovery" : "waits until its limit passes";
      this.failures.push({
        message: `${operation.tree}, ${operation.name}: dead before access ${n} of ${all}, ${fixture.crashPointName(where)}; ${other.name} ${how}\n  ${wrong}`,
        replay: `--only ${JSON.stringify(operation.name)} --meanwhile ${JSON.stringify(other.name)}${this.#also} --seed ${this.#seed}`,
      });
    }
  }
}

export async function run(options: DeathOptions): Promise<Outcome> {
  const { only = "", meanwhile, log = () => undefined } = options;
  const all = deathOperations.map(({ name, tree }) => `${tree} ${name}`);
  const named = deathOperations.filter(({ name, tree }) => `${tree} ${name}`.includes(only));
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
  const { counts, failures } = run;
  if (counts.deaths + counts[BYSTANDER_OPERATIONS] === 0) failures.push(nothingChecked(options.seconds));
  return { ok: failures.length === 0, explored: counts, failures };
}

export const check = defineCheck({
  title,
  options: { only: { type: "string" }, meanwhile: { type: "string" }, ...COUNTERS },
  run,
});
