/**
 * A thread that may not sleep, as a page's main thread, beside one that may: pairs of operations on small trees, in each of the two
 * threads. The second thread looks at the clock while it waits. At each look that finds nothing new the first thread goes on, or the
 * limit passes; then the second thread leaves its call (ERR_THREADFS_TIMEOUT), takes back what it has begun, and makes the same call
 * again, which may wait for too long once more. The subject is the shipping core, instrumented.
 *
 * What is right: each call ends, and never by a panic. A call that was left has not happened, or returns its result, by the sequential
 * model, for the other thread too. Afterwards the thread that left a call makes others: it reads the whole tree, and the arena is whole.
 *
 *   npm run verify -- timeouts --seconds 600 --seed 3                      pairs in the seed's order
 *   npm run verify -- timeouts --only "sysRename || stat"                  pairs of one of the first and one of the second
 *   npm run verify -- timeouts --only "rename" --all                       without the reduction that waits.ts describes
 *   npm run verify -- timeouts --part 1/2                                  every other pair: the rest in another process
 *   npm run verify -- timeouts --replay "small+spins|3|17:a120-b340-b900t-b-a"   one schedule again, with its trace
 *
 * One suspension of a thread that could run on at first, then two in the time that is left.
 */
import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { coreProgram } from "../machine/program.js";
import { type Pair, pairs } from "../scenario/operations.js";
import { defineCheck, endOfPart, endOfRun, type Failure, type Outcome, type RunInput } from "../support/check.js";
import { defined } from "../support/defined.js";
import { notEmpty } from "../support/usage-error.js";
import { caseId, Harnesses, matchesPair, pairName, replayCase } from "./cases.js";
import type { HarnessExplored } from "./harness.js";
import { inPart } from "./interleave.js";
import { Waits } from "./waits.js";

const title = "a thread that may not sleep ends each call, by its result or by a time-out that leaves nothing behind";

/** Suspensions of a thread that could run on, and the longest time in seconds that one pair may take if the run ends by time. */
const PARTS = [
  { name: "pairs, 1 suspension", bound: 1, each: 300 },
  { name: "pairs, 2 suspensions", bound: 2, each: 600 },
];
const REPORTED_MAX = 10;
/** Pairs between two lines of the log. */
const REPORT_EVERY = 200;
/**
 * The short form: pairs as `--only` takes them, of each kind of tree; the second operation is that of the thread that may not sleep. In
 * each of them it waits, and for another lock than in the others.
 */
export const SHORT: string[] = [
  // The mutex of a directory; a taken descriptor under it.
  "small@sysMkdir(path=/d/x || sysUnlink(path=/d/f",
  "users@chmod: sysChmod(path=/p/q || create: sysOpen(path=/p/q/x",
  // The mutex and the position of a file, its pages.
  "small@sysWrite(fd=4 || sysTruncate(path=/d/f",
  "pages@sysTruncate(path=/f size=0) || sysWrite(fd=3 offset=65530",
  // The namespace lock; a grace period.
  "mounts@sysMountNew(path=/n || sysUmount(path=/b",
  "mounts@sysStat(path=/m/f) || sysUmount(path=/m flags=0)",
  // The rename mutex of a file system; the rename lock, for a path that is built.
  "prefixes@rename: sysRename(path=/aaaaaaaa path2=/moved || exchange: sysRename(path=/aaaaaaaa path2=/o",
  "places@sysRename(path=/d path2=/o/d || sysGetcwd(ctx=1)",
  "names@rename: sysRename(path=/d/n path2=/o/n*203 || unlink",
  "split@unlink || sysRename(path=/d/f path2=/d/x",
  // Directories of drivers: under several names, made anew, with and without revalidation.
  "driver@sysUnlink(path=/m/f) || sysMkdir(path=/m/s/x",
  "cached@sysOpen(path=/m/x flags=65 || sysUnlink(path=/m/f)",
  "cached@sysUnlink(path=/m/s/g) || again: sysUnlink(path=/m/f)",
  "aliases@sysStat(path=/m/p/y) || sysStat(path=/m/a/toB)",
  "remade@sysMkdir(path=new || sysStat(path=/m/s)",
  // A file that another open file has locked.
  "lockWaits@flock: sysFlock(fd=3 op=2); || flock: sysFlock(fd=5 op=1)",
  // The context of a call, which the thread closes.
  "closing@sysUnlink(path=mine || contextDestroy(ctx=1",
];

/** What was explored of all pairs. */
class Tally {
  pairs = 0;
  complete = 0;
  /** Pairs in which the thread waits in some schedule. */
  waiting = 0;
  schedules = 0;
  states = 0;
  /** Runs in which it waits, and those in which a call is left. */
  waits = 0;
  left = 0;
  most = { schedules: 0, name: "" };

