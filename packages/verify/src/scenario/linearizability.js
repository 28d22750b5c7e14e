/**
 * Holds what concurrent operations answered, and the tree they left, against the model: there must be an interleaving of the
 * model's steps that gives the same answers and the same tree.
 *
 * Every interleaving of two operations' steps is gone through (search.js), so all that could have been is known before
 * anything is judged; it is computed once for each set of operations and looked up from then on. Within it, a walk is one
 * step a component, in order; a change is made of phases under locks that only readers see between (model.js); a call that
 * ended before another began has all its steps before the other's.
 *
 * Answers that only a race makes possible, and why they are right:
 *  - EBUSY of umount, while another operation has a reference in the mount (calls-mounts.js, sysUmount)
 *  - ENOENT of rename, link, mkdir ... in a directory that was removed after the walk, as in Linux
 *  - a link count of 0, of a file that lost its last name after it was found
 * All three come out of the model's steps; nothing else is let through.
 */

import { Search } from "../model/interleavings.js";
import { canonical } from "../model/tree-dump.js";
import { modelOf, TREES } from "./trees.js";

const SHOWN = 6;

const models = new Map();

/** The first state of a tree, which nobody changes: every step works on a copy. */
function modelFor(tree) {
  if (!models.has(tree)) models.set(tree, { ...modelOf(tree), contexts: tree.contexts.length + 1 });
  return models.get(tree);
}

const cache = new Map();
const CACHE_MAX = 1000;

/**
 * All that could have been: Map of canonical text to { results, final }.
 * @param before before[thread][call][other]: how many calls of the other thread had ended when this call began
 * @param dead Map of a dead thread's number to how many of its calls had ended
 * @param strict nobody sees a dead thread's change that is then taken back
 */
export function allOutcomes(tree, programs, { before = [], dead = new Map(), strict = false } = {}) {
  const key = JSON.stringify([tree, programs, before, [...dead], strict]);
  let found = cache.get(key);
  if (found === undefined) {
    found = new Search(modelFor(tree), programs, { before, dead, strict }).run();
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
 * @param dead numbers of threads that were stopped for ever: what they were at happened or did not; in between, until
 *   somebody has cleared up behind them, others may see a change begun that is then completed or taken back
 * @returns null, or a text that says what could not have been
 */
export function judge(tree, operations, results, final, { order = [], dead = [] } = {}) {
  const name = tree.name ?? tree;
  const { labels, ...rest } = final;
  const answered = results.map((answers) => answers ?? []);
  const seen = canonical({ results: answered, final: rest }, new Map(labels));
  const programs = operations.map(({ calls }) => calls);
  const times = {
    before: precedence(order, operations.length),
    dead: new Map(dead.map((thread) => [thread, answered[thread].length])),
  };
  const text = JSON.stringify(seen);
  if (programs.length > 2) {
    // Of three there is too much to know all of it: only what may lead to what was seen is looked through.
    const found = new Search(modelFor(TREES[name]), programs, { ...times, wanted: seen }).run();
    if (found.has(text)) return null;
  }
  const outcomes = allOutcomes(TREES[name], programs, times);
  return outcomes.has(text) ? null : explain(name, operations, seen, [...outcomes.values()]);
}

/**
 * The same for one who did something between another's death and the clearing up, and was not kept waiting: stricter, since nobody may
 * have seen a change that was taken back. The dead one's calls that had ended have happened; each change of the one it died in
 * happened or did not, and the first that did not is the last it came to. Its references may have kept a mount busy.
 * @param tree as above
 * @param operation the dead one's; `ended` are the answers of its calls that had ended
 * @param other the other's; `answers` are its own
 */
export function judgeBystander(tree, operation, ended, other, answers, final) {
  const { labels, ...rest } = final;
  const seen = canonical({ results: [ended, answers], final: rest }, new Map(labels));
  const name = tree.name ?? tree;
  const done = ended.length;
  const before = [[], other.calls.map((_call, own) => [done, own])];
  const programs = [operation.calls, other.calls];
  const outcomes = allOutcomes(TREES[name], programs, { before, dead: new Map([[0, done]]), strict: true });
  if (outcomes.has(JSON.stringify(seen))) return null;
  return `${operation.name} happened or did not, and neither fits\n${explain(name, [operation, other], seen, [...outcomes.values()])}`;
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
