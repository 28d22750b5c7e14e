/**
 * Holds what concurrent operations answered, and the tree they left, against the model: there must be an interleaving of the
 * model's steps that gives the same answers and the same tree.
 *
 * Every interleaving of the operations' steps is gone through (depth first, each situation once), so all that could have
 * been is known before anything is judged; it is computed once for each set of operations and looked up from then on.
 * Within it, a walk is one step a component, in order; a change is made of phases under locks that only readers see
 * between (model.js); a call that ended before another began has all its steps before the other's.
 *
 * Answers that only a race makes possible, and why they are right:
 *  - EBUSY of umount, while another operation has a reference in the mount (calls-files.js, sysUmount)
 *  - ENOENT of rename, link, mkdir ... in a directory that was removed after the walk, as in Linux
 *  - a link count of 0, of a file that lost its last name after it was found
 * All three come out of the model's steps; nothing else is let through.
 */
import { canonical, dumpCalls, readWith } from "./dump.js";
import { BLOCKED, cloneState, stateKey } from "./model.js";
import { resolveCall } from "./programs.js";
import { callSteps, choicesOf, runCall } from "./sequential.js";
import { modelOf, TREES } from "./trees.js";

/** Situations of one set of operations: far above what two or three short programs have. */
const SITUATIONS_MAX = 2_000_000;
const SHOWN = 6;

/** Where a thread's program stands: the calls that ended gave `answers`; `sent` are the answers to the present call's steps. */
const fresh = () => ({ answers: [], sent: [] });

class Search {
  /** @param programs one list of calls a thread; `options` as allOutcomes() has them */
  constructor(tree, programs, { before, dead }) {
    const model = modelFor(tree);
    Object.assign(this, { programs, before, dead, labels: model.labels, contexts: tree.contexts.length + 1 });
    this.first = model.state;
    this.seen = new Set();
    this.outcomes = new Map();
  }

  run() {
    const stack = [{ s: this.first, threads: this.programs.map(fresh) }];
    while (stack.length > 0) {
      const situation = stack.pop();
      const key = JSON.stringify(situation.threads) + stateKey(situation.s);
      if (this.seen.has(key)) continue;
      if (this.seen.size === SITUATIONS_MAX) throw new Error("too many interleavings to go through");
      this.seen.add(key);
      const next = this.programs.flatMap((_calls, thread) => this.#steps(situation, thread));
      if (next.length === 0 && !this.#mayEnd(situation)) throw new Error("the model's operations wait for each other");
      if (this.#mayEnd(situation)) this.#note(situation);
      stack.push(...next);
    }
    return this.outcomes;
  }

  /** The situations behind the next step of one thread: none when it has ended or waits, several where a step may go either way. */
  #steps({ s, threads }, thread) {
    const { answers, sent } = threads[thread];
    const calls = this.programs[thread];
    if (answers.length >= Math.min(calls.length, this.#limit(thread))) return [];
    if (sent.length === 0 && !this.#mayBegin(threads, thread, answers.length)) return [];
    const after = cloneState(s);
    const steps = this.#replay(s, thread, answers, sent);
    const answer = steps.value(after);
    if (answer === BLOCKED) return [];
    return choicesOf(answer).map((choice, n) => {
      const { steps: call } = n === 0 ? steps : this.#replay(s, thread, answers, sent);
      const { value, done } = call.next(choice);
      const here = done ? { answers: [...answers, value], sent: [] } : { answers, sent: [...sent, choice] };
      return { s: after, threads: threads.with(thread, here) };
    });
  }

  /** The present call's generator, brought to where it stands; `value` is its next step. */
  #replay(s, thread, answers, sent) {
    const call = resolveCall(this.programs[thread][answers.length], answers);
    const steps = callSteps(s, thread + 1, call);
    let { value } = steps.next();
    for (const answer of sent) ({ value } = steps.next(answer));
    return { steps, value };
  }

  #mayBegin(threads, thread, call) {
    const others = this.before[thread]?.[call] ?? [];
    return others.every((ended, n) => threads[n].answers.length >= ended);
  }

  /** How many calls a thread may have begun: a dead one no more than the one it died in. */
  #limit(thread) {
    return this.dead.has(thread) ? this.dead.get(thread) + 1 : Number.POSITIVE_INFINITY;
  }

  /** The living have ended; the dead have ended what they were known to have ended, and are not in the middle of a change. */
  #mayEnd({ s, threads }) {
    return threads.every(({ answers, sent }, n) => {
      if (!this.dead.has(n)) return sent.length === 0 && answers.length === this.programs[n].length;
      return answers.length >= this.dead.get(n) && ![...s.locks.values()].includes(n + 1);
    });
  }

  #note({ s, threads }) {
    const results = threads.map(({ answers }, n) => (this.dead.has(n) ? answers.slice(0, this.dead.get(n)) : answers));
    const state = cloneState(s);
    const final = readWith((call) => runCall(state, call), dumpCalls(this.contexts));
    const outcome = canonical({ results, final }, this.labels);
    this.outcomes.set(JSON.stringify(outcome), outcome);
  }
}

