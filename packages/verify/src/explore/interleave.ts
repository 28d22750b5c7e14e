/**
 * Every interleaving: all schedules of every pair of operations on small trees, up to a number of preemptions, and random schedules
 * of triples. The subject is the shipping core, instrumented; each result is judged by the sequential model.
 *
 *   npm run verify -- interleave --seconds 600 --seed 3                    pairs in the seed's order, then deeper, then triples
 *   npm run verify -- interleave --only "rename" --bound 3                 pairs with an operation of that kind or name
 *   npm run verify -- interleave --only "sysRename || stat"                pairs of one of the first and one of the second
 *   npm run verify -- interleave --part 1/2                                every other set: the rest in another process
 *   npm run verify -- interleave --counters near-end                       with all counters close to their end
 *   npm run verify -- interleave --replay "small|3|17:a120-b35-a-b"        one schedule again, with its trace
 *
 * The time is divided among pairs at bound 1, 2 and 3 and triples, in this order; the time that one of them leaves goes to the next.
 */
import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { COUNTERS, isNearEnd } from "../fsck/near-end.js";
import { coreProgram } from "../machine/program.js";
import { type OperationSet, type Pair, pairs, triples } from "../scenario/operations.js";
import { defineCheck, endOfPart, endOfRun, type Failure, type Outcome, type RunInput } from "../support/check.js";
import { defined } from "../support/defined.js";
import { notEmpty, UsageError } from "../support/usage-error.js";
import { caseId, Harnesses, matchesPair, matchesSet, pairName, pairSet, replayCase } from "./cases.js";
import type { HarnessExplored } from "./harness.js";

const title = "every interleaving of two operations is one that the model allows";

/** A part of the run: its share of the time, and the longest time in seconds that one set may take in it if the run ends by time. */
interface Part {
  name: string;
  /** Preemptions; 0: random schedules of triples. */
  bound: number;
  share: number;
  each: number;
}
const PAIRS_1: Part = { name: "pairs, 1 preemption", bound: 1, share: 0.3, each: 30 };
const PARTS: Part[] = [
  PAIRS_1,
  { name: "pairs, 2 preemptions", bound: 2, share: 0.4, each: 60 },
  { name: "pairs, 3 preemptions", bound: 3, share: 0.15, each: 120 },
  { name: "triples by chance", bound: 0, share: 0.15, each: 20 },
];
/** Random schedules of one triple. */
const TRIPLE_RUNS = 300;
const REPORTED_MAX = 10;
/** Sets between two lines of the log. */
const REPORT_EVERY = 200;
/**
 * The short form: pairs that conflict in one thing each, as `--only` takes them, with all their schedules with one preemption. Each
 * stands for a kind of conflict that no other one has.
 */
export const SHORT: string[] = [
  "small@sysStat(path=/d/e/g) || sysRename(path=/d/f path2=/d/x",
  "small@sysOpen(path=/d/x flags=65 || sysUnlink(path=/d/f)",
  "small@sysMkdir(path=/d/x || sysUnlink(path=/o removedir",
  "mounts@sysStat(path=/m/f) || sysUmount(path=/m flags=0)",
  // A split moves a name to another chain beside a creation in another directory.
  "split@sysMkdir(path=/o/z || sysOpen(path=/d/f flags=192",
  // A long name is there before and after a rename replaces its file.
  "names@sysStat(path=/d/n*203) || sysRename(path=/d/y*35 path2=/d/n*203",
  // Both ends of the file are taken from where the other write has left it.
  "small@sysOpen(path=/h flags=1025 || sysOpen(path=/h flags=1025",
  // A walk that leaves rcu mode takes a reference on a mount that ends.
  "mounts@sysOpen(path=/m/f || sysUmount(path=/m flags=0)",
  // Another thread closes the context of a call: on a file that its user may not change, and where it needs the root.
  "closing@sysFchmod(fd=3 || contextDestroy(ctx=1)",
  "closing@sysFutimens(fd=3 || contextDestroy(ctx=1)",
  "closing@sysGetcwd(ctx=1) || contextDestroy(ctx=1)",
  // A call takes descriptors that the close of its context frees.
  "closing@sysPipe(flags=0 ctx=1) || contextDestroy(ctx=1)",
  // A context gets a lock by a descriptor that is closed; an open file waits for a lock of another.
  "locks@lock: setLock(fd=3 type=0 start=100 || close: sysClose(fd=3)",
  "lockWaits@flock: sysFlock(fd=3 op=2); || flock: sysFlock(fd=5 op=1)",
  // The last end of a pipe is closed while another thread uses it; a thread waits for a byte that another one gives back.
  "pipes@close: sysClose(fd=5) || size: sysPipeSize(fd=5",
  "pipeWaits@token: sysRead(fd=3 || token: sysRead(fd=3",
  // A directory leaves a context's root while the context goes up from it, by a link and so with references.
  "confined@sysStat(path=up || sysRename(path=/s/b path2=/o/b",
];

class Tally {
  sets = 0;
  complete = 0;
  schedules = 0;
  states = 0;
  outcomes = 0;
  most = { schedules: 0, name: "" };

  add(found: HarnessExplored, name: string): void {
    this.sets++;
    if (found.complete) this.complete++;
    this.schedules += found.schedules;
    this.states += found.states;
    this.outcomes += found.outcomes;
    if (found.schedules > this.most.schedules) this.most = { schedules: found.schedules, name };
  }

