/**
 * The judge: what the core answers when operations come one after the other passes, whichever is first; answers and
 * trees that could not have been are refused.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RENAME_EXCHANGE } from "../../../threadfs/dist/abi/abi.js";
import { allOutcomes, judge, judgeBystander } from "../../dist/scenario/linearizability.js";
import { operation, pairs, triples } from "../../dist/scenario/operations.js";
import { TREES } from "../../dist/scenario/trees.js";
import { runInTurn } from "../model/core-runner.js";

/** Every so many-th pair; VERIFY_STEP=1: all of them. */
const STEP = Number(process.env.VERIFY_STEP ?? 97);
const TRIPLES = 8;

const every = (list, step) => list.filter((_item, n) => n % step === 0);

const op = (tree, ...calls) => operation(tree, "test", calls);
const small = (...calls) => op("small", ...calls);
const stat = (path) => ({ call: "sysStat", path });
const rename = (path, path2, flags = 0) => ({ call: "sysRename", path, path2, flags });
const mkdir = (path) => ({ call: "sysMkdir", path, mode: 0o755 });
const unlink = (path) => ({ call: "sysUnlink", path });

/** What the core did, with the threads' calls all at the same time as far as the judge knows. */
const ran = (operations, turns = operations.map((_op, n) => n)) => runInTurn(operations[0].tree, operations, turns);
const said = (operations, { results, final }, options) =>
  judge(operations[0].tree, operations, results, final, options);

function passes(operations, run, options) {
  assert.equal(said(operations, run, options), null);
}

function refuses(operations, run, options) {
  const text = said(operations, run, options);
  assert.equal(typeof text, "string", `let through: ${JSON.stringify(run.results)}`);
  return text;
}

/** A copy of a run with another value at a place in it, `undefined`: without it; it must really be another. */
function edited(run, place, value) {
  const copy = structuredClone(run);
  const last = place[place.length - 1];
  const holder = place.slice(0, -1).reduce((at, key) => at[key], copy);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  assert.notDeepEqual(copy, run);
  return copy;
}

/** The place of a thread's answer; of an entry in the tree as it is seen. */
const answer = (thread, call, ...more) => ["results", thread, call, ...more];
const entry = (path, ...more) => ["final", "layers", 0, path, ...more];

