/**
 * Every interleaving: all schedules of every pair of operations on small trees, up to a number of preemptions, and triples by
 * chance. The subject is the shipping core, instrumented; each result is held against the sequential model.
 *
 *   npm run verify -- interleave --seconds 600 --seed 3                    pairs in the seed's order, then deeper, then triples
 *   npm run verify -- interleave --only "rename" --bound 3                 pairs with an operation of that kind or name
 *   npm run verify -- interleave --only "sysRename || stat"                pairs of one of the first and one of the second
 *   npm run verify -- interleave --part 1/2                                every other set: the rest in another process
 *   npm run verify -- interleave --replay "small|3|17:a120-b35-a-b"        one schedule again, with its trace
 *
 * The time is shared out to pairs at bound 1, 2 and 3 and to triples, one after the other; what one of them leaves goes to the next.
 */

import { randomBelow, shuffled } from "../../../cli/dist/support/random.js";
import { coreProgram } from "../machine/program.js";
import { operations, pairs, triples } from "../scenario/operations.js";
import { defineCheck } from "../support/check.js";
import { Harness } from "./harness.js";

export const title = "every interleaving of two operations is one that the model allows";

/** Share of the time for each part, and the longest that one pair may take in it, s. */
const PARTS = [
  { name: "pairs, 1 preemption", bound: 1, share: 0.3, each: 30 },
  { name: "pairs, 2 preemptions", bound: 2, share: 0.4, each: 60 },
  { name: "pairs, 3 preemptions", bound: 3, share: 0.15, each: 120 },
  { name: "triples by chance", bound: 0, share: 0.15, each: 20 },
];
/** Schedules by chance of one triple. */
const TRIPLE_RUNS = 300;
const REPORTED_MAX = 10;
/** A line is written behind so many sets. */
const REPORT_EVERY = 200;
/** The short form: pairs that quarrel about one thing each, all their schedules with one preemption. */
const SHORT = [
  ["rename", "stat"],
  ["create", "unlink"],
  ["mkdir", "rmdir"],
  ["umount", "stat"],
];

/** Harnesses by tree and number of threads: preparing one costs as much as some hundred runs. */
export class Harnesses {
  #harnesses = new Map();

  constructor(program, options = {}) {
    this.program = program;
    this.options = options;
  }

  of(tree, threads = 2, polls = false) {
    const key = `${tree} ${threads} ${polls}`;
    if (!this.#harnesses.has(key))
      this.#harnesses.set(key, new Harness(this.program, tree, { ...this.options, threads, polls }));
    return this.#harnesses.get(key);
  }
}

/** How a set of operations is named in a replay. */
export function caseId(tree, ops, polls) {
  return [polls ? `${tree}+polls` : tree, ...ops.map((op) => operations.indexOf(op))].join("|");
}

class Tally {
  pairs = 0;
  complete = 0;
  schedules = 0;
  states = 0;
  outcomes = 0;
  most = { schedules: 0, name: "" };

  add(found, name) {
    this.pairs++;
    if (found.complete) this.complete++;
    this.schedules += found.schedules;
    this.states += found.states;
    this.outcomes += found.outcomes;
    if (found.schedules > this.most.schedules) this.most = { schedules: found.schedules, name };
  }

