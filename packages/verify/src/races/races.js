/**
 * Data races of the shipping core: in explored and random schedules of pairs and triples of operations, every two accesses to one
 * byte by two threads of which one writes and one is not atomic must be ordered (clocks.js), or be named in races-allowed.js.
 *
 *   npm run verify -- races --seconds 300 --seed 1
 *   npm run verify -- races --only "small@mkdir || stat"
 *   npm run verify -- races --replay "small|3|17:a120-b35-a-b"      one schedule again, with its trace and its races
 */
import { readFileSync } from "node:fs";
import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { formatSchedule } from "../explore/explore.js";
import { caseId, Harnesses, matchesPair, replayCase } from "../explore/interleave.js";
import { Namer } from "../explore/trace.js";
import { coreProgram } from "../machine/program.js";
import { VectorClocks } from "../machine/vector-clocks.js";
import { operations, pairs, triples } from "../scenario/operations.js";
import { defineCheck } from "../support/check.js";
import { ALLOWED } from "./allowed-races.js";

export const title = "no plain access races that is not named";

/** Share of the time for pairs; triples by chance have the rest. */
const PAIRS_SHARE = 0.8;
const EACH_MS = 10_000;
const TRIPLE_RUNS = 200;
const WITNESS_BOUND = 1;
const REPORTED_MAX = 20;

/** Names of the functions of the source by file and line. */
class Functions {
  #files = new Map();

  /** "core/mem/smr/smr.ts callRcu" of "core/mem/smr/smr.ts:98". */
  of(line) {
    const [file, number] = line.split(":");
    if (!this.#files.has(file)) this.#files.set(file, this.#read(file));
    const starts = this.#files.get(file);
    const at = starts.findLast(([from]) => from <= Number(number));
    return `${file} ${at?.[1] ?? "?"}`;
  }

  #read(file) {
    const lines = readFileSync(new URL(`../../../threadfs/${file}`, import.meta.url), "utf8").split("\n");
    return lines.flatMap((text, n) => {
      const [, name] = /^(?:export )?(?:function|class) (\w+)/.exec(text) ?? [];
      return name === undefined ? [] : [[n + 1, name]];
    });
  }
}

/** All races found, by what they are in the source. */
export class Races {
  /** @type {Map<string, { sides: string[], field: string, allowed: number, count: number, replay: string, where: string }>} */
  found = new Map();
  used = new Set();
  #functions = new Functions();

  constructor(sites, allowed = ALLOWED) {
    this.sites = sites;
    this.allowed = allowed;
  }

