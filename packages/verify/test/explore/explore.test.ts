/** The explorer on programs whose schedules can be counted by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "../../dist/explore/explore.js";
import type { Explored } from "../../dist/explore/run.js";
import { sample } from "../../dist/explore/sample.js";
import { formatSchedule, parseSchedule, replay } from "../../dist/explore/schedule.js";
import type { Machine, Operation, Outcome } from "../../dist/machine/machine.js";
import { defined } from "../../dist/support/defined.js";
import { COUNTERS, calls, machineOf, WAITERS } from "../machine/small-programs.js";
import { only } from "../support/members.js";

interface Options {
  bound?: number;
  reduce?: boolean;
}

/** Explores; `values` are the final values of the words at 64 and 128, and the results. */
function all(machine: Machine, operations: Operation[], options: Options = {}): Explored & { values: string[] } {
  const values = new Set<string>();
  machine.forgetConflicts();
  const judge = (outcome: Outcome) => {
    values.add(JSON.stringify([machine.words[16], machine.words[32], ...outcome.results]));
    return null;
  };
  const found = explore(machine, operations, { judge, ...options });
  assert.deepEqual(found.failures, []);
  return { ...found, values: [...values].sort() };
}

/** The number of ways to choose k of n. */
function choose(n: number, k: number): number {
  return k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k;
}

test("without reduction and bound there are as many schedules as interleavings of the steps", () => {
  const machine = machineOf(COUNTERS);
  for (let n = 1; n <= 4; n++) {
    const ops = [calls(["bump", n]), calls(["bump", n])];
    const found = all(machine, ops, { bound: Infinity, reduce: false });
    assert.equal(found.schedules, choose(2 * n, n), `${n} steps each`);
    assert.ok(found.complete);
  }
});

test("a lost update is found, with reduction in fewer schedules with the same outcomes", () => {
  const machine = machineOf(COUNTERS);
  const ops = [calls(["twice"]), calls(["twice"])];
  const plain = all(machine, ops, { bound: Infinity, reduce: false });
  assert.equal(plain.schedules, choose(8, 4));
  const reduced = all(machine, ops, { bound: Infinity });
  assert.ok(reduced.schedules < plain.schedules, `${reduced.schedules} of ${plain.schedules}`);
  assert.deepEqual(reduced.values, plain.values);
  assert.deepEqual(plain.values, ["[1,1,0,0]", "[1,2,0,0]", "[2,1,0,0]", "[2,2,0,0]"]);
});

test("the bound counts preemptions: 0 find no lost update, 1 finds it", () => {
  const machine = machineOf(COUNTERS);
  const ops = [calls(["add"]), calls(["add"])];
  assert.deepEqual(all(machine, ops, { bound: 0 }).values, ["[2,0,0,0]"]);
  assert.deepEqual(all(machine, ops, { bound: 1 }).values, ["[1,0,0,0]", "[2,0,0,0]"]);
});

test("with the same bound, reduction keeps every outcome", () => {
  const machine = machineOf(COUNTERS);
  for (const ops of [
    [calls(["twice"]), calls(["add"], ["add"])],
    [calls(["twice"], ["swap"]), calls(["twice"])],
    [calls(["swap"], ["bump", 2]), calls(["twice"], ["swap"])],
  ]) {
    for (const bound of [0, 1, 2, 3]) {
      const reduced = all(machine, ops, { bound, reduce: true });
      const plain = all(machine, ops, { bound, reduce: false });
      assert.deepEqual(reduced.values, plain.values, `${ops.map((op) => op.name)} at ${bound}`);
      assert.ok(reduced.schedules <= plain.schedules);
    }
  }
});

test("operations that share nothing have one schedule", () => {
  const machine = machineOf(`${COUNTERS}
    (func (export "far") (result i32) (i32.atomic.store (i32.const 256) (i32.const 1)) (i32.const 0))`);
  const found = all(machine, [calls(["add"]), calls(["far"])], { bound: 3 });
  assert.deepEqual([found.schedules, found.conflicts, found.complete], [1, 0, true]);
});

// `stale` returns 0 for ever, like a reader of a cached value.
const STALE = `${COUNTERS}
  (func (export "stale") (result i32) (i32.const 0))
  (func (export "far") (result i32) (i32.atomic.store (i32.const 256) (i32.const 1)) (i32.const 0))
  (func (export "set") (result i32) (i32.atomic.store (i32.const 64) (i32.const 1)) (i32.const 1))`;