const models = new Map();

/** The first state of a tree, which nobody changes: every step works on a copy. */
function modelFor(tree) {
  if (!models.has(tree)) models.set(tree, modelOf(tree));
  return models.get(tree);
}

const cache = new Map();
const CACHE_MAX = 1000;

/**
 * All that could have been: Map of canonical text to { results, final }.
 * @param before before[thread][call][other]: how many calls of the other thread had ended when this call began
 * @param dead Map of a dead thread's number to how many of its calls had ended
 */
export function allOutcomes(tree, programs, { before = [], dead = new Map() } = {}) {
  const key = JSON.stringify([tree, programs, before, [...dead]]);
  let found = cache.get(key);
  if (found === undefined) {
    found = new Search(tree, programs, { before, dead }).run();
    if (cache.size === CACHE_MAX) cache.delete(cache.keys().next().value);
    cache.set(key, found);
  }
  return found;
}

/** From the order of [thread, call, "begin" | "end"] to what had ended before each call began. */
export function precedence(order, threads) {
  const ended = Array(threads).fill(0);
  const before = Array.from({ length: threads }, () => []);
  for (const [thread, call, what] of order) {
    if (what === "end") ended[thread] = call + 1;
    else before[thread][call] = [...ended];
  }
  return before;
}

/**
 * @param tree one of TREES: its name, or anything that has it as `name`
 * @param operations one a thread, each with its `calls`
 * @param results results[thread][call]: the answer of finish(); of a dead thread only of the calls that ended
 * @param final what dump() answered, with its labels
 * @param order [[thread, call, "begin" | "end"], ...] as it happened; without it all calls count as concurrent
 * @param dead numbers of threads that were stopped for ever: what they were at happened or did not
 * @returns null, or a text that says what could not have been
 */
export function judge(tree, operations, results, final, { order = [], dead = [] } = {}) {
  const name = tree.name ?? tree;
  const { labels, ...rest } = final;
  const answered = results.map((answers) => answers ?? []);
  const seen = canonical({ results: answered, final: rest }, new Map(labels));
  const outcomes = allOutcomes(
    TREES[name],
    operations.map(({ calls }) => calls),
    {
      before: precedence(order, operations.length),
      dead: new Map(dead.map((thread) => [thread, answered[thread].length])),
    },
  );
  return outcomes.has(JSON.stringify(seen)) ? null : explain(name, operations, seen, [...outcomes.values()]);
}

/** What was seen, what could have been, and where they part. */
function explain(tree, operations, seen, outcomes) {
  const lines = [`on the tree "${tree}" no interleaving of the model's steps gives these answers and this tree:`];
  for (const [n, { name, calls }] of operations.entries()) {
    lines.push(`  thread ${n}: ${name}`);
    for (const [k, call] of calls.entries())
      lines.push(`    ${say(call)} -> ${say(seen.results[n]?.[k] ?? "(no answer)")}`);
  }
  const same = JSON.stringify(seen.results);
  const alike = outcomes.filter(({ results }) => JSON.stringify(results) === same);
  if (alike.length === 0) {
    const answers = new Set(outcomes.map(({ results }) => say(results)));
    lines.push("  the answers could have been:", ...[...answers].slice(0, SHOWN).map((text) => `    ${text}`));
    return lines.join("\n");
  }
  const trees = alike.map(({ final }) => differences(final, seen.final)).sort((a, b) => a.length - b.length);
  lines.push("  with these answers the tree is wrong at:", ...trees[0].slice(0, SHOWN).map((text) => `    ${text}`));
  return lines.join("\n");
}

const say = (value) => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
};

/** The places where two plain values differ. */
function differences(right, wrong, at = "") {
  if (JSON.stringify(right) === JSON.stringify(wrong)) return [];
  const both = [right, wrong].every((value) => typeof value === "object" && value !== null);
  if (!both) return [`${at}: ${say(wrong)} where it should be ${say(right)}`];
  const keys = new Set([...Object.keys(right), ...Object.keys(wrong)]);
  return [...keys].flatMap((key) => differences(right[key], wrong[key], `${at} ${key}`));
}
