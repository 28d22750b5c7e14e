/**
 * Judges the results of concurrent operations, and the tree that they left, by the model: there must be an interleaving of the
 * model's steps with the same results and the same tree. That is linearizability, but for the operations that Linux does not make
 * atomic either: a walk is one step a component, in order; a change consists of phases under locks, which only readers see between
 * (steps.ts); all steps of a call that ended before another one began come before the steps of that one.
 *
 * A call that its thread has left after waiting for too long has not happened (LEFT), or has, and returned its result. What it
 * referenced may keep a mount busy until a recount. Only an open that was left may have created or truncated its file.
 *
 * All interleavings of two operations are visited (interleavings.ts), so all possible outcomes are known before one is judged. They
 * are computed once for each set of operations.
 *
 * Results that only a race makes possible, and why they are right:
 *  - EBUSY of umount, while another operation has a reference in the mount (calls-mounts.ts, sysUmount)
 *  - ENOENT of rename, link, mkdir ... in a directory that was removed after the walk, as in Linux
 *  - a link count of 0, of a file that lost its last name after it was found
 * All three follow from the model's steps; no other one is accepted.
 */
import { FD_BLOCK, FD_ORDERED_BLOCKS, NR_OPEN } from "../../../threadfs/dist/generated/core-layout.js";
import { LEFT, type ProgramCall, type Result } from "../model/call.js";
import { callsMade } from "../model/call-sequence.js";
import { type LeftCall, Search, type SearchOptions, type TreeModel } from "../model/interleavings.js";
import { canonical, type TreeOutcome } from "../model/tree-dump.js";
import { defined } from "../support/defined.js";
import { modelOf } from "./build.js";
import type { LabelledDump } from "./operations.js";
import { TREES, type Tree } from "./trees.js";

const SHOWN = 6;

const models = new Map<Tree, TreeModel>();

/** The model of a tree. Its first state does not change: every step works on a copy. */
function modelFor(tree: Tree): TreeModel {
  const model = models.get(tree) ?? { ...modelOf(tree), contexts: tree.contexts.length + (tree.late?.length ?? 0) + 1 };
  models.set(tree, model);
  return model;
}

const cache = new Map<string, Map<string, TreeOutcome>>();
const CACHE_MAX = 1000;

/** All possible outcomes of the programs of concurrent threads, by their canonical texts. */
export function allOutcomes(
  tree: Tree,
  programs: ProgramCall[][],
  { before = [], dead = new Map(), left = [], strict = false }: Partial<Omit<SearchOptions, "wanted">> = {},
): Map<string, TreeOutcome> {
  const key = JSON.stringify([tree, programs, before, [...dead], left, strict]);
  let found = cache.get(key);
  if (found === undefined) {
    found = new Search(modelFor(tree), programs, { before, dead, left, strict }).run();
    const [oldest] = cache.keys();
    if (cache.size === CACHE_MAX && oldest !== undefined) cache.delete(oldest);
    cache.set(key, found);
  }
  return found;
}

/** The begin or the end of a call of a thread. */
export type CallEvent = readonly [thread: number, call: number, what: string];

/** From the order of begins and ends to the calls that had ended before each call began: before[thread][call][other]. */
export function precedence(order: readonly CallEvent[], threads: number): number[][][] {
  const ended: number[] = Array(threads).fill(0);
  const before: number[][][] = Array.from({ length: threads }, () => []);
  for (const [thread, call, what] of order) {
    if (what === "end") ended[thread] = call + 1;
    else defined(before[thread], `thread ${thread}`)[call] = [...ended];
  }
  return before;
}

/** The name of a tree, or an object that has it. */
type NamedTree = string | { name: string };
/** The calls of one thread under a name. */
export interface Program {
  name: string;
  calls: ProgramCall[];
}

export interface JudgeOptions {
  /** The begins and ends of calls as they happened; without them all calls are concurrent. */
  order?: readonly CallEvent[];
  /**
   * Threads that were stopped for ever. The call that each was in happened or did not; until the thread is recovered, other
   * operations may see a change that is then completed or rolled back.
   */
  dead?: number[];
  /** Calls that their threads have left after waiting for too long: the thread and the number of the call. */
  left?: (readonly [thread: number, call: number])[];
}

/**
 * Judges an outcome.
 * @param operations one a thread
 * @param results results[thread][call], as finish() returns them; of a dead thread only of the calls that ended
 * @param final as dump() returned it
 * @returns null, or a text that says what is impossible
 */
