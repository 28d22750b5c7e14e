/**
 * The judge accepts what the core does when operations run one after the other, in any order; it refuses impossible results and
 * trees.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RENAME_EXCHANGE } from "../../../threadfs/dist/abi/abi.js";
import type { CallOf, ProgramCall, Result } from "../../dist/model/call.js";
import { allOutcomes, type JudgeOptions, judge, judgeBystander } from "../../dist/scenario/linearizability.js";
import { operation, pairs, type TreeOperation, triples } from "../../dist/scenario/operations.js";
import { TREES } from "../../dist/scenario/trees.js";
import { defined } from "../../dist/support/defined.js";
import { runInTurn, type TreeRun } from "../model/core-runner.js";

/** Each STEP-th pair is tried; VERIFY_STEP=1: all of them. */
const STEP = Number(process.env.VERIFY_STEP ?? 97);
const TRIPLES = 8;

const every = <T>(list: T[], step: number) => list.filter((_item, n) => n % step === 0);

const op = (tree: string, ...calls: ProgramCall[]) => operation(tree, "test", calls);
const small = (...calls: ProgramCall[]) => op("small", ...calls);
const stat = (path: string): ProgramCall => ({ call: "sysStat", path });
const rename = (path: string, path2: string, flags = 0): ProgramCall => ({ call: "sysRename", path, path2, flags });
const mkdir = (path: string): ProgramCall => ({ call: "sysMkdir", path, mode: 0o755 });
const unlink = (path: string): CallOf<"sysUnlink"> => ({ call: "sysUnlink", path });

/** What a run left; results that a test made up are any values. */
interface Run extends Omit<TreeRun, "results"> {
  results: readonly (readonly unknown[] | undefined)[];
}

const treeOf = (operations: TreeOperation[]) => defined(operations[0], "operation").tree;

/** What the core does when the operations run in these turns. */
const ran = (operations: TreeOperation[], turns = operations.map((_op, n) => n)) =>
  runInTurn(treeOf(operations), operations, turns);

/** The verdict; without `order` all calls are concurrent. */
const verdict = (operations: TreeOperation[], { results, final }: Run, options?: JudgeOptions) =>
  // A made-up result may be of no call.
  judge(treeOf(operations), operations, results as TreeRun["results"], final, options);

function passes(operations: TreeOperation[], run: Run, options?: JudgeOptions): void {
  assert.equal(verdict(operations, run, options), null);
}

/** @returns the text of the verdict */
function refuses(operations: TreeOperation[], run: Run, options?: JudgeOptions): string {
  const text = verdict(operations, run, options);
  assert.ok(text !== null, `accepted: ${JSON.stringify(run.results)}`);
  return text;
}

type Place = (string | number)[];
/** An object or an array, by its keys. */
type Holder = Record<string | number, unknown>;

function holderAt(value: unknown, key: string | number): Holder {
  assert.ok(typeof value === "object" && value !== null, `nothing at ${key}`);
  return value as Holder;
}

/** A copy of a run with another value in one place, `undefined`: without it. */
function edited<R extends Run>(run: R, place: Place, value: unknown): R {
  const copy = structuredClone(run);
  const last = defined(place.at(-1), "place");
  const holder = holderAt(
    place.slice(0, -1).reduce<unknown>((at, key) => holderAt(at, key)[key], copy),
    last,
  );
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  assert.notDeepEqual(copy, run);
  return copy;
}

/** The place of a thread's result; of an entry in the tree. */
const resultPlace = (thread: number, call: number, ...more: Place): Place => ["results", thread, call, ...more];
const entryPlace = (path: string, ...more: Place): Place => ["final", "layers", 0, path, ...more];

/** The results of a thread. */
const resultsOf = (run: TreeRun, thread: number): Result[] => defined(run.results[thread], `results of ${thread}`);
/** The files that a run left, by path. */
const filesOf = (run: TreeRun) => defined(run.final.layers[0], "layer");

test("pairs that run one after the other pass, in both orders, judged as ordered and as concurrent", (t) => {
  const chosen = every(pairs(), STEP);
  for (const { tree, a, b } of chosen) {
    for (const turns of [
      [0, 1],
      [1, 0],
    ]) {
      const run = runInTurn(tree, [a, b], turns);
      passes([a, b], run, { order: run.order });
      passes([a, b], run);
    }
  }
  t.diagnostic(`${chosen.length} pairs`);
});

