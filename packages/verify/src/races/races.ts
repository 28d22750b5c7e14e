/**
 * Data races of the shipping core: in explored and random schedules of pairs and triples of operations, every two accesses to one
 * byte by two threads, of which one writes and one is not atomic, must be ordered (vector-clocks.ts), or be listed in
 * allowed-races.ts.
 *
 *   npm run verify -- races --seconds 300 --seed 1
 *   npm run verify -- races --only "small@mkdir || stat"
 *   npm run verify -- races --replay "small|3|17:a120-b35-a-b"      one schedule again, with its trace
 */
import { readFileSync } from "node:fs";
import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { caseId, Harnesses, matchesPair, pairName, pairSet, replayCase } from "../explore/cases.js";
import type { Harness } from "../explore/harness.js";
import type { Explored } from "../explore/run.js";
import { formatSchedule } from "../explore/schedule.js";
import { Namer } from "../explore/trace.js";
import type { Program, ProgramSite } from "../machine/machine.js";
import { coreProgram } from "../machine/program.js";
import { type Side, VectorClocks } from "../machine/vector-clocks.js";
import { type OperationSet, operations, pairs, type TreeOperation, triples } from "../scenario/operations.js";
import { defineCheck, endOfPart, endOfRun, nothingChecked, type Outcome, type RunInput } from "../support/check.js";
import { notEmpty } from "../support/usage-error.js";
import { ALLOWED, type Allowed } from "./allowed-races.js";

const title = "no plain access races that is not named";

/** Share of the time for pairs; random schedules of triples have the rest. */
const PAIRS_SHARE = 0.8;
/** The longest time that one set may take if the run ends by time. */
const EACH_MS = 10_000;
const TRIPLE_RUNS = 200;
const WITNESS_BOUND = 1;
const PAIR_BOUND = 2;
const REPORTED_MAX = 20;

/** A function of a source file: the line where it begins, and its name. */
type Start = [line: number, name: string];

/** Names of the functions of the source by file and line. */
class Functions {
  readonly #files = new Map<string, Start[]>();

  /** "core/mem/smr/smr.ts callRcu" of "core/mem/smr/smr.ts:98". */
  of(place: string): string {
    const [file = "", line] = place.split(":");
    const starts = this.#files.get(file) ?? this.#read(file);
    this.#files.set(file, starts);
    const at = starts.findLast(([from]) => from <= Number(line));
    return `${file} ${at?.[1] ?? "?"}`;
  }

  #read(file: string): Start[] {
    const lines = readFileSync(new URL(`../../../threadfs/${file}`, import.meta.url), "utf8").split("\n");
    return lines.flatMap((text, n): Start[] => {
      const [, name] = /^(?:export )?(?:function|class) (\w+)/.exec(text) ?? [];
      return name === undefined ? [] : [[n + 1, name]];
    });
  }
}

interface FoundRace {
  sides: string[];
  field: string;
  /** Number of the entry that allows it, or -1. */
  allowed: number;
  count: number;
  replay: string;
  where: string;
}

/** All races found, by their accesses in the source. */
export class Races {
  readonly found = new Map<string, FoundRace>();
  /** Numbers of the entries that were met. */
  readonly used = new Set<number>();
  readonly #sites: readonly ProgramSite[];
  readonly #allowed: readonly Allowed[];
  readonly #functions = new Functions();

  constructor(sites: readonly ProgramSite[], allowed: readonly Allowed[] = ALLOWED) {
    this.#sites = sites;
    this.#allowed = allowed;
  }

  /** Takes over the races that the clocks of a machine have found. */
  take(clocks: VectorClocks, where: string, id: string): void {
    for (const { field, earlier, later, count, schedule } of clocks.races.values()) {
      const sides = [earlier, later].map((side) => this.#side(side)).sort();
      const key = `${field}: ${sides.join(" / ")}`;
      const by = this.#allowed.flatMap((entry, n) => (this.#allows(entry, field, [earlier, later]) ? [n] : []));
      for (const n of by) this.used.add(n);
      const known = this.found.get(key);
      if (known) known.count += count;
      else {
        const replay = `${id}:${formatSchedule(schedule)}`;
        this.found.set(key, { sides, field, allowed: by[0] ?? -1, count, where, replay });
      }
    }
    clocks.races.clear();
  }

  /** The function of the source that an access stands in. */
  place(site: number): string {
    const { line = "", func = "host.wait" } = this.#sites[site] ?? {};
    return line === "" ? func : this.#functions.of(line);
  }

  #side({ site, write, atomic }: Side): string {
    const { line = "", op = "wait" } = this.#sites[site] ?? {};
    return `${atomic ? "atomic" : "plain"} ${write ? "write" : "read"} in ${this.place(site)} (${op}, ${line})`;
  }

  #allows(entry: Allowed, field: string, sides: Side[]): boolean {
    return entry.field === field && sides.some((side) => !side.atomic && this.place(side.site) === entry.func);
  }

  /** The races that no entry allows. */
  get unnamed(): [string, FoundRace][] {
    return [...this.found].filter(([, { allowed }]) => allowed < 0);
  }
}