test("a call that shares no word runs after every other call too, and the schedule repeats that", () => {
  const machine = machineOf(STALE);
  // The call that returns 0 must not begin after the other one has ended.
  const judge = () => {
    const set = machine.order.findIndex(([id, , what]) => id === 1 && what === "end");
    const begins = machine.order.flatMap(([id, , what], at) => (id === 0 && what === "begin" ? [at] : []));
    return begins.some((at) => at > set) ? "stale" : null;
  };
  for (const ops of [
    [calls(["stale"]), calls(["set"])],
    [calls(["stale"], ["stale"]), calls(["set"])],
    [calls(["add"], ["stale"]), calls(["far"], ["set"])],
  ]) {
    machine.forgetConflicts();
    const { failures } = explore(machine, ops, { bound: 0, judge });
    const failure = only(failures, "failure");
    assert.equal(failure.message, "stale");
    const outcome = replay(machine, ops, failure.replay);
    assert.equal(outcome.status, "done");
    assert.equal(judge(), "stale", failure.replay);
    machine.forgetConflicts();
    assert.equal(sample(machine, ops, { seed: 1, maxRuns: 40, judge }).failures.length, 1, "by chance too");
  }
});

test("a waiter is woken, comes too late, or sleeps for ever where a schedule forgets the wake-up", () => {
  const machine = machineOf(WAITERS);
  const woken = all(machine, [calls(["await"]), calls(["wake"])], { bound: 2 });
  assert.deepEqual(woken.values, ["[1,0,0,0]", "[1,0,1,0]", "[1,0,9,0]"], "woken, changed before it slept, seen");
  machine.forgetConflicts();
  const ops = [calls(["await"]), calls(["forget"])];
  const { failures } = explore(machine, ops, { bound: 2, judge: () => null });
  const failure = only(failures, "failure");
  assert.match(failure.message, /lost wake-up/);
  assert.equal(replay(machine, ops, failure.replay).status, "lost wake-up");
});

test("a loop that reads a word again yields at no cost, or reads in vain to its end", () => {
  const machine = machineOf(WAITERS);
  // To continue reading is no preemption: the thread that would change the word may be stopped for long.
  for (const bound of [0, 1]) {
    machine.forgetConflicts();
    const found = all(machine, [calls(["look"]), calls(["forget"])], { bound });
    assert.deepEqual(found.values, ["[1,0,0,0]", "[1,0,1,0]"]);
    assert.ok(found.schedules < 20, `${found.schedules} schedules, not one for each read`);
  }
});

test("the schedule of a failure can be written, read and repeated", () => {
  const machine = machineOf(COUNTERS);
  const ops = [calls(["add"]), calls(["add"])];
  const judge = () => (machine.words[16] === 2 ? null : "an update is lost");
  const { failures } = explore(machine, ops, { bound: 1, judge });
  assert.equal(failures.length, 1);
  const { replay: schedule } = only(failures, "failure");
  assert.equal(formatSchedule(parseSchedule(schedule)), schedule);
  const fresh = machineOf(COUNTERS);
  assert.equal(replay(fresh, ops, schedule).status, "done");
  assert.equal(fresh.words[16], 1);
  assert.throws(() => parseSchedule("a1-z"), /No schedule/);
});

test("random schedules follow from the seed, and those of three threads find every lost update", () => {
  const machine = machineOf(COUNTERS, { threads: 3 });
  const ops = [calls(["add"]), calls(["add"]), calls(["add"])];
  const go = (seed: number) => {
    const schedules: string[] = [];
    const values = new Set<number>();
    machine.forgetConflicts();
    const judge = () => {
      schedules.push(formatSchedule(machine.schedule));
      values.add(defined(machine.words[16], "word"));
      return null;
    };
    const found = sample(machine, ops, { seed, maxRuns: 200, judge });
    assert.equal(found.runs, 200);
    return { schedules, values: [...values].sort() };
  };
  const first = go(7);
  assert.deepEqual(go(7), first);
  assert.notDeepEqual(go(8).schedules, first.schedules);
  assert.deepEqual(first.values, [1, 2, 3]);
});

test("an exploration is the same every time", () => {
  const machine = machineOf(COUNTERS);
  const ops = [calls(["twice"]), calls(["twice"], ["bump", 2])];
  const first = all(machine, ops, { bound: 2 });
  assert.deepEqual(all(machine, ops, { bound: 2 }), first);
  assert.deepEqual(all(machineOf(COUNTERS), ops, { bound: 2 }), first);
});