test("pairs one after the other pass, in both orders, as such and as concurrent", (t) => {
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

test("triples one after the other pass", () => {
  const all = triples();
  for (const { ops } of every(all, Math.ceil(all.length / TRIPLES))) {
    const run = ran(ops, [2, 0, 1]);
    passes(ops, run, { order: run.order });
  }
});

test("a file found under both names while it is renamed is refused, and one found under neither", () => {
  const looks = (first, second) => [small(rename("/d/f", "/d/x")), small(stat(first), stat(second))];
  const newThenOld = looks("/d/x", "/d/f");
  const after = ran(newThenOld);
  passes(newThenOld, after);
  refuses(newThenOld, edited(after, answer(1, 1), after.results[1][0]));
  // The old name and then the new one is what a walk may find: the rename came between.
  const oldThenNew = looks("/d/f", "/d/x");
  const before = ran(oldThenNew, [1, 0]);
  passes(oldThenNew, edited(before, answer(1, 1), before.results[1][0]));
  const missed = edited(before, answer(1, 0), "ENOENT");
  const text = refuses(oldThenNew, missed);
  assert.match(text, /sysRename.*\n.*sysStat|sysStat/);
});

test("a name that is there before, during and after is not missed", () => {
  const operations = [small(rename("/d/f", "/f", RENAME_EXCHANGE)), small(stat("/f"))];
  const run = ran(operations);
  passes(operations, run);
  refuses(operations, edited(run, answer(1, 0), "ENOENT"));
});

test("a stat of two inodes is refused, and one of two moments", () => {
  const swapped = [small(rename("/d/f", "/f", RENAME_EXCHANGE)), small(stat("/f"))];
  const run = ran(swapped);
  // /d/f has two names, /f one: the number of the one with the count of the other.
  refuses(swapped, edited(run, answer(1, 0, "nlink"), 1));
  const owned = [small({ call: "sysChown", path: "/d/f", uid: 7, gid: 8 }), small(stat("/d/f"))];
  const given = ran(owned);
  passes(owned, given);
  refuses(owned, edited(given, answer(1, 0, "gid"), 0));
  const renamed = [small(rename("/d/f", "/f")), small(stat("/f"))];
  const over = ran(renamed, [1, 0]);
  passes(renamed, over);
  refuses(renamed, edited(over, answer(1, 0, "size"), 4));
});

test("a lost link count is refused, and contents that nobody wrote", () => {
  const operations = [small({ call: "sysLink", path: "/f", path2: "/d/x" }), small(unlink("/h"))];
  const run = ran(operations);
  passes(operations, run);
  const text = refuses(operations, edited(run, entry("/f", "nlink"), 1));
  assert.match(text, /\/f nlink: 1 where it should be 2/);
  refuses(operations, edited(run, entry("/d", "size"), run.final.layers[0]["/d"].size + 20));
  refuses(operations, edited(run, entry("/f", "data"), "two"));
  refuses(operations, edited(run, entry("/d/x"), undefined));
});

test("a wrong errno is refused", () => {
  const operations = [small({ ...unlink("/d/e"), removedir: true }), small(stat("/d/e/g"))];
  const run = ran(operations);
  assert.equal(run.results[0][0], "ENOTEMPTY");
  passes(operations, run);
  for (const other of ["EBUSY", "ENOENT", "EACCES", 0]) {
    refuses(operations, edited(run, answer(0, 0), other));
  }
});

test("two of the same name cannot both be made", () => {
  const operations = [small(mkdir("/d/x")), small(mkdir("/d/x"))];
  const run = ran(operations);
  assert.deepEqual(run.results, [[0], ["EEXIST"]]);
  passes(operations, run);
  refuses(operations, edited(run, answer(1, 0), 0));
});

test("what began after a call had ended sees what it did", () => {
  const operations = [small(mkdir("/d/x")), small(stat("/d/x"))];
  const run = ran(operations);
  const missed = edited(run, answer(1, 0), "ENOENT");
  passes(operations, missed);
  refuses(operations, missed, { order: run.order });
});

test("umount may find the mount busy while another is in it, and only then", () => {
  const operations = [op("mounts", { call: "sysUmount", path: "/m" }), op("mounts", mkdir("/m/x"))];
  const run = ran(operations, [1, 0]);
  assert.equal(run.results[0][0], 0);
  const beforeUmount = runInTurn("mounts", [operations[1]], [0]);
  const busy = { ...run, results: [["EBUSY"], [0]], final: beforeUmount.final };
  passes(operations, busy);
  refuses(operations, busy, { order: run.order });
});

test("a dead thread's operation happened or did not; half of it is refused", () => {
  const operations = [small(unlink("/h")), small(stat("/d/f"))];
  const done = ran(operations);
  const undone = ran([small(stat("/d/f")), small(stat("/d/f"))]);
  const dead = { dead: [0] };
  passes(operations, { ...done, results: [[], done.results[1]] }, dead);
  passes(operations, { ...undone, results: [undefined, undone.results[1]] }, dead);
  const half = edited({ ...undone, results: [[], undone.results[1]] }, entry("/d/f", "nlink"), 1);
  refuses(operations, half, dead);
  // A reader may have seen the count of a change that was begun and then taken back; never a half that stays.
  const seen = edited({ ...undone, results: [[], undone.results[1]] }, answer(1, 0, "nlink"), 1);
  passes(operations, seen, dead);
  refuses([operations[1], operations[1]], { ...seen, results: [undone.results[0], seen.results[1]] });
  // What it was known to have ended has happened.
  refuses(operations, { ...undone, results: [[0], undone.results[1]] }, dead);
});

test("what was seen before a death was known has happened, or will not have", () => {
  const gone = small(unlink("/d/f"));
  const look = small(stat("/d/f"));
  const told = (other, answers, { final }, dead = gone, ended = []) =>
    judgeBystander("small", dead, ended, other, answers, final);
  const [happened, not] = [ran([gone]), ran([look])];
  const found = not.results[0];
  assert.equal(told(look, found, not), null);
  assert.equal(told(look, ["ENOENT"], happened), null);
  // Looked first, and then what the dead one had begun was completed.
  assert.equal(told(look, found, happened), null);
  // Looked at a change that was then taken back: judge() lets it pass, and this must not.
  assert.match(told(look, ["ENOENT"], not), /happened or did not, and neither fits/);
  assert.match(told(look, found, edited(not, entry("/d/f", "nlink"), 7)), /neither fits/);
  // A change of the other's own must stay, whatever became of the dead one's.
  const make = small(mkdir("/d/x"));
  assert.equal(told(make, [0], ran([make])), null);
  assert.equal(told(make, [0], ran([gone, make])), null);
  assert.match(told(make, [0], happened), /neither fits/);
  assert.match(told(make, [0], not), /neither fits/);
  // What the dead one had been answered has happened, and before.
  const two = small(unlink("/d/f"), mkdir("/d/x"));
  const after = ran([two]);
  assert.equal(told(look, ["ENOENT"], happened, two, [0]), null);
  assert.equal(told(look, ["ENOENT"], after, two, [0]), null);
  assert.match(told(look, found, happened, two, [0]), /neither fits/);
  assert.match(told(look, found, not, two, [0]), /neither fits/);
  assert.match(told(look, ["ENOENT"], after, two, []), /neither fits/);
});

test("any one fact of an outcome that is changed is noticed", (t) => {
  let changed = 0;
  for (const { tree, a, b } of every(pairs(), STEP * 6)) {
    const run = ran([a, b]);
    const layer = run.final.layers[0];
    const mutants = [
      ...Object.keys(layer).map((path) => edited(run, entry(path, "uid"), layer[path].uid + 1)),
      ...Object.keys(layer).map((path) => edited(run, entry(path, "nlink"), layer[path].nlink + 1)),
      ...Object.keys(layer).map((path) => edited(run, entry(path), undefined)),
      ...run.results.map((_answers, n) => edited(run, answer(n, 0), "EIO")),
    ];
    for (const mutant of mutants) refuses([a, b], mutant);
    assert.ok(allOutcomes(TREES[tree], [a.calls, b.calls]).size > 0);
    changed += mutants.length;
  }
  t.diagnostic(`${changed} changes`);
});