  toString() {
    const { pairs: n, complete, schedules, states, outcomes, most } = this;
    if (n === 0) return "none";
    return `${n} sets, ${complete} completely; ${schedules} schedules run to their end, ${states} states, ${outcomes} different answers; most: ${most.schedules} (${most.name})`;
  }
}

/** @param {{ seconds: number, seed: number, short?: boolean, only?: string, bound?: number, part?: string, log: (line: string) => void }} options */
export async function run({ seconds, seed, short = false, only, bound, part: slice, log }) {
  const harnesses = new Harnesses(coreProgram());
  const explored = {};
  const failures = [];
  const end = Date.now() + seconds * 1000;
  const mine = inPart(slice);
  const list = short ? shortPairs() : shuffled(pairs().filter(matchesPair(only)), randomBelow(seed)).filter(mine);
  const parts = short
    ? [{ ...PARTS[0], share: 1 }]
    : PARTS.filter((part) => bound === undefined || part.bound === bound);
  const whole = parts.reduce((sum, { share }) => sum + share, 0);
  let from = Date.now();
  for (const part of parts) {
    const till = from + ((end - from) * part.share) / whole;
    const sets =
      part.bound > 0
        ? list.map(({ tree, a, b }) => ({ tree, ops: [a, b] }))
        : shuffled(triples(), randomBelow(seed)).filter(mine);
    const tally = new Tally();
    for (const { tree, ops } of sets) {
      const now = Date.now();
      if (now > till || failures.length >= REPORTED_MAX) break;
      // Every other set with the next look at the slots near: then memory is freed and used again in the middle of it.
      const polls = tally.pairs % 2 === 1;
      const harness = harnesses.of(tree, ops.length, polls);
      const deadline = Math.min(till, now + part.each * 1000);
      const found =
        part.bound > 0
          ? harness.explore(ops, { bound: part.bound, deadline })
          : harness.sample(ops, { seed: seed + tally.pairs, maxRuns: TRIPLE_RUNS, deadline });
      const name = `${tree}: ${ops.map((op) => op.name).join(" || ")}`;
      tally.add(found, name);
      if (part.bound > 0 && !found.complete && found.failures.length === 0) log(`not to its end: ${name}`);
      for (const { message, replay, trace } of found.failures) {
        const failure = { message: `${name}\n${message}`, replay: `${caseId(tree, ops, polls)}:${replay}`, trace };
        failures.push(failure);
        log(`FAILS ${name}: ${failure.replay}`);
      }
      if (tally.pairs % REPORT_EVERY === 0)
        log(`${part.name}: ${tally.pairs} of ${sets.length}, ${tally.schedules} schedules`);
    }
    explored[part.name] = `${tally} of ${sets.length}`;
    log(`${part.name}: ${explored[part.name]}`);
    from = Math.min(till, Date.now());
  }
  return { ok: failures.length === 0, explored, failures };
}

/** Whether the set in this place is of part "K/N", K from 1; without one each is. */
export function inPart(part) {
  if (part === undefined) return () => true;
  const [, which, of] = /^(\d+)\/(\d+)$/.exec(part) ?? [];
  const [k, n] = [Number(which), Number(of)];
  if (!(k >= 1 && k <= n)) throw new RangeError(`--part takes K/N, not ${part}`);
  return (_set, place) => place % n === k - 1;
}

/** Whether a pair is meant by "KIND or NAME" or "ONE || OTHER"; "TREE@" may stand in front. */
export function matchesPair(only) {
  if (only === undefined) return () => true;
  const [, place, text] = /^(?:(\w+)@)?(.*)$/s.exec(only);
  const [one, other] = text.split("||").map((part) => part.trim());
  const fits = (op, part) => op.kind === part || op.name.includes(part);
  return ({ tree, a, b }) => {
    if (place !== undefined && tree !== place) return false;
    if (other === undefined) return fits(a, one) || fits(b, one);
    return (fits(a, one) && fits(b, other)) || (fits(a, other) && fits(b, one));
  };
}

function shortPairs() {
  const all = pairs();
  return SHORT.map(([x, y]) => {
    const fits = ({ a, b }) => (a.kind === x && b.kind === y) || (a.kind === y && b.kind === x);
    const found = all.find(fits);
    if (found === undefined) throw new Error(`No pair of ${x} and ${y}`);
    return found;
  });
}

/** One schedule again: "tree|n|n:schedule" with the operations' places in the catalogue. */
export function replayCase(text, log = console.log) {
  const [what, schedule] = text.split(":");
  const [place, ...numbers] = what.split("|");
  const [tree, more] = place.split("+");
  const ops = numbers.map((n) => operations[Number(n)]);
  if (ops.length < 2 || ops.includes(undefined)) throw new Error(`No operations: ${what}`);
  const harness = new Harness(coreProgram(), tree, { threads: ops.length, polls: more === "polls" });
  const { verdict, text: trace } = harness.trace(ops, schedule);
  log(trace);
  log(verdict ?? "allowed");
  return verdict;
}

export const check = defineCheck({
  title,
  options: { only: { type: "string" }, bound: { type: "number", least: 0 }, part: { type: "string" } },
  run,
  replay: (schedule) => replayCase(schedule) === null,
});