test("triples that run one after the other pass", () => {
  const all = triples();
  for (const { ops } of every(all, Math.ceil(all.length / TRIPLES))) {
    const run = ran(ops, [2, 0, 1]);
    passes(ops, run, { order: run.order });
  }
});

test("a lookup that finds a file under both names during a rename is refused, and one that finds it under neither", () => {
  const looks = (first: string, second: string) => [small(rename("/d/f", "/d/x")), small(stat(first), stat(second))];
  const newThenOld = looks("/d/x", "/d/f");
  const after = ran(newThenOld);
  passes(newThenOld, after);
  refuses(newThenOld, edited(after, resultPlace(1, 1), resultsOf(after, 1)[0]));
  // A thread may find the old name and then the new one: the rename came between.
  const oldThenNew = looks("/d/f", "/d/x");
  const before = ran(oldThenNew, [1, 0]);
  passes(oldThenNew, edited(before, resultPlace(1, 1), resultsOf(before, 1)[0]));
  const missed = edited(before, resultPlace(1, 0), "ENOENT");
  const text = refuses(oldThenNew, missed);
  assert.match(text, /sysRename.*\n.*sysStat|sysStat/);
});

test("a lookup that misses a name that exists all the time is refused", () => {
  const operations = [small(rename("/d/f", "/f", RENAME_EXCHANGE)), small(stat("/f"))];
  const run = ran(operations);
  passes(operations, run);
  refuses(operations, edited(run, resultPlace(1, 0), "ENOENT"));
});

test("a stat that mixes two inodes or two moments is refused", () => {
  const swapped = [small(rename("/d/f", "/f", RENAME_EXCHANGE)), small(stat("/f"))];
  const run = ran(swapped);
  // /d/f has two names, /f one: the number of the one with the count of the other.
  refuses(swapped, edited(run, resultPlace(1, 0, "nlink"), 1));
  const owned = [small({ call: "sysChown", path: "/d/f", uid: 7, gid: 8 }), small(stat("/d/f"))];
  const given = ran(owned);
  passes(owned, given);
  refuses(owned, edited(given, resultPlace(1, 0, "gid"), 0));
  const renamed = [small(rename("/d/f", "/f")), small(stat("/f"))];
  const over = ran(renamed, [1, 0]);
  passes(renamed, over);
  refuses(renamed, edited(over, resultPlace(1, 0, "size"), 4));
});

test("a lost link count is refused, and contents that no thread wrote", () => {
  const operations = [small({ call: "sysLink", path: "/f", path2: "/d/x" }), small(unlink("/h"))];
  const run = ran(operations);
  passes(operations, run);
  const text = refuses(operations, edited(run, entryPlace("/f", "nlink"), 1));
  assert.match(text, /\/f nlink: 1 where it should be 2/);
  refuses(operations, edited(run, entryPlace("/d", "size"), (filesOf(run)["/d"]?.size ?? 0) + 20));
  refuses(operations, edited(run, entryPlace("/f", "data"), "two"));
  refuses(operations, edited(run, entryPlace("/d/x"), undefined));
});

test("a wrong errno is refused", () => {
  const operations = [small({ ...unlink("/d/e"), removedir: true }), small(stat("/d/e/g"))];
  const run = ran(operations);
  assert.equal(resultsOf(run, 0)[0], "ENOTEMPTY");
  passes(operations, run);
  for (const other of ["EBUSY", "ENOENT", "EACCES", 0]) {
    refuses(operations, edited(run, resultPlace(0, 0), other));
  }
});

test("two threads that both make the same name are refused", () => {
  const operations = [small(mkdir("/d/x")), small(mkdir("/d/x"))];
  const run = ran(operations);
  assert.deepEqual(run.results, [[0], ["EEXIST"]]);
  passes(operations, run);
  refuses(operations, edited(run, resultPlace(1, 0), 0));
});

test("a call that began after another had ended must see its change", () => {
  const operations = [small(mkdir("/d/x")), small(stat("/d/x"))];
  const run = ran(operations);
  const missed = edited(run, resultPlace(1, 0), "ENOENT");
  passes(operations, missed);
  refuses(operations, missed, { order: run.order });
});