/** The operations of a witness, by their names. */
function witnessSet([place, ...names]: Allowed["witness"]): OperationSet & { polls: boolean } {
  const [tree = "", more] = place.split("+");
  const ops = names.map((name) => {
    const op = operations.find((o) => o.tree === tree && o.name === name);
    if (op === undefined) throw new Error(`allowed-races: no operation "${name}" on the tree ${tree}`);
    return op;
  });
  return { tree, ops, polls: more === "polls" };
}

/** The short form explores the witnesses of the list, or with `only` the pairs with one preemption. */
export interface RacesOptions extends RunInput {
  /** Only pairs that match, see matchesPair(); the list of allowed races is not checked then. */
  only?: string | undefined;
}

/** One run of the check. */
class Run {
  readonly races: Races;
  readonly counted = { pairs: 0, triples: 0, schedules: 0 };
  /** Entries that no witness has met. */
  #unmet: Allowed[] = [];
  readonly #harnesses: Harnesses;
  readonly #allowed: readonly Allowed[];

  constructor(program: Program, allowed: readonly Allowed[]) {
    this.#harnesses = new Harnesses(program, {
      clocks: (machine) => {
        const namer = new Namer(machine.memory);
        return new VectorClocks(machine, (address) => namer.field(address));
      },
    });
    this.#allowed = allowed;
    this.races = new Races(program.sites, allowed);
  }

  #runSet({ tree, ops }: OperationSet, polls: boolean, go: (harness: Harness, ops: TreeOperation[]) => Explored): void {
    const harness = this.#harnesses.of(tree, { threads: ops.length, polls });
    this.counted.schedules += go(harness, ops).schedules;
    const { races } = harness.machine;
    if (races !== null) this.races.take(races, ops.map((op) => op.name).join(" || "), caseId(tree, ops, { polls }));
  }

  /** Explores the witnesses of the allowed races; skips those that another witness has met. */
  witnesses(): void {
    for (const [n, { witness }] of this.#allowed.entries()) {
      if (this.races.used.has(n)) continue;
      const set = witnessSet(witness);
      this.#runSet(set, set.polls, (harness, ops) =>
        harness.explore(ops, { bound: WITNESS_BOUND, maxFailures: Number.POSITIVE_INFINITY, races: true }),
      );
      this.counted.pairs++;
    }
    this.#unmet = this.#allowed.filter((_, n) => !this.races.used.has(n));
  }

  pair(set: OperationSet, bound: number, end: number): void {
    const deadline = endOfPart(end, EACH_MS);
    this.#runSet(set, this.counted.pairs % 2 === 1, (harness, ops) =>
      harness.explore(ops, { bound, deadline, maxFailures: Number.POSITIVE_INFINITY, races: true }),
    );
    this.counted.pairs++;
  }

  triple(set: OperationSet, seed: number, end: number): void {
    const options = {
      seed: seed + this.counted.triples,
      maxRuns: TRIPLE_RUNS,
      deadline: endOfPart(end, EACH_MS),
      maxFailures: Number.POSITIVE_INFINITY,
      races: true,
    };
    this.#runSet(set, this.counted.triples % 2 === 1, (harness, ops) => harness.sample(ops, options));
    this.counted.triples++;
  }

  outcome(): Outcome {
    const { races, counted } = this;
    const failures = [
      ...races.unnamed.slice(0, REPORTED_MAX).map(([key, { count, where, replay }]) => ({
        message: `a race that is not named: ${key}\n  ${count} times, first in ${where}`,
        replay,
      })),
      ...this.#unmet.map(({ func, field }) => ({ message: `named, but never met: ${func}, ${field}` })),
    ];
    const explored = {
      "pairs explored": counted.pairs,
      "triples by chance": counted.triples,
      "schedules run to their end": counted.schedules,
      "kinds of races met": races.found.size,
      "named in the list": `${races.used.size} of ${this.#allowed.length} entries met`,
    };
    return { ok: failures.length === 0, explored, failures };
  }
}

export async function run(
  options: RacesOptions,
  program: Program = coreProgram(),
  allowed: readonly Allowed[] = ALLOWED,
): Promise<Outcome> {
  const { seconds, seed, short = false, only, log = () => undefined } = options;
  const all = pairs();
  const chosen = notEmpty(all.filter(matchesPair(only)), `--only ${only}`, all.map(pairName));
  const current = new Run(program, allowed);
  if (only === undefined) current.witnesses();
  if (!short || only !== undefined) {
    const begin = performance.now();
    const end = endOfRun(options);
    for (const pair of shuffled(chosen, randomBelow(seed))) {
      if (performance.now() > begin + (end - begin) * PAIRS_SHARE) break;
      current.pair(pairSet(pair), short ? WITNESS_BOUND : PAIR_BOUND, end);
    }
    for (const set of only === undefined ? shuffled(triples(), randomBelow(seed)) : []) {
      if (performance.now() > end) break;
      current.triple(set, seed, end);
    }
  }
  const outcome = current.outcome();
  if (current.counted.pairs === 0) {
    outcome.ok = false;
    outcome.failures.push(nothingChecked(seconds));
  }
  log(`races: ${JSON.stringify(outcome.explored)}`);
  return outcome;
}

export const check = defineCheck({
  title,
  options: { only: { type: "string" } },
  run: (given) => run(given),
  replay: (schedule) => replayCase(schedule) === null,
});