  add(found: HarnessExplored, name: string): void {
    this.pairs++;
    if (found.complete) this.complete++;
    this.schedules += found.schedules;
    this.states += found.states;
    if (found.waits > 0) this.waiting++;
    this.waits += found.waits;
    this.left += found.left;
    if (found.schedules > this.most.schedules) this.most = { schedules: found.schedules, name };
  }

  toString(): string {
    const { pairs: all, complete, waiting, schedules, states, waits, left, most } = this;
    if (all === 0) return "none";
    return `${all} pairs, ${complete} completely, ${waiting} with waits; ${schedules} schedules, ${states} states; runs with a wait: ${waits}, with a call that was left: ${left}; most: ${most.schedules} (${most.name})`;
  }
}

export interface TimeoutsOptions extends RunInput {
  /** Pairs that match, see matchesPair(). */
  only?: string | undefined;
  /** Only the part with this bound. */
  bound?: number | undefined;
  /** "K/N": every n-th pair from the k-th. */
  part?: string | undefined;
  /** A thread may be suspended at each access, and runs without a wait are judged too. */
  all?: boolean;
}

/** Each pair in both orders: the second operation is the one of the thread that may not sleep. */
const bothOrders = (list: readonly Pair[]): Pair[] =>
  list.flatMap((pair) => (pair.a === pair.b ? [pair] : [pair, { ...pair, a: pair.b, b: pair.a }]));

export async function run(options: TimeoutsOptions): Promise<Outcome> {
  const { seed, short = false, only, bound, part: slice, all = false, log = () => undefined } = options;
  const chosen = short ? shortPairs() : shuffled(bothOrders(pairsHere()), randomBelow(seed));
  const matching = notEmpty(chosen.filter(matchesPair(only)), `--only ${only}`, chosen.map(pairName));
  const list = notEmpty(matching.filter(inPart(slice)), `--part ${slice}`);
  const parts = notEmpty(
    PARTS.filter((part) => (short ? part.bound === 1 : bound === undefined || part.bound === bound)),
    `--bound ${bound}`,
    PARTS.map((part) => `${part.bound}: ${part.name}`),
  );
  const harnesses = new Harnesses(coreProgram());
  // To instrument a new core takes longer than some pairs.
  const end = endOfRun(options);
  const explored: Record<string, string> = {};
  const failures: Failure[] = [];
  let begun = 0;
  for (const part of parts) {
    const tally = new Tally();
    for (const { tree, a, b } of list) {
      // The first pair is explored whatever the time: a run that explores nothing shows nothing.
      if ((performance.now() > end && begun > 0) || failures.length >= REPORTED_MAX) break;
      // In every other pair the next poll of the slots is near: memory is freed and used again while the operations run.
      const setting = { spins: true, polls: tally.pairs % 2 === 1 };
      const ops = [a, b];
      const deadline = endOfPart(end, part.each * 1000);
      const focus = all ? {} : { focus: new Waits() };
      const found = harnesses.of(tree, setting).explore(ops, { bound: part.bound, deadline, ...focus });
      const name = pairName({ tree, a, b });
      tally.add(found, name);
      begun++;
      if (!found.complete && found.failures.length === 0) log(`not to its end: ${name}`);
      for (const { message, replay, trace = "" } of found.failures) {
        failures.push({ message: `${name}\n${message}`, replay: `${caseId(tree, ops, setting)}:${replay}`, trace });
        log(`FAILS ${name}: ${failures.at(-1)?.replay}`);
      }
      if (tally.pairs % REPORT_EVERY === 0)
        log(`${part.name}: ${tally.pairs} of ${list.length}, ${tally.schedules} schedules`);
    }
    explored[part.name] = `${tally} of ${list.length}`;
    log(`${part.name}: ${explored[part.name]}`);
  }
  return { ok: failures.length === 0, explored, failures };
}

/** Not those that give back to each other what they take from a pipe: a call that is left takes nothing, but the calls behind it are made. */
const pairsHere = (): Pair[] => pairs().filter(({ tree }) => tree !== "pipeWaits");

/** The first pair that matches each entry of SHORT, in the order in which it stands there. */
function shortPairs(): Pair[] {
  const both = bothOrders(pairsHere());
  return SHORT.map((only) => {
    const [, first = ""] = /@(.*) \|\|/s.exec(only) ?? [];
    const found = both.filter(matchesPair(only)).find(({ a }) => a.kind === first || a.name.includes(first));
    return defined(found, only);
  });
}

export const check = defineCheck({
  title,
  options: {
    only: { type: "string" },
    bound: { type: "number", least: 0 },
    part: { type: "string" },
    all: { type: "boolean" },
  },
  run,
  replay: (schedule) => replayCase(schedule) === null,
});