test("umount may find the mount busy while another thread is in it, and only then", () => {
  const make = op("mounts", mkdir("/m/x"));
  const operations = [op("mounts", { call: "sysUmount", path: "/m" }), make];
  const run = ran(operations, [1, 0]);
  assert.equal(resultsOf(run, 0)[0], 0);
  const beforeUmount = runInTurn("mounts", [make], [0]);
  const busy = { ...run, results: [["EBUSY"], [0]], final: beforeUmount.final };
  passes(operations, busy);
  refuses(operations, busy, { order: run.order });
});

test("the operation of a dead thread happened or did not; a half is refused", () => {
  const look = small(stat("/d/f"));
  const operations = [small(unlink("/h")), look];
  const done = ran(operations);
  const undone = ran([small(stat("/d/f")), small(stat("/d/f"))]);
  const dead = { dead: [0] };
  passes(operations, { ...done, results: [[], done.results[1]] }, dead);
  passes(operations, { ...undone, results: [undefined, undone.results[1]] }, dead);
  const half = edited({ ...undone, results: [[], undone.results[1]] }, entryPlace("/d/f", "nlink"), 1);
  refuses(operations, half, dead);
  // A reader may have seen the count of a change that was rolled back; a half never stays.
  const seen = edited({ ...undone, results: [[], undone.results[1]] }, resultPlace(1, 0, "nlink"), 1);
  passes(operations, seen, dead);
  refuses([look, look], { ...seen, results: [undone.results[0], seen.results[1]] });
  // A call that has returned has happened.
  refuses(operations, { ...undone, results: [[0], undone.results[1]] }, dead);
});

test("what a bystander saw before the recovery has happened, or is not undone by it", () => {
  const gone = small(unlink("/d/f"));
  const look = small(stat("/d/f"));
  const judged = (other: TreeOperation, results: Result[], { final }: Run, dead = gone, ended: Result[] = []) =>
    judgeBystander("small", dead, ended, other, results, final);
  /** Asserts that neither "it happened" nor "it did not" fits. */
  const neither = (...given: Parameters<typeof judged>) => assert.match(judged(...given) ?? "", /neither fits/);
  const [happened, not] = [ran([gone]), ran([look])];
  const found = resultsOf(not, 0);
  assert.equal(judged(look, found, not), null);
  assert.equal(judged(look, ["ENOENT"], happened), null);
  // It looked first, and then the recovery completed the change.
  assert.equal(judged(look, found, happened), null);
  // It saw a change that was rolled back: judge() accepts that, judgeBystander() does not.
  assert.match(judged(look, ["ENOENT"], not) ?? "", /happened or did not, and neither fits/);
  neither(look, found, edited(not, entryPlace("/d/f", "nlink"), 7));
  // A change of the bystander's own must stay, whatever became of the dead thread's.
  const make = small(mkdir("/d/x"));
  assert.equal(judged(make, [0], ran([make])), null);
  assert.equal(judged(make, [0], ran([gone, make])), null);
  neither(make, [0], happened);
  neither(make, [0], not);
  // The calls of the dead thread that had returned have happened, and before.
  const two = small(unlink("/d/f"), mkdir("/d/x"));
  const after = ran([two]);
  assert.equal(judged(look, ["ENOENT"], happened, two, [0]), null);
  assert.equal(judged(look, ["ENOENT"], after, two, [0]), null);
  neither(look, found, happened, two, [0]);
  neither(look, found, not, two, [0]);
  neither(look, ["ENOENT"], after, two, []);
});

test("a change of any one fact of an outcome is refused", (t) => {
  let changed = 0;
  for (const { tree, a, b } of every(pairs(), STEP * 6)) {
    const run = ran([a, b]);
    const files = Object.entries(filesOf(run));
    const mutants = [
      ...files.map(([path, { uid = 0 }]) => edited(run, entryPlace(path, "uid"), uid + 1)),
      ...files.map(([path, { nlink = 0 }]) => edited(run, entryPlace(path, "nlink"), nlink + 1)),
      ...files.map(([path]) => edited(run, entryPlace(path), undefined)),
      ...run.results.map((_results, n) => edited(run, resultPlace(n, 0), "EIO")),
    ];
    for (const mutant of mutants) refuses([a, b], mutant);
    assert.ok(allOutcomes(defined(TREES[tree], `tree ${tree}`), [a.calls, b.calls]).size > 0);
    changed += mutants.length;
  }
  t.diagnostic(`${changed} changes`);
});