  /** Takes over what a machine's clocks have found, and empties them. */
  take(clocks, where, caseId) {
    for (const race of clocks.races.values()) {
      const { field, earlier, later, count, schedule } = race;
      const sides = [earlier, later].map((side) => this.#side(side)).sort();
      const key = `${field}: ${sides.join(" / ")}`;
      const by = this.allowed.flatMap((entry, n) => (this.#names(entry, field, [earlier, later]) ? [n] : []));
      for (const n of by) this.used.add(n);
      const allowed = by[0] ?? -1;
      const known = this.found.get(key);
      if (known) known.count += count;
      else
        this.found.set(key, { sides, field, allowed, count, where, replay: `${caseId}:${formatSchedule(schedule)}` });
    }
    clocks.races.clear();
  }

  /** The function of the source that an access stands in. */
  place(site) {
    const { line, func } = this.sites[site] ?? { line: "", func: "host.wait" };
    return line === "" ? func : this.#functions.of(line);
  }

  #side({ site, write, atomic }) {
    const { line = "", op = "wait" } = this.sites[site] ?? {};
    return `${atomic ? "atomic" : "plain"} ${write ? "write" : "read"} in ${this.place(site)} (${op}, ${line})`;
  }

  #names(entry, field, sides) {
    return entry.field === field && sides.some((side) => !side.atomic && this.place(side.site) === entry.func);
  }

  /** Those that nobody has named. */
  get unnamed() {
    return [...this.found.entries()].filter(([, { allowed }]) => allowed < 0);
  }
}

/** The operations of a witness: each named by the beginning of what its name says after its kind. */
function witnessOps([tree, ...names]) {
  return names.map((name) => {
    const op = operations.find((o) => o.tree === tree.split("+")[0] && o.name === name);
    if (op === undefined) throw new Error(`races-allowed: no operation "${name}" on the tree ${tree}`);
    return op;
  });
}

/**
 * @param {{ seconds: number, seed: number, short?: boolean, only?: string, log: (line: string) => void }} options `only`: these
 *   pairs alone, as of interleave.js, and nothing is asked of the list of those named
 */
export async function run({ seconds, seed, short = false, only, log }, program = coreProgram(), allowed = ALLOWED) {
  const harnesses = new Harnesses(program, {
    clocks: (machine) => {
      const namer = new Namer(machine.memory);
      return new VectorClocks(machine, (address) => namer.field(address));
    },
  });
  const races = new Races(program.sites, allowed);
  const begin = Date.now();
  const counted = { pairs: 0, triples: 0, schedules: 0, wrong: 0 };
  const look = (tree, ops, polls, go) => {
    const harness = harnesses.of(tree, ops.length, polls);
    const found = go(harness);
    counted.schedules += found.schedules;
    races.take(harness.machine.races, ops.map((op) => op.name).join(" || "), caseId(tree, ops, polls));
  };
  for (const [n, { witness }] of only === undefined ? allowed.entries() : []) {
    // Met already, by the witness of another.
    if (races.used.has(n)) continue;
    const ops = witnessOps(witness);
    const [tree, more] = witness[0].split("+");
    look(tree, ops, more === "polls", (harness) =>
      harness.explore(ops, { bound: WITNESS_BOUND, maxFailures: Infinity, races: true }),
    );
    counted.pairs++;
  }
  const unused = only === undefined ? allowed.filter((_, n) => !races.used.has(n)) : [];
  if (!short) {
    for (const { tree, a, b } of shuffled(pairs().filter(matchesPair(only)), randomBelow(seed))) {
      if (Date.now() > begin + seconds * 1000 * PAIRS_SHARE) break;
      const deadline = Date.now() + EACH_MS;
      look(tree, [a, b], counted.pairs % 2 === 1, (harness) =>
        harness.explore([a, b], { bound: 2, deadline, maxFailures: Infinity, races: true }),
      );
      counted.pairs++;
    }
    for (const { tree, ops } of only === undefined ? shuffled(triples(), randomBelow(seed)) : []) {
      if (Date.now() > begin + seconds * 1000) break;
      const options = {
        seed: seed + counted.triples,
        maxRuns: TRIPLE_RUNS,
        deadline: Date.now() + EACH_MS,
        races: true,
      };
      look(tree, ops, counted.triples % 2 === 1, (harness) =>
        harness.sample(ops, { ...options, maxFailures: Infinity }),
      );
      counted.triples++;
    }
  }
  const failures = races.unnamed.slice(0, REPORTED_MAX).map(([key, { count, where, replay }]) => ({
    message: `a race that is not named: ${key}\n  ${count} times, first in ${where}`,
    replay,
  }));
  for (const { func, field } of unused) failures.push({ message: `named, but never met: ${func}, ${field}` });
  const explored = {
    "pairs explored": counted.pairs,
    "triples by chance": counted.triples,
    "schedules run to their end": counted.schedules,
    "kinds of races met": races.found.size,
    "named in the list": `${races.used.size} of ${allowed.length} entries met`,
  };
  log(`races: ${JSON.stringify(explored)}`);
  return { ok: failures.length === 0, explored, failures };
}

export const check = defineCheck({
  title,
  options: { only: { type: "string" } },
  run: (given) => run(given),
  replay: (schedule) => replayCase(schedule) === null,
});