export function judge(
  tree: NamedTree,
  operations: readonly Program[],
  results: readonly (readonly Result[] | undefined)[],
  final: LabelledDump,
  { order = [], dead = [], left = [] }: JudgeOptions = {},
): string | null {
  const name = nameOf(tree);
  const { labels, ...rest } = final;
  const programs = operations.map(({ calls }, n) => callsMade(calls, [...(results[n] ?? [])]));
  const returned = results.map((list, n) => inBlockOf(n, programs[n] ?? [], list ?? []));
  const seen = canonical({ results: returned, final: rest }, new Map(labels));
  const times = {
    before: precedence(order, operations.length),
    dead: new Map(dead.map((thread) => [thread, returned[thread]?.length ?? 0])),
    left: returned.map((list, thread) =>
      list.map((result, call): LeftCall => {
        if (result === LEFT) return "before";
        return left.some(([t, c]) => t === thread && c === call) ? "after" : undefined;
      }),
    ),
  };
  const text = JSON.stringify(seen);
  if (programs.length > 2) {
    // Three programs have too many outcomes: only the interleavings that may lead to this one are visited.
    const found = new Search(modelFor(treeOf(name)), programs, { ...times, wanted: seen }).run();
    if (found.has(text)) return null;
  }
  const outcomes = allOutcomes(treeOf(name), programs, times);
  const made = operations.map((operation, n) => ({ name: operation.name, calls: programs[n] ?? [] }));
  return outcomes.has(text) ? null : explain(name, made, seen, [...outcomes.values()]);
}

/**
 * The same for a bystander: an operation between the death of a thread and its recovery, which did not wait. It is stricter, since
 * the bystander may not have seen a change that was rolled back. The victim's calls that had ended have happened. Each change of the
 * call that it died in happened or did not, and it came to none after the first that did not. Its references may have kept a mount
 * busy.
 * @param operation the victim's; `ended` are the results of its calls that had ended
 * @param other the bystander's; `results` are its own
 */
export function judgeBystander(
  tree: NamedTree,
  operation: Program,
  ended: readonly Result[],
  other: Program,
  results: readonly Result[],
  final: LabelledDump,
): string | null {
  const { labels, ...rest } = final;
  const seen = canonical(
    { results: [inBlockOf(0, operation.calls, ended), inBlockOf(1, other.calls, results)], final: rest },
    new Map(labels),
  );
  const name = nameOf(tree);
  const done = ended.length;
  const before = [[], other.calls.map((_call, own) => [done, own])];
  const programs = [operation.calls, other.calls];
  const outcomes = allOutcomes(treeOf(name), programs, { before, dead: new Map([[0, done]]), strict: true });
  if (outcomes.has(JSON.stringify(seen))) return null;
  return `${operation.name} happened or did not, and neither fits\n${explain(name, [operation, other], seen, [...outcomes.values()])}`;
}

/** The first descriptor of the blocks that threads have. */
const ANY_FIRST = FD_ORDERED_BLOCKS * FD_BLOCK;

/**
 * The results of a thread's calls. Where any descriptor would do, it is of the block of the thread's slot: here of the block with the thread's number, which is the model's,
 * whatever slot it has had.
 */
function inBlockOf(thread: number, calls: readonly ProgramCall[], results: readonly Result[]): Result[] {
  return results.map((result, n) => {
    const call = calls[n];
    const any =
      (call?.call === "sysOpen" && call.any === true) || (call?.call === "sysOpenat2" && call.tag !== undefined);
    if (!any || typeof result !== "number" || result < ANY_FIRST || result >= NR_OPEN) return result;
    return ANY_FIRST + thread * FD_BLOCK + (result % FD_BLOCK);
  });
}

const nameOf = (tree: NamedTree): string => (typeof tree === "string" ? tree : tree.name);
const treeOf = (name: string): Tree => defined(TREES[name], `tree ${name}`);

/** The outcome, the possible outcomes, and their difference. */
function explain(tree: string, operations: readonly Program[], seen: TreeOutcome, outcomes: TreeOutcome[]): string {
  const lines = [`on the tree "${tree}" no interleaving of the model's steps gives these results and this tree:`];
  for (const [n, { name, calls }] of operations.entries()) {
    lines.push(`  thread ${n}: ${name}`);
    for (const [k, call] of calls.entries())
      lines.push(`    ${say(call)} -> ${say(seen.results[n]?.[k] ?? "(no result)")}`);
  }
  const same = JSON.stringify(seen.results);
  const alike = outcomes.filter(({ results }) => JSON.stringify(results) === same);
  if (alike.length === 0) {
    const possible = new Set(outcomes.map(({ results }) => say(results)));
    lines.push("  the results could have been:", ...[...possible].slice(0, SHOWN).map((text) => `    ${text}`));
    return lines.join("\n");
  }
  const [nearest = []] = alike.map(({ final }) => differences(final, seen.final)).sort((a, b) => a.length - b.length);
  lines.push("  with these results the tree is wrong at:", ...nearest.slice(0, SHOWN).map((text) => `    ${text}`));
  return lines.join("\n");
}

const say = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** The differences between two plain values. */
function differences(right: unknown, wrong: unknown, at = ""): string[] {
  if (JSON.stringify(right) === JSON.stringify(wrong)) return [];
  if (!isObject(right) || !isObject(wrong)) return [`${at}: ${say(wrong)} where it should be ${say(right)}`];
  const keys = new Set([...Object.keys(right), ...Object.keys(wrong)]);
  return [...keys].flatMap((key) => differences(right[key], wrong[key], `${at} ${key}`));
}
