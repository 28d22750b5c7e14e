/** The machine by itself, on hand-written programs: it stops threads, switches, waits, kills and restores. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AT_NO_THREAD, BLOCKED, DONE, READY } from "../../dist/machine/constants.js";
import type { Controller } from "../../dist/machine/machine.js";
import { firstTwo } from "../support/members.js";
import { COUNTERS, calls, machineOf, WAITERS } from "./small-programs.js";

/** Runs the present thread as long as it can run, then the first thread in `order` that can. */
const inOrder = (...order: number[]): Controller => ({
  choose(machine, t, reason) {
    if (reason !== AT_NO_THREAD && t?.state === READY) return t.id;
    const first = (state: number) => order.find((id) => machine.threads[id]?.state === state);
    return first(READY) ?? first(BLOCKED) ?? -1;
  },
});

test("a thread stops before each of its accesses, which happens when the thread continues", () => {
  const machine = machineOf(COUNTERS);
  machine.everyAccess = true;
  assert.equal(machine.begin([calls(["add"]), calls(["add"])]), null);
  const [a, b] = firstTwo(machine.threads);
  const word = () => machine.words[16];
  assert.deepEqual([a.address, b.address, word()], [64, 64, 0]);
  machine.step(0);
  machine.step(1);
  assert.deepEqual([a.state, b.state, word()], [READY, READY, 0], "both have read, neither has written");
  machine.step(0);
  assert.deepEqual([a.state, word()], [DONE, 1]);
  machine.step(1);
  assert.deepEqual([b.state, word()], [DONE, 1], "the lost update");
  assert.equal(machine.finish(inOrder(0, 1)).status, "done");
});

test("every run starts from the sealed memory and the sealed globals", () => {
  const machine = machineOf(COUNTERS);
  for (const thread of machine.threads) machine.call(thread, "count");
  machine.seal();
  for (let n = 0; n < 5; n++) {
    const outcome = machine.run([calls(["count"], ["count"]), calls(["count"])], inOrder(0, 1));
    assert.deepEqual(outcome.results, [3, 2]);
  }
  machine.restore();
  assert.equal(machine.words[16], 1);
});

test("a thread that is killed before its n-th access has made n - 1, and the others continue", () => {
  const machine = machineOf(COUNTERS);
  machine.everyAccess = true;
  for (let n = 0; n < 4; n++) {
    machine.begin([calls(["bump", 4]), calls(["bump", 2])]);
    for (let k = 0; k < n; k++) machine.step(0);
    machine.kill(0);
    const outcome = machine.finish(inOrder(0, 1));
    assert.deepEqual([outcome.status, outcome.results, machine.words[16]], ["done", [undefined, 0], n + 2]);
  }
});

test("a waiter wakes by notify, and by nothing else", () => {
  const machine = machineOf(WAITERS);
  machine.run([calls(["await"]), calls(["wake"])], inOrder(0, 1));
  machine.adoptConflicts();
  const woken = machine.run([calls(["await"]), calls(["wake"])], inOrder(0, 1));
  assert.deepEqual([woken.status, woken.results], ["done", [0, 0]]);
  const tooLate = machine.run([calls(["await"]), calls(["wake"])], inOrder(1, 0));
  assert.deepEqual([tooLate.status, tooLate.results], ["done", [9, 0]]);
  const forgotten = machine.run([calls(["await"]), calls(["forget"])], inOrder(0, 1));
  assert.equal(forgotten.status, "lost wake-up");
});

test("two threads that wait for each other are reported as stuck", () => {
  const machine = machineOf(WAITERS);
  const both = [calls(["hold", 64, 128]), calls(["hold", 128, 64])];
  machine.run(both, inOrder(0, 1));
  machine.adoptConflicts();
  machine.begin(both);
  machine.step(0);
  machine.step(1);
  const outcome = machine.finish(inOrder(0, 1));
  assert.equal(outcome.status, "stuck");
});

test("an 8-byte access is one step and touches both of its words", () => {
  const machine = machineOf(COUNTERS);
  machine.run([calls(["swap"]), calls(["bump", 1])], inOrder(0, 1));
  assert.deepEqual([...machine.conflicts.found].sort(), [16]);
  machine.forgetConflicts();
  machine.run([calls(["swap"]), calls(["swap"])], inOrder(0, 1));
  assert.deepEqual([...machine.conflicts.found].sort(), [16, 17]);
});

test("an access beyond the end of the arena is a failure of the run, and the machine remains usable", () => {
  const machine = machineOf(`(func (export "far") (result i32) (i32.load (i32.const 65536)))`);
  const outcome = machine.run([calls(["far"]), calls(["far"])], inOrder(0, 1));
  assert.equal(outcome.status, "trap");
  assert.deepEqual(machine.run([], inOrder()).results, []);
});