  toString(): string {
    const { sets, complete, schedules, states, outcomes, most } = this;
    if (sets === 0) return "none";
    return `${sets} sets, ${complete} completely; ${schedules} schedules run to their end, ${states} states, ${outcomes} different results; most: ${most.schedules} (${most.name})`;
  }
}

export interface InterleaveOptions extends RunInput {
  /** Pairs that match, see matchesPair(). */
  only?: string | undefined;
  /** Only the part with this bound. */
  bound?: number | undefined;
  /** "K/N": every n-th set from the k-th. */
  part?: string | undefined;
  /** "near-end": all counters are close to their end. */
  counters?: string | undefined;
}

/** One run of the check. */
class Run {
  readonly explored: Record<string, string> = {};
  readonly failures: Failure[] = [];
  /** Sets that were explored. */
  sets = 0;
  readonly #options: InterleaveOptions;
  readonly #nearEnd: boolean;
  readonly #harnesses: Harnesses;

  constructor(options: InterleaveOptions) {
    this.#options = options;
    this.#nearEnd = isNearEnd(options.counters);
    this.#harnesses = new Harnesses(coreProgram(), { nearEnd: this.#nearEnd });
  }

  /** Explores the sets of a part, until its time is over. */
  part(part: Part, sets: OperationSet[], till: number): void {
    const { log = () => undefined } = this.#options;
    const tally = new Tally();
    for (const set of sets) {
      // The first set is explored whatever the time: a run that explores nothing shows nothing.
      if ((performance.now() > till && this.sets > 0) || this.failures.length >= REPORTED_MAX) break;
      this.#set(part, set, till, tally);
      if (tally.sets % REPORT_EVERY === 0)
        log(`${part.name}: ${tally.sets} of ${sets.length}, ${tally.schedules} schedules`);
    }
    this.explored[part.name] = `${tally} of ${sets.length}`;
    log(`${part.name}: ${this.explored[part.name]}`);
  }

  #set(part: Part, { tree, ops }: OperationSet, till: number, tally: Tally): void {
    const { seed, log = () => undefined } = this.#options;
    // In every other set the next poll of the slots is near: memory is freed and used again while the operations run.
    const polls = tally.sets % 2 === 1;
    const harness = this.#harnesses.of(tree, { threads: ops.length, polls });
    const deadline = endOfPart(till, part.each * 1000);
    const found =
      part.bound > 0
        ? harness.explore(ops, { bound: part.bound, deadline })
        : harness.sample(ops, { seed: seed + tally.sets, maxRuns: TRIPLE_RUNS, deadline });
    const name = `${tree}: ${ops.map((op) => op.name).join(" || ")}`;
    tally.add(found, name);
    this.sets++;
    if (part.bound > 0 && !found.complete && found.failures.length === 0) log(`not to its end: ${name}`);
    for (const { message, replay, trace = "" } of found.failures) {
      const failure = {
        message: `${name}\n${message}`,
        replay: `${caseId(tree, ops, { polls, nearEnd: this.#nearEnd })}:${replay}`,
        trace,
      };
      this.failures.push(failure);
      log(`FAILS ${name}: ${failure.replay}`);
    }
  }
}

export async function run(options: InterleaveOptions): Promise<Outcome> {
  const { seed, short = false, only, bound, part: slice } = options;
  const inSlice = inPart(slice);
  const all = short ? shortPairs() : shuffled(pairs(), randomBelow(seed));
  const matching = notEmpty(all.filter(matchesPair(only)), `--only ${only}`, all.map(pairName));
  const list = notEmpty(matching.filter(inSlice), `--part ${slice}`);
  const parts = notEmpty(
    short ? [PAIRS_1] : PARTS.filter((part) => bound === undefined || part.bound === bound),
    `--bound ${bound}`,
    PARTS.map((part) => `${part.bound}: ${part.name}`),
  );
  const whole = parts.reduce((sum, { share }) => sum + share, 0);
  const current = new Run(options);
  // The time begins when the core is instrumented, which takes longer than many a set.
  const end = endOfRun(options);
  let from = performance.now();
  for (const part of parts) {
    const till = from + ((end - from) * part.share) / whole;
    const sets =
      part.bound > 0
        ? list.map(pairSet)
        : shuffled(triples().filter(matchesSet(only)), randomBelow(seed)).filter(inSlice);
    current.part(part, sets, till);
    from = Math.min(till, performance.now());
  }
  const { explored, failures } = current;
  return { ok: failures.length === 0, explored, failures };
}

/** Whether the set in this place is of part "K/N", K from 1; without one each is. */
export function inPart(part: string | undefined): (set: unknown, place: number) => boolean {
  if (part === undefined) return () => true;
  const [, which, of] = /^(\d+)\/(\d+)$/.exec(part) ?? [];
  const [k, n] = [Number(which), Number(of)];
  if (!(k >= 1 && k <= n)) throw new UsageError("ERR_VERIFY_OPTION", `--part takes K/N, not ${part}`);
  return (_set, place) => place % n === k - 1;
}

/** The first pair that matches each entry of SHORT. */
function shortPairs(): Pair[] {
  const all = pairs();
  return SHORT.map((only) => {
    const [found] = notEmpty(all.filter(matchesPair(only)), only);
    return defined(found, only);
  });
}

export const check = defineCheck({
  title,
  options: { only: { type: "string" }, bound: { type: "number", least: 0 }, part: { type: "string" }, ...COUNTERS },
  run,
  replay: (schedule) => replayCase(schedule) === null,
});
